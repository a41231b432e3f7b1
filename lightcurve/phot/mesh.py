"""The background of one frame as a map, with the stars kept out of it, and its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_BOX, MAX_BOX = 64, 128
SMOOTH_SIGMA = 1.3  # px; so smoothed, the wings of faint stars stand out from the noise
SOURCE_SIGMA = (
    4.0  # of the smoothed frame: lower, and the noise itself would be cut off its high side
)
GROW_PX = 5
FIRST_CLIP, CLIP = 2.5, 3.5  # sigma, with the stars still there, and without
SAMPLES = 40  # along a cell: 1,600 of its pixels tell its level to 0.03 sigma
MIN_PIXELS = 30
MIN_SIGMA = 0.3  # whole ADU cannot show less than their rounding
CLIP_PASSES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A frame's background.

    Attributes
    ----------
    level, rms : (ny, nx) float32 arrays
        The sky and the noise of one pixel, ADU.
    sources : (ny, nx) bool array
        Pixels left out as belonging to stars; blank sky is what is neither bad nor among these.
    box_px : int
        Side of the mesh.
    """

    level: np.ndarray
    rms: np.ndarray
    sources: np.ndarray
    box_px: int


def measure_background(
    pixels: np.ndarray, bad: np.ndarray, *, box_px: int | None = None
) -> Background:
    """Estimate background and noise by the clipped means of a mesh.

    Twice: the sources that stand out of the first map are left out of the second. With them left
    out the mean is right where a mode (2.5 median less 1.5 mean) is not: it leans to the low side
    of photon noise, and jumps by an ADU where the sky's noise is about one.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        Pixels that are not 0 are left out.
    box_px : int, optional
        Side of the mesh; a tenth of the frame, from 64 to 128 px, when not given.

    Returns
    -------
    Background
        Finite everywhere: bad pixels have the level of what is around them.
    """
    mask = (bad != 0) | ~np.isfinite(pixels)
    data = np.where(mask, np.float32(0), pixels).astype(np.float32)
    box = box_px or int(np.clip(min(pixels.shape) // 10, MIN_BOX, MAX_BOX))
    box = min(box, *pixels.shape)
    level, rms = _mesh(data, mask, box, FIRST_CLIP)
    sources = find_source_pixels(np.where(mask, 0, data - level), rms, mask)
    level, rms = _mesh(data, mask | sources, box, CLIP)
    return Background(level, rms, sources, box)


def find_source_pixels(light: np.ndarray, rms: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark the pixels that hold light of sources, with a rim around them.

    Parameters
    ----------
    light : (ny, nx) float array
        Above the background; 0 where bad.
    rms : (ny, nx) float array
        Noise of one pixel.
    mask : (ny, nx) bool array
        Bad pixels, which say nothing of the noise.

    Returns
    -------
    (ny, nx) bool array
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    smooth = gaussian_filter(light, SMOOTH_SIGMA, truncate=3.0) / rms
    # The lower half is free of sources: it tells middle and noise, also of correlated pixels.
    known = smooth[::2, ::2][~mask[::2, ::2]]
    low, middle = np.percentile(known, [15.865, 50]) if known.size else (0.0, 0.0)
    return maximum_filter(smooth > middle + SOURCE_SIGMA * (middle - low), 2 * GROW_PX + 1)


def _mesh(
    data: np.ndarray, mask: np.ndarray, box: int, clip: float
) -> tuple[np.ndarray, np.ndarray]:
    """Level and noise: clipped means of cells, medians of 3 x 3 of them, and a spline."""
    from scipy.interpolate import RectBivariateSpline
    from scipy.ndimage import median_filter

    ny, nx = data.shape
    edges = [np.linspace(0, n, max(round(n / box), 1) + 1).astype(int) for n in (ny, nx)]
    shape = tuple(len(e) - 1 for e in edges)
    step = max(box // SAMPLES, 1)
    size = int(np.ceil(max(np.diff(e).max() for e in edges) / step)) ** 2
    cells = np.full((shape[0] * shape[1], size), np.nan, dtype=np.float32)
    for k, (j, i) in enumerate(np.ndindex(shape)):
        cut = (slice(edges[0][j], edges[0][j + 1], step), slice(edges[1][i], edges[1][i + 1], step))
        values = data[cut][~mask[cut]]
        if values.size >= MIN_PIXELS:
            cells[k, : values.size] = values
    known = np.isfinite(cells[:, 0])
    if not known.any():
        return np.zeros_like(data), np.ones_like(data)
    middles = [(e[1:] + e[:-1] - 1) / 2 for e in edges]
    maps = []
    for values in _clipped(cells[known], clip):
        grid = np.full(len(cells), np.median(values))
        grid[known] = values
        grid = median_filter(grid.reshape(shape), 3, mode="nearest")
        orders = [min(3, n - 1) for n in shape]
        if min(orders) < 1:
            maps.append(np.full(data.shape, np.median(grid), dtype=np.float32))
            continue
        spline = RectBivariateSpline(*middles, grid, kx=orders[0], ky=orders[1])
        maps.append(spline(np.arange(ny), np.arange(nx)).astype(np.float32))
    level, rms = maps
    return level, np.maximum(rms, 1e-6)


def _clipped(cells: np.ndarray, clip: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scatter of each row, clipped about the median, its lower half first."""
    low, middle = np.nanpercentile(cells, [15.865, 50], axis=1)
    spread = np.maximum(middle - low, MIN_SIGMA)
    centre = middle
    for _ in range(CLIP_PASSES):
        off = np.abs(cells - centre[:, None])
        kept = np.where(off <= clip * spread[:, None], cells, np.nan)
        centre = np.nanmean(kept, axis=1, dtype=float)
        spread = np.maximum(np.nanstd(kept, axis=1, dtype=float), MIN_SIGMA)
    return centre, spread
