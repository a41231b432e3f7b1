"""Find every source of one frame, down to the noise."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.background import Background
from lightcurve.phot.detect import unusable
from lightcurve.phot.methods import FINDERS, PEAKS

__all__ = ["find_sources"]


def find_sources(
    pixels: np.ndarray,
    bad: np.ndarray,
    background: Background,
    fwhm: float,
    *,
    threshold_sigma: float = 5.0,
    method: str = PEAKS.name,
) -> tuple[np.ndarray, np.ndarray]:
    """Find sources, the highest peak first, after a filter as wide as the frame's stars.

    pixels: (ny, nx) float array, ADU.
    bad: (ny, nx) uint8 array; saturated pixels are kept, other bad ones count as sky.
    fwhm: of the stars, pixels. threshold_sigma: height in units of the filtered frame's noise.
    method: a name of `FINDERS`. Returns x and y, (n,) float arrays, pixels.
    """
    light = np.where(unusable(bad) | ~np.isfinite(pixels), 0, pixels - background.level)
    scaled = light / background.rms
    return FINDERS.get(method).find(scaled.astype(np.float32), fwhm, threshold_sigma)
