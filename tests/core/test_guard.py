"""A mistake of the program costs what it happens at, is told in a line, and its traceback kept."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from lightcurve.core.errors import FrameError, InputError, Why
from lightcurve.core.guard import guard, guard_frame, reason_of
from lightcurve.core.progress import open_log


def test_a_mistake_is_the_frames_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    with open_log(tmp_path), pytest.raises(FrameError) as caught, guard_frame(Path("a/x.fits")):
        _ = 1 // 0
    assert caught.value.file == "x.fits"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "\n" not in str(caught.value)
    log = (tmp_path / "run.log").read_text()
    assert "Traceback" in log
    assert "test_guard.py" in log


def test_without_a_log_it_is_kept_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError) as caught, guard(InputError):
        _ = {}[1]
    (kept,) = tmp_path.iterdir()
    assert str(kept) in str(caught.value)
    assert "KeyError" in kept.read_text()


def test_errors_of_ours_go_on_as_they_are() -> None:
    error = FrameError("y.fits", "is empty", why=Why.SIZE)
    with pytest.raises(FrameError) as caught, guard_frame(Path("x.fits")):
        raise error
    assert caught.value is error
    assert reason_of(error, "y.fits") == "is empty"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()], ids=type)
def test_what_the_machine_lacks_is_no_mistake(error: Exception, tmp_path: Path) -> None:
    with open_log(tmp_path), pytest.raises(FrameError), guard_frame(Path("x.fits")):
        raise error
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_warnings_of_libraries_go_into_the_log_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with open_log(tmp_path), guard_frame(Path("x.fits")):
            warnings.warn("divide by zero", RuntimeWarning, stacklevel=1)
    assert "divide by zero" in (tmp_path / "run.log").read_text()
    assert "divide by zero" not in "".join(capfd.readouterr())
