"""The sky around each star."""

from __future__ import annotations

import numpy as np

CLIP_SIGMA = 2.5
MAX_PASSES = 6
MIN_SIGMA = 0.3  # whole ADU cannot show less than their rounding
# What repeated clipping at 2.5 sigma leaves of a Gaussian's sigma: s of
# s^2 = 1 - 2 a phi(a) / (2 Phi(a) - 1), a = 2.5 s.
CLIP_KEEPS = 0.9376


def clipped_sky(
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean sky after clipping about the median, star by star.

    The mean, not the median, is what is returned: where the sky's noise is about 1 ADU the median
    of whole numbers is a whole number, and wrong by up to half an ADU in every pixel. The values
    are sorted once: what is kept is then a stretch of each row, its mean a difference of sums.

    Parameters
    ----------
    values : (n, m) float array
        Annulus pixels of each star, ADU; NaN does not count.

    Returns
    -------
    sky, scatter : (n,) float arrays
        ADU, the scatter that of a Gaussian before clipping; NaN where no pixel is finite.
    n_kept : (n,) int array
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    whole = np.isfinite(ordered[:, [0, -1]]).all()
    count = np.full(len(ordered), ordered.shape[1])
    if not whole:
        count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    last = np.maximum(count - 1, 0)
    low, middle = (ordered[rows, (last * q).astype(int)] for q in (0.16, 0.5))
    # Offsets from the median, so that sums of squares lose no digits; what is not finite is 0.
    offset = ordered - middle[:, None]
    if not whole:
        offset = np.nan_to_num(offset, nan=0.0, posinf=0.0, neginf=0.0)
    sums = _running_sums(offset)
    if not whole:
        offset[np.arange(offset.shape[1]) >= count[:, None]] = np.inf
    low, middle = low.astype(float), middle.astype(float)
    # Stars lie above the sky: the lower half alone tells the scatter to start with.
    centre, spread = np.zeros(len(rows)), np.maximum(middle - low, 2 * MIN_SIGMA)
    first, end = rows, rows
    for _ in range(MAX_PASSES):
        previous = first, end
        reach = CLIP_SIGMA * spread
        low, high = ((centre + r).astype(offset.dtype)[:, None] for r in (-reach, reach))
        first, end = _first_true(offset >= low), _first_true(offset > high)
        n = np.maximum(end - first, 1)
        mean = (sums[rows, end] - sums[rows, first]) / n
        centre, variance = mean.real, mean.imag - mean.real**2
        spread = np.maximum(np.sqrt(np.maximum(variance, 0)), MIN_SIGMA)
        if np.array_equal(previous, (first, end)):
            break
    kept = np.where(count > 0, end - first, 0)
    nothing = kept == 0
    sky, scatter = middle + centre, np.maximum(spread / CLIP_KEEPS, MIN_SIGMA)
    return np.where(nothing, np.nan, sky), np.where(nothing, np.nan, scatter), kept


def _first_true(rising: np.ndarray) -> np.ndarray:
    """Find where each row, false at first, becomes true; its length where it does not."""
    return np.where(rising[:, -1], rising.argmax(axis=1), rising.shape[1])


def _running_sums(values: np.ndarray) -> np.ndarray:
    """Add up the first 0, 1, 2 ... values of each row, and as imaginary part their squares.

    One pass for both: each addition waits for the one before it, and two wait no longer than one.
    """
    sums = np.zeros((len(values), values.shape[1] + 1), complex)
    sums.real[:, 1:] = values
    np.multiply(values, values, out=sums.imag[:, 1:], dtype=float)
    return np.add.accumulate(sums, axis=1, out=sums)
