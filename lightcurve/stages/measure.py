"""Measure a night and write the whole cube, choosing nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.config import Settings
from lightcurve.data import Measurements
from lightcurve.formats.columns import PHOTOMETRY, write_table
from lightcurve.formats.tables import write_stars
from lightcurve.frame_table import report_inventory, write_frames_table
from lightcurve.frames.inventory import check_folder, take_inventory
from lightcurve.prepare import prepare_night
from lightcurve.progress import Progress, silent
from lightcurve.runlog import open_log
from lightcurve.stacking import stack_results
from lightcurve.store import open_store
from lightcurve.target import find_target
from lightcurve.workers import measure_night


def measure_folder(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure a night and write the whole cube as one long table.

    Parameters
    ----------
    out : Path
        Gets ``photometry.csv``: one row a frame, star and radius; ``stars.csv`` and ``frames.csv``.

    Returns
    -------
    dict
        Numbers of frames, stars and radii, and the table's path.
    """
    check_folder(folder)
    target = find_target(settings.target, settings.catalogs)
    with open_log(out), open_store(out) as store:
        inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
        report_inventory(out, inventory, target)
        scene = prepare_night(inventory, target, settings, out / "masters", progress=progress)
        results = measure_night(scene.lights, scene.recipe, store, progress=progress)
        write_frames_table(out, inventory, target, scene, results)
        measurements = stack_results(results, scene.recipe)
        write_stars(out / "stars.csv", measurements.plan)
        path = write_table(out / PHOTOMETRY.name, PHOTOMETRY, _long_rows(measurements))
    return {
        "frames measured": f"{len(measurements.file)} of {len(results) + len(inventory.lost)}",
        "stars": len(measurements.plan),
        "radii": len(measurements.radii),
        "table": str(path),
    }


def _long_rows(measurements: Measurements) -> list[dict[str, Any]]:
    """Lay the (frame, star, radius) cube out row by row.

    Returns
    -------
    list of dict
        Stars that were not on a frame have no row for it.
    """
    m, rows = measurements, []
    for f, s in zip(*np.nonzero(np.isfinite(m.flux).any(axis=2)), strict=True):
        head = {
            "file": m.file[f],
            "jd_utc": m.jd_utc[f],
            "bjd_tdb": m.bjd_tdb[f],
            "star": m.plan.star_id[s],
            "x": m.x[f, s],
            "y": m.y[f, s],
            "sky": m.star_sky[f, s],
            "fwhm_px": m.fwhm[f, s],
        }
        rows += [
            head
            | {
                "radius": m.radii[r],
                "flux": m.flux[f, s, r],
                "flux_err": m.flux_err[f, s, r],
                "peak": m.peak[f, s, r],
                "flags": int(m.flags[f, s, r]),
            }
            for r in range(len(m.radii))
        ]
    return rows
