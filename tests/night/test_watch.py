"""A folder that fills while it is watched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.night.watch import watch_folder
from sim import tiny_night


def test_each_settled_change_is_one_pass(tmp_path: Path) -> None:
    """A frame written in two looks is not touched in between; an error waits for the next frame."""
    counts, clock = [], []

    def sleep(seconds: float) -> None:
        clock.append(seconds)
        turn = len(clock)
        if turn == 1:
            (tmp_path / "a.fits").write_bytes(b"half")
        elif turn == 2:
            (tmp_path / "a.fits").write_bytes(b"a whole one")
        elif turn == 5:
            (tmp_path / "b.fits").write_bytes(b"b")
        elif turn == 6:
            (tmp_path / "notes.txt").write_text("not a frame")

    def reduce() -> str:
        counts.append((len(clock), len(list(tmp_path.glob("*.fits")))))
        if len(counts) == 1:
            msg = "too few frames"
            raise InputError(msg)
        return "products"

    passes = list(watch_folder(tmp_path, reduce, poll_s=10, idle_s=45, sleep=sleep))
    assert counts == [(3, 1), (6, 2)]
    assert passes == ["products"]
    assert sum(clock) < 130


def test_a_night_that_grows(tmp_path: Path) -> None:
    """The last pass gives what one run over the whole night gives."""
    lights, _ = tiny_night(
        tmp_path / "all", n_frames=18, shape=(300, 330), n_stars=40, header_wcs=True
    )
    folder = tmp_path / "live"
    folder.mkdir()
    where = ["--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]
    for path in lights[:12]:
        shutil.copyfile(path, folder / path.name)
    watch = ["watch", str(folder), *where, "--every", "0.1", "--idle", "0.002"]
    run = ["run", str(tmp_path / "all"), *where, "--out", str(tmp_path / "whole")]
    for _ in range(2):
        result = CliRunner().invoke(
            app, [*watch, "--out", str(tmp_path / "out")], catch_exceptions=False
        )
        assert result.exit_code == 0
        assert "frames measured" in result.stdout
        for path in lights[12:]:
            shutil.copyfile(path, folder / path.name)
    assert CliRunner().invoke(app, run, catch_exceptions=False).exit_code == 0
    for name in ("lightcurve.csv", "measurements.csv"):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_no_folder_to_watch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        next(watch_folder(tmp_path / "none", lambda: None))
