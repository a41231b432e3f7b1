"""The products of a run that ExoFOP's bundle takes, found or made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightcurve.data import TransitFit
from lightcurve.files import write_text
from lightcurve.formats.aij import write_apertures
from lightcurve.formats.model_table import read_model
from lightcurve.formats.text import read_text
from lightcurve.stages.run_folder import read_fit_json, read_stars
from lightcurve.transit.output import fit_from_json

FIGURES = {
    "lightcurve.png": "light_curve.png",
    "field.png": "field.png",
    "seeing-profile.png": "seeing_profile.png",
}


def bundle_files(run: Path, night: Mapping[str, Any], scratch: Path) -> dict[str, Path]:
    """Find and make the products that ExoFOP's bundle takes.

    Parameters
    ----------
    run : Path
    night : mapping
        From run.toml.
    scratch : Path
        Folder for those that are made here.

    Returns
    -------
    dict of str to Path
        By the name they get; figures that the run did not draw are left out.
    """
    found = {name: run / "figures" / file for name, file in FIGURES.items()}
    found |= {"calibration.log": run / "run.log"}
    found = {name: path for name, path in found.items() if path.is_file()}
    table = read_text(run / "measurements.csv").replace(",", "\t")
    found["measurements.tbl"] = write_text(scratch / "measurements.tbl", table)
    header = table.split("\n", 1)[0].split("\t")
    stars = {m[1] for m in map(re.compile(r"rel_flux_[TC](\d+)").fullmatch, header) if m}
    plan = read_stars(run)
    found["measurements.apertures"] = write_apertures(
        scratch / "measurements.apertures",
        plan,
        [k for k, star in enumerate(plan.star_id) if star[1:] in stars],
        radius=float(night["radius_px"]),
        annulus=tuple(night["annulus_px"]),
        image_height=int(night["shape"][0]),
    )
    content = read_fit_json(run)
    if content is not None:
        fit = fit_from_json(content, read_model(run / "model.csv"))
        found["fitpanel.txt"] = write_text(scratch / "fitpanel.txt", fit_text(fit))
    return found


def fit_text(fit: TransitFit) -> str:
    """Lay a fit out for people: a line for each number.

    Parameters
    ----------
    fit : TransitFit

    Returns
    -------
    str
    """
    lines = [fit.verdict, ""]
    lines += [
        f"{name}\t{p.value:.10g}\t-{p.value - p.lower:.3g}\t+{p.upper - p.value:.3g}\t{p.unit}"
        for name, p in fit.parameters.items()
    ]
    lines += [f"{name}\t{value:.6g}" for name, value in fit.statistics.items()]
    return "\n".join([*lines, "", *fit.notes]) + "\n"
