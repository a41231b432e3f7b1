"""What a run tells while it goes on."""

from __future__ import annotations

import logging
import pickle
import warnings
from pathlib import Path

import pytest

from lightcurve.core.errors import FrameError
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import keep_messages, open_log, tell


def test_a_name_of_a_file_says_nothing_of_its_own_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to a terminal that shows the log, nor as a line that the run never said."""
    # The log of the run alone: a command that ran before has its messages shown on the terminal,
    # and pytest keeps a record of them, which has to be UTF-8.
    logger = logging.getLogger("lightcurve")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)
    with open_log(tmp_path):
        for name in (
            "\x1b]0;a\x07b.fits",
            "a\n2030-01-01 INFO all is well.fits",
            "\udcff\x9b.fits",
        ):
            logging.getLogger("lightcurve.night").warning("%s: no image", name)
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 5, "one of the start, one a message, and the end of the last"
    assert all(line.isprintable() for line in lines)
    assert capfd.readouterr().err == ""


def test_what_another_process_kept_is_told_as_if_it_were_said_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what belongs into the log alone: a traceback, and what libraries warn of."""

    def fail(name: str) -> None:
        logging.getLogger("lightcurve.image").info("%s: seen", name)
        with guard_frame(Path(name)):
            warnings.warn("of no use", UserWarning, stacklevel=1)
            msg = "odd"
            raise ZeroDivisionError(msg)

    with warnings.catch_warnings(), keep_messages() as messages:
        warnings.simplefilter("default")
        with pytest.raises(FrameError, match=r"run\.log says where"):
            fail("a.fits")
    sent = pickle.loads(pickle.dumps(messages))  # noqa: S301
    caplog.clear()
    with open_log(tmp_path):
        tell(sent)
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()[1:]
    told = [line.split(" ", 2)[2] for line in lines]
    assert told[:3] == [
        "INFO a.fits: seen",
        "WARNING UserWarning: of no use",
        "ERROR Traceback (most recent call last):",
    ]
    assert told[-1] == "ERROR ZeroDivisionError: odd"
    shown = [record.getMessage() for record in caplog.records]
    assert "a.fits: seen" in shown
    assert "of no use" not in "".join(shown)
