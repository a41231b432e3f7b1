"""The clipped mean of sky pixels: of the annulus of a star, and of a cell of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_PASSES = 6
SAMPLES = 1000  # values that tell whether all are whole numbers
FAR_SIGMA = 1e4  # of the scatter at first: farther than any pass reaches
WHOLE_SIGMA = 0.3  # whole ADU cannot show less than their rounding
LEAST_SHARE = 1e-6  # of the level: the digits of a float32


@dataclass(frozen=True, slots=True)
class Clip:
    """At how many sigma to clip, and what doing so again and again leaves of a Gaussian's sigma.

    The latter is the s of ``s^2 = 1 - 2 a phi(a) / (2 Phi(a) - 1)``, ``a = sigma s``.
    """

    sigma: float
    keeps: float


AMONG_STARS, BLANK = Clip(2.5, 0.9376), Clip(3.5, 0.9968)


def clipped_sky(
    values: np.ndarray, clip: Clip = AMONG_STARS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean sky after clipping about the median, star by star, its scatter, and the pixels kept.

    The mean, not the median, is what is returned: where the sky's noise is about 1 ADU the median
    of whole numbers is a whole number, and wrong by up to half an ADU in every pixel. The values
    (n, m), ADU, NaN not counted, are sorted once: what is kept is then a stretch of each row. The
    scatter is that of a Gaussian before clipping.
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    n, m = ordered.shape
    count, odd = np.full(n, m), _not_finite(ordered)
    count[odd] = np.isfinite(ordered[odd]).sum(axis=1)
    last = np.maximum(count - 1, 0)
    low, middle = (_pick(ordered, (last * q).astype(int)) for q in (0.16, 0.5))
    # Stars lie above the sky: the lower half alone tells the scatter to start with.
    least = least_sigma(ordered, middle)
    spread = np.maximum((middle - low).astype(float), 2 * least)
    # Offsets from the median, so that sums of squares lose no digits.
    offset = ordered - middle[:, None]
    odd = _not_finite(offset)
    if odd.size:  # never kept
        far = (FAR_SIGMA * spread[odd, None]).astype(offset.dtype)
        offset[odd] = np.clip(np.where(np.isnan(ordered[odd]), far, offset[odd]), -far, far)
    centre, scatter, kept = _clip(offset, spread, clip, least)
    sky = np.where(kept == 0, np.nan, middle + centre)
    return sky, np.where(kept == 0, np.nan, scatter), kept


def _not_finite(rising: np.ndarray) -> np.ndarray:
    """Find the sorted rows that hold values that are not finite: these are at their ends."""
    return np.flatnonzero(~np.isfinite(rising[:, [0, -1]]).all(axis=1))


def _clip(
    offset: np.ndarray, spread: np.ndarray, clip: Clip, least: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip sorted rows about their mean: the mean, the scatter before clipping, the number kept."""
    n = len(offset)
    centre, spread = np.zeros(n), spread.copy()
    first, end = np.full((2, n), -1)
    row, rising = np.arange(n), offset  # those that still change
    for _ in range(MAX_PASSES):
        reach = clip.sigma * spread[row]
        low, high = ((centre[row] + r).astype(offset.dtype)[:, None] for r in (-reach, reach))
        start, stop = _first_true(rising >= low), _first_true(rising > high)
        moved = np.flatnonzero((start != first[row]) | (stop != end[row]))
        if not moved.size:
            break
        row, rising, start, stop = row[moved], rising[moved], start[moved], stop[moved]
        first[row], end[row] = start, stop
        mean, square = _means(rising, start, stop)
        centre[row] = mean
        spread[row] = np.maximum(np.sqrt(np.maximum(square - mean**2, 0)), least[row])
    return centre, np.maximum(spread / clip.keeps, least), end - first


def _pick(values: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Take of each row the value at its column."""
    n, m = values.shape
    return values.ravel().take(np.arange(n) * m + column)


def least_sigma(values: np.ndarray, level: np.ndarray | float) -> np.ndarray:
    """Least scatter that is believed of values, at a level (n,) or of all: that of their rounding.

    Where they are no whole numbers, it is that of the digits that they have.
    """
    some = values.ravel()[:SAMPLES]
    known = some[np.isfinite(some)]
    whole = len(known) > 0 and np.array_equal(known, np.rint(known))
    digits = LEAST_SHARE * np.abs(np.nan_to_num(level)) + np.finfo(np.float32).tiny
    return np.maximum(digits, WHOLE_SIGMA if whole else 0.0)


def _first_true(rising: np.ndarray) -> np.ndarray:
    """Find where each row, false at first, becomes true; its length where it does not."""
    return np.where(rising[:, -1], rising.argmax(axis=1), rising.shape[1])


def _means(values: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Average a stretch of each row, and its squares: (2, n), 0 where it is empty."""
    n, m = values.shape
    both = np.zeros((2, n * m + 1))  # a place more, where the last row may end
    both[0, :-1] = values.ravel()
    np.multiply(both[0], both[0], out=both[1])
    # Sums from each place to the next: every other is of a stretch, or of one value where that is
    # empty, the rest of what lies between two.
    places = np.column_stack([start, stop]) + (np.arange(n) * m)[:, None]
    sums = np.add.reduceat(both, places.ravel(), axis=1)[:, ::2]
    number = stop - start
    return np.where(number > 0, sums, 0) / np.maximum(number, 1)
