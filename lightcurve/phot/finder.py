"""Find every source of one frame, down to the noise."""

from __future__ import annotations

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.flags import PixelFlag
from lightcurve.phot.background import Background
from lightcurve.phot.cutouts import gather
from lightcurve.phot.detect import local_maxima, spikes
from lightcurve.phot.methods import FINDERS, PEAKS

__all__ = ["find_sources"]

SPIKE_SIGMA = 3.0  # noise beside a peak that is allowed for: faint stars are no spikes
NARROWEST_SIGMA = 0.4  # px; a narrower kernel is a single pixel


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

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        Saturated pixels are kept; other bad ones count as sky.
    fwhm : float
        Of the stars, pixels.
    threshold_sigma : float
        Height in units of the filtered frame's noise.
    method : str
        A name of `FINDERS`.
    """
    unusable = (bad & ~np.uint8(PixelFlag.SATURATED)) != 0
    light = np.where(unusable | ~np.isfinite(pixels), 0, pixels - background.level)
    scaled = light / background.rms
    return FINDERS.get(method).find(scaled.astype(np.float32), fwhm, threshold_sigma)


def filtered_peaks(
    scaled: np.ndarray, fwhm: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels that no neighbour tops after a Gaussian filter; spikes left out."""
    from scipy.ndimage import gaussian_filter

    sigma = max(fwhm / FWHM_PER_SIGMA, NARROWEST_SIGMA)
    smooth = gaussian_filter(scaled, sigma, truncate=3.0)
    threshold = threshold_sigma * _kernel_norm(sigma)
    y, x = local_maxima(smooth, threshold)
    keep = ~spikes(gather(scaled, x, y, 2), SPIKE_SIGMA)[0]
    y, x = y[keep], x[keep]
    order = np.argsort(-smooth[y, x], kind="stable")
    y, x = y[order], x[order]
    return x + _vertex(smooth, y, x, 0, 1), y + _vertex(smooth, y, x, 1, 0)


def dao_sources(
    scaled: np.ndarray, fwhm: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find sources by DAOFIND (Stetson 1987) as photutils has it; the threshold is of one pixel."""
    import warnings

    from photutils.detection import DAOStarFinder
    from photutils.utils.exceptions import NoDetectionsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)  # an empty field is an answer
        table = DAOStarFinder(threshold=threshold_sigma, fwhm=fwhm)(scaled)
    if table is None:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-np.asarray(table["flux"]), kind="stable")
    names = [n for n in table.colnames if n.startswith(("x_cent", "y_cent", "xcent", "ycent"))]
    x, y = (np.asarray(table[name], dtype=float)[order] for name in sorted(names))
    return x, y


def _kernel_norm(sigma: float) -> float:
    """Noise left of white noise of 1 by the sampled Gaussian filter."""
    reach = int(3 * sigma + 0.5)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    return float((kernel**2).sum())


def _vertex(smooth: np.ndarray, y: np.ndarray, x: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Offset of a peak along one axis: the vertex of the parabola through three pixels."""
    low, middle, high = smooth[y - dy, x - dx], smooth[y, x], smooth[y + dy, x + dx]
    bend = np.maximum(2 * middle - low - high, 1e-12)
    return np.clip((high - low) / (2 * bend), -0.5, 0.5).astype(float)
