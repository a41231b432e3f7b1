"""Frames in which clouds may have dimmed the target otherwise than its comparison stars."""

from __future__ import annotations

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.curve.ensemble import Ensemble

MIN_WITNESSES = 3  # comparison stars in a frame, to show that they agree
PATCHY_SIGMA = 2.0  # their scatter in one frame over their errors: chance alone gives 1 +- 0.5
NO_OTHERS = 1e-6  # share of all others
CLOUD_FRACTION = 0.6  # of the light expected at that airmass


def mark_clouds(ensemble: Ensemble, airmass: np.ndarray) -> np.ndarray:
    """Find the frames in which clouds may have dimmed the target otherwise than its comparisons.

    Below 60 % of the clear sky (`dimmed`), and the comparison stars, each divided by all, are off
    by more than their errors allow, or are too few to show it. A cloud that dims all alike has made
    the errors larger, and no more.
    """
    off = against_others(ensemble)
    # The half that is known best: what faint stars do says nothing of a few per cent.
    known = np.where(np.isfinite(off), ensemble.error, np.nan)
    n_best = np.maximum(np.isfinite(off).sum(axis=1) // 2, MIN_WITNESSES)[:, None]
    off[np.argsort(np.argsort(known, axis=1), axis=1) >= n_best] = np.nan
    enough = np.isfinite(off).sum(axis=1) >= MIN_WITNESSES
    patchy = np.ones(len(off), dtype=bool)
    patchy[enough] = MAD_TO_SIGMA * np.nanmedian(np.abs(off[enough]), axis=1) > PATCHY_SIGMA
    return dimmed(ensemble.transparency, airmass) & patchy


def against_others(ensemble: Ensemble) -> np.ndarray:
    """Hold all stars that were measured against the mean of the others: (n_frame, n_star) sigmas.

    Some take no part in the mean because they are off. NaN where there are no others.
    """
    total = ensemble.share.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = ensemble.share / total
        noise = (own * np.nan_to_num(ensemble.error)) ** 2
        of_others = (noise.sum(axis=1, keepdims=True) - noise) / (1 - own) ** 2
        off = (ensemble.normalised - ensemble.transparency[:, None]) / (1 - own)
        off = off / np.sqrt(ensemble.error**2 + of_others)
    return np.where(1 - own > NO_OTHERS, off, np.nan)


def dimmed(transparency: np.ndarray, airmass: np.ndarray) -> np.ndarray:
    """Find the frames below 60 % of the clear sky; not those whose transparency is not known.

    The clear-sky line log T = a - k X is fitted to the upper envelope: points below are dropped.
    """
    finite = np.isfinite(transparency) & (np.nan_to_num(transparency) > 0)
    magnitude = np.log(np.where(finite, transparency, 1.0))
    column = np.where(np.isfinite(airmass), airmass, 1.0)
    design = np.column_stack([np.ones(len(column)), column - column.mean()])
    if finite.sum() < 10 or np.ptp(column[finite]) < 0.05:
        design = design[:, :1]
    use, line = finite, np.zeros(len(column))
    for _ in range(10):
        if use.sum() < 5:
            break
        coefficients = np.linalg.lstsq(design[use], magnitude[use], rcond=None)[0]
        if len(coefficients) == 2:
            coefficients[1] = min(coefficients[1], 0.0)
        line = design @ coefficients
        spread = max(float(np.std(magnitude[use] - line[use])), 0.02)
        use = finite & (magnitude > line - 1.5 * spread)
    return finite & (magnitude - line < np.log(CLOUD_FRACTION))
