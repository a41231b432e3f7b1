"""What one part of the program tells another: values with their sources, notes, verdicts."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Assumed:
    """A value that results rest on: given, read, measured or taken for want of a better one.

    Attributes
    ----------
    value : float, str, tuple of float or None
        None where it is not known.
    unit : str
        Of the number or numbers, as in ``"e-/ADU"`` or ``"deg, deg, m"``; empty for words.
    source : str
        Such as ``"header GAIN"``, ``"setting apertures.radii"``.
    text : str
        The value as people are shown it, with its unit.
    err : float or None
        Of a value that was measured.
    guessed : bool
        Nothing tells it: whoever reads the results should know.
    """

    name: str
    value: float | str | tuple[float, ...] | None
    unit: str
    source: str
    text: str
    err: float | None = None
    guessed: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.text}, {self.source}"

    @property
    def row(self) -> tuple[str, str, str]:
        """Name, text and source: a row of a table for people."""
        return self.name, self.text, self.source

    @property
    def record(self) -> dict[str, Any]:
        """Name, value, unit and source, for programs; the error where there is one."""
        told = {"name": self.name, "value": self.value, "unit": self.unit, "source": self.source}
        return told if self.err is None else {**told, "err": self.err}


@dataclass(frozen=True, slots=True)
class Result:
    """What came out, for programs; with a label also for people.

    Attributes
    ----------
    value : float, str, sequence or None
        To full precision; None where it is not known.
    unit : str
        Of the number or numbers; empty for words and counts.
    label : str
        Empty where people read the value in the text of another.
    text : str
        As people are shown it, where that is not the value as it stands.
    lower, upper : float or None
        16 and 84 %, or one sigma either way.
    """

    value: float | str | Sequence[float] | Sequence[str] | None
    unit: str = ""
    label: str = ""
    text: str = ""
    lower: float | None = None
    upper: float | None = None

    @property
    def record(self) -> dict[str, Any]:
        """Value and unit, for programs; limits where there are such."""
        more = {"lower": self.lower, "upper": self.upper}
        told = {name: number for name, number in more.items() if number is not None}
        return {"value": self.value, "unit": self.unit, **told}


def label_results(results: Mapping[str, Result]) -> dict[str, Any]:
    """Lay results out for people: labels and what is shown beside them."""
    return {r.label: r.text or r.value for r in results.values() if r.label}


class Severity(Enum):
    """How much a note matters; the value is the level of the log."""

    INFO = logging.INFO
    WARNING = logging.WARNING


class About(Enum):
    """What a note is about, where something hangs on it."""

    ANYTHING = "anything"
    DIP = "a dip where no ephemeris asks for one"
    TIMING = "a transit at another time than predicted"
    DILUTION = "light of other stars in the aperture"
    COARSE_TIMES = "times cut to few decimals"
    NOT_JULIAN = "times that are no Julian dates"
    TRUST = "what transits put into the night's own noise say"
    TWO_COLUMNS = "columns of one name that differ"


@dataclass(frozen=True, slots=True)
class Note:
    """A remark for the user.

    Attributes
    ----------
    subject : str
        The one thing it is about, such as a column or a kind of frame; empty where there is none.
    results : mapping of str to Result
        The numbers in its text, where a program may want them.
    """

    text: str
    severity: Severity = Severity.INFO
    about: About = About.ANYTHING
    subject: str = ""
    results: Mapping[str, Result] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """Say it."""
        return self.text


class Finding(Enum):
    """What a fit can say of a transit."""

    TRANSIT = "transit"
    PARTIAL = "partial transit"
    ELSEWHERE = "transit at another time"
    NONE = "no transit"
    INCONCLUSIVE = "inconclusive"
    NOT_OBSERVED = "not observed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a light curve shows of the transit that was looked for.

    Attributes
    ----------
    depth_sigma : float or None
        Depth over its error of a dip that was seen, whether or not it could be called a transit;
        None where none was seen, or a file does not tell.
    """

    finding: Finding
    reason: str = ""
    depth_sigma: float | None = None

    @classmethod
    def read(cls, text: str) -> Verdict:
        """Read back what `str` gave; a `ValueError` for words of another kind."""
        finding, _, reason = text.partition(": ")
        return cls(Finding(finding), reason)

    def __str__(self) -> str:
        """Say it: the finding, a colon, the reason."""
        return f"{self.finding.value}: {self.reason}" if self.reason else self.finding.value

    @property
    def found(self) -> bool:
        """Whether there is a transit, whole or in part: else nothing is drawn or told of one."""
        return self.finding in {Finding.TRANSIT, Finding.PARTIAL, Finding.ELSEWHERE}

    @property
    def results(self) -> dict[str, Result]:
        """Its parts for programs, and all of it in words."""
        return {
            "verdict": Result(self.finding.value, "", "verdict", str(self)),
            "verdict_reason": Result(self.reason),
            "depth_over_error": Result(self.depth_sigma),
        }


class Trouble(Enum):
    """What a check star does that its errors do not allow."""

    SCATTER = "it scatters more than its errors"
    TREND = "it drifts over the night"
    EXCURSION = "it leaves its level for a while"


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """How the check star behaves, whose light nothing was chosen by; numbers are relative fluxes.

    Attributes
    ----------
    star : str or None
        Its name; None where there is none, and `reason` says why.
    points : int
        In which it is measured.
    scatter, expected : float
        Of single points about a straight line, and what their errors foretell: both of a point with
        the median error.
    trend, trend_err : float
        Change over the whole night by that line, slow noise in its error.
    excursion, excursion_err : float
        Largest mean of neighbouring points off the line, with its sign.
    by_place : float
        Largest change by its drift over the chip, as the comparison stars show it, which was taken
        off before; NaN where they show none.
    """

    star: str | None
    reason: str = ""
    points: int = 0
    scatter: float = float("nan")
    expected: float = float("nan")
    trend: float = float("nan")
    trend_err: float = float("nan")
    excursion: float = float("nan")
    excursion_err: float = float("nan")
    troubles: tuple[Trouble, ...] = ()
    by_place: float = float("nan")

    def __str__(self) -> str:
        if self.star is None:
            return f"none: {self.reason}"
        if self.reason:
            return f"{self.star}: {self.reason}"
        numbers = (
            f"scatter {100 * self.scatter:.2f} % ({100 * self.expected:.2f} by its errors), trend "
            f"{100 * self.trend:+.2f} +- {100 * self.trend_err:.2f} %, largest excursion "
            f"{100 * self.excursion:+.2f} +- {100 * self.excursion_err:.2f} %"
        )
        found = (
            "; ".join(trouble.value for trouble in self.troubles)
            or "no more than its errors and the drift of the field allow"
        )
        if math.isfinite(self.by_place):
            numbers += (
                f"; taken off: {100 * self.by_place:.2f} % by its drift over the chip, as the "
                "comparison stars show it"
            )
        return f"{self.star}: {found}: {numbers}"

    @property
    def results(self) -> dict[str, Result]:
        """Its numbers in per cent, for programs, and all of it in words."""

        def percent(value: float, error: float = math.nan) -> Result:
            if not math.isfinite(value):
                return Result(None, "%")
            known = math.isfinite(error)
            lower, upper = 100 * (value - error), 100 * (value + error)
            return Result(
                100 * value, "%", lower=lower if known else None, upper=upper if known else None
            )

        return {
            "check_star": Result(self.star, "", "check star", str(self)),
            "check_troubles": Result([trouble.name.lower() for trouble in self.troubles]),
            "check_scatter_percent": percent(self.scatter),
            "check_expected_percent": percent(self.expected),
            "check_trend_percent": percent(self.trend, self.trend_err),
            "check_excursion_percent": percent(self.excursion, self.excursion_err),
            "check_by_place_percent": percent(self.by_place),
        }
