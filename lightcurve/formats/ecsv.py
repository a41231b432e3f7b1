"""The light curve as ECSV: read by astropy and lightkurve as it is, by others as a CSV.

https://github.com/astropy/astropy-APEs/blob/main/APE6.rst
"""

from __future__ import annotations

import numpy as np

from lightcurve.formats.submission import (
    SOFTWARE,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    start_date,
    usable_points,
)

UNITS = {"time": "d", "x": "pix", "y": "pix", "fwhm": "pix", "sky": "adu"}
FIRST = ("time", "flux", "flux_err")


def ecsv_text(submission: Submission) -> str:
    """Lay out the light curve as ECSV.

    Parameters
    ----------
    submission : Submission

    Returns
    -------
    str
        Columns ``time`` (BJD_TDB), ``flux``, ``flux_err``, the covariates and, with a fit,
        ``detrended_flux`` and ``model``.
    """
    curve, good, fit = submission.light_curve, usable_points(submission), submission.fit
    columns = {"time": curve.bjd_tdb, "flux": curve.flux, "flux_err": curve.flux_err}
    if fit is not None:
        columns |= {"detrended_flux": curve.flux / fit.trend, "model": fit.model}
    columns |= {
        name: values
        for name, values in curve.covariates.items()
        if name != "time" and np.isfinite(values[good]).all()
    }
    lines = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
    for name in columns:
        unit = f"unit: {UNITS[name]}, " if name in UNITS else ""
        lines.append(f"# - {{name: {name}, {unit}datatype: float64}}")
    meta = {
        "star": submission.star_name,
        "planet": submission.planet_name,
        "filter": submission.filter,
        "time_format": "jd",
        "time_scale": "tdb",
        "software": SOFTWARE,
    }
    lines.append("# meta:")
    lines += [f"#   {key}: {_quoted(value)}" for key, value in meta.items()]
    lines.append("# schema: astropy-2.0")
    lines.append(",".join(columns))
    rows = zip(*(values[good] for values in columns.values()), strict=True)
    lines += [",".join(repr(float(value)) for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Quote a word for YAML: whatever it holds, it stays a word on one line."""
    return "'" + " ".join(str(text).split()).replace("'", "''") + "'"


def _validate(text: str) -> list[str]:
    lines = text.splitlines()
    faults = [] if lines[:2] == ["# %ECSV 1.0", "# ---"] else ["the first line must be # %ECSV 1.0"]
    body = [line.split(",") for line in lines if not line.startswith("#")]
    names = tuple(body[0]) if body else ()
    if names[:3] != FIRST:
        faults.append("the first columns must be time, flux, flux_err")
    return faults + check_rows(body[1:], names)


def _name(submission: Submission) -> str:
    star = file_word(submission.planet_name or submission.star_name)
    return f"{star}_{start_date(submission)}_lightcurve.ecsv"


write_ecsv = TextFormat(_name, ecsv_text, _validate)
