"""What the field's own stars say of the noise: gain, floor, and the scintillation of the air."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lightcurve.core.data import Measurements, Style
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import Settings
from lightcurve.curve.bends import measure_excess, neighbours
from lightcurve.curve.detrend import column_median, scintillation

__all__ = ["FieldNoise", "measure_field_noise", "with_noise"]

log = logging.getLogger(__name__)

MIN_STARS = 2
MIN_BENDS = 4
MOST_STARS = 200  # the brightest: a floor is known to 1 % from fewer
MIN_SNR = 5.0  # below, what is left when negative fluxes are out scatters too little
# Measurements that tell nothing of the noise.
TELLS_NOTHING = (
    Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.NOT_MEASURED | Flag.FEW_SKY_PIXELS
)
MAX_ITERATIONS = 50
ROUNDS = 8
TOLERANCE = 1e-3
GAIN_SIGMA = 3.3  # a gain to 30 %
CONTRADICTS_SIGMA = 3.5  # by chance in one night of 2,000
LEAST = 1e-9  # of 1 / g, e-^-1 ADU: photons without noise
ANY = Settings()


@dataclass(frozen=True, slots=True, eq=False)
class FieldNoise:
    """The noise that the field shows.

    gain_e_per_adu, gain_err : the error is 0 where the gain was given, and not contradicted. Where
        the stars are too much alike to tell photons from floor, both are right together for stars
        as bright as they.
    """

    gain_e_per_adu: float
    gain_err: float
    floor: np.ndarray  # (n_radius,), relative scatter of a star bright beyond all photon noise
    n_stars: int
    sky: np.ndarray  # (n_radius,), variance of the sky in an aperture over that of single pixels

    @property
    def gain_told(self) -> bool:
        """Whether the gain is known, or was measured."""
        return self.gain_e_per_adu > GAIN_SIGMA * self.gain_err

    @property
    def usual_floor(self) -> float:
        """That of the middle radius."""
        return float(self.floor[len(self.floor) // 2])


def measure_field_noise(
    measurements: Measurements, *, gain_e_per_adu: float | None = None, settings: Settings = ANY
) -> FieldNoise | None:
    """Fit ``V = F / g + k S + c^2 F^2`` to the variances V of the field's stars.

    F is a star's flux and S the sky's part by the scatter of the annuli's pixels. k is 1 unless the
    stars show otherwise beyond doubt: in frames that were interpolated each pixel shares the noise
    of its neighbours, and their scatter tells too little of their sum. V comes from how each star
    bends away from the weighted mean of all, its own part in that mean accounted for: two stars are
    enough where the gain is known. Stars are weighted by the error of a variance, and those far off
    (variables, blends) lose their weight. Where the telescope is known its scintillation, uncertain
    by all of its variance, is one more measurement of c^2: it counts where the stars say little.

    Parameters
    ----------
    gain_e_per_adu : float, optional
        Of header or user, held fixed unless the stars contradict it beyond doubt: frames that were
        averaged, interpolated or scaled have another.
    settings : Settings
        For the scintillation.

    Returns
    -------
    FieldNoise or None
        None where no two stars are measured together in enough neighbouring frames.
    """
    air2 = float(np.mean(star_scintillation(measurements, settings) ** 2))
    middle = len(measurements.radii) // 2
    stars = _take_stars(measurements, middle)
    if stars is None:
        return None
    gain, sky = _judge_given(stars, gain_e_per_adu, air2)
    fit = _fit_stars(stars, gain, air2, sky)
    fits = [fit] * len(measurements.radii)
    for k in set(range(len(fits))) - {middle}:
        others = _take_stars(measurements, k)
        if others is not None:
            fits[k] = _fit_stars(others, 1 / fit.inverse, air2, sky)
    return FieldNoise(
        gain_e_per_adu=1 / fit.inverse,
        gain_err=fit.inverse_err / fit.inverse**2,
        floor=np.sqrt([one.floor2 for one in fits]),
        n_stars=stars.relative.shape[1],
        sky=np.array([one.sky for one in fits]),
    )


class _Fit(NamedTuple):
    """What the noise is made of; errors are 0 where a value was given."""

    floor2: float
    sky: float
    sky_err: float
    inverse: float  # of the gain, ADU/e-
    inverse_err: float


@dataclass(frozen=True, slots=True, eq=False)
class _Stars:
    """Stars of the field at one radius, (n_frame, n_star) each."""

    relative: np.ndarray  # flux over level, transparency and all; NaN where it does not count
    photons: np.ndarray  # variance at a gain of 1 e-/ADU, relative to the light that is expected
    sky: np.ndarray  # variance by the scatter of its pixels, as that
    triples: np.ndarray  # (3, n), from `neighbours`


def _take_stars(measurements: Measurements, k: int) -> _Stars | None:
    """Take the usable stars at a radius; None with fewer than two."""
    m, triples = measurements, neighbours(measurements.jd_utc)
    good = (m.flags[:, :, k] & int(TELLS_NOTHING) == 0) & (np.nan_to_num(m.flux[:, :, k]) > 0)
    flux = np.where(good, m.flux[:, :, k], np.nan)
    level = column_median(flux)
    enough = good[triples].all(axis=0).sum(axis=0) >= max(MIN_BENDS, 0.5 * triples.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        bright = column_median(flux / m.flux_err[:, :, k]) >= MIN_SNR
    usable = np.flatnonzero(enough & bright)
    usable = usable[np.argsort(-level[usable], kind="stable")][:MOST_STARS]
    if len(usable) < MIN_STARS:
        return None
    flux, level, area = flux[:, usable], level[usable], m.area[:, usable, k]
    sky = m.star_sky_std[:, usable] ** 2 * area * (1 + area / m.n_sky[:, usable])
    # What is expected of a star, not what came: the noise of faint ones would enter their variance.
    there = np.isfinite(flux)
    total = (there * level).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = level * np.nansum(flux, axis=1, keepdims=True) / total
        expected[~there] = np.nan
        return _Stars(flux / level, 1 / expected, sky / expected**2, triples)


def _judge_given(
    stars: _Stars, gain: float | None, air2: float
) -> tuple[float | None, float | None]:
    """Keep the gain given, and the sky as its pixels tell it, unless the stars contradict: None."""
    found, sky = _fit_stars(stars, gain, air2, None), 1.0
    of_sky = None if abs(found.sky - sky) > CONTRADICTS_SIGMA * found.sky_err else sky
    if gain is None:
        return None, of_sky
    found = _fit_stars(stars, None, air2, of_sky)
    off = abs(found.inverse - 1 / gain) > CONTRADICTS_SIGMA * found.inverse_err
    told = found.inverse > GAIN_SIGMA * found.inverse_err
    return None if off and told else gain, of_sky


def _fit_stars(stars: _Stars, gain: float | None, air2: float, sky: float | None) -> _Fit:
    """Fit the parts of the noise to how far the bends exceed those of the model before.

    Variances are relative to the flux in each frame, as the bends are to the stars' mean. Gain and
    `sky` that are given are held fixed.
    """
    given = np.array([np.nan, np.nan if sky is None else sky, np.nan if gain is None else 1 / gain])
    free, prior = np.isnan(given), np.array([air2, 0.0, 0.0])
    found = np.where(free, [max(air2, 1e-6), 1.0, 1.0], given)
    errors, measured = np.zeros(3), np.isfinite(stars.relative)
    parts = np.stack([np.ones_like(stars.sky), stars.sky, stars.photons])
    for _ in range(ROUNDS):
        before = found.copy()
        variance = np.fmax(np.einsum("p,pns->ns", found, parts), 1e-12)
        share = np.where(measured, 1 / variance, 0.0)
        ratio, spread = measure_excess(stars.relative, share, variance, stars.triples)
        design = np.nanmean(np.where(measured, parts / variance, np.nan), axis=1).T
        fixed = design[:, ~free] @ found[~free]
        found[free], errors[free] = _robust_fit(
            design[:, free], ratio - fixed, fixed, spread, prior[free]
        )
        found[2] = max(found[2], LEAST)
        if np.allclose(before, found, rtol=TOLERANCE, atol=1e-12):
            break
    floor2, of_sky, inverse = found.tolist()
    return _Fit(floor2, of_sky, float(errors[1]), inverse, float(errors[2]))


def _robust_fit(
    design: np.ndarray, values: np.ndarray, fixed: np.ndarray, spread: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with Tukey's biweight, no coefficient below 0; coefficients and their errors.

    The error of a variance is a share, `spread`, of the variance: that of the model, not the one
    measured, or stars that happen to scatter little would weigh more and the fit come out low.
    prior: (k,), what each coefficient is to be, give or take as much; 0 where nothing is known.
    """
    from scipy.optimize import nnls

    robust = np.ones(len(values))
    sigma = spread * np.maximum(values + fixed, 0.1)
    known = prior > 0
    before = np.diag(1 / np.where(known, prior, np.inf))
    for _ in range(MAX_ITERATIONS):
        weight = np.sqrt(robust) / sigma
        rows = np.concatenate([weight[:, None] * design, before])
        coefficients, _ = nnls(rows, np.append(weight * values, known))
        model = design @ coefficients
        off = (values - model) / sigma
        # Of few stars the spread is small by chance: that of variances is known.
        scale = max(robust_scatter(off, about=0.0), 1.0)
        updated = np.maximum(1 - (off / (4.7 * scale)) ** 2, 0) ** 2
        better = spread * np.maximum(model + fixed, 0.1)
        if np.allclose(updated, robust, atol=1e-4) and np.allclose(better, sigma, rtol=1e-4):
            break
        robust, sigma = updated, better
    normal = rows.T @ rows
    scales = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    inverse = np.linalg.inv(normal / np.outer(scales, scales) + 1e-12 * np.eye(len(normal)))
    return coefficients, scale * np.sqrt(np.diag(inverse)) / scales


def with_noise(
    measurements: Measurements,
    noise: FieldNoise | None,
    *,
    assumed_gain: float,
    settings: Settings = ANY,
) -> Measurements:
    """Replace the fluxes' errors, computed at `assumed_gain`, by those of the field's noise.

    The floor that the stars show holds the scintillation: of each frame its own, by the formula, as
    far as the floor reaches, and the rest in all alike. Without `noise` the formula alone is added.
    """
    flux, air2 = np.maximum(measurements.flux, 0), star_scintillation(measurements, settings) ** 2
    if noise is None:
        extra2, photons = air2[:, None, None], 0.0
    else:
        floor2 = noise.floor**2
        of_air = np.minimum(1, floor2 / max(float(np.mean(air2)), 1e-300))
        rest = floor2 - of_air * np.mean(air2)
        extra2 = (of_air * air2[:, None] + rest)[:, None, :]
        photons = flux * (1 / noise.gain_e_per_adu - 1 / assumed_gain)
        sky = np.maximum(measurements.flux_err**2 - flux / assumed_gain, 0)
        photons += (noise.sky - 1) * sky
    variance = measurements.flux_err**2 + photons + extra2 * flux**2
    return replace(measurements, flux_err=np.sqrt(np.maximum(variance, 0)))


def star_scintillation(measurements: Measurements, settings: Settings = ANY) -> np.ndarray:
    """Work out the relative scintillation of one star in each frame; 0 where it cannot be known.

    Without a height it is that at sea level, the largest; without an airmass that of the zenith; of
    a frame without an exposure that of the others. A height given in the settings overrides the
    headers', too. It is each star's own: only over some arc seconds do stars twinkle together
    (Dravins et al. 1998, PASP 110, 610).
    """
    diameter = usable_diameter(measurements, settings)
    exposed = measurements.exposure_s > 0
    if diameter is None or not exposed.any():
        if diameter is not None:
            log.warning("errors carry no scintillation by the formula: no exposure is known")
        return np.zeros(len(measurements.jd_utc))
    seconds = measurements.exposure_s
    return scintillation(
        np.where(np.isfinite(measurements.airmass), measurements.airmass, 1.0),
        np.where(exposed, seconds, np.median(seconds[exposed])),
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
