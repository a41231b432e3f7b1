"""Find the stars of one frame in a few milliseconds, for registration and for choosing stars."""

from __future__ import annotations

import numpy as np

from lightcurve.constants import FWHM_PER_SIGMA
from lightcurve.data import Detections
from lightcurve.errors import InputError
from lightcurve.flags import PixelFlag
from lightcurve.phot.background import measure_sky
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import gather
from lightcurve.phot.peaks import (
    KERNEL_ROOT_SQUARES,
    Light,
    Peaks,
    all_peaks,
    bright_maxima,
    follow,
    spikes,
)

# Of one pixel's noise, which alone does not reach it. In a rich field the brightest stars are
# enough, and nobody looks at the fainter ones.
BRIGHT_SIGMAS = (30.0, 6.0)
SPARE = 3  # so many bright pixels are followed for each star wanted: some lead to the same star
HALF_BOX = 5
QUICK = 5  # steps to a centroid: those that need more are blends, and no help to registration


@np.errstate(over="ignore", invalid="ignore")  # sums of absurd pixels are infinite, and no peak
def detect(
    pixels: np.ndarray,
    bad: np.ndarray | None = None,
    *,
    threshold_sigma: float = 5.0,
    max_stars: int = 300,
    saturation_adu: float | None = None,
) -> Detections:
    """Detect stars as peaks of the frame after a matched filter.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array, optional
        Hot, dead and non-finite pixels are filled with the sky; saturated ones are kept, for the
        brightest stars help to register.
    threshold_sigma : float
        Height above the sky in units of the filtered frame's noise.
    max_stars : int
        Only so many of the brightest.
    saturation_adu : float, optional
        A flat top at this level is one star, whatever its neighbours are like.

    Returns
    -------
    Detections
        Brightest first; empty when there is none. NaN pixels are no star.

    Raises
    ------
    InputError
        When the image is too small for a star to be told from the sky.
    """
    if min(pixels.shape) < 4 * HALF_BOX:
        msg = f"an image of {pixels.shape[1]} x {pixels.shape[0]} px is too small to find stars in"
        raise InputError(msg)
    if bad is None:
        bad = np.where(np.isfinite(pixels), 0, PixelFlag.NOT_FINITE).astype(np.uint8)
    light = Light(pixels, bad, measure_sky(pixels, bad))
    lowest = threshold_sigma * light.sky.rms * KERNEL_ROOT_SQUARES
    full = None if saturation_adu is None else saturation_adu - light.sky.level
    y, x, height = _stars(light, lowest, max_stars, full)
    brightest = np.argsort(-height, kind="stable")[:max_stars]
    return _describe(light, y[brightest], x[brightest])


def _stars(light: Light, lowest: float, wanted: int, full: float | None) -> Peaks:
    """Find the peaks that are stars; only the bright ones where there are as many as wanted."""
    if light.sky.rms == 0:  # no pixel is usable
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    for sigma in BRIGHT_SIGMAS:
        maxima = bright_maxima(light, max(sigma * light.sky.rms, lowest))
        if len(maxima[0]) < wanted:
            continue
        maxima = _without_spikes(light, maxima, full)
        stars = _without_spikes(light, follow(light, maxima, lowest, SPARE * wanted), full)
        if len(stars[0]) >= wanted:
            return stars
    return _without_spikes(light, all_peaks(light, lowest), full)


def _without_spikes(light: Light, peaks: Peaks, full: float | None) -> Peaks:
    y, x, _ = peaks
    star = ~_is_spike(light.around(x, y, 2), full)
    return tuple(values[star] for values in peaks)


def _is_spike(box: np.ndarray, full: float | None) -> np.ndarray:
    """Tell spikes from stars.

    Boxes are five pixels wide; those that reach over the frame's edge are no stars either.
    """
    spike, peak = spikes(box)
    spike |= peak <= 0
    if full is not None:
        spike &= peak < 0.95 * full
    return spike | np.isnan(box).any(axis=(1, 2))


def _describe(light: Light, y: np.ndarray, x: np.ndarray) -> Detections:
    """Centroid, flux, peak and width of the stars at the peaks."""
    sky = light.sky
    if len(x) == 0:
        none = np.zeros(0)
        return Detections(none, none, none, none, none, sky.level, sky.rms)
    box = light.around(x, y, HALF_BOX)
    width = peak_width(box)
    sigma = float(np.median(width))
    dx, dy = windowed_centroid(box, max(sigma, 0.8), iterations=QUICK)
    offset = np.arange(-HALF_BOX, HALF_BOX + 1)
    radius = np.hypot(offset[None, :, None] - dy[:, None, None], offset - dx[:, None, None])
    flux = np.where(radius < HALF_BOX, box, 0.0).sum(axis=(1, 2))
    peak = np.nanmax(gather(light.pixels, x, y, 1), axis=(1, 2))
    order = np.argsort(-flux, kind="stable")
    order = order[flux[order] > 0]
    return Detections(
        (x + dx)[order],
        (y + dy)[order],
        flux[order],
        peak.astype(float)[order],
        (FWHM_PER_SIGMA * width)[order],
        sky.level,
        sky.rms,
    )
