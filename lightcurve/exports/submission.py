"""What every file to submit is made from, and the checks that all of them share."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from lightcurve.core.constants import DAY_S, UNIX_ZERO_JD, __version__
from lightcurve.core.data import LightCurve, Planet, TransitFit
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.flags import NO_POINT, count_flags

__all__ = ["STAR_NAME", "Detail", "file_word"]

SOFTWARE = f"lightcurve {__version__}"
JULIAN = (2_400_000.0, 2_500_000.0)  # 1858 to 2132: anything else is another time system
T = TypeVar("T")


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Detail(Generic[T]):
    """Something that an observer may have to say of a night: an option of ``lightcurve export``.

    Attributes
    ----------
    name, flag, help, panel : str
        Of the option.
    default : object
        Where nobody says it.
    ask : str
        What to give where it is missing and cannot be.
    kind : type
        As it is typed.
    read : callable
        Makes the value of what was typed, or of what the run says; raises InputError.
    of_run : callable
        What ``night`` of run.toml says; None or empty for nothing.
    of_observer : str
        The setting of ``[observer]`` that says it where the run does not.
    """

    name: str
    flag: str
    help: str
    default: T
    panel: str = "For all"
    ask: str = ""
    kind: Any = str
    read: Callable[[Any], T] = _as_it_is
    of_run: Callable[[Mapping[str, Any]], Any] = lambda _: None
    of_observer: str = ""

    @property
    def keyword(self) -> str:
        """Its name in Python: ``--observer-code`` is ``observer_code``."""
        return self.flag.removeprefix("--").replace("-", "_")

    def of(self, submission: Submission) -> T:
        """Take its value."""
        value: T = submission.details.get(self.name, self.default)
        return value


class Extra(Enum):
    """What else of a run's products an export can take."""

    COMPARISONS = "the places of the comparison stars"
    BUNDLE = "figures and tables, made or found"


@dataclass(frozen=True, slots=True)
class Export:
    """A format to hand a night in.

    write : writes them into a folder that exists, each after its validator found no fault.
    """

    name: str
    help: str
    files: str  # names of the files it writes, as the documentation shows them
    write: Callable[[Path, Submission], list[Path]]
    details: tuple[Detail[Any], ...] = ()  # those it takes beyond `COMMON`
    needs: tuple[Detail[Any], ...] = ()  # those it cannot do without
    takes: tuple[Extra, ...] = ()


def number_within(flag: str, least: float, most: float) -> Callable[[Any], Any]:
    """Make the check of a number."""

    def read(value: Any) -> Any:
        if not least <= value <= most:
            msg = f"{flag}: {value:g} is not within {least:g} to {most:g}"
            raise InputError(msg)
        return value

    return read


def _binning(value: Any) -> tuple[int, int]:
    """Read ``1x1``, or two numbers."""
    if not isinstance(value, str):
        return int(value[0]), int(value[1])
    found = re.fullmatch(r"(\d+)[xX](\d+)", value)
    if not found:
        msg = f"--binning: {value!r} is not like 1x1"
        raise InputError(msg)
    return int(found[1]), int(found[2])


def _star_of(night: Mapping[str, Any]) -> str:
    """Take the star's name; a planet is named after its star, with a letter."""
    star = re.sub(r"\s+[b-i]$", "", str(night.get("target", "")))
    return star or _planet_of(night)


def _planet_of(night: Mapping[str, Any]) -> str:
    return str(night.get("planet", {}).get("name", ""))


STAR_NAME = Detail("star_name", "--star", "Name of the star.", "", of_run=_star_of)
PLANET_NAME = Detail(
    "planet_name",
    "--planet-name",
    "Name of the planet.",
    "",
    ask="the planet's name",
    of_run=_planet_of,
)
FILTER = Detail(
    "filter",
    "--filter",
    "Filter, where the header was wrong or silent.",
    "",
    ask="the filter",
    of_run=lambda night: night.get("filter"),
)
EXPOSURE = Detail(
    "exposure_s",
    "--exposure",
    "Seconds, where the header was silent.",
    0.0,
    ask="the exposure in seconds",
    kind=float,
    read=number_within("--exposure", 0.001, DAY_S),
    of_run=lambda night: night.get("exposure_s"),
)
BINNING = Detail(
    "binning",
    "--binning",
    "Such as 1x1, where the header was silent.",
    (1, 1),
    ask="the binning, such as 1x1",
    read=_binning,
    of_run=lambda night: night.get("binning"),
)
NOTES = Detail("notes", "--notes", "A remark.", "")
CHECK_MAGNITUDE: Detail[float | None] = Detail(
    "check_magnitude",
    "--check-magnitude",
    "Of the check star in this filter.",
    None,
    panel="AAVSO",
    kind=float,
    read=number_within("--check-magnitude", -30.0, 40.0),
)
COMMON: tuple[Detail[Any], ...] = (STAR_NAME, PLANET_NAME, FILTER, EXPOSURE, BINNING, NOTES)


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """A night to hand in.

    details : by name of a `Detail`, which takes its value out of it.
    comparisons : tuple of (float, float, float, float), right ascension and declination,
        degrees, x and y, pixels, of each comparison star.
    check_magnitude : (n,) float array or None, of the check star in each frame.
    files : products to be bundled, by the name they get: ``"lightcurve.png"``,
        ``"measurements.tbl"``, ``"measurements.apertures"``, ``"field.png"``,
        ``"seeing-profile.png"``.
    """

    light_curve: LightCurve
    details: Mapping[str, Any] = field(default_factory=dict)
    comparisons: tuple[tuple[float, float, float, float], ...] = ()
    fit: TransitFit | None = None
    planet: Planet | None = None  # the priors
    check_name: str = ""
    check_magnitude: np.ndarray | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


def usable_points(submission: Submission) -> np.ndarray:
    """Select the points that are handed in.

    Returns (n,) bool array, finite; used by the fit, or without a fit not flagged as unusable,
    clouded or outlying.
    """
    curve, fit = submission.light_curve, submission.fit
    finite = np.isfinite(curve.flux) & np.isfinite(curve.flux_err) & np.isfinite(curve.jd_utc)
    good = finite & (curve.flags & int(NO_POINT) == 0 if fit is None else fit.used)
    if not good.any():
        star = STAR_NAME.of(submission)
        msg = f"{star}: no usable point to hand in; see the flags in lightcurve.csv"
        raise InputError(msg)
    return good


def points_told(submission: Submission) -> str:
    """Tell how many points are handed in, why the others are not, and which of them have flags.

    Such as ``56 of 60 points; 4 left out (3 cloud, 1 outlier)``. A point with several flags counts
    under the one that bars it.
    """
    good, flags = usable_points(submission), submission.light_curve.flags.astype(int)
    barred = flags & int(NO_POINT)
    told = f"{good.sum()} of {len(good)} points"
    if not good.all():
        reasons = count_flags(np.where(barred, barred, flags)[~good], "not fitted")
        told += f"; {np.sum(~good)} left out ({reasons})"
    flagged = good & (flags != 0)
    if flagged.any():
        told += f"; {flagged.sum()} handed in with a flag ({count_flags(flags[flagged])})"
    return told


def start_time(submission: Submission) -> datetime.datetime:
    """Start of the first exposure handed in, UTC, to the second."""
    mid = float(submission.light_curve.jd_utc[usable_points(submission)].min())
    seconds = round((mid - UNIX_ZERO_JD) * DAY_S - EXPOSURE.of(submission) / 2)
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)


def start_date(submission: Submission) -> str:
    """Date of the first exposure handed in, UTC, as file names have it: ``2020-03-01``."""
    return start_time(submission).strftime("%Y-%m-%d")


def write_valid(path: Path, text: str, validate: Callable[[str], list[str]]) -> Path:
    """Write a file only when its validator finds nothing wrong.

    validate: returns a list of faults.
    """
    faults = validate(text)
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        msg = f"{path.name}: not written, it would be refused: {'; '.join(faults[:3])}{more}"
        raise InputError(msg)
    return write_text(path, text)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format of one text file; called with a folder and a submission it writes the file."""

    name: Callable[[Submission], str]  # Submission to file name
    text: Callable[[Submission], str]  # Submission to content
    validate: Callable[[str], list[str]]  # content to a list of faults, empty when it will do

    def __call__(self, folder: Path, submission: Submission) -> list[Path]:
        """Write the file into a folder that exists; its path, as a list of one."""
        path = folder / self.name(submission)
        return [write_valid(path, self.text(submission), self.validate)]


def check_rows(rows: list[list[str]], names: tuple[str, ...]) -> list[str]:
    """Check data lines: so many finite numbers each, times in range and ascending.

    rows: cells; the first is the time, a Julian date, the second a flux, the third its error.
    names: of the columns. Returns the faults.
    """
    faults = [] if rows else ["no data"]
    before = -math.inf
    for number, row in enumerate(rows, start=1):
        values = [_number(cell) for cell in row]
        if len(row) != len(names):
            faults.append(f"data line {number}: {len(row)} values for {len(names)} columns")
        elif not all(map(math.isfinite, values)):
            name = names[next(k for k, v in enumerate(values) if not math.isfinite(v))]
            faults.append(f"data line {number}: {name} is no number")
        elif not JULIAN[0] < values[0] < JULIAN[1]:
            faults.append(f"data line {number}: {names[0]} {row[0]} is out of range")
        elif values[0] < before:
            faults.append(f"data line {number}: earlier than the line before")
        elif values[2] <= 0:
            faults.append(f"data line {number}: {names[2]} {row[2]} is not positive")
        before = max(before, values[0]) if values and math.isfinite(values[0]) else before
    return faults


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def file_word(text: str) -> str:
    """Make a word for a file name: letters, digits, ``+``, ``-`` and ``.`` only.

    ``"unknown"`` where nothing is left.
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "+-.") else "-" for c in text.strip())
    return kept.strip("-.") or "unknown"
