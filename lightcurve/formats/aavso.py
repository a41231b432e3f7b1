"""The AAVSO exoplanet report (v0.62).

https://www.aavso.org/aavso-exoplanet-report-file-format
"""

from __future__ import annotations

import re

import numpy as np

from lightcurve.covariates import covariate_named
from lightcurve.formats.aavso_header import (
    MAX_DETREND,
    common_header,
    fitted_values,
    header_faults,
    in_words,
    read_header,
)
from lightcurve.formats.aavso_words import CAMERA, OBSERVER_CODE, SECONDARY_CODES
from lightcurve.formats.submission import (
    BINNING,
    EXPOSURE,
    FILTER,
    Export,
    Submission,
    TextFormat,
    check_rows,
    start_time,
    usable_points,
)

RESULTS = {
    "Tc": "mid_time_bjd_tdb",
    "Rp/R*": "rp_over_rs",
    "a/R*": "a_over_rs",
    "b": "impact_parameter",
    "Duration": "duration_days",
}
KEYS = (
    *("TYPE", "OBSCODE", "SOFTWARE", "DELIM", "DATE_TYPE", "OBSTYPE", "STAR_NAME"),
    *("EXOPLANET_NAME", "BINNING", "EXPOSURE_TIME", "FILTER", "DETREND_PARAMETERS"),
    *("MEASUREMENT_TYPE", "SECONDARY_OBSCODES", "PRIORS", "RESULTS", "NOTES"),
)
COLUMNS = ("BJD_TDB", "Rel-Norm-Flux", "Rel-Norm-Flux-Err")


def exoplanet_text(submission: Submission) -> str:
    """Lay out an AAVSO exoplanet report.

    Lines end in CR LF. Flux is relative, normalised and not detrended; airmass always stands among
    the detrending columns, whose other names are those the fit used (four at most). Without a
    transit in the data RESULTS is empty, and the verdict stands in NOTES.
    """
    curve, good = submission.light_curve, usable_points(submission)
    asked = submission.fit.covariates if submission.fit is not None else ()
    names = ["airmass", *(n for n in asked if n != "airmass" and n in curve.covariates)]
    names = names[: MAX_DETREND + 1]
    detrend = [_detrend_column(curve.covariates[name], name)[good] for name in names]
    labels = [covariate_named(name).submission or name for name in names]
    header = common_header(submission) | {
        "DETREND_PARAMETERS": ",".join(labels),
        "PRIORS": _priors(submission),
        "RESULTS": in_words(fitted_values(submission, RESULTS)),
    }
    lines = [f"#{key}={header[key]}" for key in KEYS]
    lines.append("#" + ",".join([*COLUMNS, *labels]))
    columns = (curve.bjd_tdb[good], curve.flux[good], curve.flux_err[good], *detrend)
    lines += [",".join(f"{value:.6f}" for value in row) for row in zip(*columns, strict=True)]
    return "\r\n".join(lines) + "\r\n"


def _detrend_column(values: np.ndarray, name: str) -> np.ndarray:
    """AstroImageJ's convention for a step: -1 before, +1 after."""
    return np.where(values > 0, 1.0, -1.0) if covariate_named(name).step else values


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


def _validate(text: str) -> list[str]:
    faults = [] if text.isascii() else ["holds characters that are not ASCII"]
    if re.search(r"(?<!\r)\n", text) or not text.endswith("\r\n"):
        faults.append("lines must end in CR LF")
    lines = text.splitlines()
    header = read_header(text)
    faults += header_faults(header, KEYS)
    detrend = tuple(n for n in header.get("DETREND_PARAMETERS", "").split(",") if n)
    comments = [line for line in lines if line.startswith("#") and "=" not in line]
    if comments != ["#" + ",".join([*COLUMNS, *detrend])]:
        faults.append("the column line does not name time, flux, error and #DETREND_PARAMETERS")
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    return faults + check_rows(rows, (*COLUMNS, *detrend))


def _name(submission: Submission) -> str:
    """Name the file after the start of the night, not after the present time."""
    stamp = start_time(submission).strftime("%Y-%m-%d-%Hh%Mm%Ss")
    code = re.sub(r"[^A-Z0-9]", "", OBSERVER_CODE.of(submission).upper()) or "NONE"
    return f"AAVSO_Report_{code}_BJD_TDB_Rnflux_{stamp}.txt"


write_exoplanet = TextFormat(_name, exoplanet_text, _validate)
EXOPLANET = Export(
    "aavso-exoplanet",
    "AAVSO exoplanet report (v0.62)",
    "AAVSO_Report_CODE_BJD_TDB_Rnflux_DATE.txt",
    write_exoplanet,
    details=(OBSERVER_CODE, SECONDARY_CODES, CAMERA),
    needs=(OBSERVER_CODE, CAMERA, BINNING, FILTER, EXPOSURE),
)
