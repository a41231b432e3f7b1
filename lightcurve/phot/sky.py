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
    (n, m), ADU, NaN not counted, are sorted once: what is kept is then a stretch of each row, its
    mean a difference of sums. The scatter is that of a Gaussian before clipping.
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    last = np.maximum(count - 1, 0)
    low, middle = (_pick(ordered, (last * q).astype(int)) for q in (0.16, 0.5))
    # Stars lie above the sky: the lower half alone tells the scatter to start with.
    least = least_sigma(ordered, middle)
    spread = np.maximum((middle - low).astype(float), 2 * least)
    # Offsets from the median, so that sums of squares lose no digits. What is far out is never
    # kept, and its square would drown the others.
    far = (FAR_SIGMA * spread).astype(ordered.dtype)
    offset = ordered - middle[:, None]
    if not ((offset[:, 0] >= -far) & (offset[:, -1] <= far)).all():  # nor where one is NaN
        np.clip(offset, -far[:, None], far[:, None], out=offset)
        np.copyto(offset, far[:, None], where=np.isnan(ordered))
    centre, scatter, kept = _clip(offset, spread, clip, least)
    sky = np.where(kept == 0, np.nan, middle + centre)
    return sky, np.where(kept == 0, np.nan, scatter), kept


def _clip(
    offset: np.ndarray, spread: np.ndarray, clip: Clip, least: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip sorted rows about their mean: the mean, the scatter before clipping, the number kept."""
    sums = _running_sums(offset)
    centre = np.zeros(len(offset))
    first = end = np.zeros(len(offset), int)
    for _ in range(MAX_PASSES):
        previous = first, end
        reach = clip.sigma * spread
        low, high = ((centre + r).astype(offset.dtype)[:, None] for r in (-reach, reach))
        first, end = _first_true(offset >= low), _first_true(offset > high)
        if (first == previous[0]).all() and (end == previous[1]).all():
            break
        mean = (_pick(sums, end) - _pick(sums, first)) / np.maximum(end - first, 1)
        centre = mean.real
        spread = np.maximum(np.sqrt(np.maximum(mean.imag - centre**2, 0)), least)
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


def _running_sums(values: np.ndarray) -> np.ndarray:
    """Add up the first 0, 1, 2 ... values of each row, and their squares.

    As one complex sum: each addition waits for the one before it, and two wait no longer than one.
    """
    both = np.empty((len(values), values.shape[1] + 1), complex)
    both[:, 0] = 0
    both.real[:, 1:] = values
    np.multiply(values, values, out=both.imag[:, 1:], dtype=float)
    return np.add.accumulate(both, axis=1, out=both)
