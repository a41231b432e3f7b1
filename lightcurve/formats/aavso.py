"""The AAVSO exoplanet report (v0.62).

https://www.aavso.org/aavso-exoplanet-report-file-format
"""

from __future__ import annotations

import logging
import re

import numpy as np

from lightcurve.formats.aavso_words import CODES, filter_code, obstype, plain
from lightcurve.formats.submission import (
    SOFTWARE,
    Submission,
    TextFormat,
    check_rows,
    start_time,
    usable_points,
)

log = logging.getLogger(__name__)

FOUND = ("transit", "partial transit")  # beginnings of a verdict that backs fitted values
DETREND_NAMES = {
    "airmass": "AIRMASS",
    "x": "X(FITS)_T1",
    "y": "Y(FITS)_T1",
    "fwhm": "FWHM_Mean",
    "sky": "Sky/Pixel_T1",
    "comparison_flux": "tot_C_cnts",
    "time": "TIME",
    "meridian_flip": "Meridian_Flip",
}
MAX_DETREND = 4
LIMITS = {
    "OBSCODE": 5,
    "SOFTWARE": 255,
    "STAR_NAME": 100,
    "EXOPLANET_NAME": 100,
    "DETREND_PARAMETERS": 100,
    "SECONDARY_OBSCODES": 60,
    "PRIORS": 250,
    "RESULTS": 250,
    "NOTES": 1000,
}
KEYS = (
    *("TYPE", "OBSCODE", "SOFTWARE", "DELIM", "DATE_TYPE", "OBSTYPE", "STAR_NAME"),
    *("EXOPLANET_NAME", "BINNING", "EXPOSURE_TIME", "FILTER", "DETREND_PARAMETERS"),
    *("MEASUREMENT_TYPE", "SECONDARY_OBSCODES", "PRIORS", "RESULTS", "NOTES"),
)
MAX_EXPOSURE_S = 600.0


def exoplanet_text(submission: Submission) -> str:
    """Lay out an AAVSO exoplanet report.

    Parameters
    ----------
    submission : Submission

    Returns
    -------
    str
        Lines end in CR LF. Flux is relative, normalised and not detrended; airmass always stands
        among the detrending columns, whose other names are those the fit used (four at most).
        Without a transit in the data RESULTS is empty, and the verdict stands in NOTES.
    """
    curve, good = submission.light_curve, usable_points(submission)
    asked = submission.fit.covariates if submission.fit is not None else ()
    names = ["airmass", *(n for n in asked if n != "airmass" and n in curve.covariates)]
    names = names[: MAX_DETREND + 1]
    detrend = [_detrend_column(curve.covariates[name], name)[good] for name in names]
    header = _exoplanet_header(submission, ",".join(DETREND_NAMES.get(n, n) for n in names))
    lines = [f"#{key}={header[key]}" for key in KEYS]
    labels = ["BJD_TDB", "Rel-Norm-Flux", "Rel-Norm-Flux-Err"]
    lines.append("#" + ",".join([*labels, *(DETREND_NAMES.get(n, n) for n in names)]))
    columns = (curve.bjd_tdb[good], curve.flux[good], curve.flux_err[good], *detrend)
    lines += [",".join(f"{value:.6f}" for value in row) for row in zip(*columns, strict=True)]
    return "\r\n".join(lines) + "\r\n"


def _detrend_column(values: np.ndarray, name: str) -> np.ndarray:
    """AstroImageJ's convention for a meridian flip: -1 before, +1 after."""
    return np.where(values > 0, 1.0, -1.0) if name == "meridian_flip" else values


def _exoplanet_header(submission: Submission, detrend: str) -> dict[str, str]:
    s = submission
    return {
        "TYPE": "EXOPLANET",
        "OBSCODE": s.observer_code.upper(),
        "SOFTWARE": SOFTWARE,
        "DELIM": ",",
        "DATE_TYPE": "BJD_TDB",
        "OBSTYPE": obstype(s),
        "STAR_NAME": plain(s.star_name),
        "EXOPLANET_NAME": plain(s.planet_name or s.star_name),
        "BINNING": f"{s.binning[0]}x{s.binning[1]}",
        "EXPOSURE_TIME": f"{s.exposure_s:g}",
        "FILTER": filter_code(s.filter)[:3],
        "DETREND_PARAMETERS": detrend,
        "MEASUREMENT_TYPE": "Rnflux",
        "SECONDARY_OBSCODES": ",".join(s.secondary_codes),
        "PRIORS": _priors(s),
        "RESULTS": _results(s),
        "NOTES": _notes(s),
    }


def _priors(submission: Submission) -> str:
    planet = submission.planet
    if planet is None:
        return ""
    values = {
        "Period": (planet.period_days, "period_days"),
        "T0": (planet.t0_bjd_tdb, "t0_bjd_tdb"),
        "Rp/R*": (planet.rp_over_rs, "rp_over_rs"),
        "a/R*": (planet.a_over_rs, "a_over_rs"),
        "inc": (planet.inclination_deg, "inclination_deg"),
        "ecc": (planet.eccentricity, "eccentricity"),
    }
    parts = []
    for name, (value, key) in values.items():
        error = planet.errors.get(key)
        parts.append(f"{name}={float(value)!r}" + (f" +/- {error:.2g}" if error else ""))
    return ",".join(parts)


def _found(submission: Submission) -> bool:
    fit = submission.fit
    return fit is not None and fit.verdict.startswith(FOUND)


def _notes(submission: Submission) -> str:
    """Remarks, and the verdict where it is all that the fit can tell."""
    s = submission
    if s.fit is None or _found(s):
        return plain(s.notes)
    log.warning("no fitted values in the report, RESULTS is empty: %s", s.fit.verdict)
    return plain("; ".join(filter(None, (s.notes, s.fit.verdict))))


def _results(submission: Submission) -> str:
    if not _found(submission):
        return ""
    names = {
        "mid_time_bjd_tdb": "Tc",
        "rp_over_rs": "Rp/R*",
        "a_over_rs": "a/R*",
        "impact_parameter": "b",
        "duration_days": "Duration",
    }
    parts = []
    for key, name in names.items():
        p = submission.fit.parameters.get(key)
        if p is not None and np.isfinite(p.value):
            error = (p.upper - p.lower) / 2
            decimals = int(np.clip(1 - np.floor(np.log10(error)), 0, 9)) if error > 0 else 6
            parts.append(f"{name}={p.value:.{decimals}f} +/- {error:.{decimals}f}")
    return ",".join(parts)


def validate_exoplanet(text: str) -> list[str]:
    """Check an AAVSO exoplanet report.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        Faults; empty when it will do.
    """
    faults = [] if text.isascii() else ["holds characters that are not ASCII"]
    if re.search(r"(?<!\r)\n", text) or not text.endswith("\r\n"):
        faults.append("lines must end in CR LF")
    lines = text.splitlines()
    header = dict(re.findall(r"^#([A-Z_]+)=(.*?)\r?$", text, flags=re.MULTILINE))
    faults += [f"#{key}= is missing" for key in KEYS if key not in header]
    faults += _check_exoplanet_header(header)
    names = ("BJD_TDB", "Rel-Norm-Flux", "Rel-Norm-Flux-Err")
    detrend = tuple(n for n in header.get("DETREND_PARAMETERS", "").split(",") if n)
    comments = [line for line in lines if line.startswith("#") and "=" not in line]
    if comments != ["#" + ",".join([*names, *detrend])]:
        faults.append("the column line does not name time, flux, error and #DETREND_PARAMETERS")
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    return faults + check_rows(rows, (*names, *detrend))


def _check_exoplanet_header(header: dict[str, str]) -> list[str]:
    choices = {
        "TYPE": ("EXOPLANET",),
        "DELIM": (",",),
        "DATE_TYPE": ("BJD_TDB", "JD_UTC", "HJD_UTC"),
        "OBSTYPE": ("CCD", "DSLR"),
        "BINNING": ("1x1", "2x2", "3x3", "4x4"),
        "FILTER": CODES,
        "MEASUREMENT_TYPE": ("Rnflux",),
    }
    faults = [
        f"{key} is {header[key]!r}, allowed: {', '.join(allowed)}"
        for key, allowed in choices.items()
        if key in header and header[key] not in allowed
    ]
    faults += [
        f"{key} has {len(header[key])} characters, at most {limit} are allowed"
        for key, limit in LIMITS.items()
        if len(header.get(key, "")) > limit
    ]
    if not re.fullmatch(r"[A-Z0-9]{1,5}", header.get("OBSCODE", "")):
        faults.append(
            f"OBSCODE is {header.get('OBSCODE', '')!r}: "
            "give your AAVSO observer code (1 to 5 letters)"
        )
    if not header.get("STAR_NAME"):
        faults.append("STAR_NAME is empty")
    exposure = header.get("EXPOSURE_TIME", "")
    if not re.fullmatch(r"\d+(\.\d+)?", exposure) or float(exposure) > MAX_EXPOSURE_S:
        faults.append(f"EXPOSURE_TIME is {exposure!r}, allowed: 0 to {MAX_EXPOSURE_S:g} s")
    detrend = header.get("DETREND_PARAMETERS", "").split(",")
    if "AIRMASS" not in detrend or len(detrend) > MAX_DETREND + 1:
        faults.append("DETREND_PARAMETERS must hold AIRMASS and at most four others")
    return faults


def _name(submission: Submission) -> str:
    """Name the file after the start of the night, not after the present time."""
    stamp = start_time(submission).strftime("%Y-%m-%d-%Hh%Mm%Ss")
    code = re.sub(r"[^A-Z0-9]", "", submission.observer_code.upper()) or "NONE"
    return f"AAVSO_Report_{code}_BJD_TDB_Rnflux_{stamp}.txt"


write_exoplanet = TextFormat(_name, exoplanet_text, validate_exoplanet)
