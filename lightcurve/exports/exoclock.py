"""The files for ExoClock and ETD (VarAstro): seven header lines, three columns, tabs.

Flux is not detrended: both services do that themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.exports.submission import (
    EXPOSURE,
    FILTER,
    PLANET_NAME,
    Export,
    Submission,
    TextFormat,
    check_rows,
    file_word,
    start_date,
    usable_points,
)

COLUMNS = "#Time\tFlux\tFlux uncertainty"
KEYS = (
    "Planet", "Time format", "Time stamp", "Flux format", "Filter", "Exposure time in seconds",
)  # fmt: skip


def _planet_word(name: str) -> str:
    """Write a planet's name as these services do: ``"HAT-P-32b"``."""
    return re.sub(r"\s+([b-z])$", r"\1", " ".join(name.split()))


def _text(submission: Submission, fixed: Mapping[str, str], time: np.ndarray) -> str:
    """Lay out the file; `time` of all points, days."""
    curve, good = submission.light_curve, usable_points(submission)
    header = {
        **fixed,
        "Planet": _planet_word(PLANET_NAME.of(submission)),
        "Filter": FILTER.of(submission),
        "Exposure time in seconds": f"{EXPOSURE.of(submission):g}",
    }
    lines = [f"#{key}: {header[key]}" for key in KEYS]
    lines.append(COLUMNS)
    columns = (time[good], curve.flux[good], curve.flux_err[good])
    lines += ["\t".join(f"{v:.10f}" for v in row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _name(submission: Submission, service: str) -> str:
    """Name the file: date, planet, filter, exposure and service."""
    s = submission
    words = (start_date(s), _planet_word(PLANET_NAME.of(s)), FILTER.of(s))
    return "_".join([*map(file_word, words), f"{EXPOSURE.of(s):g}s_for_{service}.txt"])


def _validate(text: str, expected: Mapping[str, str]) -> list[str]:
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
        if not 0 < float(values.get("Exposure time in seconds", "nan")) < DAY_S:
            faults.append("the exposure time must be positive")
    except ValueError:
        faults.append("the exposure time is no number")
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    names = ("Time", "Flux", "Flux uncertainty")
    return faults + check_rows(rows, names)


def _service(name: str, fixed: Mapping[str, str], *, back: float = 0.0) -> TextFormat:
    """Make a format; its times are mid-exposure less this many exposures."""
    return TextFormat(
        lambda s: _name(s, name),
        lambda s: _text(s, fixed, s.light_curve.jd_utc - back * EXPOSURE.of(s) / DAY_S),
        lambda text: _validate(text, fixed),
    )


write_exoclock = _service(
    "ExoClock",
    {"Time format": "JD_UTC", "Time stamp": "Exposure start", "Flux format": "Flux"},
    back=0.5,
)

# On its site choose geocentric JD and "in flux".
write_etd = _service(
    "ETD",
    {
        "Time format": "JD_UTC (geocentric)",
        "Time stamp": "Mid-exposure",
        "Flux format": "Flux (in flux)",
    },
)

EXOCLOCK = Export(
    "exoclock",
    "JD (UTC) of the start of each exposure",
    "DATE_PLANET_FILTER_EXPOSURE_for_ExoClock.txt",
    write_exoclock,
    needs=(PLANET_NAME, FILTER, EXPOSURE),
)

ETD = Export(
    "etd", "ETD, VarAstro: geocentric JD (UTC) at mid-exposure",
    "DATE_PLANET_FILTER_EXPOSURE_for_ETD.txt", write_etd, needs=(PLANET_NAME, FILTER, EXPOSURE),
)  # fmt: skip
