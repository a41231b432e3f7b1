"""The main story: a folder of raw frames in, a light curve out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lightcurve.core.algebra import one_thread
from lightcurve.core.data import FrameKind
from lightcurve.core.progress import Clock, Progress, open_log, silent, stage
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory
from lightcurve.night.companions import find_blend
from lightcurve.night.finished import finish
from lightcurve.night.frame_table import report_inventory, whatever_comes, write_frames_table
from lightcurve.night.keep import keep_night
from lightcurve.night.opening import at_opening
from lightcurve.night.prepare import prepare_night
from lightcurve.night.products import begin_drawing, write_products
from lightcurve.night.reduced import Night, stack_results
from lightcurve.night.sets import one_set
from lightcurve.night.settle import (
    choose_for,
    fit_if_known,
    refuse_blank_sky,
    settle_noise,
    settle_stars,
    warn_of_lost,
)
from lightcurve.night.stock import take_stock, told_target
from lightcurve.night.store import open_store
from lightcurve.night.workers import get_ready, measure_night
from lightcurve.setup.target import Target
from lightcurve.tables.run_tables import write_stars

__all__ = ["reduce_night"]


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
    InputError
        Where the folder holds frames of several light curves: `nights` makes each.
    LightcurveError
        Whatever else stands in the way, in one line.
    """
    told, clock = told_target(folder, settings), Clock()
    with open_log(out):
        with clock("inventory", "taking stock"):
            inventory, target = take_stock(
                folder, settings, told, manifest=manifest, progress=progress
            )
            with whatever_comes(out, inventory, target):
                inventory = one_set(inventory, settings, target)
        return reduce_set(
            inventory, target, settings, out, clock=clock, sidecars=sidecars, progress=progress
        )


def reduce_set(
    inventory: Inventory,
    target: Target,
    settings: Settings,
    out: Path,
    *,
    clock: Clock,
    sidecars: bool = False,
    progress: Progress = silent,
) -> Night:
    """Turn the light frames of an inventory, which belong together, into a light curve.

    clock: has the time that the inventory took. Else as for `reduce_night`.
    """
    target = at_opening(target, inventory)
    with one_thread(), open_log(out), open_store(out) as store:
        report_inventory(out, inventory, target)
        get_ready([entry.path for entry in inventory.used(FrameKind.LIGHT)], settings)
        with clock("prepare", "preparing: masters, reference, stars"):
            scene = prepare_night(inventory, target, settings, out / "masters", progress=progress)
        with clock("measure", "measuring frames"):
            results = measure_night(scene.lights, scene.recipe, store, progress=progress)
            # Written now, so that the reasons are there whatever comes of the rest.
            write_frames_table(out, inventory, target, scene, results)
            measurements = stack_results(results, scene.recipe)
            warn_of_lost(results)
            write_stars(out / "stars.csv", measurements.plan)
            refuse_blank_sky(measurements, scene, target)
        with clock("compare", "choosing comparison stars and aperture"):
            measurements = settle_stars(measurements, settings)
            measurements, scene = settle_noise(measurements, scene, settings)
            blend = find_blend(measurements, scene, target, settings)
            curve = choose_for(target, measurements, settings, blend)
        night = Night(
            inventory, target, settings, scene, results, measurements, curve, None, None,
            blend=blend,
        )  # fmt: skip
        with begin_drawing(out, settings) as drawing:
            drawing.begin(finish(night), early=True)
            with clock("fit", "fitting the transit"):
                fit, verdict = fit_if_known(curve, target, scene, settings)
                night = replace(night, fit=fit, verdict=verdict)
            with stage("writing tables, figures and page"):
                keep_night(out, night)
                products = write_products(
                    out, night, clock.timings_s, sidecars=sidecars, drawing=drawing,
                    progress=progress,
                )  # fmt: skip
        return replace(night, products=products)
