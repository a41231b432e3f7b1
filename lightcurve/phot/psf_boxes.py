"""Evaluate a PSF on squares of pixels around many stars at once."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.psf import Psf

_CHUNK = 1500  # stars at a time, so that the weights stay small


def coefficients(psf: Psf) -> np.ndarray:
    """Coefficients of the cubic B-spline through a PSF's grid.

    Parameters
    ----------
    psf : Psf

    Returns
    -------
    (m, m) float array
    """
    from scipy.ndimage import spline_filter

    return spline_filter(psf.grid, order=3, mode="mirror")


def psf_boxes(
    psf: Psf, dx: np.ndarray, dy: np.ndarray, half: int, *, slopes: bool = False
) -> np.ndarray:
    """Evaluate the PSF on a square around each star.

    All pixels of a square lie at the same fraction of a node's step, so that the spline is three
    matrix products: weights of the rows, coefficients, weights of the columns.

    Parameters
    ----------
    psf : Psf
    dx, dy : (n,) float arrays
        Offset of the star from the middle pixel of its square.
    half : int
        Half width of the square, at most that of the grid less 1.5 pixels.
    slopes : bool
        Also the derivatives by the star's x and y.

    Returns
    -------
    (k, n, 2 half + 1, 2 half + 1) float array
        k is 1, or 3 with slopes.
    """
    spline = coefficients(psf)
    parts = [
        _boxes(spline, psf, dx[first : first + _CHUNK], dy[first : first + _CHUNK], half, slopes)
        for first in range(0, len(dx), _CHUNK)
    ]
    size = 2 * half + 1
    return np.concatenate(parts, axis=1) if parts else np.zeros((1 + 2 * slopes, 0, size, size))


def _boxes(
    spline: np.ndarray,
    psf: Psf,
    dx: np.ndarray,
    dy: np.ndarray,
    half: int,
    slopes: bool,  # noqa: FBT001
) -> np.ndarray:
    across, across_slope = _weights(psf, dx, half)
    down, down_slope = _weights(psf, dy, half)
    rows = down @ spline
    values = [rows @ across.transpose(0, 2, 1)]
    if slopes:
        values.append(rows @ across_slope.transpose(0, 2, 1))
        values.append((down_slope @ spline) @ across.transpose(0, 2, 1))
    return np.stack(values)


def _weights(psf: Psf, offset: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n, pixels, nodes) of the spline's coefficients, and their slopes by `offset`."""
    m, step = len(psf.grid), psf.oversampling
    place = -offset * step
    whole = np.floor(place).astype(int)
    t = place - whole
    cubic = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    slope = (-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (-3 * t**2 + 2 * t + 1) / 2, t**2 / 2)
    pixel = np.arange(2 * half + 1)
    node = (pixel - half) * step + (m - 1) // 2 + whole[:, None] - 1
    star = np.arange(len(offset))[:, None]
    values = np.zeros((len(offset), len(pixel), m))
    slopes = np.zeros_like(values)
    for k in range(4):
        inside = np.clip(node + k, 0, m - 1)
        values[star, pixel, inside] += cubic[k][:, None]
        slopes[star, pixel, inside] -= step * slope[k][:, None]
    return values, slopes
