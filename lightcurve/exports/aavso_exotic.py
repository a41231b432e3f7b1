"""The AAVSO exoplanet report as EXOTIC lays it out, which Exoplanet Watch takes.

https://github.com/rzellem/EXOTIC
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from lightcurve.core.data import LightCurve, Planet
from lightcurve.exports.aavso import (
    CAMERA,
    OBSERVER_CODE,
    SECONDARY_CODES,
    Values,
    common_header,
    fitted_values,
    header_faults,
    in_words,
    plain,
    read_header,
    value_and_error,
)
from lightcurve.exports.submission import (
    BINNING,
    EXPOSURE,
    FILTER,
    PLANET_NAME,
    SOFTWARE,
    STAR_NAME,
    Export,
    Extra,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    start_date,
    usable_points,
)
from lightcurve.transit.limb_darkening import from_kipping, limb_darkening_prior

KEYS = (
    *("TYPE", "OBSCODE", "SECONDARY_OBSCODES", "SOFTWARE", "DELIM", "DATE_TYPE", "OBSTYPE"),
    *("STAR_NAME", "EXOPLANET_NAME", "BINNING", "EXPOSURE_TIME", "COMP_STAR-XC", "NOTES"),
    *("DETREND_PARAMETERS", "MEASUREMENT_TYPE", "FILTER", "FILTER-XC", "PRIORS", "PRIORS-XC"),
    *("RESULTS", "RESULTS-XC"),
)
DETREND = "AIRMASS, AIRMASS CORRECTION FUNCTION"
COLUMNS = ("DATE", "DIFF", "ERR", "DETREND_1", "DETREND_2")
COMMENTS = (
    f"# Written by {SOFTWARE} in EXOTIC's layout. DIFF is not detrended: DIFF / DETREND_2 is.",
    "# Use of these data is governed by the AAVSO's guidelines: aavso.org/data-usage-guidelines",
)
# Code -> description, and where the band's transmission falls to half, nm (aavso.org/filters).
BANDS = {
    "U": ("Johnson U", 333.8, 398.8),
    "B": ("Johnson B", 391.6, 480.6),
    "V": ("Johnson V", 502.8, 586.8),
    "R": ("Cousins R", 561.7, 719.7),
    "I": ("Cousins I", 721.0, 875.0),
    "SU": ("Sloan u", 321.8, 386.8),
    "SG": ("Sloan g", 402.5, 551.5),
    "SR": ("Sloan r", 553.1, 693.1),
    "SI": ("Sloan i", 697.5, 827.5),
    "SZ": ("Sloan z", 841.2, 978.2),
    "CV": ("Clear (unfiltered) reduced to V sequence", 350.0, 850.0),
    "CBB": ("Astrodon ExoPlanet-BB", 500.0, 1000.0),
}
RESULTS = {"Tc": "mid_time_bjd_tdb", "Rp/R*": "rp_over_rs", "inc": "inclination_deg"}
DURATION = {"Duration": "duration_days"}
UNITS = {"Period": "days", "inc": "degrees", "Tc": "BJD_TDB", "Duration": "days"}


def exotic_text(submission: Submission) -> str:
    """Lay out an AAVSO exoplanet report as EXOTIC does.

    Lines end in a line feed. DIFF is not detrended; DETREND_1 is the airmass and DETREND_2 the
    trend of the fit (1 without one), whatever it was made of: NOTES name it. An ensemble of
    comparison stars is a list. Without a transit in the data there are no results.
    """
    s, good = submission, usable_points(submission)
    priors, results = _priors(s), fitted_values(s, RESULTS)
    if s.fit is not None and results:
        results |= _airmass_law(s.light_curve, s.fit.model, good)
    common = common_header(s)
    header = common | {
        "COMP_STAR-XC": json.dumps(_comparisons(s)),
        "NOTES": plain("; ".join(filter(None, (common["NOTES"], _trend_note(s))))),
        "DETREND_PARAMETERS": DETREND,
        "FILTER-XC": json.dumps(_filter(common["FILTER"])),
        "PRIORS": in_words(priors),
        "PRIORS-XC": json.dumps(_in_parts(priors)),
        "RESULTS": in_words(results),
        "RESULTS-XC": json.dumps(_in_parts(results | fitted_values(s, DURATION))),
    }
    lines = [f"#{key}={header[key]}" for key in KEYS]
    lines += [*COMMENTS, "#" + ",".join(COLUMNS)]
    curve = s.light_curve
    trend = np.ones(len(good)) if s.fit is None else s.fit.trend
    columns = (curve.flux, curve.flux_err, curve.covariates["airmass"], trend)
    for time, *rest in zip(curve.bjd_tdb[good], *(v[good] for v in columns), strict=True):
        lines.append(",".join([f"{time:.8f}", *(f"{value:.7f}" for value in rest)]))
    return "\n".join(lines) + "\n"


def _comparisons(submission: Submission) -> Any:
    """One star as an object, several as a list of them, none as null."""
    names = ("ra", "dec", "x", "y")
    formats = (".6f", ".6f", ".2f", ".2f")
    stars = [
        {name: format(value, form) for name, value, form in zip(names, row, formats, strict=True)}
        for row in submission.comparisons
    ]
    return stars[0] if len(stars) == 1 else stars or None


def _trend_note(submission: Submission) -> str:
    if submission.fit is None:
        return ""
    return f"DETREND_2 is a line in {', '.join(submission.fit.covariates) or 'nothing'}"


def _filter(code: str) -> dict[str, Any]:
    """Describe a filter; where its band is not known, it is null."""
    description, *edges = BANDS.get(code, (code, None, None))
    fwhm = [{"value": None if nm is None else str(nm), "units": "nm"} for nm in edges]
    return {"name": code, "desc": description, "fwhm": fwhm}


def _priors(submission: Submission) -> Values:
    planet = submission.planet
    if planet is None:
        return {}
    names = {
        "Period": "period_days",
        "Rp/R*": "rp_over_rs",
        "a/R*": "a_over_rs",
        "inc": "inclination_deg",
        "ecc": "eccentricity",
    }
    values = {n: (getattr(planet, key), planet.errors.get(key)) for n, key in names.items()}
    return values | _limb_darkening(planet, FILTER.of(submission))


def _limb_darkening(planet: Planet, band: str) -> Values:
    """Write the prior on a quadratic law as EXOTIC's four-parameter one.

    A law ``1 - sum c_k (1 - mu^(k/2))``, k from 1 to 4 (Claret 2000, A&A 363, 1081), is the
    quadratic one with c2 = u1 + 2 u2 and c4 = -u2; EXOTIC counts from 0.
    """
    (q1, q2), (first, last), _ = limb_darkening_prior(
        planet.teff_k, band, logg=planet.logg, feh=planet.feh, errors=planet.errors
    )
    u1, u2 = from_kipping(q1, q2)
    root = np.sqrt(q1)
    # With u1 = 2 sqrt(q1) q2 and u2 = sqrt(q1) (1 - 2 q2), errors in q1 and q2 independent.
    second = float(np.hypot(first * (1 - q2) / root, 2 * last * root))
    fourth = float(np.hypot(first * (1 - 2 * q2) / (2 * root), 2 * last * root))
    zero = (0.0, None)
    return {"u0": zero, "u1": (u1 + 2 * u2, second), "u2": zero, "u3": (-u2, fourth)}


def _airmass_law(curve: LightCurve, model: np.ndarray, good: np.ndarray) -> Values:
    """Fit Am1 exp(Am2 airmass) to what the transit leaves of the flux.

    By weighted least squares in the logarithm; nothing where the airmass does not change.
    """
    airmass = curve.covariates["airmass"]
    left = curve.flux / model
    use = good & np.isfinite(airmass) & (np.nan_to_num(left) > 0)
    if use.sum() < 3 or np.ptp(airmass[use]) <= 0:
        return {}
    weight = curve.flux[use] / curve.flux_err[use]
    design = np.column_stack([np.ones(use.sum()), airmass[use]]) * weight[:, None]
    covariance = np.linalg.inv(design.T @ design)
    start, slope = covariance @ design.T @ (np.log(left[use]) * weight)
    errors = np.sqrt(np.diag(covariance))
    level = float(np.exp(start))
    return {"Am1": (level, level * float(errors[0])), "Am2": (float(slope), float(errors[1]))}


def _in_parts(values: Values) -> dict[str, dict[str, str | None]]:
    parts = {}
    for name, pair in values.items():
        value, error = value_and_error(*pair)
        unit = {"units": UNITS[name]} if name in UNITS else {}
        parts[name] = {"value": value, "uncertainty": error or None, **unit}
    return parts


def _validate(text: str) -> list[str]:
    faults = [] if text.isascii() else ["holds characters that are not ASCII"]
    if "\r" in text or not text.endswith("\n"):
        faults.append("lines must end in a line feed")
    header = read_header(text)
    faults += header_faults(header, KEYS)
    if not faults and tuple(header) != KEYS:
        faults.append("the header is not in EXOTIC's order")
    if header.get("DETREND_PARAMETERS") != DETREND:
        faults.append(f"DETREND_PARAMETERS must be {DETREND}")
    for key in (key for key in KEYS if key.endswith("-XC")):
        try:
            json.loads(header.get(key, ""), parse_constant=_refuse)
        except ValueError:
            faults.append(f"{key} is not JSON")
    lines = text.splitlines()
    if "#" + ",".join(COLUMNS) not in lines:
        faults.append(f"the column line must be #{','.join(COLUMNS)}")
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    return faults + check_rows(rows, COLUMNS)


def _refuse(word: str) -> None:
    """JSON has no NaN and no infinity."""
    raise ValueError(word)


def _name(submission: Submission) -> str:
    planet = file_word(re.sub(r"\s+", "", PLANET_NAME.of(submission) or STAR_NAME.of(submission)))
    return f"AAVSO_{planet}_{start_date(submission)}.txt"


write_exotic = TextFormat(_name, exotic_text, _validate)
EXOTIC = Export(
    "aavso-exotic", "the same in EXOTIC's layout, for Exoplanet Watch", "AAVSO_PLANET_DATE.txt",
    write_exotic, details=(OBSERVER_CODE, SECONDARY_CODES, CAMERA),
    needs=(OBSERVER_CODE, CAMERA, BINNING, FILTER, EXPOSURE), takes=(Extra.COMPARISONS,),
)  # fmt: skip
