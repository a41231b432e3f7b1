"""The AAVSO exoplanet report (v0.62), and what all files for the AAVSO share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightcurve.core.covariates import covariate_named
from lightcurve.core.data import Finding
from lightcurve.core.errors import InputError
from lightcurve.core.table_text import joined
from lightcurve.exports.submission import (
    BINNING,
    EXPOSURE,
    FILTER,
    NOTES,
    PLANET_NAME,
    SOFTWARE,
    STAR_NAME,
    Detail,
    Export,
    Submission,
    TextFormat,
    check_rows,
    start_time,
    usable_points,
)

__all__ = ["CAMERA", "filter_code"]

FILTER_CODES = {
    "Rc": "R", "Ic": "I", "up": "SU", "gp": "SG", "rp": "SR", "ip": "SI", "zp": "SZ", "zs": "ZS",
    "Clear": "CV", "C": "CV", "L": "CV", "Ha": "HA", "Hac": "HAC", "Y": "Y",
}  # fmt: skip
CODES = (
    *("U", "B", "V", "R", "I", "J", "H", "K", "CV", "CBB", "CR", "SU", "SG", "SR", "SI", "SZ"),
    *("TB", "TG", "TR", "STU", "STV", "STB", "STY", "MA", "MB", "MI", "ZS", "Y", "HA", "HAC", "O"),
)
CAMERAS = ("CCD", "CMOS", "DSLR")
Values = dict[str, tuple[float, float | None]]
MAX_DETREND = 4
MAX_EXPOSURE_S = 600.0
LIMITS = {
    "OBSCODE": 5, "SOFTWARE": 255, "STAR_NAME": 100, "EXOPLANET_NAME": 100,
    "DETREND_PARAMETERS": 100, "SECONDARY_OBSCODES": 60, "PRIORS": 250, "RESULTS": 250,
    "NOTES": 1000,
}  # fmt: skip
CHOICES = {
    "TYPE": ("EXOPLANET",),
    "DELIM": (",",),
    "DATE_TYPE": ("BJD_TDB", "JD_UTC", "HJD_UTC"),
    "OBSTYPE": ("CCD", "DSLR"),
    "BINNING": ("1x1", "2x2", "3x3", "4x4"),
    "FILTER": CODES,
    "MEASUREMENT_TYPE": ("Rnflux",),
}
RESULTS = {
    "Tc": "mid_time_bjd_tdb", "Rp/R*": "rp_over_rs", "a/R*": "a_over_rs", "b": "impact_parameter",
    "Duration": "duration_days",
}  # fmt: skip
KEYS = (
    *("TYPE", "OBSCODE", "SOFTWARE", "DELIM", "DATE_TYPE", "OBSTYPE", "STAR_NAME"),
    *("EXOPLANET_NAME", "BINNING", "EXPOSURE_TIME", "FILTER", "DETREND_PARAMETERS"),
    *("MEASUREMENT_TYPE", "SECONDARY_OBSCODES", "PRIORS", "RESULTS", "NOTES"),
)
COLUMNS = ("BJD_TDB", "Rel-Norm-Flux", "Rel-Norm-Flux-Err")


def _camera(value: Any) -> str:
    camera = str(value).upper()
    if camera not in CAMERAS:
        msg = f"--camera: {value!r} is none of {', '.join(CAMERAS)}"
        raise InputError(msg)
    return camera


OBSERVER_CODE = Detail(
    "observer_code", "--observer-code", "AAVSO code of the observer.", "", panel="AAVSO",
    ask="your AAVSO observer code", of_observer="aavso_code",
)  # fmt: skip
SECONDARY_CODES: Detail[tuple[str, ...]] = Detail(
    "secondary_codes", "--secondary-code", "Code of another observer; repeat.", (), panel="AAVSO",
    kind=list[str], read=tuple, of_observer="secondary_codes",
)  # fmt: skip
CAMERA = Detail(
    "camera", "--camera", "CCD, CMOS or DSLR.", "CCD", panel="AAVSO",
    ask="the kind of camera, CCD, CMOS or DSLR", read=_camera, of_observer="camera_kind",
)  # fmt: skip


def filter_code(name: str) -> str:
    """Translate a filter's name into the AAVSO's code.

    name: normalised name; a code is passed on. Raises InputError for one without a code.
    """
    code = FILTER_CODES.get(name, name)
    if code not in CODES:
        msg = f'filter "{name}" has no AAVSO code; give one of {", ".join(CODES)}'
        raise InputError(msg)
    return code


def obstype(submission: Submission) -> str:
    """Name the kind of camera as the AAVSO does: a CMOS camera is a CCD."""
    camera = CAMERA.of(submission)
    return "CCD" if camera == "CMOS" else camera


def plain(text: str) -> str:
    """Make one line of ASCII, which is what the AAVSO's reader takes.

    Other characters become question marks.
    """
    return joined(text.encode("ascii", "replace").decode())


def value_and_error(value: float, error: float | None) -> tuple[str, str]:
    """Round a value to where its error has two significant digits.

    Returns value, error: where the error is not known or not positive, every digit of the value and
    an empty string.
    """
    if error is None or not (math.isfinite(error) and error > 0):
        return repr(float(value)), ""
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f}", f"{error:.{decimals}f}"


def common_header(submission: Submission) -> dict[str, str]:
    """Fill in what the layouts have in common.

    NOTES hold the verdict, but of a transit observed whole, where the ephemeris has it, and what
    other stars' light did.
    """
    s = submission
    notes = [NOTES.of(s)]
    if s.fit is not None and s.fit.verdict.finding is not Finding.TRANSIT:
        notes.append(str(s.fit.verdict))
    notes.append(dilution_note(s))
    return {
        "TYPE": "EXOPLANET",
        "OBSCODE": OBSERVER_CODE.of(s).upper(),
        "SOFTWARE": SOFTWARE,
        "DELIM": ",",
        "DATE_TYPE": "BJD_TDB",
        "OBSTYPE": obstype(s),
        "STAR_NAME": plain(STAR_NAME.of(s)),
        "EXOPLANET_NAME": plain(PLANET_NAME.of(s) or STAR_NAME.of(s)),
        "BINNING": "{}x{}".format(*BINNING.of(s)),
        "EXPOSURE_TIME": f"{EXPOSURE.of(s):g}",
        "FILTER": filter_code(FILTER.of(s))[:3],
        "MEASUREMENT_TYPE": "Rnflux",
        "SECONDARY_OBSCODES": ",".join(SECONDARY_CODES.of(s)),
        "NOTES": plain("; ".join(filter(None, notes))),
    }


def dilution_note(submission: Submission) -> str:
    """Say that results are corrected for the light of other stars; empty where there is none."""
    share = fitted_values(submission, {"share": "dilution", "Rp/R*": "rp_over_rs_uncorrected"})
    if "share" not in share:
        return ""
    told = in_words({"target's share": share["share"]})
    seen = in_words({"Rp/R*": share["Rp/R*"]})
    return (
        f"flux is as measured; results are corrected for other stars' light ({told}), not: {seen}"
    )


def fitted_values(submission: Submission, names: Mapping[str, str]) -> Values:
    """Take what a fit found.

    names: what the report calls a parameter to its name in the fit.
    Returns value and error, half of what lies between the 16 and 84 % points, by the report's
    name; empty without a transit.
    """
    fit = submission.fit
    if fit is None or not fit.found:
        return {}
    found = {name: fit.parameters.get(key) for name, key in names.items()}
    return {
        name: (p.value, (p.upper - p.lower) / 2)
        for name, p in found.items()
        if p is not None and math.isfinite(p.value)
    }


def in_words(values: Values) -> str:
    """Lay values out as ``name=value +/- error``, comma between.

    values: mapping of str to (float, float or None). Rounded as `value_and_error` does.
    """
    parts = {name: value_and_error(*pair) for name, pair in values.items()}
    return ",".join(f"{name}={' +/- '.join(filter(None, pair))}" for name, pair in parts.items())


def read_header(text: str) -> dict[str, str]:
    """Cut ``#KEY=value`` lines out of a whole report; returns them in their order."""
    return dict(re.findall(r"^#([A-Z_][A-Z0-9_-]*)=(.*?)\r?$", text, flags=re.MULTILINE))


def header_faults(header: dict[str, str], keys: tuple[str, ...]) -> list[str]:
    """Check a report's header.

    keys: those it must have. Returns the faults; none when it will do.
    """
    faults = [f"#{key}= is missing" for key in keys if key not in header]
    faults += [
        f"{key} is {header[key]!r}, allowed: {', '.join(allowed)}"
        for key, allowed in CHOICES.items()
        if key in header and header[key] not in allowed
    ]
    faults += [
        f"{key} has {len(header[key])} characters, at most {limit} are allowed"
        for key, limit in LIMITS.items()
        if len(header.get(key, "")) > limit
    ]
    code = header.get("OBSCODE", "")
    if not re.fullmatch(r"[A-Z0-9]{1,5}", code):
        faults.append(f"OBSCODE is {code!r}: give your AAVSO observer code (1 to 5 letters)")
    if not header.get("STAR_NAME"):
        faults.append("STAR_NAME is empty")
    exposure = header.get("EXPOSURE_TIME", "")
    if not re.fullmatch(r"\d+(\.\d+)?", exposure) or float(exposure) > MAX_EXPOSURE_S:
        faults.append(f"EXPOSURE_TIME is {exposure!r}, allowed: 0 to {MAX_EXPOSURE_S:g} s")
    detrend = header.get("DETREND_PARAMETERS", "").split(",")
    if "AIRMASS" not in detrend or len(detrend) > MAX_DETREND + 1:
        faults.append("DETREND_PARAMETERS must hold AIRMASS and at most four others")
    return faults


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
