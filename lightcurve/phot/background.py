"""The smooth background of a frame and its noise, quickly: for finding stars, not for measuring."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.sky import clipped_sky

MESH_PX, LARGE_MESH_PX = 64, 128
LARGE_PX = 1500  # shortest side from which the larger mesh serves
SAMPLES = 16  # pixels of a cell along each axis: 256 tell its level to 0.06 sigma


def subtract_background(
    pixels: np.ndarray, bad: np.ndarray | None = None
) -> tuple[np.ndarray, float, float]:
    """Take the smooth background off a frame.

    The clipped mean of each cell of a mesh, a median over neighbouring cells, and straight lines
    between the cells' middles.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU; non-finite values are left out.
    bad : (ny, nx) uint8 array, optional
        Pixels that are not 0 are left out.

    Returns
    -------
    light : (ny, nx) float32 array
        NaN where `pixels` is.
    level, rms : float
        Of the whole frame, ADU; 0 where no pixel is usable.
    """
    level, scatter = _mesh(pixels, bad)
    known = np.isfinite(level)
    if not known.any():
        return np.zeros(pixels.shape, np.float32), 0.0, 0.0
    middle = float(np.median(level[known]))
    light = _less(pixels, _smoothed(np.where(known, level, middle)))
    return light, middle, float(np.median(scatter[known]))


def _mesh(pixels: np.ndarray, bad: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Level and scatter of each cell; cells at the far edges reach back over their neighbours."""
    size = _cell(pixels.shape)
    starts = [_starts(length, size) for length in pixels.shape]
    within = np.arange(0, size, max(1, size // SAMPLES))
    rows, columns = ((start[:, None] + within).ravel() for start in starts)
    # Rows first: whole rows are copied, not single pixels.
    sample = pixels[rows].take(columns, axis=1).astype(np.float32, copy=False)
    if bad is not None and bad.any():
        sample[bad[rows].take(columns, axis=1) != 0] = np.nan
    (my, mx), k = map(len, starts), len(within)
    cells = sample.reshape(my, k, mx, k).transpose(0, 2, 1, 3).reshape(my * mx, k * k)
    level, scatter, _ = clipped_sky(cells)
    return level.reshape(my, mx), scatter.reshape(my, mx)


def _cell(shape: tuple[int, int]) -> int:
    return min(LARGE_MESH_PX if min(shape) >= LARGE_PX else MESH_PX, *shape)


def _starts(length: int, size: int) -> np.ndarray:
    return np.minimum(np.arange(0, length, size), length - size)


def _smoothed(mesh: np.ndarray) -> np.ndarray:
    """Median over 3 x 3 cells: a cell on a bright star or a nebula's edge does not stand out."""
    padded = np.pad(mesh, 1, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)), axis=(2, 3))


def _less(pixels: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Subtract a mesh with straight lines between the middles of its cells."""
    size = _cell(pixels.shape)
    rows, columns = (_places(length, size) for length in pixels.shape)
    # Along y for the few columns of the mesh, then along x a strip between two middles at a time.
    lines = np.stack([np.interp(np.arange(len(pixels)), rows, column) for column in mesh.T])
    lines = lines.astype(np.float32)[:, :, None]
    light = np.empty(pixels.shape, np.float32)
    ends = [0, *np.ceil(columns[1:-1]).astype(int), pixels.shape[1]]
    for k, strip in enumerate(map(slice, ends[:-1], ends[1:])):
        left, right = lines[k], lines[min(k + 1, len(lines) - 1)]
        share = np.interp(
            np.arange(strip.start, strip.stop), columns[k : k + 2], (0, 1)[: len(columns)]
        )
        part = light[:, strip]
        np.multiply(left - right, share.astype(np.float32), out=part)
        part -= left
        part += pixels[:, strip]
    return light


def _places(length: int, size: int) -> np.ndarray:
    """Middles of the cells along one axis."""
    return _starts(length, size) + (size - 1) / 2
