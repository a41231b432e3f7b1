"""The CCD equation: how uncertain a flux is, from what is known of camera and sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA

__all__ = ["QUANTISATION_VARIANCE", "NoiseModel", "flux_error", "pixel_variance_model"]

QUANTISATION_VARIANCE = 0.289**2  # of rounding to whole ADU, ADU^2 (Merline & Howell 1995)


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """What the camera adds.

    Attributes
    ----------
    dark_e : float
        Dark electrons of a pixel in one exposure.
    of_sums : float
        Noise of a sum of many pixels over that of these added in quadrature: above 1 where a frame
        was resampled, so that neighbours share noise.
    """

    gain_e_per_adu: float = 1.0
    read_noise_e: float = 0.0
    dark_e: float = 0.0
    of_sums: float = 1.0

    def of_circle(self, area: np.ndarray) -> np.ndarray:
        """Noise of a sum in circles over that of `area` pixels added in quadrature, at least 1.

        ``N - 2 (N - 1) / sqrt(n)``, N being `of_sums`, n the area: at the rim neighbours are
        missing, and pixels that are cut count in part. area: an array of any shape, pixels.
        """
        return np.maximum(self.of_sums - 2 * (self.of_sums - 1) / np.sqrt(area), 1.0)

    def of_profile(self, fwhm_px: float) -> float:
        """Noise of a sum weighted by a profile over that of its pixels in quadrature.

        ``1 + (N - 1) exp(-1 / 4 sigma^2)``: what a Gaussian has of the noise that a pixel shares
        with the next.
        """
        sigma = max(fwhm_px / FWHM_PER_SIGMA, 1e-3)
        return float(1 + (self.of_sums - 1) * np.exp(-1 / (4 * sigma**2)))


def flux_error(
    flux: np.ndarray,
    area: np.ndarray,
    pixel_variance: np.ndarray,
    n_sky: np.ndarray,
    gain_e_per_adu: float,
) -> np.ndarray:
    """Error of an aperture flux (Merline & Howell 1995); a negative one has no photon noise.

    ``sqrt(F / g + n_pix (1 + n_pix / n_sky) v)``, with the variance v of one sky pixel: sky
    photons, dark current, read noise and quantisation, either from `pixel_variance_model` or as
    the annulus shows it.
    flux, area, pixel_variance, n_sky: arrays of one shape, or that broadcast, such as (n, n_radius)
    and (n, 1): ADU, pixels, ADU^2, pixels. Returns ADU; NaN where an input is NaN.
    """
    photons = np.maximum(flux, 0.0) / gain_e_per_adu
    return np.sqrt(photons + area * (1 + area / np.maximum(n_sky, 1)) * pixel_variance)


def pixel_variance_model(sky: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """Variance of a sky pixel from the camera's numbers; a negative sky counts as 0.

    sky: (n,) float array, ADU. Returns (n,) float array, ADU^2.
    """
    g = noise.gain_e_per_adu
    electrons = g * np.maximum(sky, 0.0) + noise.dark_e + noise.read_noise_e**2
    return electrons / g**2 + QUANTISATION_VARIANCE
