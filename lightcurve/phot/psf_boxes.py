"""Evaluate a PSF on squares of pixels around many stars at once."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.psf import Psf

_CHUNK = 200  # stars at a time, so that what is worked on stays in the cache


def psf_boxes(
    psf: Psf, dx: np.ndarray, dy: np.ndarray, half: int, *, slopes: bool = False
) -> np.ndarray:
    """Evaluate the PSF on a square around each star.

    All pixels of a square lie at the same fraction of a node's step, so that a star has four
    weights along each axis: of a cubic B-spline through the grid.

    dx, dy : (n,) float arrays; offset of the star from the middle pixel of its square, up to a
        pixel.
    half : half width of the square, at most that of the grid less 2 pixels.
    slopes : also the derivatives by the star's x and y.
    Returns (k, n, 2 half + 1, 2 half + 1) float array: k is 1, or 3 with slopes.
    """
    from scipy.ndimage import spline_filter

    middle, reach = len(psf.grid) // 2, (half + 2) * psf.oversampling
    part = slice(max(middle - reach, 0), middle + reach + 1)
    # Filtered whole and cut then: the cut's edges are no edges of the grid.
    spline = spline_filter(psf.grid, order=3, mode="mirror")[part, part]
    size = 2 * half + 1
    boxes = np.empty((3 if slopes else 1, len(dx), size, size))
    for first in range(0, len(dx), _CHUNK):
        stars = slice(first, first + _CHUNK)
        _fill(boxes[:, stars], spline, psf.oversampling, (dx[stars], dy[stars]))
    return boxes


def _fill(
    boxes: np.ndarray, spline: np.ndarray, step: int, offsets: tuple[np.ndarray, np.ndarray]
) -> None:
    """Evaluate the spline for some stars, into `boxes`."""
    n, size, m = len(offsets[0]), boxes.shape[-1], len(spline)
    column, across, across_slope = _weights(offsets[0], size, m, step)
    row, down, down_slope = _weights(offsets[1], size, m, step)
    star, pixel = np.arange(n)[:, None], np.arange(size)

    def matrix(weights: np.ndarray) -> np.ndarray:
        spread = np.zeros((n, m, size))
        for k in range(4):
            spread[star, column + k, pixel] = weights[k][:, None]
        return spread

    def lines(weights: np.ndarray) -> np.ndarray:
        total = weights[0][:, None, None] * spline[row]
        for k in range(1, 4):
            total += weights[k][:, None, None] * spline[row + k]
        return total

    rows, columns = lines(down), matrix(across)
    np.matmul(rows, columns, out=boxes[0])
    if len(boxes) > 1:
        np.matmul(rows, matrix(across_slope), out=boxes[1])
        np.matmul(lines(down_slope), columns, out=boxes[2])


def _weights(
    offset: np.ndarray, size: int, m: int, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First of four nodes for each pixel (n, size), their weights and slopes by `offset` (4, n)."""
    place = -offset * step
    whole = np.floor(place).astype(int)
    t = place - whole
    cubic = [
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    ]
    slope = [-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (-3 * t**2 + 2 * t + 1) / 2, t**2 / 2]
    node = (np.arange(size) - size // 2) * step + m // 2 + whole[:, None] - 1
    return np.clip(node, 0, m - 4), np.array(cubic), -step * np.array(slope)
