"""The text layout that ExoClock and ETD take: seven header lines, three columns, tabs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from lightcurve.formats.submission import (
    Submission,
    check_rows,
    file_word,
    start_date,
    usable_points,
)

COLUMNS = "#Time\tFlux\tFlux uncertainty"
KEYS = (
    "Planet",
    "Time format",
    "Time stamp",
    "Flux format",
    "Filter",
    "Exposure time in seconds",
)


def planet_word(name: str) -> str:
    """Write a planet's name as these services do: ``"HAT-P-32b"``.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return re.sub(r"\s+([b-z])$", r"\1", " ".join(name.split()))


def hops_text(submission: Submission, fixed: Mapping[str, str], time: np.ndarray) -> str:
    """Lay out the file.

    Parameters
    ----------
    submission : Submission
    fixed : mapping of str to str
        Header values that are fixed by the service.
    time : (n,) float array
        Of all points, as the service wants it.

    Returns
    -------
    str
        Numbers have ten decimals.
    """
    curve, good = submission.light_curve, usable_points(submission)
    header = {
        **fixed,
        "Planet": planet_word(submission.planet_name),
        "Filter": submission.filter,
        "Exposure time in seconds": f"{submission.exposure_s:g}",
    }
    lines = [f"#{key}: {header[key]}" for key in KEYS]
    lines.append(COLUMNS)
    columns = (time[good], curve.flux[good], curve.flux_err[good])
    lines += ["\t".join(f"{v:.10f}" for v in row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def hops_name(submission: Submission, service: str) -> str:
    """Name the file: date, planet, filter, exposure and service.

    Parameters
    ----------
    submission : Submission
    service : str

    Returns
    -------
    str
    """
    s = submission
    words = (start_date(s), planet_word(s.planet_name), s.filter)
    return "_".join([*map(file_word, words), f"{s.exposure_s:g}s_for_{service}.txt"])


def validate_three_columns(text: str, expected: Mapping[str, str]) -> list[str]:
    """Check the layout.

    Parameters
    ----------
    text : str
    expected : mapping of str to str
        Header values that are fixed by the service.

    Returns
    -------
    list of str
        Faults; empty when it will do.
    """
    lines = text.splitlines()
    odd = [] if text.isascii() else ["holds characters that are not ASCII: see planet and filter"]
    header = [line for line in lines if line.startswith("#")]
    faults = odd + ([] if lines[: len(header)] == header else ["the header must come first"])
    if [line[1:].split(":")[0] for line in header[:-1]] != list(KEYS) or header[-1:] != [COLUMNS]:
        faults.append(f"the header must have the lines {', '.join(KEYS)} and the column names")
    values = dict(line[1:].split(": ", 1) for line in header[:-1] if ": " in line)
    faults += [
        f"{key} is {values.get(key)!r}, it must be {value!r}"
        for key, value in expected.items()
        if values.get(key) != value
    ]
    faults += [f"{key} is empty" for key in KEYS if not values.get(key, "").strip()]
    try:
        if not 0 < float(values.get("Exposure time in seconds", "nan")) < 86400:
            faults.append("the exposure time must be positive")
    except ValueError:
        faults.append("the exposure time is no number")
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    names = ("Time", "Flux", "Flux uncertainty")
    return faults + check_rows(rows, names)
