"""The bundle for ExoFOP and TFOP: files named as the programme names them, and the NEB table."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.aij.write_table import write_apertures
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Parameter, StarPlan, StarRole, TransitFit
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.settings import StarSettings
from lightcurve.core.table_text import read_text
from lightcurve.curve.neb import BAND_MARGIN_MAG, Disposition, Neighbour
from lightcurve.exports.submission import (
    EXPOSURE,
    FILTER,
    SOFTWARE,
    STAR_NAME,
    Detail,
    Export,
    Extra,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    number_within,
    start_time,
    usable_points,
)
from lightcurve.tables.run_folder import read_fit_json, read_stars
from lightcurve.tables.run_tables import read_lightcurve, read_model, read_neighbours
from lightcurve.transit.ephemeris import make_planet, predict_transit
from lightcurve.transit.fit_values import fit_from_json

TITLE = "TFOP NEB Search Table for:"
COLUMNS = (
    *("Star", "from target", "PA (deg.)", "dmag", "RMS(ppt)", "NEBdepth(ppt)", "NEBdepth/RMS"),
    "Disposition",
)
# Our words -> those of AstroImageJ's macro, which marks what is left to do.
DISPOSITIONS = {
    Disposition.NOT_CLEARED: "***Not Cleared***",
    Disposition.LOW_FLUX: "***Not Cleared-flux too low***",
}
BUNDLE = (
    "lightcurve.png", "measurements.tbl", "measurements.apertures", "measurements.plotcfg",
    "field.png", "field-zoom.png", "seeing-profile.png", "fitpanel.png", "fitpanel.txt",
    "calibration.log", "NEB-table.txt", "dmag_vs_RMS.png",
)  # fmt: skip
SUBSET = ("BJD_TDB", "rel_flux_T1_n", "rel_flux_err_T1_n", "AIRMASS")
TIC = Detail("tic", "--tic", "TESS Input Catalog number.", "", panel="ExoFOP", ask="the TIC number")
PLANET_NUMBER = Detail(
    "planet_number", "--planet-number", "1 for the .01 candidate.", 1, panel="ExoFOP", kind=int,
    read=number_within("--planet-number", 1, 99),
)  # fmt: skip
OBSERVATORY = Detail(
    "observatory", "--observatory", "Short name, for file names.", "", panel="ExoFOP",
    ask="the observatory's short name", of_observer="observatory",
)  # fmt: skip
FIGURES = {
    "lightcurve.png": "light_curve.png",
    "field.png": "field.png",
    "seeing-profile.png": "seeing_profile.png",
    "dmag_vs_RMS.png": "neighbours.png",
}
OF_NIGHT = ("target", "ra_deg", "dec_deg", "radius_px", "annulus_px", "shape", "scale_arcsec")
TIME_DECIMALS = 5  # of a day, at least: a second is 1.2e-5


def neb_text(base: str, facts: Mapping[str, str], neighbours: Sequence[Neighbour]) -> str:
    """Lay the check out: what it rests on, then a line for each star.

    base: name that the bundle's files begin with.
    facts: such as aperture, depth, ingress and egress. Tab separated; distances in arc seconds.
    """
    lines = [f"{TITLE}\t{base}", *(f"{name}:\t{value}" for name, value in facts.items()), ""]
    lines.append("\t".join(COLUMNS))
    for n in neighbours:
        numbers = (
            f'{n.separation_arcsec:.2f}"', f"{n.position_angle_deg:.1f}", f"{n.delta_mag:.2f}",
            f"{n.rms_ppt:.2f}", f"{n.depth_ppt:.2f}", f"{n.ratio:.2f}",
        )  # fmt: skip
        disposition = DISPOSITIONS.get(n.disposition, n.disposition.value)
        lines.append("\t".join((n.star_id, *numbers, disposition)))
    return "\n".join(lines) + "\n"


def base_name(submission: Submission) -> str:
    """Form ``TIC<id>-<planet>_<yyyymmdd>_<observatory>_<filter>``; the date is UTC of the start."""
    s = submission
    digits = TIC.of(s).upper().removeprefix("TIC").strip()
    if not re.fullmatch(r"[0-9]{1,12}", digits):
        msg = f'ExoFOP needs the TIC number of {STAR_NAME.of(s)} (digits), got "{TIC.of(s)}"'
        raise InputError(msg)
    if not OBSERVATORY.of(s).strip():
        msg = "ExoFOP needs the observatory's short name, such as LCO-SAAO-1m0"
        raise InputError(msg)
    date = start_time(s).strftime("%Y%m%d")
    place, band = file_word(OBSERVATORY.of(s)), file_word(FILTER.of(s))
    return f"TIC{digits}-{PLANET_NUMBER.of(s):02d}_{date}_{place}_{band}"


def _subset_text(submission: Submission) -> str:
    """Lay out the points of the fit, tab separated."""
    curve, good = submission.light_curve, usable_points(submission)
    airmass = curve.covariates["airmass"]
    columns = [v[good] for v in (curve.bjd_tdb, curve.flux, curve.flux_err, airmass)]
    lines = ["#" + "\t".join(SUBSET)]
    lines += ["\t".join(f"{value:.8f}" for value in row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _validate_subset(text: str) -> list[str]:
    lines = text.splitlines()
    faults = (
        [] if lines[:1] == ["#" + "\t".join(SUBSET)] else ["the first line must name the columns"]
    )
    return faults + check_rows([x.split("\t") for x in lines[1:]], SUBSET)


write_subset = TextFormat(
    lambda s: f"{base_name(s)}_datasubset.dat", _subset_text, _validate_subset
)


def write_exofop(folder: Path, submission: Submission) -> list[Path]:
    """Write the bundle: the points of the fit, and copies of the products under their names.

    submission: of its `files` those named in `BUNDLE` are taken.
    """
    base = base_name(submission)
    written = write_subset(folder, submission)
    for name in (n for n in BUNDLE if n in submission.files):
        target = folder / f"{base}_{name}"
        try:
            shutil.copyfile(submission.files[name], target)
        except OSError as error:
            msg = f"{target.name}: {error.strerror}: {submission.files[name]}"
            raise InputError(msg) from error
        written.append(target)
    return written


EXOFOP = Export(
    "exofop", "the TFOP bundle with its file names, and the neighbours' check",
    "TIC…-01_DATE_OBSERVATORY_FILTER_… (points of the fit, tables, figures)", write_exofop,
    details=(TIC, PLANET_NUMBER, OBSERVATORY), needs=(TIC, OBSERVATORY, FILTER, EXPOSURE),
    takes=(Extra.BUNDLE,),
)  # fmt: skip


def bundle_files(run: Path, record: Mapping[str, Any], base: str, scratch: Path) -> dict[str, Path]:
    """Find and make the products that ExoFOP's bundle takes.

    base: name that the bundle's files begin with; scratch: folder for those that are made here.
    Returns them by the name they get; figures that the run did not draw are left out. Raises
    InputError where run.toml lacks what they tell.
    """
    night = record["night"]
    if missing := [name for name in OF_NIGHT if name not in night]:
        msg = f"{run / 'run.toml'}: night.{missing[0]} is missing: run it again"
        raise InputError(msg)
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
    compared = plan.role == StarRole.COMPARISON
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
    role = np.where(compared & ~summed, StarRole.FIELD, plan.role)
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

    remark: lines put after its notes. Times have at least five decimals of a day. Of a dip that is
    no transit nothing is told.
    """
    lines = [str(fit.verdict), ""]
    lines += [_parameter_line(name, p) for name, p in fit.parameters.items()]
    lines += [
        f"{name}\t{value:.{TIME_DECIMALS}f}" if "bjd" in name else f"{name}\t{value:.6g}"
        for name, value in fit.statistics.items()
        if fit.found or not name.startswith("amplitude")
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
