"""The light of what moved while the shutter was open: summed along the trail of its path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.moffat import core_of
from lightcurve.phot.noise import NoiseModel, flux_error
from lightcurve.phot.sky import clipped_sky

__all__ = ["Trail", "trail_light"]

LEAST_SEEN = 0.5  # of its light, on good pixels
STEPS_FWHM = 4  # points of a trail in each FWHM


@dataclass(frozen=True, slots=True)
class Trail:
    """A trail on pixels.

    Attributes
    ----------
    x, y : float
        Its middle, pixels.
    half_x, half_y : float
        From there to its end, pixels; 0 of what stands still.
    fwhm, beta : float
        Of the Moffat profile of the frame's stars; pixels.
    """

    x: float
    y: float
    half_x: float
    half_y: float
    fwhm: float
    beta: float

    def apart(self, shape: tuple[int, ...]) -> np.ndarray:
        """Tell how far each pixel (ny, nx) is from the line of the trail, pixels."""
        v, u = np.indices(shape)
        x, y = u - self.x, v - self.y
        square = max(self.half_x**2 + self.half_y**2, 1e-12)
        share = np.clip((x * self.half_x + y * self.half_y) / square, -1, 1)
        return np.asarray(np.hypot(x - share * self.half_x, y - share * self.half_y))

    def profile(self, shape: tuple[int, ...]) -> np.ndarray:
        """Tell the light of each pixel (ny, nx), of 1 in all."""
        v, u = np.indices(shape)
        core = self.fwhm * core_of(self.beta)
        count = 1 + int(np.ceil(2 * np.hypot(self.half_x, self.half_y) / self.fwhm * STEPS_FWHM))
        total = np.zeros(shape)
        for share in (np.arange(count) + 0.5) / count * 2 - 1:
            apart = (u - self.x - share * self.half_x) ** 2 + (
                v - self.y - share * self.half_y
            ) ** 2
            total += (1 + apart / core**2) ** -self.beta
        return total * (self.beta - 1) / (np.pi * core**2 * count)

    def of_circle(self, radius: float) -> float:
        """Tell the share of a star's light that a circle holds."""
        return 1 - (1 + (radius / (self.fwhm * core_of(self.beta))) ** 2) ** (1 - self.beta)


def trail_light(
    pixels: np.ndarray,
    bad: np.ndarray,
    trail: Trail,
    radius: float,
    annulus: tuple[float, float],
    noise: NoiseModel,
) -> tuple[float, float]:
    """Sum light within a radius of a trail, over the sky around it.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU.
    bad : (ny, nx) uint8 array
        Not 0 where a pixel has no say: what the trail has there follows from its profile.
    radius : float
        Pixels.
    annulus : (float, float)
        Distances from the trail between which the sky is measured, pixels.
    noise : NoiseModel
        Of the camera.

    Returns
    -------
    (float, float)
        Light and its error, ADU: what a circle of that radius would hold of a star, so that zero
        points of circles hold. NaN where it reaches over the edge, or half of it is on bad pixels.
    """
    apart = trail.apart(pixels.shape)
    ny, nx = pixels.shape
    right, high = abs(trail.half_x) + radius, abs(trail.half_y) + radius
    inside = right <= trail.x <= nx - 1 - right and high <= trail.y <= ny - 1 - high
    good = (bad == 0) & np.isfinite(pixels)
    ring = good & (apart >= annulus[0]) & (apart <= annulus[1])
    if not (inside and ring.any()):
        return np.nan, np.nan
    sky, scatter, n_sky = clipped_sky(pixels[ring][None])
    weight = np.clip(radius + 0.5 - apart, 0, 1)
    profile = weight * trail.profile(pixels.shape)
    seen = float(profile[good].sum())
    if not seen > LEAST_SEEN * profile.sum():
        return np.nan, np.nan
    flux, area = (weight[good] * (pixels[good] - sky)).sum(), np.array([weight[good].sum()])
    variance = (scatter * noise.of_circle(area)) ** 2
    error = flux_error(np.array([flux]), area, variance, n_sky, noise.gain_e_per_adu)
    whole = trail.of_circle(radius) / seen
    return float(flux * whole), float(error[0] * whole)
