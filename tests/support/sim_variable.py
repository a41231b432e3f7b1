"""Light curves of variable stars of known periods and minima, over nights with days between."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np


def nights(
    rng: np.random.Generator, count: int, span: int, hours: float = 5.0, minutes: float = 5.0
) -> np.ndarray:
    """Times of some nights out of `span` days, BJD_TDB, (n,)."""
    days = np.sort(rng.choice(span, count, replace=False))
    night = np.arange(0, hours / 24, minutes / 1440)
    return np.concatenate([2459000.2 + day + rng.uniform(0, 0.1) + night for day in days])


def wave(phase: np.ndarray, size: float = 0.05) -> np.ndarray:
    """One sine a period."""
    return 1 + size * np.sin(2 * np.pi * phase)


def eclipses(phase: np.ndarray, depths: tuple[float, float] = (0.4, 0.1)) -> np.ndarray:
    """Two Gaussian eclipses a period, the first at phase 0: no profile of the program's."""
    flux = np.ones(len(phase))
    for depth, middle in zip(depths, (0.0, 0.5), strict=True):
        off = (phase - middle + 0.5) % 1 - 0.5
        flux -= depth * np.exp(-0.5 * (off / 0.03) ** 2)
    return flux


def contact(phase: np.ndarray) -> np.ndarray:
    """A binary in contact: two minima a period, the first deeper."""
    return 1 - 0.2 * np.cos(4 * np.pi * phase) - 0.03 * np.cos(2 * np.pi * phase)


def write_table(path: Path, time: np.ndarray, flux: np.ndarray, error: float) -> Path:
    """Write a light curve that any program could have written."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["BJD_TDB", "rel_flux", "rel_flux_err"])
        rows.writerows(zip(time, flux, np.full(len(time), error), strict=True))
    return path
