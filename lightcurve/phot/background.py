"""The smooth background of a frame and its noise."""

from __future__ import annotations

import numpy as np

MESH_PX = 64


def background_map(
    pixels: np.ndarray, bad: np.ndarray | None = None
) -> tuple[np.ndarray, float, float]:
    """Estimate the background by clipped modes of a mesh, as SExtractor does.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU; non-finite values are left out.
    bad : (ny, nx) uint8 array, optional
        Pixels that are not 0 are left out.

    Returns
    -------
    background : (ny, nx) float32 array
    level, rms : float
        Of the whole frame, ADU.
    """
    import sep

    mask = ~np.isfinite(pixels) if bad is None else bad != 0
    if not mask.any():
        mask = None
    size = min(MESH_PX, *pixels.shape)
    data = np.ascontiguousarray(pixels, dtype=np.float32)
    mesh = sep.Background(data, mask=mask, bw=size, bh=size)
    return mesh.back(dtype=np.float32), float(mesh.globalback), float(mesh.globalrms)
