"""Every error a user can cause. The command line prints one line for each; anything else is a bug.

Each message says what failed, in which file, the numbers, and what to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

__all__ = [
    "CalibrationError",
    "CatalogError",
    "FitError",
    "FrameError",
    "HeaderError",
    "InputError",
    "LightcurveError",
    "RegistrationError",
    "SolveError",
    "UnsolvedError",
    "WebError",
    "Why",
]


class Why(Enum):
    """What went wrong, where a caller has to tell one cause from another."""

    OTHER = auto()
    UNREADABLE = auto()  # a file
    HEADER = auto()  # what a header says
    SIZE = auto()  # a frame of another size than the others
    CALIBRATION = auto()
    TOO_FEW_STARS = auto()
    NO_MATCH = auto()  # stars that fit no sky and no pattern
    NO_WCS = auto()
    ABSURD_WCS = auto()
    NO_INDEX = auto()  # file for such a frame
    NO_SOLVER = auto()  # on this machine
    NO_SERVER = auto()  # cannot be reached, or has trouble of its own
    BAD_ADDRESS = auto()  # of a server: none, or one that is not safe
    SENT_ON = auto()  # to another, where not everything may go
    NO_KEY = auto()
    ACCESS_REFUSED = auto()
    UPLOAD_REFUSED = auto()
    ELSEWHERE = auto()  # frames of another field than the target's
    LOST = auto()  # a server knows nothing of what it was sent
    NOT_UNDERSTOOD = auto()  # an answer that makes no sense
    TIMED_OUT = auto()
    DIED = auto()  # the process that was at work
    NO_ROOM = auto()  # for a figure, in the size wanted
    NAMED = auto()  # by the user: what is not there, or can be nowhere
    HELD = auto()  # a folder that another process writes into
    NO_MEANS = auto()  # on this machine to place any frame on the sky


# Whichever frames are tried: what was named, and what a solver works with, stay what they are.
OF_ANY_FRAME = frozenset(
    {
        *(Why.NAMED, Why.ELSEWHERE, Why.NO_MEANS, Why.NO_WCS, Why.NO_INDEX, Why.NO_SOLVER),
        *(Why.NO_SERVER, Why.BAD_ADDRESS, Why.SENT_ON, Why.NO_KEY, Why.ACCESS_REFUSED),
    }
)


class LightcurveError(Exception):
    """Base of all errors that a file, a setting or a service can cause.

    Parameters
    ----------
    message : str
        What is wrong and what to try.
    file : str
        Name of the file at fault, which the message as a whole begins with.
    why : Why, optional
        If not that of the class.
    """

    why = Why.OTHER

    def __init__(self, message: str = "", *, file: str = "", why: Why | None = None) -> None:
        self.reason, self.file, self.why = message, file, why or type(self).why
        super().__init__(f"{file}: {message}" if file else message)

    @property
    def of_any_frame(self) -> bool:
        """Whether it would be the same with other frames."""
        return self.why in OF_ANY_FRAME

    def beside(self, *names: str) -> str:
        """Say what is wrong where one of these names of the file stands already."""
        return self.reason if self.file in names else str(self)


class InputError(LightcurveError):
    """A path, an option or a settings file is missing or makes no sense."""


class FrameError(LightcurveError):
    """One FITS file cannot be read or used: what is wrong with it and what to try."""

    why = Why.UNREADABLE

    def __init__(self, path: str | Path, message: str, *, why: Why | None = None) -> None:
        self.path = Path(path)
        super().__init__(message, file=self.path.name, why=why)

    def __reduce__(self) -> tuple:
        # The default rebuilds from the joined message and fails: errors cross process borders.
        return type(self), (self.path, self.reason), vars(self)


class HeaderError(FrameError):
    """A header keyword is missing, unreadable or contradicts another one.

    Parameters
    ----------
    keyword : str
        The keyword or keywords at fault.
    message : str
        What is wrong with it and which option settles it.
    """

    why = Why.HEADER

    def __init__(self, path: str | Path, keyword: str, message: str) -> None:
        self.keyword = keyword
        super().__init__(path, message)

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.keyword, self.reason)


class CalibrationError(LightcurveError):
    """Calibration frames do not fit one another or the science frames."""

    why = Why.CALIBRATION


class SolveError(LightcurveError):
    """No plate solution was found.

    reason : what was tried and what to try next.
    n_detected, n_catalog : stars of the frame, and catalogue or index stars that they were compared
        with; 0 when not known.
    best : best figure of merit reached (log odds, or number of matches); NaN when none.
    remedy : what would help, where that is certain; the reason then need not say it.
    """

    def __init__(
        self,
        reason: str,
        *,
        n_detected: int = 0,
        n_catalog: int = 0,
        best: float = float("nan"),
        why: Why | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason, why=why)
        self.found, self.remedy = reason, remedy
        self.n_detected = n_detected
        self.n_catalog = n_catalog
        self.best = best


class UnsolvedError(SolveError):
    """None of the solvers asked found a plate solution.

    Parameters
    ----------
    causes : mapping of str to SolveError
        Solver to what it says; the reason has them all, and first what would help.
    """

    why = Why.NO_MATCH

    def __init__(self, causes: Mapping[str, SolveError], *, n_detected: int = 0) -> None:
        self.causes = dict(causes)
        found = "; ".join(f"{solver}: {error.found}" for solver, error in causes.items())
        remedy = "; or ".join(dict.fromkeys(e.remedy for e in causes.values() if e.remedy))
        alike = bool(causes) and all(error.of_any_frame for error in causes.values())
        why = Why.NO_MEANS if alike else None
        super().__init__(f"{remedy} ({found})" if remedy else found, n_detected=n_detected, why=why)
        self.found, self.remedy = found, remedy

    def __str__(self) -> str:
        """Say it: that is what a frame is where others have a solution."""
        return f"not solved: {self.reason}"

    def __reduce__(self) -> tuple:
        return type(self), (self.causes,), vars(self)


class RegistrationError(SolveError):
    """A frame's stars do not match the reference pattern."""

    why = Why.NO_MATCH


class CatalogError(LightcurveError):
    """A catalogue or an online service, named as for the user, failed."""

    def __init__(self, service: str, message: str) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service
        self.reason = message

    def __reduce__(self) -> tuple:
        return type(self), (self.service, self.reason)


class WebError(LightcurveError):
    """A server cannot be asked, or its answer cannot be had: the message goes on after its name."""

    why = Why.NO_SERVER


class FitError(LightcurveError):
    """A model could not be fitted to the data."""
