"""Write what a night gave: tables, settings, figures, the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve import __version__
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
    write_lightcurve,
    write_stars,
)
from lightcurve.frame_table import frame_rows, write_frames_table
from lightcurve.frames.entries import Inventory
from lightcurve.neighbours import write_neighbours
from lightcurve.prepare import Scene
from lightcurve.progress import Progress, silent
from lightcurve.record import write_run, written_by
from lightcurve.reference import describe_solution
from lightcurve.target import Target

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
    def of_frames(self) -> tuple:
        """What `lightcurve.frame_table` tells of the frames."""
        return self.inventory, self.target, self.scene, self.results

    @property
    def failed(self) -> list[FrameResult]:
        """The frames that gave no measurement, those that could not even be tried included."""
        lost = [FrameResult(e.name, "failed", e.reason, e.exposure) for e in self.inventory.lost]
        return [result for result in self.results if result.status != "measured"] + lost


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
        handler = logging.FileHandler(folder / "run.log", mode="a", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write into {folder}: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("lightcurve")
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.info("lightcurve %s starts", __version__)
    try:
        yield
    except Exception as error:
        # To the file alone: whoever started this shows the error itself.
        handler.handle(root.makeRecord(root.name, logging.ERROR, "", 0, "%s", (error,), None))
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
        out / "report.html", night, figures, summary=summary, frames=frame_rows(*night.of_frames)
    )
    paths["run.log"] = out / "run.log"
    _remove_of_earlier_run(out, set(paths))
    paths["run.toml"] = write_run(out / "run.toml", night, summary, paths)
    return Products(out, paths, dict(timings_s), summary)


def _remove_of_earlier_run(out: Path, kept: set[str]) -> None:
    """Remove files that an earlier run into this folder says it wrote, and this one does not."""
    for name in written_by(out / "run.toml") - kept:
        path = out / name
        if out.resolve() in path.resolve().parents:
            path.unlink(missing_ok=True)
            log.info("removed %s of an earlier run", name)


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
        "frames.csv": write_frames_table(out, *night.of_frames),
    }
    if night.fit is not None and night.target.planet is not None:
        from lightcurve.transit_products import write_fit

        paths |= write_fit(out, curve, night.fit, night.target.planet)
    return paths


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
    measured = len(night.measurements.file)
    summary = {
        "target": night.target.name,
        "frames measured": f"{measured} of {measured + len(night.failed)}",
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
