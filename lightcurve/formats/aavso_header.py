"""What both layouts of the AAVSO's exoplanet report have in their headers."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping

from lightcurve.formats.aavso_words import (
    CODES,
    OBSERVER_CODE,
    SECONDARY_CODES,
    filter_code,
    obstype,
    plain,
    value_and_error,
)
from lightcurve.formats.submission import (
    BINNING,
    EXPOSURE,
    FILTER,
    NOTES,
    PLANET_NAME,
    SOFTWARE,
    STAR_NAME,
    Submission,
)

Values = dict[str, tuple[float, float | None]]

log = logging.getLogger(__name__)

MAX_DETREND = 4
MAX_EXPOSURE_S = 600.0
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
CHOICES = {
    "TYPE": ("EXOPLANET",),
    "DELIM": (",",),
    "DATE_TYPE": ("BJD_TDB", "JD_UTC", "HJD_UTC"),
    "OBSTYPE": ("CCD", "DSLR"),
    "BINNING": ("1x1", "2x2", "3x3", "4x4"),
    "FILTER": CODES,
    "MEASUREMENT_TYPE": ("Rnflux",),
}


def common_header(submission: Submission) -> dict[str, str]:
    """Fill in what the layouts have in common.

    NOTES hold the verdict where it is all that the fit can tell.
    """
    s = submission
    notes = [NOTES.of(s)]
    if s.fit is not None and not _transit_found(s):
        log.warning("no fitted values in the report, RESULTS is empty: %s", s.fit.verdict)
        notes.append(str(s.fit.verdict))
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


def _transit_found(submission: Submission) -> bool:
    """Tell whether fitted values may be handed in.

    The fit's verdict is that there is a transit, or a part of one.
    """
    fit = submission.fit
    return fit is not None and fit.found


def fitted_values(submission: Submission, names: Mapping[str, str]) -> Values:
    """Take what a fit found.

    names: what the report calls a parameter to its name in the fit.
    Returns dict of str to (float, float), value and error, half of what lies between the 16 and 84
    % points; empty without a transit.
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

    values: mapping of str to (float, float or None).
    Rounded as `value_and_error` does.
    """
    parts = {name: value_and_error(*pair) for name, pair in values.items()}
    return ",".join(f"{name}={' +/- '.join(filter(None, pair))}" for name, pair in parts.items())


def read_header(text: str) -> dict[str, str]:
    """Cut ``#KEY=value`` lines.

    text: a whole report.
    In their order.
    """
    return dict(re.findall(r"^#([A-Z_][A-Z0-9_-]*)=(.*?)\r?$", text, flags=re.MULTILINE))


def header_faults(header: dict[str, str], keys: tuple[str, ...]) -> list[str]:
    """Check a report's header.

    keys: those it must have.
    Faults; empty when it will do.
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
