"""Write what a night gave: tables, settings, figures, the report."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
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
from lightcurve.files import write_text
from lightcurve.formats.aij import write_measurements
from lightcurve.formats.tables import (
    scatter_to_stars,
    write_frames,
    write_lightcurve,
    write_stars,
)
from lightcurve.frames.inventory import Inventory
from lightcurve.prepare import Scene
from lightcurve.progress import Progress, silent
from lightcurve.reference import describe_solution
from lightcurve.target import Target

log = logging.getLogger(__name__)

LIBRARIES = ("astropy", "numpy", "scipy", "photutils", "sep", "batman-package", "emcee")


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
    level, root.level = root.level, logging.INFO
    root.addHandler(handler)
    try:
        yield
    except Exception as error:
        root.error("%s", error)
        raise
    finally:
        root.removeHandler(handler)
        root.level = level
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
    summary = summarise(night)
    paths |= {f"figures/{path.name}": path for path in figures}
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
        from lightcurve.transit.output import fit_to_json

        text = json.dumps(fit_to_json(night.fit, night.target.planet), indent=2, allow_nan=False)
        paths["fit.json"] = write_text(out / "fit.json", text + "\n")
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
            row |= {"status": result.status, "reason": result.reason, **_quality(result)}
        rows.append(row)
    return rows


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
    for path, result in zip(night.scene.lights, night.results, strict=True):
        registration = result.registration
        if registration is None:
            continue
        wcs = wcs_from_registration(reference.wcs, registration)
        scale, rotation, parity = describe_wcs(wcs, shape)
        rms = registration.rms_px * scale
        solution = Solution(
            wcs, "registration", registration.n_matched, rms, scale, rotation, parity
        )
        write_wcs_sidecar(folder / f"{path.name}.wcs", solution, shape)
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
    return summary | (_fit_summary(night.fit) if night.fit is not None else {})


def _fit_summary(fit: TransitFit) -> dict[str, Any]:
    from lightcurve.report.html import round_together

    named = {
        "mid_time_bjd_tdb": "mid-transit",
        "rp_over_rs": "Rp/R*",
        "depth_percent": "depth",
        "duration_days": "duration",
    }
    shown = {}
    for name, label in named.items():
        if name in fit.parameters:
            value, minus, plus = round_together(fit.parameters[name])
            shown[label] = f"{value} -{minus} +{plus} {fit.parameters[name].unit}".strip()
    shown["residual scatter"] = f"{fit.statistics['residual_scatter_percent']:.3f} %"
    return shown | {"detrended by": ", ".join(fit.covariates) or "nothing", "verdict": fit.verdict}


def write_run(path: Path, night: Night, summary: Mapping[str, Any]) -> Path:
    """Write run.toml: settings as used, values with their sources, versions, seed.

    Parameters
    ----------
    path : Path
    night : Night
    summary : mapping

    Returns
    -------
    Path
    """
    import tomli_w

    content = {
        "lightcurve": __version__,
        "python": platform.python_version(),
        "seed": night.settings.seed,
        "settings": night.settings.model_dump(mode="json", exclude_none=True),
        "versions": {name: version(name) for name in LIBRARIES},
        "values": [
            {"name": name, "value": value, "source": source}
            for name, value, source in night.scene.values
        ],
        "result": {name: "" if value is None else value for name, value in summary.items()},
    }
    return write_text(path, tomli_w.dumps(content))
