"""What is settled once the frames are measured: which are lost, the noise, and the transit."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from textwrap import shorten

import numpy as np

from lightcurve.core.data import (
    Assumed,
    FrameResult,
    FrameStatus,
    LightCurve,
    Measurements,
    Style,
    TransitFit,
)
from lightcurve.core.errors import FitError
from lightcurve.core.settings import Settings
from lightcurve.curve.noise import measure_field_noise, with_noise
from lightcurve.night.prepare import Scene
from lightcurve.setup.target import Target
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.fit import fit_transit

log = logging.getLogger(__name__)
LINE = 160  # characters of a reason that a warning repeats


def warn_of_lost(results: Sequence[FrameResult]) -> None:
    """Warn of frames that were not measured, with the first of the most frequent cause."""
    lost = [result for result in results if result.status != FrameStatus.MEASURED]
    if not lost:
        return
    why, count = Counter(result.why for result in lost).most_common(1)[0]
    first = shorten(next(r.reason for r in lost if r.why == why), LINE, placeholder=" ...")
    text = "%d of %d frames not measured: %s (%d), see frames.csv"
    log.warning(text, len(lost), len(results), first, count)


def settle_noise(
    measurements: Measurements, scene: Scene, settings: Settings
) -> tuple[Measurements, Scene]:
    """Let the field's stars tell the noise floor, and the gain where nothing else does.

    Returns measurements: with errors by the noise that the field shows; scene: with what was found
    in the place of what was assumed until then.
    """
    if settings.apertures.style == Style.AIJ:  # whose errors are those of its formula
        return measurements, scene
    camera = scene.camera
    gain = camera.noise.gain_e_per_adu
    noise = measure_field_noise(measurements, gain_e_per_adu=gain if camera.gain_known else None)
    if noise is None:
        log.warning("the field's stars do not tell the noise: too few, or too faint")
        return measurements, scene
    source = f"measured from the scatter of {noise.n_stars} stars of the field"
    percent = 100 * noise.floor
    text = f"{percent:.2f} % of a star's flux"
    found = [Assumed("noise floor", percent, "%", source, text)]
    if not camera.gain_known:
        text = f"{noise.gain_e_per_adu:.3g} +- {noise.gain_err:.2g} e-/ADU"
        value = noise.gain_e_per_adu
        found.append(Assumed("gain", value, "e-/ADU", source, text, err=noise.gain_err))
    for one in found:
        log.info("%s", one)
    scene = replace(scene, values=merge_values(scene.values, found))
    return with_noise(measurements, noise, assumed_gain=gain), scene


def merge_values(settled: Sequence[Assumed], found: Sequence[Assumed]) -> tuple[Assumed, ...]:
    """Put what the field told in the place of what was assumed until then; each name once."""
    return tuple({value.name: value for value in (*settled, *found)}.values())


def predicted_transit(target: Target, measurements: Measurements) -> np.ndarray | None:
    """Mark the frames inside the transit that the ephemeris predicts; None without a planet."""
    if target.planet is None:
        return None
    return mark_transit(target.planet, measurements.bjd_tdb)


def fit_if_known(
    curve: LightCurve, target: Target, scene: Scene, settings: Settings
) -> TransitFit | None:
    """Fit the transit where a planet is given; a fit that fails costs the fit alone."""
    if target.planet is None or not settings.fit.enabled:
        why = "--no-fit" if target.planet is not None else "give --planet FILE for one"
        log.info("no transit fit: %s", why)
        return None
    exposure = scene.reference.exposure
    try:
        return fit_transit(
            curve, target.planet, exposure_s=exposure.exposure_s, filter_name=exposure.filter,
            settings=settings.fit, rng=np.random.default_rng(settings.seed),
        )  # fmt: skip
    except FitError as error:
        log.warning("no transit fit: %s", error)
        return None
