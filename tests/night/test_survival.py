"""A run may be killed at any moment, find its disk full, or be started twice: nothing is lost."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from operator import eq
from pathlib import Path

import pytest

from killed import DEC, NIGHT, RA, SETTINGS, digests, reduce_until
from lightcurve.core.settings import Settings
from lightcurve.night.store import NAME
from sim import tiny_night
from undrawn import reduce_night

# Each side of every kind of write, in the order of a run; `after` one is much as `before` the next.
MOMENTS = (
    *("before frames.csv", "after frames.csv", "before master_dark.fits", "after master_dark.fits"),
    *("before made_of.txt", "before light_0001.fits", "after light_0001.fits"),
    *("before light_0020.fits", "before stars.csv", "before night.bin", "after night.bin"),
    *("before lightcurve.csv", "after lightcurve.csv", "before comparisons.csv"),
    *("before report.html", "before run.toml", "after run.toml"),
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """A folder of small raw and calibration frames, and the settings to reduce it with."""
    folder = tmp_path_factory.mktemp("night")
    tiny_night(folder, **NIGHT)
    return folder, SETTINGS


@pytest.fixture(scope="module")
def undisturbed(night, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed")
    reduce_night(*night, out)
    return digests(out)


def test_kills_each_side_of_every_kind_of_write_change_nothing(
    night, undisturbed, tmp_path: Path
) -> None:
    """SIGKILL ever later, each run going on where the last was killed, and one to its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lightcurve.night.story", "unittest.mock"])
    out = tmp_path / "run"
    for moment in (*MOMENTS, "never"):
        run = context.Process(target=reduce_until, args=(partial(eq, moment), *night, out))
        run.start()
        run.join()
        assert run.exitcode == (0 if moment == "never" else -signal.SIGKILL), moment
    assert digests(out) == undisturbed
    assert not list(out.glob(".*.part"))


def command(night: tuple[Path, Settings], out: Path) -> list[str]:
    return [
        sys.executable, "-m", "lightcurve", "run", str(night[0]), "--target", "Tiny-1",
        "--ra", str(RA), "--dec", str(DEC), "--out", str(out),
    ]  # fmt: skip


def one_line(result: subprocess.CompletedProcess) -> str:
    """Make sure that a run ended with one line and a status; give the line."""
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("lightcurve: ")
    assert "Traceback" not in result.stderr
    return last


def test_a_full_disk_costs_nothing_that_was_done(night, undisturbed, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    result = subprocess.run(
        command(night, tmp_path / "run"), capture_output=True, text=True, preexec_fn=limited,
        check=False,
    )  # fmt: skip
    line = one_line(result)
    assert "goes on from there" in line or "cannot be written" in line
    reduce_night(*night, tmp_path / "run")
    assert digests(tmp_path / "run") == undisturbed


def test_the_same_folder_twice_at_once(night, undisturbed, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    out = tmp_path / "run"
    first = context.Process(target=reduce_night, args=(*night, out))
    first.start()
    while first.is_alive() and not (out / NAME).exists():
        time.sleep(0.01)
    second = subprocess.run(command(night, out), capture_output=True, text=True, check=False)
    first.join()
    assert first.exitcode == 0
    if second.returncode:  # the first may have ended before the second began
        assert "another run" in one_line(second)
    assert digests(out) == undisturbed


def test_a_place_that_cannot_be_written(night, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", Path("/proc/lightcurve")):
        result = subprocess.run(command(night, place), capture_output=True, text=True, check=False)
        assert "choose another --out" in one_line(result)


def test_a_frame_still_being_written(night, undisturbed, tmp_path: Path) -> None:
    """Half a file is a row with a reason; when it is whole the run ends as any other."""
    folder, settings = tmp_path / "night", night[1]
    shutil.copytree(night[0], folder)
    late = folder / "light_0010.fits"
    whole = late.read_bytes()
    late.write_bytes(whole[: len(whole) // 2])
    reduce_night(folder, settings, tmp_path / "run")
    rows = (tmp_path / "run" / "frames.csv").read_text().splitlines()
    assert sum("cut short" in row for row in rows) == 1
    late.write_bytes(whole)
    reduce_night(folder, settings, tmp_path / "run")
    assert digests(tmp_path / "run") == undisturbed
