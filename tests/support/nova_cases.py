"""What the tests of solving by a server share."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry import nova as nova_solver
from lightcurve.astrometry import solving_server
from lightcurve.astrometry.nova import solve_nova
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core import http
from lightcurve.core.data import Detections, Solution
from lightcurve.core.errors import SolveError
from lightcurve.core.settings import SolveSettings
from lightcurve.phot.detect import detect

if TYPE_CHECKING:
    from nova_server import Nova

TARGET = (31.042825, 46.687836)


def wait_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server on this machine more often than a real one, in a session of its own."""
    monkeypatch.setattr(nova_solver, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(nova_solver, "LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    nova_solver._server.cache_clear()


@lru_cache
def request_of(path: Path) -> SolveRequest:
    pixels, header = fits.getdata(path, header=True)
    stars = detect(pixels.astype(np.float32), saturation_adu=4095)
    return SolveRequest(stars, pixels.shape, header, path, *TARGET, 5.21)


def random_stars(n: int) -> Detections:
    rng = np.random.default_rng(3)
    one = np.ones(n)
    return Detections(rng.uniform(0, 650, n), rng.uniform(0, 500, n), one, one, one, 0.0, 1.0)


def assert_right(solution: Solution) -> None:
    """Compare with a place known from another solver and AstroImageJ's centroid."""
    assert solution.solver == "nova"
    assert solution.n_matched > 30
    assert solution.rms_arcsec < 2
    x, y = solution.wcs.all_world2pix(*TARGET, 0)
    assert np.hypot(x - 422.96, y - 286.1) < 0.25


def failure(request: SolveRequest, settings: SolveSettings) -> SolveError:
    with pytest.raises(SolveError) as caught:
        solve_nova(request, settings)
    return caught.value


# Fixtures, for the tests to import: each is known by its short name.


@pytest.fixture(name="_quick", autouse=True)
def quick_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_little(monkeypatch)


@pytest.fixture(name="counted_time")
def counted_time_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by waiting alone: limits are then of so many questions, on any machine."""
    waited = [0.0]

    def now() -> float:
        return waited[0]

    def wait(seconds: float) -> None:
        waited[0] += seconds

    for module in (nova_solver, solving_server, http):
        monkeypatch.setattr(module, "monotonic", now)
    for module in (nova_solver, http):
        monkeypatch.setattr(module, "sleep", wait)
    monkeypatch.setattr(http, "LEAST_S", 30.0)


@pytest.fixture(name="key")
def key_fixture(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", nova.key)
    return nova.key


@pytest.fixture(name="frame")
def frame_fixture(hatp32: list[Path], tmp_path: Path) -> SolveRequest:
    return replace(request_of(hatp32[0]), state_file=tmp_path / "kept" / "submission.json")


@pytest.fixture(name="settings")
def settings_fixture(nova: Nova) -> SolveSettings:
    return SolveSettings(solvers=("nova",), server=nova.url, timeout_s=30)
