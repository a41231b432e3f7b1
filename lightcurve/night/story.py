"""The main story: a folder of raw frames in, a light curve out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lightcurve.core.data import FrameKind
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.frames.inventory import check_folder, take_inventory
from lightcurve.night.frame_table import report_inventory, write_frames_table
from lightcurve.night.prepare import Scene, prepare_night
from lightcurve.night.products import write_products
from lightcurve.night.reduced import Night, stack_results
from lightcurve.night.settle import (
    fit_if_known,
    predicted_transit,
    refuse_blank_sky,
    settle_noise,
    settle_stars,
    warn_of_lost,
)
from lightcurve.night.store import open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.target import at_night, find_target
from lightcurve.tables.run_tables import write_stars

__all__ = ["plan_night", "reduce_night"]


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
            target = at_night(target, [e.exposure for e in inventory.used(FrameKind.LIGHT)])
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
            refuse_blank_sky(measurements, scene, target)
        with clock("compare"):
            measurements = settle_stars(measurements, settings)
            measurements, scene = settle_noise(measurements, scene, settings)
            in_transit = predicted_transit(target, measurements)
            curve = choose_curve(measurements, settings, in_transit=in_transit)
        with clock("fit"):
            fit = fit_if_known(curve, target, scene, settings)
        night = Night(inventory, target, settings, scene, results, measurements, curve, fit)
        products = write_products(out, night, clock.timings_s, sidecars=sidecars, progress=progress)
        return replace(night, products=products)


def plan_night(
    folder: Path, settings: Settings, *, manifest: Path | None = None, progress: Progress = silent
) -> Scene:
    """Settle all that a run would, and write nothing that stays."""
    check_folder(folder)
    target = find_target(settings.target, settings.catalogs)
    inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
    target = at_night(target, [e.exposure for e in inventory.used(FrameKind.LIGHT)])
    with TemporaryDirectory() as masters:
        return prepare_night(inventory, target, settings, Path(masters), progress=progress)
