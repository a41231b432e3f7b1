"""How faint a frame reaches, and what share of its stars is found."""

from __future__ import annotations

import numpy as np

from lightcurve.core.settings import Settings
from lightcurve.image.reduced import Prepared, Sources
from lightcurve.phot.depth import (
    Completeness,
    Limits,
    Trial,
    blank_fluxes,
    blank_places,
    measure_completeness,
    measure_limits,
)
from lightcurve.phot.psf import moffat_psf
from lightcurve.phot.zero_point import ZeroPoint


def frame_limits(
    prepared: Prepared, sources: Sources, zero_point: ZeroPoint | None, settings: Settings
) -> Limits:
    """Measure how faint the main aperture reaches, in blank apertures and by the noise equation.

    zero_point : without one the limits are in instrumental magnitudes.
    """
    apertures, background = sources.apertures, prepared.background
    radius = float(apertures.radii[apertures.main])
    occupied = background.sources | ~prepared.good
    places = blank_places(occupied, radius, np.random.default_rng([settings.seed, 0xB1A]))
    frame = prepared.frame
    empty = blank_fluxes(frame.pixels, frame.bad, places, radius, apertures.annulus)
    inner, outer = apertures.annulus
    return measure_limits(
        empty,
        radius_px=radius,
        pixel_rms=float(np.median(background.rms)),
        n_sky=np.pi * (outer**2 - inner**2),
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu,
        zero_point=_value(zero_point),
        exposure_s=prepared.exposure_s,
    )


def frame_completeness(
    prepared: Prepared,
    sources: Sources,
    zero_point: ZeroPoint | None,
    limits: Limits,
    settings: Settings,
) -> Completeness | None:
    """Put stars into the frame, from well above the limit to well below it.

    zero_point : without one magnitudes are instrumental.
    Returns Completeness or None: None when no stars were to be put in, or the limit is not known.
    """
    wanted, apertures = settings.image, sources.apertures
    five = next(one for one in limits.limits if one.snr == 5)
    middle = five.measured if np.isfinite(five.measured) else five.analytic
    if not wanted.injected or not np.isfinite(middle):
        return None
    radius = float(apertures.radii[apertures.main])
    fwhm = radius / float(apertures.multiples[apertures.main])
    psf = sources.psf or moffat_psf((fwhm, fwhm, 0.0, 3.0), np.ceil(5 * fwhm) + 2, 2)
    frame = prepared.frame
    trial = Trial(
        frame.pixels, frame.bad, prepared.background, psf, prepared.camera.noise,
        _value(zero_point) - 2.5 * np.log10(psf.enclosed(radius)), prepared.exposure_s, fwhm,
        wanted.threshold_sigma, wanted.finder, radius, apertures.annulus,
    )  # fmt: skip
    rng = np.random.default_rng([settings.seed, 0xC0])
    return measure_completeness(trial, wanted.injected, (middle - 2.5, middle + 1.5), rng)


def _value(zero_point: ZeroPoint | None) -> float:
    return 0.0 if zero_point is None else zero_point.value
