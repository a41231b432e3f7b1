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
    """Estimate background and noise by the clipped modes of a mesh (Bertin & Arnouts 1996).

    Twice: the sources that stand out of the first map are left out of the second.

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
    data = np.ascontiguousarray(np.where(mask, 0, pixels), dtype=np.float32)
    box = box_px or int(np.clip(min(pixels.shape) // 10, MIN_BOX, MAX_BOX))
    box = min(box, *pixels.shape)
    level, rms = _mesh(data, mask, box)
    sources = find_source_pixels(np.where(mask, 0, data - level), rms, mask)
    level, rms = _mesh(data, mask | sources, box)
    level += _mode_bias(data - level, rms, mask | sources)
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


def _mode_bias(light: np.ndarray, rms: np.ndarray, mask: np.ndarray) -> np.float32:
    """Mean of blank sky above its mode: photon noise leans to the high side, its mode is low."""
    blank = light[~mask & (np.abs(light) < 3 * rms)]
    return np.float32(blank.mean(dtype=float) if blank.size else 0.0)


def _mesh(data: np.ndarray, mask: np.ndarray, box: int) -> tuple[np.ndarray, np.ndarray]:
    import sep

    mesh = sep.Background(data, mask=mask if mask.any() else None, bw=box, bh=box)
    return mesh.back(dtype=np.float32), np.maximum(mesh.rms(dtype=np.float32), 1e-6)
