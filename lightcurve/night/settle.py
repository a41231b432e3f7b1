"""What is settled once the frames are measured: which are lost, target, noise, and transit."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from textwrap import shorten

import numpy as np

from lightcurve.core.data import (
    Assumed,
    Finding,
    FrameResult,
    FrameStatus,
    LightCurve,
    Measurements,
    Severity,
    StarPlan,
    StarRole,
    Style,
    TransitFit,
    Verdict,
)
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.flags import Flag
from lightcurve.core.processes import ready_with
from lightcurve.core.settings import Settings
from lightcurve.curve.blend import Blend
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.noise import FieldNoise, measure_field_noise, with_noise
from lightcurve.curve.plan import revise_plan
from lightcurve.curve.quoted import judge_errors
from lightcurve.curve.saturation import mark_saturated
from lightcurve.curve.shapes import Shapes, measure_shapes
from lightcurve.night.scene import Scene, describe_blank
from lightcurve.setup.target import Target
from lightcurve.transit.ephemeris import dip_shape, mark_transit
from lightcurve.transit.fit import fit_transit

log = logging.getLogger(__name__)
FLOORS_DIFFER, FLOOR_SEEN = 1.5, 0.1  # from aperture to aperture: a factor, and per cent more
LINE = 160  # characters of a reason that a warning repeats
SEEN_SNR = 3.0  # of a stack: blank sky reaches it by noise once in 700 nights
AT_TARGET_PX = 2.0  # or one FWHM: a centroid farther off has walked to another star
MIN_RING = 2.0  # area of the ring round a star that its light is held against, over that within


def warn_of_lost(results: Sequence[FrameResult]) -> None:
    """Warn of frames that were not measured, with the first of the most frequent cause."""
    lost = [result for result in results if result.status != FrameStatus.MEASURED]
    if not lost:
        return
    why, count = Counter(result.why for result in lost).most_common(1)[0]
    first = shorten(next(r.reason for r in lost if r.why == why), LINE, placeholder=" ...")
    text = "%d of %d frames not measured: %s (%d), see frames.csv"
    log.warning(text, len(lost), len(results), first, count)


def refuse_blank_sky(measurements: Measurements, scene: Scene, target: Target) -> None:
    """Refuse a night whose target is nowhere: not in the reference, and not in all frames together.

    Raises InputError that tells where it was looked for, the nearest star, and what to check.
    """
    if scene.recipe.plan.target_detected:
        return
    snr, n = stacked_snr(measurements)
    if snr < SEEN_SNR:
        msg = (
            f"{describe_blank(scene.recipe, scene.reference.path, target)}; all {n} frames together"
            f" show it at a signal to noise of {snr:.1f}, {SEEN_SNR:g} wanted"
        )
        raise InputError(msg)


def stacked_snr(measurements: Measurements) -> tuple[float, int]:
    """Measure the target's light over its error in all frames together; and count the frames.

    Of the smallest aperture against the ring right outside: a sky that is not level, or the wing
    of a neighbour, lies in both. The median over the frames, for one satellite is no star. Frames
    whose centroid left the place do not count.
    """
    row = int(np.flatnonzero(measurements.plan.role == StarRole.TARGET)[0])
    flux, error = measurements.flux[:, row], measurements.flux_err[:, row]
    light, noise = flux[:, 0], error[:, 0]
    areas = (measurements.radii / measurements.radii[0]) ** 2
    wide = np.flatnonzero(areas >= 1 + MIN_RING)
    if len(wide):
        share = 1 / (areas[wide[0]] - 1)
        light = light - share * (flux[:, wide[0]] - light)
        noise = noise * np.sqrt(1 + share)
    x, y = (getattr(measurements.plan, name)[row] for name in ("x_ref", "y_ref"))
    off = np.hypot(
        measurements.x[:, row] - x - measurements.shift_x,
        measurements.y[:, row] - y - measurements.shift_y,
    )
    here = off <= np.fmax(AT_TARGET_PX, measurements.fwhm_px)
    good = np.isfinite(light) & (noise > 0) & here
    n = int(good.sum())
    if n == 0:
        return 0.0, 0
    of_median = np.sqrt(np.pi / 2 / n) if n > 2 else np.sqrt(1 / n)
    return float(np.median(light[good]) / (np.median(noise[good]) * of_median)), n


def settle_stars(measurements: Measurements, settings: Settings) -> Measurements:
    """Flag what is clipped, and let nothing be a comparison star that is no single star.

    Returns measurements: with the flags of saturation, and the roles that are left. A comparison
    star that the user named stays one, and is warned of.
    """
    if settings.apertures.style == Style.AIJ:  # whose tables say what its user saw
        return measurements
    measurements, level = mark_saturated(measurements)
    if level is not None:
        log.info("peaks stop at %.0f ADU (calibrated): such stars are flagged as saturated", level)
    _warn_of_clipped(measurements)
    shapes, plan = measure_shapes(measurements), measurements.plan
    odd = [int(row) for row in np.flatnonzero(shapes.odd)]
    _warn_of_odd(plan, odd, shapes, named=bool(settings.stars.comparisons))
    if settings.stars.comparisons:
        return measurements
    compared = [row for row in odd if plan.role[row] == StarRole.COMPARISON]
    roles = {row: (StarRole.FIELD, shapes.describe(row)) for row in compared}
    return replace(measurements, plan=revise_plan(plan, roles))


def _warn_of_clipped(measurements: Measurements) -> None:
    """Say in which frames the target is saturated, and what to do."""
    middle = len(measurements.radii) // 2
    target = int(np.flatnonzero(measurements.plan.role == StarRole.TARGET)[0])
    clipped = (measurements.flags[:, target, middle] & int(Flag.SATURATED)) != 0
    if not clipped.any():
        return
    names = measurements.file[clipped]
    which = f"{names[0]} to {names[-1]}" if len(names) > 1 else str(names[0])
    log.warning(
        "the target is saturated in %d of %d frames (%s), which are left out: expose shorter, or "
        "defocus; if the level is wrong, --saturation settles it",
        len(names), len(clipped), which,
    )  # fmt: skip


def _warn_of_odd(plan: StarPlan, odd: Sequence[int], shapes: Shapes, *, named: bool) -> None:
    """Warn where the target, or a comparison star that the user named, is no single star."""
    warned = (StarRole.TARGET, StarRole.COMPARISON) if named else (StarRole.TARGET,)
    for row in odd:
        if plan.role[row] in warned:
            log.warning("%s is %s", plan.star_id[row], shapes.describe(row))


def settle_noise(
    measurements: Measurements, scene: Scene, settings: Settings
) -> tuple[Measurements, Scene]:
    """Let the field's stars tell the noise floor, and the gain where nothing else does.

    Returns measurements: with errors by the noise that the field shows, or where it shows none with
    the scintillation of the formula; scene: with what was found in the place of what was assumed
    until then.
    """
    if settings.apertures.style == Style.AIJ:  # whose errors are those of its formula
        return measurements, scene
    camera = scene.camera
    gain = camera.noise.gain_e_per_adu
    noise = measure_field_noise(
        measurements, gain_e_per_adu=gain if camera.gain_known else None, settings=settings
    )
    if noise is None:
        log.warning(
            "the field's stars do not tell the noise: no two were measured together in enough "
            "frames; errors are those of the camera, sky and formula alone"
        )
    else:
        found = _describe_noise(noise)
        if camera.gain_known and noise.gain_err:
            log.warning(
                "the scatter of the field's stars shows a gain of %.3g +- %.2g e-/ADU where %.4g "
                "was given: frames that were scaled, averaged or interpolated have another; errors "
                "follow the stars", noise.gain_e_per_adu, noise.gain_err, gain
            )  # fmt: skip
        for one in found:
            log.info("%s", one)
        scene = replace(scene, values=merge_values(scene.values, found))
    return with_noise(measurements, noise, assumed_gain=gain, settings=settings), scene


def _describe_noise(noise: FieldNoise) -> list[Assumed]:
    """Say what the field's stars told of the noise; and what they did not."""
    number = noise.n_stars
    source = f"measured from the scatter of {number} stars of the field"
    if number == 2:
        source += " against each other: their sum is known, and taken to be equal parts"
    percent, (low, high) = 100 * noise.usual_floor, 100 * np.quantile(noise.floor, [0, 1])
    text = f"{percent:.2f} % of a star's flux"
    if high > FLOORS_DIFFER * low + FLOOR_SEEN:
        text += f" in the middle aperture, {low:.2f} to {high:.2f} % in others"
    found = [Assumed("noise floor", percent, "%", source, text)]
    if noise.gain_err and noise.gain_told:
        gain, error = noise.gain_e_per_adu, noise.gain_err
        text = f"{gain:.3g} +- {error:.2g} e-/ADU"
        found.append(Assumed("gain", gain, "e-/ADU", source, text, err=error))
    elif noise.gain_err:
        log.warning(
            "%d stars do not tell the photons' noise from the floor: errors are right for stars as "
            "bright as they; --gain settles it", number
        )  # fmt: skip
    of_sky = noise.sky[len(noise.sky) // 2]
    if of_sky != 1:
        text = f"{of_sky:.2f} times the variance of its pixels, each by itself"
        found.append(Assumed("noise of the sky in an aperture", float(of_sky), "", source, text))
    return found


def merge_values(settled: Sequence[Assumed], found: Sequence[Assumed]) -> tuple[Assumed, ...]:
    """Put what the field told in the place of what was assumed until then; each name once."""
    return tuple({value.name: value for value in (*settled, *found)}.values())


def predicted_transit(target: Target, measurements: Measurements) -> np.ndarray | None:
    """Mark the frames inside the transit that the ephemeris predicts; None without a planet."""
    if target.planet is None:
        return None
    return mark_transit(target.planet, measurements.bjd_tdb)


def choose_for(
    target: Target, measurements: Measurements, settings: Settings, blend: Blend | None = None
) -> LightCurve:
    """Choose the curve that is worth most for the transit that is predicted, or for the level."""
    planet, in_transit = target.planet, predicted_transit(target, measurements)
    dip = None if planet is None else dip_shape(planet, measurements.bjd_tdb)
    curve = choose_curve(
        measurements, settings, in_transit=in_transit, dip=dip, blend=blend,
        processes=ready_with(choose_curve.__module__, settings.workers),
    )  # fmt: skip
    if (told := judge_errors(curve)).severity is Severity.WARNING:
        log.warning("%s", told)
    return curve


def fit_if_known(
    curve: LightCurve, target: Target, scene: Scene, settings: Settings
) -> tuple[TransitFit | None, Verdict | None]:
    """Fit the transit where a planet is given; a fit that fails costs the fit alone.

    The verdict stands beside it: one that fails leaves open whether there is a transit.
    """
    if target.planet is None or not settings.fit.enabled:
        why = "--no-fit" if target.planet is not None else "give --planet FILE for one"
        log.info("no transit fit: %s", why)
        return None, None
    exposure = scene.reference.exposure
    try:
        fit = fit_transit(
            curve, target.planet, exposure_s=exposure.exposure_s, filter_name=exposure.filter,
            settings=settings.fit, rng=np.random.default_rng(settings.seed),
        )  # fmt: skip
    except FitError as error:
        log.warning("no transit fit: %s", error)
        return None, Verdict(Finding.INCONCLUSIVE, f"no fit: {error}")
    return fit, fit.verdict
