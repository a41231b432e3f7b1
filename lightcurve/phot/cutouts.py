"""Pixels around many positions at once."""

from __future__ import annotations

import numpy as np


def annulus_offsets(inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole-pixel offsets between two radii.

    inner, outer : pixels, both included.
    Returns dx, dy : (m,) int arrays.
    """
    reach = int(np.ceil(outer))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = x**2 + y**2
    inside = (squared >= inner**2) & (squared <= outer**2)
    return x[inside], y[inside]


def take_offsets(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, offsets: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Pick the pixels at the same offsets from each position.

    image : (ny, nx) array.
    x, y : (n,) int arrays; pixels.
    offsets : tuple of (m,) int arrays; dx, dy.
    Returns (n, m) array: NaN outside the image (0 for an integer image).
    """
    ny, nx = image.shape
    dx, dy = offsets
    picked = image.ravel().take((y * nx + x)[:, None] + (dy * nx + dx), mode="clip")
    reach_x, reach_y = (int(np.abs(d).max(initial=0)) for d in (dx, dy))
    cut = (x < reach_x) | (x >= nx - reach_x) | (y < reach_y) | (y >= ny - reach_y)
    if cut.any():
        # Only these can reach over an edge; what was picked there came from another row.
        columns, rows = x[cut, None] + dx, y[cut, None] + dy
        inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
        outside = 0 if image.dtype.kind in "ui" else np.nan
        picked[cut] = np.where(inside, picked[cut], outside)
    return picked


def gather(image: np.ndarray, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
    """Cut a square around each position.

    Parameters
    ----------
    image : (ny, nx) array
    x, y : (n,) int arrays
        Centres, pixels.
    half : int
        Half width.

    Returns
    -------
    (n, 2 half + 1, 2 half + 1) array
        NaN outside the image.
    """
    dy, dx = (part.ravel() for part in np.mgrid[-half : half + 1, -half : half + 1])
    size = 2 * half + 1
    return take_offsets(image, np.asarray(x), np.asarray(y), (dx, dy)).reshape(-1, size, size)
