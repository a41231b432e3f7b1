"""The main story: a folder of raw frames in, a light curve out."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lightcurve.core.data import Assumed, FrameResult, LightCurve, Measurements, TransitFit
from lightcurve.core.errors import FitError
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.noise import measure_field_noise, with_noise
from lightcurve.frames.inventory import check_folder, take_inventory
from lightcurve.night.frame_table import report_inventory, write_frames_table
from lightcurve.night.prepare import Scene, prepare_night
from lightcurve.night.products import write_products
from lightcurve.night.reduced import Night, stack_results
from lightcurve.night.store import open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.target import Target, find_target
from lightcurve.tables.own import write_stars
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.fit import fit_transit

__all__ = ["plan_night", "reduce_night"]

log = logging.getLogger(__name__)


def reduce_night(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    sidecars: bool = False,
    progress: Progress = silent,
) -> Night:
    """Turn a folder of raw frames into a light curve, the transit fit, and their files.

    Parameters
    ----------
    folder : Path
        Read, never changed.
    out : Path
        The run folder; made if it is not there. Frames measured by an earlier run with the same
        settings are not measured again.
    manifest : Path, optional
        Table of files and their kinds, as written to frames.csv and edited by the user.
    sidecars : bool
        Write each frame's WCS as a header file.

    Raises
    ------
    LightcurveError
        Whatever stands in the way, in one line.
    """
    check_folder(folder)
    target, clock = find_target(settings.target, settings.catalogs), Clock()
    with open_log(out), open_store(out) as store:
        with clock("inventory"):
            inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
            report_inventory(out, inventory, target)
        with clock("prepare"):
            scene = prepare_night(inventory, target, settings, out / "masters", progress=progress)
        with clock("measure"):
            results = measure_night(scene.lights, scene.recipe, store, progress=progress)
            # Written now, so that the reasons are there whatever comes of the rest.
            write_frames_table(out, inventory, target, scene, results)
            measurements = stack_results(results, scene.recipe)
            warn_of_lost(results)
            write_stars(out / "stars.csv", measurements.plan)
        with clock("compare"):
            noise: tuple[Assumed, ...] = ()
            if settings.apertures.style != "aij":  # whose errors are those of its formula
                measurements, noise = _settle_noise(measurements, scene.camera)
            curve = choose_curve(measurements, settings, in_transit=expected(target, measurements))
        with clock("fit"):
            fit = fit_if_known(curve, target, scene, settings)
        scene = replace(scene, values=merge_values(scene.values, noise))
        night = Night(inventory, target, settings, scene, results, measurements, curve, fit)
        products = write_products(out, night, clock.timings_s, sidecars=sidecars, progress=progress)
        return replace(night, products=products)


def warn_of_lost(results: Sequence[FrameResult]) -> None:
    """Warn of frames that were not measured, with the most frequent of the reasons."""
    reasons = [r.reason.split("; ")[0] for r in results if r.status != "measured"]
    if not reasons:
        return
    kinds = [re.sub(r"\d+", "", reason) for reason in reasons]  # one, if only numbers differ
    kind, count = Counter(kinds).most_common(1)[0]
    log.warning(
        "%d of %d frames not measured: %s (%d), see frames.csv",
        len(reasons),
        len(results),
        reasons[kinds.index(kind)],
        count,
    )


def expected(target: Target, measurements: Measurements) -> np.ndarray | None:
    """Mark the frames inside the transit that the ephemeris predicts.

    Returns (n_frame,) bool array or None, None when nothing is known of a planet.
    """
    if target.planet is None:
        return None
    return mark_transit(target.planet, measurements.bjd_tdb)


def _settle_noise(
    measurements: Measurements, camera: CameraValues
) -> tuple[Measurements, tuple[Assumed, ...]]:
    """Let the field's stars tell the noise floor, and the gain where nothing else does.

    Returns measurements: with errors by the noise that the field shows; values: what was found, for
    the user to see.
    """
    gain = camera.noise.gain_e_per_adu
    noise = measure_field_noise(measurements, gain_e_per_adu=gain if camera.gain_known else None)
    if noise is None:
        log.warning("the field's stars do not tell the noise: too few, or too faint")
        return measurements, ()
    source = f"measured from the scatter of {noise.n_stars} stars of the field"
    percent = 100 * noise.floor
    text = f"{percent:.2f} % of a star's flux"
    values: tuple[Assumed, ...] = (Assumed("noise floor", percent, "%", source, text),)
    if not camera.gain_known:
        text = f"{noise.gain_e_per_adu:.3g} +- {noise.gain_err:.2g} e-/ADU"
        found = noise.gain_e_per_adu
        values += (Assumed("gain", found, "e-/ADU", source, text, err=noise.gain_err),)
    for value in values:
        log.info("%s", value)
    return with_noise(measurements, noise, assumed_gain=gain), values


def merge_values(settled: tuple[Assumed, ...], found: tuple[Assumed, ...]) -> tuple[Assumed, ...]:
    """Put what the field told in the place of what was assumed until then.

    Each name once.
    """
    return tuple({value.name: value for value in (*settled, *found)}.values())


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
            curve,
            target.planet,
            exposure_s=exposure.exposure_s,
            filter_name=exposure.filter,
            settings=settings.fit,
            rng=np.random.default_rng(settings.seed),
        )
    except FitError as error:
        log.warning("no transit fit: %s", error)
        return None


def plan_night(
    folder: Path, settings: Settings, *, manifest: Path | None = None, progress: Progress = silent
) -> Scene:
    """Settle all that a run would, and write nothing that stays."""
    check_folder(folder)
    target = find_target(settings.target, settings.catalogs)
    inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
    with TemporaryDirectory() as masters:
        return prepare_night(inventory, target, settings, Path(masters), progress=progress)
