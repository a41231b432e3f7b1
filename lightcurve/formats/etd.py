"""A light curve for ETD (VarAstro): geocentric JD (UTC) at mid-exposure, "in flux".

On its site choose geocentric JD and "in flux".
"""

from __future__ import annotations

from lightcurve.formats.hops_style import hops_name, hops_text, validate_three_columns
from lightcurve.formats.submission import Submission, TextFormat

FIXED = {
    "Time format": "JD_UTC (geocentric)",
    "Time stamp": "Mid-exposure",
    "Flux format": "Flux (in flux)",
}


def etd_text(submission: Submission) -> str:
    """Lay out the file for ETD.

    Parameters
    ----------
    submission : Submission

    Returns
    -------
    str
    """
    return hops_text(submission, FIXED, submission.light_curve.jd_utc)


def validate_etd(text: str) -> list[str]:
    """Check a file for ETD.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        Faults; empty when it will do.
    """
    return validate_three_columns(text, FIXED)


write_etd = TextFormat(lambda s: hops_name(s, "ETD"), etd_text, validate_etd)
