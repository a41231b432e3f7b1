"""Write what a night gave: tables, settings, figures, the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.astrometry.wcs import describe_wcs, wcs_from_registration, write_wcs_sidecar
from lightcurve.config import Settings
from lightcurve.curve.plan import revise_plan
from lightcurve.data import (
    FrameResult,
    LightCurve,
    Measurements,
    Products,
    Solution,
    StarPlan,
    TransitFit,
)
from lightcurve.errors import InputError
from lightcurve.formats.aij import write_measurements
from lightcurve.formats.tables import (
    scatter_to_stars,
    write_frames,
    write_lightcurve,
    write_stars,
)
from lightcurve.frames.entries import Inventory
from lightcurve.neighbours import write_neighbours
from lightcurve.prepare import Scene
from lightcurve.progress import Progress, silent
from lightcurve.record import write_run
from lightcurve.reference import describe_solution
from lightcurve.target import Target
from lightcurve.times import bjd_tdb, hjd_utc

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """All that a night's reduction made."""

    inventory: Inventory
    target: Target
    settings: Settings
    scene: Scene
    results: Sequence[FrameResult]
    measurements: Measurements
    curve: LightCurve
    fit: TransitFit | None

    @property
    def plan(self) -> StarPlan:
        """The stars with the roles they had in the end."""
        return revise_plan(self.measurements.plan, dict(self.curve.recipe["roles"]))

    @property
    def failed(self) -> list[FrameResult]:
        """The frames that gave no measurement."""
        return [result for result in self.results if result.status != "measured"]


@contextmanager
def open_log(folder: Path) -> Iterator[None]:
    """Make the run folder and keep the program's messages in its run.log.

    Parameters
    ----------
    folder : Path

    Yields
    ------
    None

    Raises
    ------
    InputError
        When the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "run.log", mode="w", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write into {folder}: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("lightcurve")
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    except Exception as error:
        root.error("%s", error)
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


def write_products(
    out: Path,
    night: Night,
    timings_s: Mapping[str, float],
    *,
    sidecars: bool = False,
    progress: Progress = silent,
) -> Products:
    """Write every file of a run.

    Parameters
    ----------
    out : Path
    night : Night
    timings_s : mapping
        By stage, so far.
    sidecars : bool
        Also each frame's WCS.
    progress : Progress

    Returns
    -------
    Products
    """
    from lightcurve.figures import write_figures, write_page

    paths = write_tables(out, night)
    if sidecars:
        paths["wcs"] = write_sidecars(out / "wcs", night)
    figures = write_figures(out / "figures", night, progress=progress)
    neighbours = write_neighbours(out, night)
    figures += [path for path in neighbours.values() if path.suffix == ".png"]
    summary = summarise(night)
    paths |= neighbours | {f"figures/{path.name}": path for path in figures}
    paths["report.html"] = write_page(
        out / "report.html", night, figures, summary=summary, frames=frame_rows(night)
    )
    paths["run.toml"] = write_run(out / "run.toml", night, summary)
    return Products(out, paths, dict(timings_s), summary)


def write_tables(out: Path, night: Night) -> dict[str, Path]:
    """Write the tables, and the fit where there is one.

    Parameters
    ----------
    out : Path
    night : Night

    Returns
    -------
    dict of str to Path
    """
    curve, measurements, recipe = night.curve, night.measurements, night.curve.recipe
    rows = recipe["comparison_rows"]
    columns = {
        name: scatter_to_stars(measurements.plan, rows, recipe[key])
        for name, key in (("weight", "weights"), ("scatter", "star_scatter"))
    }
    paths = {
        "lightcurve.csv": write_lightcurve(
            out / "lightcurve.csv", curve, measurements, failed=night.failed
        ),
        "measurements.csv": write_measurements(
            out / "measurements.csv",
            measurements,
            curve,
            image_height=night.scene.recipe.shape[0],
            saturation_adu=night.scene.recipe.saturation_adu,
        ),
        "stars.csv": write_stars(out / "stars.csv", night.plan, columns),
        "frames.csv": write_frames(out / "frames.csv", frame_rows(night)),
    }
    if night.fit is not None and night.target.planet is not None:
        from lightcurve.transit_products import write_fit

        paths |= write_fit(out, curve, night.fit, night.target.planet)
    return paths


def frame_rows(night: Night) -> list[dict[str, Any]]:
    """Tell for every file found what became of it.

    Parameters
    ----------
    night : Night

    Returns
    -------
    list of dict
    """
    by_path = dict(zip(night.scene.lights, night.results, strict=True))
    rows = []
    for entry, row in zip(night.inventory.entries, night.inventory.rows(), strict=True):
        result = by_path.get(entry.path)
        if entry.path in night.scene.unused:
            row |= {"status": "unused", "reason": night.scene.unused[entry.path]}
        if result is not None:
            row |= {"status": result.status, "reason": result.reason}
            row |= {**_times(result, night.target), **_quality(result)}
        rows.append(row)
    return rows


def _times(result: FrameResult, target: Target) -> dict[str, float]:
    """Mid-exposure on the three scales in use."""
    exposure = result.exposure
    if exposure is None or exposure.mid_jd_utc is None:
        return {}
    place = (exposure.mid_jd_utc, target.ra_deg, target.dec_deg, exposure.site)
    return {
        "jd_utc": exposure.mid_jd_utc,
        "hjd_utc": float(hjd_utc(*place)),
        "bjd_tdb": float(bjd_tdb(*place)),
    }


def _quality(result: FrameResult) -> dict[str, Any]:
    registration = result.registration
    return {
        "n_detected": result.n_detected,
        "n_matched": registration.n_matched if registration else None,
        "rms_px": registration.rms_px if registration else None,
        "fwhm_px": result.fwhm_px,
        "sky": result.sky,
    }


def write_sidecars(folder: Path, night: Night) -> Path:
    """Write each measured frame's WCS as a header file.

    Parameters
    ----------
    folder : Path
    night : Night

    Returns
    -------
    Path
        The folder.
    """
    shape, reference = night.scene.recipe.shape, night.scene.solution
    for result in night.results:
        registration = result.registration
        if registration is None:
            continue
        wcs = wcs_from_registration(reference.wcs, registration)
        scale, rotation, parity = describe_wcs(wcs, shape)
        rms = registration.rms_px * scale
        solution = Solution(
            wcs, "registration", registration.n_matched, rms, scale, rotation, parity
        )
        write_wcs_sidecar(folder / f"{result.file}.wcs", solution, shape)
    return folder


def summarise(night: Night) -> dict[str, Any]:
    """Collect the numbers worth printing.

    Parameters
    ----------
    night : Night

    Returns
    -------
    dict
    """
    curve, recipe = night.curve, night.curve.recipe
    n = len(night.results)
    summary = {
        "target": night.target.name,
        "frames measured": f"{n - len(night.failed)} of {n}",
        "on the sky": describe_solution(night.scene.solution),
        "aperture": recipe["aperture_text"],
        "comparison stars": len(recipe["comparison_rows"]),
        "check star": recipe["check"],
        "scatter out of transit": f"{100 * recipe['target_scatter']:.2f} %",
        "times": f"BJD_TDB {np.nanmin(curve.bjd_tdb):.5f} to {np.nanmax(curve.bjd_tdb):.5f}",
    }
    if night.fit is None:
        return summary
    from lightcurve.transit_products import summarise_fit

    return summary | summarise_fit(night.fit)
