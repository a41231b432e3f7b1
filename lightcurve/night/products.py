"""Write what a night gave: tables, figures, the report, and the record that can repeat it."""

from __future__ import annotations

import hashlib
import logging
import platform
import tomllib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.aij.write_table import write_measurements
from lightcurve.astrometry.wcs import describe_wcs, wcs_from_registration, write_wcs_sidecar
from lightcurve.core.columns import NEIGHBOURS
from lightcurve.core.constants import __version__
from lightcurve.core.data import Criterion, LightCurve, Products, Result, Solution, label_results
from lightcurve.core.files import write_text
from lightcurve.core.flags import NO_POINT, count_flags
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.quoted import judge_errors
from lightcurve.night.drawing import Drawing
from lightcurve.night.figures import find_neighbours
from lightcurve.night.finished import describe_night, finish, read_finished
from lightcurve.night.frame_table import frame_rows, write_frames_table
from lightcurve.night.reduced import KEPT, Night
from lightcurve.report.html import lighten
from lightcurve.setup.solving import describe_solution
from lightcurve.tables.columns import DESCRIPTION
from lightcurve.tables.run_folder import TRUST, read_trust
from lightcurve.tables.run_tables import (
    scatter_to_stars,
    write_comparisons,
    write_lightcurve,
    write_nebs,
    write_stars,
)

if TYPE_CHECKING:
    from lightcurve.report.page.contents import Page

__all__ = ["write_page_anew"]

PAGE = "report.html"
LIBRARIES = ("astropy", "numpy", "scipy", "photutils", "sep", "batman-package", "emcee")
log = logging.getLogger(__name__)
TRUSTED = (TRUST, "trust.csv", "figures/trust.png")
TOLD = 0.002  # of the light: what is less is nobody's concern
FEW_POINTS = 10  # fewer tell no scatter to two digits


def write_run(
    path: Path, night: Night, summary: Mapping[str, Result], written: Mapping[str, Path]
) -> Path:
    """Write run.toml: settings as used, values with their sources, versions, seed, checksums.

    written: the files of the run, by their names in its folder.
    """
    import tomli_w

    content = {
        "lightcurve": __version__,
        "python": platform.python_version(),
        "seed": night.settings.seed,
        "settings": night.settings.model_dump(mode="json", exclude_none=True),
        "versions": {name: version(name) for name in LIBRARIES},
        **({"tuned": {"options": night.tuned}} if night.tuned else {}),
        "night": describe_night(night),
        "values": [
            {key: value for key, value in one.record.items() if value is not None}
            for one in night.scene.values
        ],
        "files": {
            name: hashlib.sha256(file.read_bytes()).hexdigest()
            for name, file in written.items()
            if file.is_file() and name != "run.log"
        },
        "result": {
            label: "" if shown is None else shown for label, shown in label_results(summary).items()
        },
    }
    return write_text(path, tomli_w.dumps(content))


def begin_drawing(out: Path, settings: Settings) -> Drawing:
    """Draw the figures of a run folder as its settings want them, once they are begun."""
    return Drawing(out / "figures", settings.figures, settings.workers)


def written_by(path: Path) -> set[str]:
    """List the files that a run says it wrote.

    path: its run.toml. Empty where there is none, or it cannot be read.
    """
    try:
        files = tomllib.loads(path.read_text(encoding="utf-8")).get("files", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return set()
    return set(files) if isinstance(files, dict) else set()


def write_products(
    out: Path,
    night: Night,
    timings_s: Mapping[str, float],
    *,
    sidecars: bool = False,
    drawing: Drawing | None = None,
    progress: Progress = silent,
) -> Products:
    """Write every file of a run, with `sidecars` each frame's WCS too; timings are those so far.

    drawing: where figures were begun.
    """
    from lightcurve.night.page import begin_page

    paths = _write_tables(out, night)
    if sidecars:
        paths["wcs"] = _write_sidecars(out / "wcs", night)
    neighbours = find_neighbours(night)
    if neighbours:
        paths[NEIGHBOURS.name] = write_nebs(out / NEIGHBOURS.name, neighbours)
    finished, summary = finish(night, neighbours), summarise(night)
    with drawing or begin_drawing(out, night.settings) as figures:
        figures.begin(finished)
        page = begin_page(out / PAGE, night, summary=summary)  # meanwhile
        drawn = figures.paths(finished, each=lighten, progress=progress)
    # In one order, drawn now or kept of the run.
    paths |= {f"figures/{path.name}": path for path in sorted(drawn.values())}
    paths |= {name: out / name for name in (DESCRIPTION, KEPT, "run.log")}
    paths |= _write_page_and_record(out, night, summary, paths, begun=page)
    return Products(out, paths, dict(timings_s), summary)


def _write_page_and_record(
    out: Path,
    night: Night,
    summary: Mapping[str, Result],
    paths: Mapping[str, Path],
    *,
    begun: Page | None = None,
) -> dict[str, Path]:
    """Write report.html and run.toml, beside the other files of the run; and remove earlier ones.

    What was found by transits put into the same light curve stays.
    """
    from lightcurve.night.page import write_page

    trusted = {} if read_trust(out, night.curve) is None else {n: out / n for n in TRUSTED}
    written = {**paths, **{name: path for name, path in trusted.items() if path.is_file()}}
    figures = sorted(path for name, path in written.items() if name.startswith("figures/"))
    written[PAGE] = write_page(
        out / PAGE, night, figures, summary=summary, frames=frame_rows(*night.of_frames),
        products={*written, "run.toml"}, begun=begun,
    )  # fmt: skip
    _remove_of_earlier_run(out, set(written))
    return {**written, "run.toml": write_run(out / "run.toml", night, summary, written)}


def write_page_anew(out: Path) -> Path | None:
    """Write report.html of a finished run again, with what was found since.

    Returns None where the folder keeps no night, or that of another light curve.
    Raises InputError where the folder cannot be written.
    """
    night = read_finished(out).night
    if night is None:
        return None
    paths = {name: out / name for name in written_by(out / "run.toml") if (out / name).is_file()}
    made = ("report.html", "run.toml")
    others = {name: path for name, path in paths.items() if name not in made}
    return _write_page_and_record(out, night, summarise(night), others)["report.html"]


def _remove_of_earlier_run(out: Path, kept: set[str]) -> None:
    """Remove files that an earlier run into this folder says it wrote, and this one does not."""
    for name in written_by(out / "run.toml") - kept:
        path = out / name
        if out.resolve() in path.resolve().parents:
            path.unlink(missing_ok=True)
            log.info("removed %s of an earlier run", name)


def _write_tables(out: Path, night: Night) -> dict[str, Path]:
    """Write the tables, and the fit where there is one."""
    curve, measurements, recipe = night.curve, night.measurements, night.recipe
    columns = {
        name: scatter_to_stars(measurements.plan, recipe.comparison_rows, values)
        for name, values in (("weight", recipe.weights), ("scatter", recipe.star_scatter))
    }
    paths = {
        "lightcurve.csv": write_lightcurve(
            out / "lightcurve.csv", curve, measurements, failed=night.failed
        ),
        "measurements.csv": write_measurements(
            out / "measurements.csv", measurements, curve, image_height=night.scene.recipe.shape[0],
            saturation_adu=night.scene.recipe.saturation_adu,
        ),
        "stars.csv": write_stars(out / "stars.csv", night.stars, columns),
        "frames.csv": write_frames_table(out, *night.of_frames),
    }  # fmt: skip
    if curve.stars is not None and curve.stars.names:
        paths["comparisons.csv"] = write_comparisons(out / "comparisons.csv", curve, curve.stars)
    if night.fit is not None and night.target.planet is not None:
        from lightcurve.night.fit_products import write_fit

        told = {name: result.record for name, result in recipe.check_verdict.results.items()}
        paths |= write_fit(out, curve, night.fit, night.target.planet, extra={"check_star": told})
    return paths


def _write_sidecars(folder: Path, night: Night) -> Path:
    """Write each measured frame's WCS as a header file into a folder."""
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


def describe_scatter(curve: LightCurve) -> dict[str, Result]:
    """Say how much the target scatters, and where that was measured.

    Out of the predicted transit where there are points enough, else from point to point; and the
    number of points that are of use, and why the others are not.
    """
    recipe = curve.need_recipe()
    outside = recipe.criterion is Criterion.OUTSIDE
    usable = np.isfinite(curve.flux) & ((curve.flags & int(NO_POINT)) == 0)
    number, total = int(usable.sum()), len(usable)
    few = f", from {number} points" if number < FEW_POINTS else ""
    percent = 100 * recipe.target_scatter
    lost = count_flags(curve.flags[~usable].astype(int) & int(NO_POINT), "not measured")
    told = f"{number} of {total}" + (f"; {total - number} left out ({lost})" if lost else "")
    return {
        "scatter_out_of_transit_percent" if outside else "scatter_point_to_point_percent": Result(
            percent,
            "%",
            "scatter out of transit" if outside else "scatter, point to point",
            f"{percent:.2f} %{few}"
            if np.isfinite(percent)
            else "not known: points too few or too far apart",
        ),
        "points": Result(number, "", "points", told),
        "points_lost": Result(total - number),
    }


def describe_dilution(curve: LightCurve) -> dict[str, Result]:
    """Say how much of the light in the aperture is the target's, where it is not all."""
    told = curve.dilution
    if told is None:
        return {}
    label = "" if told.value > 1 - TOLD else "target's share of light"
    text = f"{100 * told.value:.1f} +- {100 * told.err:.1f} %: {told.source}"
    share = Result(
        told.value, "", label, text, lower=told.value - told.err, upper=told.value + told.err
    )
    return {"target_share": share, "target_share_change": Result(told.change)}


def summarise(night: Night) -> dict[str, Result]:
    """Collect what is worth printing."""
    curve, recipe, solution = night.curve, night.recipe, night.scene.solution
    measured = len(night.measurements.file)
    tried = measured + len(night.failed)
    first, last = float(np.nanmin(curve.bjd_tdb)), float(np.nanmax(curve.bjd_tdb))
    summary = {
        "target": Result(night.target.name, label="target"),
        **({"tuned": Result(night.tuned, label="tuned by hand")} if night.tuned else {}),
        "frames_measured": Result(measured, "", "frames measured", f"{measured} of {tried}"),
        "frames_tried": Result(tried),
        "solver": Result(
            solution.solver, "", "on the sky", describe_solution(solution, brief=True)
        ),
        "solution_stars": Result(solution.n_matched),
        "solution_rms_arcsec": Result(solution.rms_arcsec, "arcsec"),
        "scale_arcsec": Result(solution.scale_arcsec, "arcsec/px"),
        "aperture": Result(
            recipe.aperture.value, recipe.aperture.unit, "aperture", str(recipe.aperture)
        ),
        "radius_px": Result(recipe.radius_px, "px"),
        "comparison_stars": Result(len(recipe.comparison_rows), label="comparison stars"),
        **recipe.check_verdict.results,
        **describe_scatter(curve),
        **judge_errors(curve).results,
        **describe_dilution(curve),
        "first_bjd_tdb": Result(first, "BJD_TDB", "times", f"BJD_TDB {first:.5f} to {last:.5f}"),
        "last_bjd_tdb": Result(last, "BJD_TDB"),
    }
    return summary | night.fit_results
