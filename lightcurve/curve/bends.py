"""Noise of stars against one another, from how each bends away from its neighbours in time.

What is slow (a transit, air, drift) is nearly straight over three frames and does not enter, nor
does what all stars have in common.
"""

from __future__ import annotations

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.curve.detrend import column_median

MOST = 1000  # triples: a variance known to 6 %
BEND = np.array([1.0, -2.0, 1.0])  # of three frames in a row
PER_BEND = 35 / 9  # relative variance of a mean square of overlapping bends, times their number
LONG_STEP = 3.0  # in cadences: beyond it three frames are no neighbours
CLIP = 16.0  # a bend of four sigma


def neighbours(time: np.ndarray) -> np.ndarray:
    """List frames three in a row, (3, n) int array, without those across gaps.

    time: (n_frame,) float array. At most `MOST`, spread evenly over the night.
    """
    n = len(time)
    if n < 3:
        return np.zeros((3, 0), dtype=int)
    step = np.diff(time)
    close = step <= LONG_STEP * np.median(step)
    first = np.flatnonzero(close[:-1] & close[1:])
    if len(first) > MOST:
        first = first[np.linspace(0, len(first) - 1, MOST).astype(int)]
    return first + np.arange(3)[:, None]


def bend_squares(values: np.ndarray, variance: np.ndarray, triples: np.ndarray) -> np.ndarray:
    """Square of each bend over what is expected of it, (n, ...).

    values, variance: (n_frame, ...). triples: (3, n) int array, of `neighbours`.
    """
    before, middle, after = triples
    # Written out: a product of matrices may round otherwise with the number of columns.
    bend = values[before] - 2 * values[middle] + values[after]
    return bend**2 / (variance[before] + 4 * variance[middle] + variance[after])


def measure_excess(
    relative: np.ndarray, share: np.ndarray, variance: np.ndarray, triples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Work out the mean square bend of each star over that of the noise expected of it.

    A star is a part of the mean it is divided by: with h its share, its residual has the variance
    ``v (1 - 2 h)`` and that of the mean, the sum of all ``h^2 v``. So two stars tell the sum of
    their variances, and each is given its part of the model's.

    Parameters
    ----------
    relative, share, variance : (n_frame, n_star) or (n_frame, n_set, n_star) float arrays
        Flux over level, NaN where a star takes no part; weights, 0 there; expected variance.
    triples : (3, n) int array
        From `neighbours`.

    Returns
    -------
    ratio, spread : (n_star,) or (n_set, n_star) float arrays
        1 where the noise is as expected, NaN where it is not known; and the error of a ratio of 1.
    """
    total = share.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        h = np.where(total > 0, share / total, np.nan)
        mean = (h * np.nan_to_num(relative)).sum(axis=-1, keepdims=True)
        residual = relative / mean
        of_mean = (h**2 * np.nan_to_num(variance)).sum(axis=-1, keepdims=True)
        expected = variance * (1 - 2 * h) + of_mean
        square = bend_squares(residual, expected, triples)
    # Alone in its frame a star is its own mean, and tells nothing.
    square[~np.isfinite(square)] = np.nan
    usual = MAD_TO_SIGMA**2 * column_median(square)
    # Of few bends the median is small by chance: that of all stars keeps it from clipping.
    reach = CLIP * np.fmax(usual, column_median(np.atleast_2d(usual).T)[:, None])
    kept = square <= reach
    number = np.maximum(kept.sum(axis=0), 1)
    ratio = np.where(kept, square, 0.0).sum(axis=0) / number
    return np.where(np.isfinite(usual), ratio, np.nan), np.sqrt(PER_BEND / number)
