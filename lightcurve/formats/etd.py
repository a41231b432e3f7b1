"""A light curve for ETD (VarAstro): geocentric JD (UTC) at mid-exposure, "in flux"."""

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
    curve, good = submission.light_curve, usable_points(submission)
    header = {
        **FIXED,
        "Planet": planet_word(submission.planet_name),
        "Filter": submission.filter,
        "Exposure time in seconds": f"{submission.exposure_s:g}",
    }
    return three_columns(header, curve.jd_utc[good], curve.flux[good], curve.flux_err[good])


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


def write_etd(folder: Path, submission: Submission) -> list[Path]:
    """Write the file for ETD; on its site choose geocentric JD and "in flux".

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
    name = "_".join([*map(file_word, words), f"{s.exposure_s:g}s_for_ETD.txt"])
    return [write_valid(folder / name, etd_text(s), validate_etd)]
