"""Errors keep their causes, also across processes, and name their file where it is not said."""

from __future__ import annotations

import pickle

import pytest

from lightcurve.core.errors import (
    CatalogError,
    FrameError,
    HeaderError,
    InputError,
    LightcurveError,
    RegistrationError,
    SolveError,
    UnsolvedError,
    WebError,
    Why,
)

FEW = SolveError("3 stars", n_detected=3, n_catalog=7, best=2.0, why=Why.TOO_FEW_STARS)
ERRORS = [
    InputError("is missing", file="a.csv"),
    FrameError("night/a.fits", "is small", why=Why.SIZE),
    HeaderError("night/a.fits", "EXPTIME", "no exposure"),
    FEW,
    RegistrationError("no match", n_detected=3),
    UnsolvedError({"local": FEW, "nova": SolveError("no key", why=Why.NO_KEY)}, n_detected=3),
    CatalogError("Gaia", "is down"),
    WebError("does not answer", why=Why.TIMED_OUT),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_crosses_processes_whole(error: LightcurveError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert (str(again), again.reason, again.file, again.why) == (
        str(error), error.reason, error.file, error.why,
    )  # fmt: skip
    for name in ("n_detected", "n_catalog", "best", "keyword", "path", "service"):
        assert getattr(again, name, None) == pytest.approx(getattr(error, name, None), nan_ok=True)


def test_the_cause_of_each_solver_is_kept() -> None:
    causes = ERRORS[5].causes
    assert {solver: error.why for solver, error in causes.items()} == {
        "local": Why.TOO_FEW_STARS,
        "nova": Why.NO_KEY,
    }


def test_what_would_help_stands_before_the_reasons_of_all_solvers() -> None:
    none = SolveError("no index", why=Why.NO_INDEX, remedy="give --index")
    error = UnsolvedError({"header": SolveError("no WCS", why=Why.NO_WCS), "local": none})
    assert (error.found, error.remedy) == ("header: no WCS; local: no index", "give --index")
    assert error.reason.index(error.remedy) < error.reason.index(error.found)
    assert str(none) == "no index: give --index"


@pytest.mark.parametrize(
    ("causes", "alike"),
    [
        ((Why.NO_WCS, Why.NO_INDEX, Why.NO_SOLVER), True),
        ((Why.NO_WCS, Why.NO_KEY), True),
        ((Why.NO_WCS, Why.NO_MATCH), False),
        ((Why.ABSURD_WCS, Why.NO_INDEX), False),
        ((Why.TOO_FEW_STARS,), False),
        ((), False),
    ],
)
def test_what_no_other_frame_would_mend(causes: tuple[Why, ...], alike: bool) -> None:
    error = UnsolvedError({why.name: SolveError("x", why=why) for why in causes})
    assert error.of_any_frame is alike


def test_a_file_that_is_named_already_is_not_named_again() -> None:
    error = FrameError("night/a.fits", "is small")
    assert error.beside("a.fits") == "is small"
    assert error.beside("b.fits") == str(error) == "a.fits: is small"
    assert InputError("no file in it").beside("") == "no file in it"
