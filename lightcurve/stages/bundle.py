"""The products of a run that ExoFOP's bundle takes, found or made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.config import StarSettings
from lightcurve.curve.neb import BAND_MARGIN_MAG
from lightcurve.data import TransitFit
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


def bundle_files(run: Path, record: Mapping[str, Any], base: str, scratch: Path) -> dict[str, Path]:
    """Find and make the products that ExoFOP's bundle takes.

    Parameters
    ----------
    run : Path
    record : mapping
        From run.toml.
    base : str
        Name that the bundle's files begin with.
    scratch : Path
        Folder for those that are made here.

    Returns
    -------
    dict of str to Path
        By the name they get; figures that the run did not draw are left out.
    """
    night = record["night"]
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
    if (run / "nebs.csv").is_file() and "planet" in night:
        text = neb_text(base, check_facts(run, record), read_neighbours(run / "nebs.csv"))
        found["NEB-table.txt"] = write_text(scratch / "NEB-table.txt", text)
    return found


def check_facts(run: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """Collect what the check of the neighbours rests on.

    Parameters
    ----------
    run : Path
    record : mapping
        From run.toml.

    Returns
    -------
    dict of str to str
    """
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
        "Cadence": f"{np.median(np.diff(times)) * 86400:.1f} s",
        "Binning": "none",
        "dmag buffer": f"{-BAND_MARGIN_MAG:g}",
    }


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
