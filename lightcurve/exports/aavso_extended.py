"""The AAVSO extended format (v1.2) for variable stars.

https://www.aavso.org/aavso-extended-file-format
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.exports.aavso import CAMERA, CODES, OBSERVER_CODE, filter_code, obstype, plain
from lightcurve.exports.submission import (
    CHECK_MAGNITUDE,
    FILTER,
    SOFTWARE,
    STAR_NAME,
    Detail,
    Export,
    Submission,
    TextFormat,
    check_rows,
    number_within,
    start_date,
    usable_points,
    write_valid,
)

__all__ = ["Observations", "write_observations"]

EXTENDED_COLUMNS = {
    "NAME": 30, "DATE": 16, "MAG": 8, "MERR": 6, "FILT": 5, "TRANS": 3, "MTYPE": 3, "CNAME": 20,
    "CMAG": 8, "KNAME": 20, "KMAG": 8, "AMASS": 7, "GROUP": 5, "CHART": 20, "NOTES": 100,
}  # fmt: skip
MAGNITUDE: Detail[float | None] = Detail(
    "target_magnitude", "--magnitude", "Of the star, out of transit, in this filter.", None,
    panel="AAVSO", ask="the star's magnitude in this filter", kind=float,
    read=number_within("--magnitude", -30.0, 40.0),
)  # fmt: skip
CHART = Detail("chart", "--chart", "Chart or sequence.", "na", panel="AAVSO")
EXTENDED_KEYS = ("TYPE", "OBSCODE", "SOFTWARE", "DELIM", "DATE", "OBSTYPE")


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Magnitudes to hand in.

    Attributes
    ----------
    star, observer_code, obstype, filter, chart, check, notes : str
        As the format has them: the filter a code of the AAVSO, empty where there is none.
    transformed : bool
        Whether they are on the standard system by colour terms.
    jd_utc, magnitude, error, airmass, check_magnitude : (n,) float arrays
        Airmass and the check star's magnitude may be NaN.
    """

    star: str
    observer_code: str
    obstype: str
    filter: str
    transformed: bool
    jd_utc: np.ndarray
    magnitude: np.ndarray
    error: np.ndarray
    airmass: np.ndarray
    check: str
    check_magnitude: np.ndarray
    chart: str = ""
    notes: str = ""


def lay_out(s: Observations) -> str:
    """Lay out magnitudes by an ensemble as the extended format; s: the `Observations`."""
    header = {
        "TYPE": "EXTENDED",
        "OBSCODE": s.observer_code.upper(),
        "SOFTWARE": SOFTWARE,
        "DELIM": ",",
        "DATE": "JD",
        "OBSTYPE": s.obstype,
    }
    lines = [f"#{key}={value}" for key, value in header.items()]
    lines.append("#" + ",".join(EXTENDED_COLUMNS))
    fixed = [s.filter, "YES" if s.transformed else "NO", "STD", "ENSEMBLE", "na"]
    for k, jd in enumerate(s.jd_utc):
        known = np.isfinite(s.check_magnitude[k])
        checked = [_cell(s.check), f"{s.check_magnitude[k]:.4f}"] if known else ["na", "na"]
        air = f"{s.airmass[k]:.5f}" if np.isfinite(s.airmass[k]) else "na"
        row = [_cell(s.star), f"{jd:.5f}", f"{s.magnitude[k]:.5f}", f"{s.error[k]:.4f}", *fixed]
        lines.append(",".join([*row, *checked, air, "na", _cell(s.chart), _cell(s.notes)]))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Make one cell of a text: commas part them."""
    return plain(text).replace(",", ";") or "na"


def extended_text(submission: Submission) -> str:
    """Lay out a file of the AAVSO extended format, ensemble photometry.

    submission: with `target_magnitude`.
    """
    s, curve, good = submission, submission.light_curve, usable_points(submission)
    target = MAGNITUDE.of(s)
    if target is None:
        msg = (
            f"{STAR_NAME.of(s)}: the AAVSO extended format needs magnitudes; "
            "give the star's magnitude in this filter"
        )
        raise InputError(msg)
    nothing = np.full(len(good), np.nan)
    return lay_out(
        Observations(
            star=STAR_NAME.of(s),
            observer_code=OBSERVER_CODE.of(s),
            obstype=obstype(s),
            filter=filter_code(FILTER.of(s)),
            transformed=False,
            jd_utc=curve.jd_utc[good],
            magnitude=target - 2.5 * np.log10(curve.flux[good]),
            error=2.5 / np.log(10) * curve.flux_err[good] / curve.flux[good],
            airmass=curve.covariates.get("airmass", nothing)[good],
            check=s.check_name,
            check_magnitude=(nothing if s.check_magnitude is None else s.check_magnitude)[good],
            chart=CHART.of(s),
        )
    )


def write_observations(path: Path, observations: Observations) -> Path:
    """Write magnitudes as the extended format.

    path: of the file. Raises InputError where it would be refused.
    """
    return write_valid(path, lay_out(observations), _validate)


def _validate(text: str) -> list[str]:
    faults = [] if text.isascii() else ["holds characters that are not ASCII"]
    lines = text.splitlines()
    header = dict(re.findall(r"^#([A-Z]+)=(.*?)\r?$", text, flags=re.MULTILINE))
    faults += [f"#{key}= is missing" for key in EXTENDED_KEYS if key not in header]
    if not re.fullmatch(r"[A-Z0-9]{1,5}", header.get("OBSCODE", "")):
        faults.append(f"OBSCODE is {header.get('OBSCODE', '')!r}: give your AAVSO observer code")
    if any(not line.strip() for line in lines):
        faults.append("blank lines are not allowed")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(EXTENDED_COLUMNS):
            faults.append(f"data line {number}: {len(row)} fields instead of 15")
            continue
        for (name, limit), cell in zip(EXTENDED_COLUMNS.items(), row, strict=True):
            if not cell or len(cell) > limit:
                faults.append(
                    f"data line {number}: {name} {cell!r} has not 1 to {limit} characters"
                )
        if row[4] not in CODES:
            faults.append(f"data line {number}: {row[4]!r} is no filter code")
    numbers = [[row[1], row[2], row[3]] for row in rows if len(row) == len(EXTENDED_COLUMNS)]
    return faults + check_rows(numbers, ("DATE", "MAG", "MERR"))


def _name(submission: Submission) -> str:
    star = re.sub(r"[^A-Za-z0-9+-]+", "-", STAR_NAME.of(submission))
    return f"AID_AAVSO_{star}_{start_date(submission)}.txt"


write_extended = TextFormat(_name, extended_text, _validate)
EXTENDED = Export(
    "aavso-extended",
    "AAVSO extended format for variable stars, in magnitudes",
    "AID_AAVSO_STAR_DATE.txt",
    write_extended,
    details=(OBSERVER_CODE, CAMERA, MAGNITUDE, CHECK_MAGNITUDE, CHART),
    needs=(OBSERVER_CODE, CAMERA, FILTER, MAGNITUDE),
)
