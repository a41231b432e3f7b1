"""Solving by a server from the command line alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

from nova_cases import TARGET
from nova_server import Nova

ROOT = Path(__file__).parents[2]


def start(nova: Nova, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    command += ["--solver", "nova", "--server", nova.url, "--json"]
    environment = {
        **os.environ,
        "ASTROMETRY_NET_API_KEY": nova.key,
        "LIGHTCURVE_CACHE_DIR": str(folder / "cache"),
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def assert_untold(key: str, folder: Path, *said: str) -> None:
    """See that the key is neither in what a command said nor in any file it wrote."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    told = [*said, *(path.read_text("latin-1") for path in written)]
    assert not [text for text in told if key in text]


def test_real_frames_are_solved_by_the_command_line_alone(
    nova: Nova, hatp32: list[Path], tmp_path: Path
) -> None:
    frames = [str(path) for path in hatp32[::70]]
    nova.pending, nova.guarded = 0, True
    out, said = start(nova, tmp_path, "solve", *frames, "--out", str(tmp_path / "out")).communicate(
        timeout=600
    )
    rows = json.loads(out)
    assert [row["status"] for row in rows] == ["solved"] * len(frames), said
    assert {row["solver"] for row in rows} == {"nova"}
    assert all(row["scale_arcsec"] == pytest.approx(5.164, abs=0.005) for row in rows)
    assert all(row["n_matched"] > 20 and row["rms_arcsec"] < 2 for row in rows)
    assert len(nova.asked("login")) == 1
    assert len(list((tmp_path / "out").iterdir())) == len(frames)
    assert_untold(nova.key, tmp_path, out, said)


def test_a_killed_command_goes_on_where_it_was(
    nova: Nova, hatp32: list[Path], tmp_path: Path
) -> None:
    nova.queued = 1_000_000
    first = start(nova, tmp_path, "solve", str(hatp32[5]))
    while not nova.asked("submissions"):
        assert first.poll() is None, first.communicate()
        sleep(0.05)
    first.kill()
    assert_untold(nova.key, tmp_path, *first.communicate())
    nova.queued = nova.pending = nova.solving = 0
    out, said = start(nova, tmp_path, "solve", str(hatp32[5])).communicate(timeout=600)
    assert json.loads(out)[0]["status"] == "solved"
    assert "going on with submission 16030035" in said
    assert len(nova.asked("upload")) == 1
    assert not list((tmp_path / "cache" / "submissions").iterdir())


def test_a_run_uses_it_and_keeps_no_key(nova: Nova, hatp32: list[Path], tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    for path in hatp32[::12]:
        (night / path.name).symlink_to(path)
    place = ["--ra", str(TARGET[0]), "--dec", str(TARGET[1]), "--target", "HAT-P-32"]
    run = start(nova, tmp_path, "run", str(night), *place, "--out", str(tmp_path / "run"))
    out, said = run.communicate(timeout=600)
    assert run.returncode == 0, said
    assert "solved by nova" in said
    assert len(nova.asked("upload")) == 1
    assert_untold(nova.key, tmp_path / "run", out, said)
