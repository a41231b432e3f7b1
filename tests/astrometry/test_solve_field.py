"""Solving with ``solve-field``: one made for the tests, and the real one where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.chain import solve
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.solve_field import solve_with_program
from lightcurve.core.data import Detections
from lightcurve.core.errors import SolveError
from lightcurve.core.settings import SolveSettings
from lightcurve.phot.detect import detect

pytest.importorskip("astrometry")
TARGET = (31.042825, 46.687836)
PATH = os.environ["TEST_PATH_OF_USER"]
INSTALLED = shutil.which("solve-field", path=PATH)
BOTH = ["ours", "installed"] if INSTALLED else ["ours"]


@pytest.fixture
def program(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Put a solve-field on the PATH, and nothing else unless it needs more."""
    if getattr(request, "param", "ours") == "installed":
        monkeypatch.setenv("PATH", PATH)
        return Path(INSTALLED)
    folder = tmp_path / "a folder"
    folder.mkdir()
    script = Path(__file__).parents[1] / "support" / "solve_field_program.py"
    file = folder / "solve-field"
    # The space in the name of the folder must do no harm; "#!" would not take one.
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return file


@pytest.fixture
def index(shared_data: Path) -> Path:
    return shared_data / "index-tycho2-hatp32.fits"


@pytest.fixture
def settings(index: Path) -> SolveSettings:
    return SolveSettings(solvers=("solve-field",), index=(index,), timeout_s=30)


@pytest.fixture(scope="module")
def frame(hatp32: list[Path]) -> SolveRequest:
    pixels, header = fits.getdata(hatp32[0], header=True)
    stars = detect(pixels.astype(np.float32), saturation_adu=4095)
    return SolveRequest(stars, pixels.shape, header, hatp32[0], *TARGET, 5.21)


def failure(request: SolveRequest, settings: SolveSettings) -> str:
    with pytest.raises(SolveError) as caught:
        solve_with_program(request, settings)
    return str(caught.value)


@pytest.mark.parametrize("program", BOTH, indirect=True)
def test_a_real_frame_is_solved(
    program: Path, frame: SolveRequest, settings: SolveSettings
) -> None:
    solution = solve_with_program(frame, settings)
    assert solution.solver == "solve-field"
    assert solution.n_matched > 30
    assert solution.rms_arcsec < 2
    assert solution.scale_arcsec == pytest.approx(5.164, abs=0.005)
    x, y = solution.wcs.all_world2pix(*TARGET, 0)
    # Known from another solver and AstroImageJ's centroid.
    assert np.hypot(x - 422.96, y - 286.1) < 0.25


@pytest.mark.parametrize("program", BOTH, indirect=True)
def test_parity_is_told_as_it_is_meant(
    program: Path, frame: SolveRequest, settings: SolveSettings
) -> None:
    # These frames are mirrored: their first row is the top one.
    assert solve_with_program(frame, settings.model_copy(update={"parity": "mirrored"})).parity < 0
    y = frame.shape[0] - 1 - frame.stars.y
    flipped = replace(frame, stars=replace(frame.stars, y=y))
    assert solve_with_program(flipped, settings.model_copy(update={"parity": "sky"})).parity > 0


@pytest.mark.parametrize("program", BOTH, indirect=True)
def test_stars_of_no_sky_do_not_solve(
    program: Path, frame: SolveRequest, settings: SolveSettings
) -> None:
    rng = np.random.default_rng(3)
    one = np.ones(30)
    stars = Detections(rng.uniform(0, 650, 30), rng.uniform(0, 500, 30), one, one, one, 0.0, 1.0)
    reason = failure(replace(frame, stars=stars), settings)
    assert "no match of 30 stars" in reason
    assert "it says: Did not solve" in reason


def test_what_the_program_is_told(
    program: Path,
    frame: SolveRequest,
    settings: SolveSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says = tmp_path / "says.txt"
    monkeypatch.setenv("SOLVE_FIELD_SAYS", str(says))
    monkeypatch.setenv("SOLVE_FIELD_DOES", "fail")
    failure(replace(frame, dec_deg=-46.5), settings)
    told = says.read_text().splitlines()
    assert {"--ra=31.042825", "--dec=-46.5", "--radius=5.0", "--width=650"} <= set(told)
    assert any(option.startswith("--scale-low=3.3") for option in told)
    assert not any(option.startswith("--parity") for option in told)
    failure(replace(frame, ra_deg=None, scale_arcsec=None), settings)
    told = says.read_text()
    assert "--ra" not in told
    assert "--scale" not in told
    # Nothing is left behind.
    folder = next(line for line in told.splitlines() if line.startswith("--dir="))
    assert not Path(folder.removeprefix("--dir=")).exists()


def test_without_index_files_here_its_own_matches_serve(
    program: Path, frame: SolveRequest, settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lightcurve.astrometry.other_programs.known_stars", lambda *_: np.empty((0, 2))
    )
    solution = solve_with_program(frame, settings)
    assert solution.n_matched > 30
    assert "checked with the stars that it matched" in solution.detail


def test_no_program_is_said_and_the_chain_goes_on(
    frame: SolveRequest, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    settings = SolveSettings(solvers=("solve-field", "local"), index=(index,))
    assert "no solve-field on the PATH" in failure(frame, settings)
    assert solve(frame, settings).solver == "local"


def test_a_program_that_fails(
    program: Path, frame: SolveRequest, settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLVE_FIELD_DOES", "fail")
    reason = failure(frame, settings)
    assert reason == "it failed with status 3: segmentation fault, core dumped"
    monkeypatch.setenv("SOLVE_FIELD_DOES", "garbage")
    assert "its WCS cannot be read" in failure(frame, settings)
    program.write_text("no program")
    assert "cannot be run" in failure(frame, settings)


def test_too_few_stars(program: Path, frame: SolveRequest, settings: SolveSettings) -> None:
    one = np.ones(3)
    stars = Detections(one, one, one, one, one, 0.0, 1.0)
    assert "3 stars, 4 are needed" in failure(replace(frame, stars=stars), settings)


def test_time_is_limited_for_all_that_it_starts(
    program: Path,
    frame: SolveRequest,
    settings: SolveSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = tmp_path / "child.pid"
    monkeypatch.setenv("SOLVE_FIELD_DOES", "hang")
    monkeypatch.setenv("SOLVE_FIELD_CHILD", str(child))
    wait = subprocess.Popen.wait

    def wait_when_all_runs(process: subprocess.Popen, timeout: float | None = None) -> int:
        while not (child.is_file() and child.read_text()):
            sleep(0.05)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait_when_all_runs)
    assert "time is up" in failure(frame, settings.model_copy(update={"timeout_s": 0.1}))
    started = [int(pid) for pid in child.read_text().split()]
    _until(lambda: not any(map(_runs, started)))
    assert not any(map(_runs, started))


def test_it_dies_with_the_process_that_runs_it(program: Path, tmp_path: Path) -> None:
    child = tmp_path / "child.pid"
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from lightcurve.astrometry.other_programs import run_program\n"
        f"run_program([{str(program)!r}, '-b', 'x', 'y'], Path({str(tmp_path)!r}), 600.0)\n"
    )
    told = {"SOLVE_FIELD_DOES": "hang", "SOLVE_FIELD_CHILD": str(child)}
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, **told, "PYTHONPATH": root}
    )
    _until(lambda: child.is_file() and child.read_text() != "")
    started = [int(pid) for pid in child.read_text().split()]
    assert all(map(_runs, started))
    parent.kill()
    parent.wait()
    _until(lambda: not any(map(_runs, started)))
    assert not any(map(_runs, started))


def _until(done: Callable[[], bool]) -> None:
    for _ in range(1200):
        if done():
            return
        sleep(0.05)


def _runs(pid: int) -> bool:
    """Tell whether a process is there and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc").is_dir()
