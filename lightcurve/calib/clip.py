"""The clipped mean of a stack of images, pixel by pixel.

The rule, the same everywhere: at each pixel take the median of the values and their scatter, 1.4826
times the median absolute deviation; leave out values further than `clip_sigma` scatters from the
median; repeat with those left until none is left out any more. All values within the last limits
are used, even one left out on the way. It is the rule of astropy's sigma clipping with ``median``
and ``mad_std``; ccdproc's is the same, stopped after the first round.

What makes it quick: the values of a pixel are sorted once. Those that survive are then neighbours
in that order, and the quartiles bound the scatter from below, which proves for most pixels that
nothing is to be left out.
"""

from __future__ import annotations

import numpy as np

from lightcurve.robust import MAD_TO_SIGMA

_CHUNK_VALUES = 200_000  # 800 kB: fits the cache of one core


def clipped_mean(
    stack: np.ndarray, clip_sigma: float = 5.0, *, floor: float = 0.0, method: str = "mean"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Combine a stack of images into one.

    stack: (n, ny, nx) float32 array, values that are not finite are left out; clip_sigma: in
    scatters about the median; infinity keeps all; floor: smallest scatter believed, in the units of
    `stack`. Whole numbers that are mostly equal have a median absolute deviation of 0, and every
    other value would be left out; half the step between them prevents that; method: ``"mean"`` or
    ``"median"`` of the values kept.
    Returns image, std: (ny, nx) float32 arrays, mean or median, and standard deviation (n - 1) of
    the values kept; NaN where there are none (for `std`, fewer than two); n_used: (ny, nx) uint16
    array, values kept.
    """
    n, ny, nx = stack.shape
    flat = stack.reshape(n, ny * nx)
    image = np.empty(ny * nx, np.float32)
    std = np.empty(ny * nx, np.float32)
    n_used = np.empty(ny * nx, np.uint16)
    step = max(_CHUNK_VALUES // n, 1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for first in range(0, ny * nx, step):
            part = slice(first, first + step)
            ordered = np.sort(flat[:, part].T, axis=1)
            image[part], std[part], n_used[part] = _combine_sorted(
                ordered, clip_sigma, floor, method
            )
    return image.reshape(ny, nx), std.reshape(ny, nx), n_used.reshape(ny, nx)


def _combine_sorted(
    values: np.ndarray, clip_sigma: float, floor: float, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip and combine rows of sorted values, shape (m, n)."""
    m, n = values.shape
    center = (values[:, (n - 1) // 2] + values[:, n // 2]) / 2
    deviation = values - center[:, None]
    extreme = np.maximum(-deviation[:, 0], deviation[:, -1])
    # ~(a <= b) rather than a > b: NaN must count as doubtful.
    doubtful = np.flatnonzero(
        ~(extreme <= clip_sigma * _least_scatter(deviation, floor)) | ~np.isfinite(extreme)
    )
    image, std, count = _summary(deviation, center, np.full(m, n), method)
    if doubtful.size:
        kept, center, count_kept = _clip(values[doubtful], clip_sigma, floor)
        image[doubtful], std[doubtful], count[doubtful] = _summary(kept, center, count_kept, method)
    return image, std, count


def _least_scatter(deviation: np.ndarray, floor: float) -> np.ndarray:
    """Bound the scatter from below, without working it out.

    Of n sorted deviations d, those of smaller size than min(-d[i], d[j]) lie between i and j; when
    at most (n - 1) // 2 do, the median of the sizes cannot be smaller than it.
    """
    n = deviation.shape[1]
    inside = (n - 1) // 2
    low = max((n - inside - 2) // 2, 0)
    high = min(low + inside + 1, n - 1)
    mad = np.minimum(-deviation[:, low], deviation[:, high])
    return np.maximum(MAD_TO_SIGMA * mad, floor)


def _clip(
    values: np.ndarray, clip_sigma: float, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clip rows of sorted values until each settles.

    Returns the deviations from the median (0 where left out), the median, the number kept.
    """
    finite = np.isfinite(values)
    start = np.sum(values == -np.inf, axis=1)
    stop = start + finite.sum(axis=1)
    center, limit = np.empty(len(values), values.dtype), np.empty(len(values), values.dtype)
    active = np.arange(len(values))
    while active.size:
        rows, old = values[active], stop[active] - start[active]
        center[active], limit[active], first, count = _clip_once(
            rows, start[active], stop[active], clip_sigma, floor
        )
        start[active] = first
        stop[active] = first + count
        active = active[count != old]
    deviation = values - center[:, None]
    within = finite & (np.abs(deviation) <= limit[:, None])
    return np.where(within, deviation, 0), center, within.sum(axis=1)


def _clip_once(
    values: np.ndarray, start: np.ndarray, stop: np.ndarray, clip_sigma: float, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Median and limit of rows of sorted values between `start` and `stop`, and who survives.

    The survivors of a row are neighbours: their first column and their number are returned.
    """
    column = np.arange(values.shape[1])
    center = _middle(values, start, stop)
    size = np.abs(values - center[:, None])
    size[(column < start[:, None]) | (column >= stop[:, None])] = np.inf
    mad = _middle(np.sort(size, axis=1), np.zeros_like(start), stop - start)
    # A hair above: the scatter's own rounding must not throw out values that equal the limit.
    limit = clip_sigma * np.maximum(MAD_TO_SIGMA * mad, floor) * (1 + 1e-6)
    keep = size <= np.minimum(limit, np.finfo(values.dtype).max)[:, None]
    count = keep.sum(axis=1)
    return center, limit, np.where(count > 0, np.argmax(keep, axis=1), start), count


def _middle(values: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Median of sorted rows between `start` and `stop`; NaN where that is empty."""
    last = values.shape[1] - 1
    rows = np.arange(len(values))
    low = values[rows, np.maximum((start + stop - 1) // 2, 0)]
    high = values[rows, np.minimum((start + stop) // 2, last)]
    return np.where(stop > start, (low + high) / 2, np.nan).astype(values.dtype)


def _summary(
    deviation: np.ndarray, center: np.ndarray, count: np.ndarray, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (or median), standard deviation and number, from deviations that are 0 if left out.

    Sums of deviations from the median keep the digits that sums of large values lose.
    """
    mean = deviation.sum(axis=1) / count
    square = np.einsum("ij,ij->i", deviation, deviation)
    variance = np.maximum(square - count * mean**2, 0) / (count - 1)
    image = center if method == "median" else center + mean
    std = np.where(count > 1, np.sqrt(variance), np.nan)
    return np.where(count > 0, image, np.nan).astype(np.float32), std.astype(np.float32), count
