"""What the field's own stars say of the noise: gain, floor, and the scintillation of the air."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import Measurements, Style
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings
from lightcurve.curve.detrend import column_scatter, scintillation

__all__ = ["measure_field_noise", "with_noise"]

MIN_STARS = 12
MIN_FRAMES = 20
UNUSABLE = Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.NOT_MEASURED | Flag.FEW_SKY_PIXELS
MAX_ITERATIONS = 50
ANY = Settings()


@dataclass(frozen=True, slots=True)
class FieldNoise:
    """The noise that the field shows.

    gain_e_per_adu, gain_err : the error is 0 where the gain was given.
    """

    gain_e_per_adu: float
    gain_err: float
    floor: float  # relative scatter of a star bright beyond all photon noise
    n_stars: int


def measure_field_noise(
    measurements: Measurements, *, gain_e_per_adu: float | None = None
) -> FieldNoise | None:
    """Fit ``V = F / g + S + c^2 F^2`` to the variances V of the field's stars.

    F is a star's flux and S the sky's part, known from the annuli; V comes from differences of
    neighbouring frames, which no slow change enters. Stars are weighted by the error of a
    variance, and those far off (variables, blends) lose their weight.

    Parameters
    ----------
    gain_e_per_adu : float, optional
        Held fixed where it is known.

    Returns
    -------
    FieldNoise or None
        None with fewer than 12 stars measured in 20 frames, or where the photon noise does not
        stand out enough to give a gain to 30 %.
    """
    k = len(measurements.radii) // 2
    flux, variance, sky_variance = _star_variances(measurements, k)
    if len(flux) < MIN_STARS:
        return None
    excess, sky = (variance - sky_variance) / flux, sky_variance / flux
    design = np.column_stack([np.ones(len(flux)), flux])
    if gain_e_per_adu is not None:
        known = 1 / gain_e_per_adu
        (floor2,), _ = _robust_fit(design[:, 1:], excess - known, sky + known)
        return FieldNoise(gain_e_per_adu, 0.0, float(np.sqrt(max(floor2, 0))), len(flux))
    (inverse, floor2), error = _robust_fit(design, excess, sky)
    if floor2 < 0:
        (inverse,), error = _robust_fit(design[:, :1], excess, sky)
        floor2 = 0.0
    if not inverse > 3.3 * error[0]:
        return None
    gain = 1 / inverse
    return FieldNoise(
        float(gain), float(gain * error[0] / inverse), float(np.sqrt(floor2)), len(flux)
    )


def _star_variances(
    measurements: Measurements, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux, variance and the sky's share of it, ADU and ADU^2, of each usable star."""
    m = measurements
    good = (m.flags[:, :, k] & int(UNUSABLE) == 0) & (m.flux[:, :, k] > 0)
    flux = np.where(good, m.flux[:, :, k], np.nan)
    enough = good.sum(axis=0) >= max(MIN_FRAMES, 0.5 * len(flux))
    flux = flux[:, enough]
    if flux.shape[1] < MIN_STARS:
        none = np.zeros(0)
        return none, none, none
    level = np.nanmedian(flux, axis=0)
    relative = flux / level
    bright = np.argsort(-level)[: max(MIN_STARS, len(level) // 3)]
    relative /= np.nanmedian(relative[:, bright], axis=1)[:, None]
    area = m.area[0, 0, k]
    n_sky = np.nanmedian(m.n_sky[:, enough], axis=0)
    sky = np.nanmedian(m.star_sky_std[:, enough], axis=0) ** 2 * area * (1 + area / n_sky)
    scatter = column_scatter(np.diff(relative, axis=0)) / np.sqrt(2) * level
    usable = np.isfinite(scatter) & (scatter > 0)
    return level[usable], scatter[usable] ** 2, sky[usable]


def _robust_fit(
    design: np.ndarray, values: np.ndarray, rest_of_variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares with Tukey's biweight; coefficients and their errors.

    The error of a variance is a share of the variance: that of the model, not the one measured, or
    stars that happen to scatter little would weigh more and the fit come out low.
    """
    robust = np.ones(len(values))
    sigma = np.maximum(values + rest_of_variance, 1e-12)
    for _ in range(MAX_ITERATIONS):
        total = robust / sigma**2
        normal = design.T @ (total[:, None] * design)
        coefficients = np.linalg.solve(normal, design.T @ (total * values))
        model = design @ coefficients
        off = (values - model) / sigma
        spread = max(robust_scatter(off, about=0.0), 1e-12)
        updated = np.maximum(1 - (off / (4.7 * spread)) ** 2, 0) ** 2
        better = np.maximum(model + rest_of_variance, 0.1 * sigma)
        if np.allclose(updated, robust, atol=1e-6) and np.allclose(better, sigma, rtol=1e-6):
            break
        robust, sigma = updated, better
    return coefficients, spread * np.sqrt(np.diag(np.linalg.inv(normal)))


def with_noise(
    measurements: Measurements, noise: FieldNoise, *, assumed_gain: float
) -> Measurements:
    """Replace the fluxes' errors, computed at `assumed_gain`, by those of the field's noise.

    The floor includes scintillation; where the telescope is known the light curve adds that itself,
    so only the rest is applied here.
    """
    flux = np.maximum(measurements.flux, 0)
    photons = flux * (1 / noise.gain_e_per_adu - 1 / assumed_gain)
    left = np.maximum(noise.floor**2 - star_scintillation(measurements) ** 2, 0)
    variance = measurements.flux_err**2 + photons + left[:, None, None] * flux**2
    return replace(measurements, flux_err=np.sqrt(np.maximum(variance, 0)))


def star_scintillation(measurements: Measurements, settings: Settings = ANY) -> np.ndarray:
    """Work out the relative scintillation of one star in each frame; 0 where it cannot be known.

    Without a height it is that at sea level, the largest; without an airmass that of the zenith. A
    height given in the settings overrides the headers', too.
    """
    diameter = usable_diameter(measurements, settings)
    if diameter is None:
        return np.zeros(len(measurements.jd_utc))
    exposed = measurements.exposure_s > 0
    return scintillation(
        np.where(np.isfinite(measurements.airmass), measurements.airmass, 1.0),
        np.where(exposed, measurements.exposure_s, np.inf),
        diameter_m=diameter,
        height_m=_height(measurements, settings),
    )


def usable_diameter(measurements: Measurements, settings: Settings = ANY) -> float | None:
    """Settle the telescope's diameter, metres, for the scintillation: settings before headers.

    None in AstroImageJ's style, whose errors have no scintillation.
    """
    if settings.apertures.style == Style.AIJ:
        return None
    return settings.camera.telescope_diameter_m or measurements.telescope_diameter_m


def _height(measurements: Measurements, settings: Settings) -> float:
    if settings.site.height_m is not None:
        return settings.site.height_m
    return measurements.site.height_m if measurements.site else 0.0
