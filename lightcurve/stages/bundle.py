"""The products of a run that ExoFOP's bundle takes, found or made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.config import StarSettings
from lightcurve.constants import DAY_S
from lightcurve.curve.neb import BAND_MARGIN_MAG
from lightcurve.data import Parameter, StarPlan, TransitFit
from lightcurve.files import write_text
from lightcurve.formats.aij import write_apertures
from lightcurve.formats.model_table import read_model
from lightcurve.formats.neb_table import neb_text, read_neighbours
from lightcurve.formats.submission import SOFTWARE
from lightcurve.formats.tables import read_lightcurve
from lightcurve.formats.text import read_text
from lightcurve.stages.run_folder import read_fit_json, read_stars
from lightcurve.transit.ephemeris import make_planet, predict_transit
from lightcurve.transit.output import fit_from_json

FIGURES = {
    "lightcurve.png": "light_curve.png",
    "field.png": "field.png",
    "seeing-profile.png": "seeing_profile.png",
    "dmag_vs_RMS.png": "neighbours.png",
}
TIME_DECIMALS = 5  # of a day, at least: a second is 1.2e-5


def bundle_files(run: Path, record: Mapping[str, Any], base: str, scratch: Path) -> dict[str, Path]:
    """Find and make the products that ExoFOP's bundle takes.

    base: name that the bundle's files begin with; scratch: folder for those that are made here.
    By the name they get; figures that the run did not draw are left out.
    """
    night = record["night"]
    found = {name: run / "figures" / file for name, file in FIGURES.items()}
    found = {name: path for name, path in found.items() if path.is_file()}
    table = read_text(run / "measurements.csv").replace(",", "\t")
    found["measurements.tbl"] = write_text(scratch / "measurements.tbl", table)
    header = table.split("\n", 1)[0].split("\t")
    stars = {m[1] for m in map(re.compile(r"rel_flux_([TC]\d+)").fullmatch, header) if m}
    plan, remark = as_in_table(read_stars(run), stars)
    numbers = {star[1:] for star in stars}
    found["measurements.apertures"] = write_apertures(
        scratch / "measurements.apertures",
        plan,
        [k for k, star in enumerate(plan.star_id) if star[1:] in numbers],
        radius=float(night["radius_px"]),
        annulus=tuple(night["annulus_px"]),
        image_height=int(night["shape"][0]),
    )
    if (run / "run.log").is_file():
        log = read_text(run / "run.log").rstrip("\n")
        lines = "\n".join([log, *remark]) + "\n"
        found["calibration.log"] = write_text(scratch / "calibration.log", lines)
    content = read_fit_json(run)
    if content is not None:
        fit = fit_from_json(content, read_model(run / "model.csv"))
        found["fitpanel.txt"] = write_text(scratch / "fitpanel.txt", fit_text(fit, remark))
    if (run / "nebs.csv").is_file() and "planet" in night:
        text = neb_text(base, _check_facts(run, record), read_neighbours(run / "nebs.csv"))
        found["NEB-table.txt"] = write_text(scratch / "NEB-table.txt", text)
    return found


def as_in_table(plan: StarPlan, stars: set[str]) -> tuple[StarPlan, tuple[str, ...]]:
    """Call comparison stars what the measurement table calls them.

    Its plain sum cannot take a star that is missing in some frames; the light curve, with a
    weight for each star, can.

    stars: names in the table, such as ``"T1"`` and ``"C2"``.
    Returns plan: of its comparison stars those that are C stars of the table; remark: a line that
    tells the others; none where there are none.
    """
    compared = plan.role == "comparison"
    summed = np.array([f"C{star[1:]}" in stars for star in plan.star_id])
    apart = [f"T{star[1:]}" for star in plan.star_id[compared & ~summed]]
    if not apart:
        return plan, ()
    remark = (
        f"Comparison stars: rel_flux_T1 in measurements.tbl is the plain sum of the "
        f"{np.sum(compared & summed)} C stars, which measurements.apertures marks too. The light "
        f"curve, the fit and datasubset.dat are weighted and use {', '.join(apart)} as well "
        f"({np.sum(compared)} stars), which are not measured in every frame."
    )
    role = np.where(compared & ~summed, "field", plan.role)
    return replace(plan, role=role), (remark,)


def _check_facts(run: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """Collect what the check of the neighbours rests on."""
    night, curve = record["night"], read_lightcurve(run / "lightcurve.csv")
    planet = make_planet(night["planet"], "run.toml")
    times = curve.bjd_tdb[np.isfinite(curve.bjd_tdb)]
    transit = predict_transit(planet, float(np.median(times)))
    stars = record.get("settings", {}).get("stars", {})
    radius = stars.get("neb_radius_arcmin", StarSettings().neb_radius_arcmin)
    return {
        "Target": f"{night['target']} {night['ra_deg']:.6f} {night['dec_deg']:+.6f} deg",
        "Software": SOFTWARE,
        "Predicted ingress, egress": f"{transit.ingress:.6f} {transit.egress:.6f} BJD_TDB",
        "Predicted depth": f"{1000 * planet.rp_over_rs**2:.3f} ppt",
        "Search radius": f"{radius:g} arcmin",
        "Pixel scale": f"{night['scale_arcsec']:.4f} arcsec/px",
        "Aperture radius": f"{night['radius_px']:g} px",
        "Duration": f"{np.ptp(times) * 1440:.1f} min",
        "Images": f"{len(curve.file)}",
        "Cadence": f"{np.median(np.diff(times)) * DAY_S:.1f} s",
        "Binning": "none",
        "dmag buffer": f"{-BAND_MARGIN_MAG:g}",
    }


def fit_text(fit: TransitFit, remark: Sequence[str] = ()) -> str:
    """Lay a fit out for people: a line for each number, rounded to its error.

    remark: lines put after its notes.
    Times have at least five decimals of a day.
    """
    lines = [str(fit.verdict), ""]
    lines += [_parameter_line(name, p) for name, p in fit.parameters.items()]
    lines += [
        f"{name}\t{value:.{TIME_DECIMALS}f}" if "bjd" in name else f"{name}\t{value:.6g}"
        for name, value in fit.statistics.items()
    ]
    return "\n".join([*lines, "", *map(str, fit.notes), *remark]) + "\n"


def _parameter_line(name: str, p: Parameter) -> str:
    """Write a value and its errors to two figures of the smaller error."""
    low, high = p.value - p.lower, p.upper - p.value
    errors = [e for e in (low, high) if math.isfinite(e) and e > 0]
    if not errors:  # held, or not known
        text = f"{p.value:.{TIME_DECIMALS}f}" if "bjd" in name else f"{p.value:.10g}"
        return f"{name}\t{text}\t-{low:.3g}\t+{high:.3g}\t{p.unit}"
    decimals = max(1 - math.floor(math.log10(min(errors))), TIME_DECIMALS if "bjd" in name else 0)
    value, below, above = (f"{number:.{decimals}f}" for number in (p.value, low, high))
    return f"{name}\t{value}\t-{below}\t+{above}\t{p.unit}"
