"""A light curve for ExoClock: JD (UTC) of the start of each exposure, relative flux, error."""

from __future__ import annotations

from lightcurve.formats.hops_style import hops_name, hops_text, validate_three_columns
from lightcurve.formats.submission import Submission, TextFormat

FIXED = {"Time format": "JD_UTC", "Time stamp": "Exposure start", "Flux format": "Flux"}


def exoclock_text(submission: Submission) -> str:
    """Lay out the file for ExoClock.

    Parameters
    ----------
    submission : Submission

    Returns
    -------
    str
        The flux is not detrended: ExoClock does that itself.
    """
    start = submission.light_curve.jd_utc - submission.exposure_s / 86400 / 2
    return hops_text(submission, FIXED, start)


def validate_exoclock(text: str) -> list[str]:
    """Check a file for ExoClock.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        Faults; empty when it will do.
    """
    return validate_three_columns(text, FIXED)


write_exoclock = TextFormat(lambda s: hops_name(s, "ExoClock"), exoclock_text, validate_exoclock)
