"""Frames and points that deserve a flag; nothing is removed."""

from __future__ import annotations

import numpy as np

from lightcurve.curve.scatter import point_to_point, running_median

CLOUD_FRACTION = 0.6  # of the light expected at that airmass
OUTLIER_SIGMA = 5.0


def mark_clouds(transparency: np.ndarray, airmass: np.ndarray) -> np.ndarray:
    """Find the frames that lost far more light than the airmass takes.

    Parameters
    ----------
    transparency, airmass : (n,) float arrays

    Returns
    -------
    (n,) bool array
        True below 60 % of the clear sky, and where the transparency is not known.

    Notes
    -----
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
    return ~finite | (magnitude - line < np.log(CLOUD_FRACTION))


def mark_outliers(flux: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Find single points far from the median of their neighbours.

    flux, error: (n,) float arrays, in order of time.
    Returns (n,) bool array, True beyond five times the larger of the point's error and the curve's
    scatter.
    """
    difference = flux - running_median(flux)
    sigma = np.fmax(max(point_to_point(flux), 1e-9), error)
    return np.isfinite(difference) & (np.abs(difference) > OUTLIER_SIGMA * sigma)
