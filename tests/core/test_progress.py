"""What a run tells while it goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lightcurve.core.progress import open_log


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
