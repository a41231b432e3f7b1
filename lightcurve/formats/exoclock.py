"""A light curve for ExoClock: JD (UTC) of the start of each exposure, relative flux, error."""

from __future__ import annotations

from pathlib import Path

from lightcurve.formats.hops_style import planet_word, three_columns, validate_three_columns
from lightcurve.formats.submission import (
    Submission,
    file_word,
    start_time,
    usable_points,
    write_valid,
)

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
    curve, good = submission.light_curve, usable_points(submission)
    header = {
        **FIXED,
        "Planet": planet_word(submission.planet_name),
        "Filter": submission.filter,
        "Exposure time in seconds": f"{submission.exposure_s:g}",
    }
    start = curve.jd_utc[good] - submission.exposure_s / 86400 / 2
    return three_columns(header, start, curve.flux[good], curve.flux_err[good])


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


def write_exoclock(folder: Path, submission: Submission) -> list[Path]:
    """Write the file for ExoClock.

    Parameters
    ----------
    folder : Path
    submission : Submission

    Returns
    -------
    list of Path
    """
    s = submission
    words = (start_time(s).strftime("%Y-%m-%d"), planet_word(s.planet_name), s.filter)
    name = "_".join([*map(file_word, words), f"{s.exposure_s:g}s_for_ExoClock.txt"])
    return [write_valid(folder / name, exoclock_text(s), validate_exoclock)]
