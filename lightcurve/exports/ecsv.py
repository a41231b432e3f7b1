"""The light curve as ECSV: read by astropy and lightkurve as it is, by others as a CSV.

https://github.com/astropy/astropy-APEs/blob/main/APE6.rst
"""

from __future__ import annotations

import io

import numpy as np
from astropy.table import Table

from lightcurve.core.covariates import COVARIATES
from lightcurve.core.quantities import QUANTITIES
from lightcurve.core.table_text import joined
from lightcurve.exports.submission import (
    FILTER,
    PLANET_NAME,
    SOFTWARE,
    STAR_NAME,
    Export,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    start_date,
    usable_points,
)

FIRST = ("time", "flux", "flux_err")


def ecsv_text(submission: Submission) -> str:
    """Lay out the light curve as ECSV.

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
    table = Table(
        {name: values[good] for name, values in columns.items()},
        units={name: unit for name in columns if (unit := _unit(name))},
        meta={
            "star": joined(STAR_NAME.of(submission)),
            "planet": joined(PLANET_NAME.of(submission)),
            "filter": joined(FILTER.of(submission)),
            **({} if fit is None else {"verdict": str(fit.verdict)}),
            "time_format": "jd",
            "time_scale": "tdb",
            "software": SOFTWARE,
        },
    )
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter=",")
    return text.getvalue()


def _unit(column: str) -> str:
    """Tell the unit of a covariate that is a quantity of frames as it is; empty for none."""
    covariate = COVARIATES.entries.get(column)
    if covariate is None or (covariate.compute is not None and column != "time"):
        return ""
    quantity = QUANTITIES.entries.get(covariate.needs[0])
    return quantity.unit if quantity else ""


def _validate(text: str) -> list[str]:
    lines = text.splitlines()
    faults = [] if lines[:2] == ["# %ECSV 1.0", "# ---"] else ["the first line must be # %ECSV 1.0"]
    body = [line.split(",") for line in lines if not line.startswith("#")]
    names = tuple(body[0]) if body else ()
    if names[:3] != FIRST:
        faults.append("the first columns must be time, flux, flux_err")
    return faults + check_rows(body[1:], names)


def _name(submission: Submission) -> str:
    star = file_word(PLANET_NAME.of(submission) or STAR_NAME.of(submission))
    return f"{star}_{start_date(submission)}_lightcurve.ecsv"


write_ecsv = TextFormat(_name, ecsv_text, _validate)
ECSV = Export(
    "ecsv", "for lightkurve, juliet, allesfitter", "PLANET_DATE_lightcurve.ecsv", write_ecsv
)
