"""Every error a user can cause. The command line prints one line for each; anything else is a bug.

Each message says what failed, in which file, the numbers, and what to try.
"""

from __future__ import annotations

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
]


class LightcurveError(Exception):
    """Base of all errors that a file, a setting or a service can cause."""


class InputError(LightcurveError):
    """A path, an option or a settings file is missing or makes no sense."""


class FrameError(LightcurveError):
    """One FITS file cannot be read or used: what is wrong with it and what to try."""

    def __init__(self, path: str | Path, message: str) -> None:
        self.path = Path(path)
        self.reason = message
        super().__init__(f"{self.path.name}: {message}")

    def __reduce__(self) -> tuple:
        # The default rebuilds from the joined message and fails: errors cross process borders.
        return type(self), (self.path, self.reason)


class HeaderError(FrameError):
    """A header keyword is missing, unreadable or contradicts another one.

    Parameters
    ----------
    keyword : str
        The keyword or keywords at fault.
    message : str
        What is wrong with it and which option settles it.
    """

    def __init__(self, path: str | Path, keyword: str, message: str) -> None:
        self.keyword = keyword
        super().__init__(path, message)

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.keyword, self.reason)


class CalibrationError(LightcurveError):
    """Calibration frames do not fit one another or the science frames."""


class SolveError(LightcurveError):
    """No plate solution was found.

    Parameters
    ----------
    reason : str
        What was tried and what to try next.
    n_catalog : int
        Catalogue or index stars they were compared with; 0 when not known.
    best : float
        Best figure of merit reached (log odds, or number of matches); NaN when none.
    """

    opening = ""

    def __init__(
        self, reason: str, *, n_detected: int = 0, n_catalog: int = 0, best: float = float("nan")
    ) -> None:
        self.reason = reason
        self.n_detected = n_detected
        self.n_catalog = n_catalog
        self.best = best
        super().__init__(f"{self.opening}{reason}")

    def __reduce__(self) -> tuple:
        return _rebuild_solve_error, (
            type(self),
            self.reason,
            self.n_detected,
            self.n_catalog,
            self.best,
        )


def _rebuild_solve_error(
    kind: type[SolveError], reason: str, n_detected: int, n_catalog: int, best: float
) -> SolveError:
    return kind(reason, n_detected=n_detected, n_catalog=n_catalog, best=best)


class UnsolvedError(SolveError):
    """None of the solvers asked found a plate solution; the reason has each solver's."""

    opening = "not solved: "


class RegistrationError(SolveError):
    """A frame's stars do not match the reference pattern."""


class CatalogError(LightcurveError):
    """A catalogue or an online service, named as for the user, failed."""

    def __init__(self, service: str, message: str) -> None:
        self.service = service
        self.reason = message
        super().__init__(f"{service}: {message}")

    def __reduce__(self) -> tuple:
        return type(self), (self.service, self.reason)


class WebError(LightcurveError):
    """A server cannot be asked, or its answer cannot be had: the message goes on after its name."""


class FitError(LightcurveError):
    """A model could not be fitted to the data."""
