"""How bright a frame shows its stars beside the others: one factor a frame, of all common stars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA

STEPS = 20
CLIP = 4.0
FLOOR_MAG = 0.003  # what flat fields leave: no star has a larger say than this allows
MIN_STARS = 3
MAG = 2.5 / np.log(10)


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Frames' zero points against their mean, from the fluxes of common stars.

    Attributes
    ----------
    offset, error, scatter : (n_frame,) float arrays
        Magnitudes by which a frame shows all stars fainter than the reference does; its error, and
        the scatter of the stars about it. NaN with too few stars.
    stars : (n_frame,) int array
        That tell it.
    magnitude : (n_star,) float array
        Of each star in the system of the reference, -2.5 log10 ADU.
    """

    offset: np.ndarray
    error: np.ndarray
    scatter: np.ndarray
    stars: np.ndarray
    magnitude: np.ndarray


def find_scales(flux: np.ndarray, flux_err: np.ndarray, reference: int) -> Scales:
    """Solve ``mag = star + frame`` for all stars and frames at once, without variables and clouds.

    flux, flux_err: (n_frame, n_star) float arrays, ADU; NaN where a star is not usable.
    reference: the frame whose offset is zero.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = np.where(flux > 0, -MAG * np.log(flux), np.nan)
        variance = (MAG * flux_err / flux) ** 2 + FLOOR_MAG**2
    known = np.isfinite(mag) & np.isfinite(variance)
    weight = np.where(known, 1 / np.where(known, variance, 1.0), 0.0)
    mag = np.where(known, mag, 0.0)
    frame = np.zeros(len(mag))
    for _ in range(STEPS):
        star = _mean(mag - frame[:, None], weight, 0)
        frame = _mean(mag - star, weight, 1)
        rest = np.where(known, mag - star - frame[:, None], np.nan)
        used = np.abs(rest) <= CLIP * np.maximum(_scatter(rest)[:, None], np.sqrt(variance))
        weight = np.where(known & used, 1 / np.where(known, variance, 1.0), 0.0)
    number = (weight > 0).sum(axis=1)
    poor = number < MIN_STARS
    shift = frame[reference] if not poor[reference] else np.median(frame[~poor])
    return Scales(
        np.where(poor, np.nan, frame - shift),
        np.where(poor, np.nan, 1 / np.sqrt(np.maximum(weight.sum(axis=1), 1e-30))),
        np.where(poor, np.nan, _scatter(rest)),
        number,
        np.where((weight > 0).any(axis=0), star + shift, np.nan),
    )


def _mean(values: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    return (weight * values).sum(axis=axis) / np.maximum(weight.sum(axis=axis), 1e-30)


def _scatter(rest: np.ndarray) -> np.ndarray:
    """Scatter of each frame's stars: (n_frame,), 0 where there is none."""
    known = np.isfinite(rest).any(axis=1)
    found = np.zeros(len(rest))
    found[known] = MAD_TO_SIGMA * np.nanmedian(np.abs(rest[known]), axis=1)
    return found
