"""Measure a night and write the whole cube, choosing nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightcurve.core.columns import PHOTOMETRY
from lightcurve.core.data import FrameKind, Measurements, Result
from lightcurve.core.progress import Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory
from lightcurve.night.frame_table import report_inventory, write_frames_table
from lightcurve.night.grouping import FrameSet
from lightcurve.night.opening import at_opening
from lightcurve.night.prepare import prepare_night
from lightcurve.night.reduced import stack_results
from lightcurve.night.sets import Reduced, find_sets, one_set, reduce_sets
from lightcurve.night.settle import refuse_blank_sky
from lightcurve.night.stock import take_stock, told_target
from lightcurve.night.store import open_store
from lightcurve.night.workers import get_ready, measure_night
from lightcurve.setup.target import Target
from lightcurve.tables.columns import write_table
from lightcurve.tables.run_tables import write_stars

__all__ = ["Measured", "measure_folder", "measure_sets"]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A night measured: how many frames were tried, and where the long table is."""

    measurements: Measurements
    n_tried: int
    table: Path

    @property
    def summary(self) -> dict[str, Result]:
        """What is worth printing."""
        n = len(self.measurements.file)
        return {
            "frames_measured": Result(n, "", "frames measured", f"{n} of {self.n_tried}"),
            "frames_tried": Result(self.n_tried),
            "stars": Result(len(self.measurements.plan), label="stars"),
            "radii": Result(len(self.measurements.radii), label="radii"),
            "table": Result(str(self.table), label="table"),
        }


def measure_folder(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    progress: Progress = silent,
) -> Measured:
    """Measure a night and write the whole cube as one long table.

    Parameters
    ----------
    out : Path
        Gets ``photometry.csv``: one row a frame, star and radius; ``stars.csv`` and ``frames.csv``.

    Raises
    ------
    InputError
        Where the folder holds frames of several light curves: `measure_sets` measures each.
    """
    told = told_target(folder, settings)
    inventory, target = take_stock(folder, settings, told, manifest=manifest, progress=progress)
    return _measure(one_set(inventory, settings, target), target, settings, out, progress)


def measure_sets(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    progress: Progress = silent,
) -> list[Reduced[Measured]]:
    """Measure every light curve's frames of a folder as `measure_folder` does.

    out: the run folder of the only one; of several each has its own in it. Raises LightcurveError:
    what stopped the only one, or each.
    """
    told = told_target(folder, settings)
    inventory, target = take_stock(folder, settings, told, manifest=manifest, progress=progress)

    def measure(_: FrameSet, one: Inventory, place: Path) -> Measured:
        return _measure(one, target, settings, place, progress)

    return reduce_sets(inventory, find_sets(inventory, settings, target), out, measure)


def _measure(
    inventory: Inventory, target: Target, settings: Settings, out: Path, progress: Progress
) -> Measured:
    target = at_opening(target, inventory)
    with open_log(out), open_store(out) as store:
        report_inventory(out, inventory, target)
        get_ready([entry.path for entry in inventory.used(FrameKind.LIGHT)], settings)
        scene = prepare_night(inventory, target, settings, out / "masters", progress=progress)
        results = measure_night(scene.lights, scene.recipe, store, progress=progress)
        write_frames_table(out, inventory, target, scene, results)
        measurements = stack_results(results, scene.recipe)
        write_stars(out / "stars.csv", measurements.plan)
        refuse_blank_sky(measurements, scene, target)
        columns = measurements.long_columns()
        columns["flags"] = columns["flags"].astype(int)
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        path = write_table(out / PHOTOMETRY.name, PHOTOMETRY, rows)
    return Measured(measurements, len(results) + len(inventory.lost), path)
