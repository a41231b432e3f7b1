"""The sky around each star."""

from __future__ import annotations

import numpy as np

CLIP_SIGMA = 2.5
MAX_PASSES = 6
MIN_SIGMA = 0.3  # whole ADU cannot show less than their rounding


def clipped_sky(
    values: np.ndarray, *, clip: float = CLIP_SIGMA
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean sky after clipping about the median, star by star.

    The mean, not the median, is what is returned: where the sky's noise is about 1 ADU the median
    of whole numbers is a whole number, and wrong by up to half an ADU in every pixel.

    Parameters
    ----------
    values : (n, m) float array
        Annulus pixels of each star, ADU; NaN does not count.
    clip : float
        In units of the scatter of what is left; asymmetric neighbours go first.

    Returns
    -------
    sky, scatter : (n,) float arrays
        ADU; NaN where no pixel is finite.
    n_kept : (n,) int array
    """
    finite = np.isfinite(values)
    light = np.where(finite, values, 0.0).astype(float)
    ordered = np.sort(np.where(finite, values, np.finfo(float).max), axis=1)
    count = finite.sum(axis=1)
    low, middle = (
        np.take_along_axis(ordered, (np.maximum(count - 1, 0) * q).astype(int)[:, None], axis=1)
        for q in (0.16, 0.5)
    )
    # Stars lie above the sky: the lower half alone tells the scatter to start with.
    spread = np.maximum(middle - low, 2 * MIN_SIGMA)[:, 0]
    centre = middle[:, 0]
    keep = finite
    for _ in range(MAX_PASSES):
        previous = keep
        keep = finite & (np.abs(light - centre[:, None]) <= clip * spread[:, None])
        n = np.maximum(keep.sum(axis=1), 1)
        centre = np.where(keep, light, 0.0).sum(axis=1) / n
        variance = np.where(keep, (light - centre[:, None]) ** 2, 0.0).sum(axis=1) / n
        spread = np.maximum(np.sqrt(variance), MIN_SIGMA)
        if np.array_equal(keep, previous):
            break
    kept = keep.sum(axis=1)
    nothing = kept == 0
    return np.where(nothing, np.nan, centre), np.where(nothing, np.nan, spread), kept


def annulus_offsets(inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole-pixel offsets between two radii.

    Parameters
    ----------
    inner, outer : float
        Pixels, both included.

    Returns
    -------
    dx, dy : (m,) int arrays
    """
    reach = int(np.ceil(outer))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(x, y)
    inside = (distance >= inner) & (distance <= outer)
    return x[inside], y[inside]


def take_offsets(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, offsets: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Pick the pixels at the same offsets from each position.

    Parameters
    ----------
    image : (ny, nx) array
    x, y : (n,) int arrays
        Pixels.
    offsets : tuple of (m,) int arrays
        dx, dy.

    Returns
    -------
    (n, m) array
        NaN outside the image (0 for an integer image).
    """
    ny, nx = image.shape
    columns, rows = x[:, None] + offsets[0], y[:, None] + offsets[1]
    inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
    picked = image[np.clip(rows, 0, ny - 1), np.clip(columns, 0, nx - 1)]
    if inside.all():
        return picked
    return np.where(inside, picked, 0 if image.dtype.kind in "ui" else np.nan)
