"""The background of one frame as a map, with the stars kept out of it, and its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.background import Mesh, measure_mesh, smoothed
from lightcurve.phot.sky import AMONG_STARS, BLANK, MIN_SIGMA, Clip

MIN_BOX, MAX_BOX = 64, 128
SMOOTH_SIGMA = 1.3  # px; so smoothed, the wings of faint stars stand out from the noise
SOURCE_SIGMA = (
    4.0  # of the smoothed frame: lower, and the noise itself would be cut off its high side
)
GROW_PX = 5
SAMPLES = 40  # along a cell: 1,600 of its pixels tell its level to 0.03 sigma
MIN_PIXELS = 30


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
    out the mean is right where a mode (2.5 median less 1.5 mean, as `sep` has it) is not: it leans
    to the low side of photon noise, and is 0.7 ADU low where the sky's noise is about one.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        Pixels that are not 0 are left out.
    box_px : int, optional
        Side of the cells; a tenth of the frame, from 64 to 128 px, when not given.

    Returns
    -------
    Background
        Finite everywhere: bad pixels have the level of what is around them.
    """
    mask = (bad != 0) | ~np.isfinite(pixels)
    data = np.where(mask, np.float32(0), pixels).astype(np.float32)
    box = box_px or int(np.clip(min(pixels.shape) // 10, MIN_BOX, MAX_BOX))
    box = min(box, *pixels.shape)
    level, rms = _map(data, mask, box, AMONG_STARS)
    sources = _find_source_pixels(np.where(mask, 0, data - level), rms, mask)
    level, rms = _map(data, mask | sources, box, BLANK)
    return Background(level, rms, sources, box)


def _find_source_pixels(light: np.ndarray, rms: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark the pixels that hold light of sources, with a rim around them.

    light : (ny, nx) float array; above the background; 0 where bad.
    rms : (ny, nx) float array; noise of one pixel.
    mask : (ny, nx) bool array; bad pixels, which say nothing of the noise.
    Returns (ny, nx) bool array.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    smooth = gaussian_filter(light, SMOOTH_SIGMA, truncate=3.0) / rms
    # The lower half is free of sources: it tells middle and noise, also of correlated pixels.
    known = smooth[::2, ::2][~mask[::2, ::2]]
    low, middle = np.percentile(known, [15.865, 50]) if known.size else (0.0, 0.0)
    return maximum_filter(smooth > middle + SOURCE_SIGMA * (middle - low), 2 * GROW_PX + 1)


def _map(data: np.ndarray, mask: np.ndarray, box: int, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Level and noise of every pixel: medians of 3 x 3 cells, and a spline through them."""
    starts = [
        np.linspace(0, length - box, int(np.ceil(length / box))).astype(int)
        for length in data.shape
    ]
    mesh = measure_mesh(data, mask, starts, box, samples=SAMPLES, clip=clip, min_pixels=MIN_PIXELS)
    if not mesh.known.any():
        return np.zeros_like(data), np.ones_like(data)
    level, rms = (
        _splined(smoothed(np.where(mesh.known, cells, np.median(cells[mesh.known]))), mesh, data)
        for cells in (mesh.level, mesh.rms)
    )
    return level, np.maximum(rms, MIN_SIGMA)


def _splined(cells: np.ndarray, mesh: Mesh, data: np.ndarray) -> np.ndarray:
    """Draw a spline through the cells' middles, and straight on to the frame's edges."""
    from scipy.interpolate import RectBivariateSpline

    nodes = []
    for middles, length in zip((mesh.rows, mesh.columns), data.shape, strict=True):
        ends = np.array([-0.5, length - 0.5])
        if len(middles) > 1:
            slopes = (cells[[1, -1]] - cells[[0, -2]]) / np.diff(middles)[[0, -1], None]
        else:
            slopes = np.zeros((2, cells.shape[1]))
        beyond = cells[[0, -1]] + slopes * (ends - middles[[0, -1]])[:, None]
        cells = np.concatenate([beyond[:1], cells, beyond[1:]]).T
        nodes.append(np.concatenate([ends[:1], middles, ends[1:]]))
    orders = [min(3, len(one) - 1) for one in nodes]
    spline = RectBivariateSpline(*nodes, cells, kx=orders[0], ky=orders[1])
    return spline(*map(np.arange, data.shape)).astype(np.float32)
