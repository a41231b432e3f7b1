"""Frames of one field are placed on the sky by the stars of one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.register import make_reference
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import tangent_wcs
from lightcurve.core.data import Detections, Solution
from lightcurve.core.settings import SolveSettings
from lightcurve.image.locate import Sighted, _by_the_sight

SHAPE = 500, 650
WCS = tangent_wcs(np.array([30.0, 40.0]), np.array([325.0, 250.0]), np.diag([-1, 1]) / 720)
TURN = np.radians(170.0)
MATRIX = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])


def detected(xy: np.ndarray) -> Detections:
    flux = np.linspace(9000, 100, len(xy))
    return Detections(*xy.T, flux, flux, np.full(len(xy), 3.0), sky=0.0, sky_rms=1.0)


def request(xy: np.ndarray, shape: tuple[int, int] = SHAPE) -> SolveRequest:
    return SolveRequest(detected(xy), shape, fits.Header(), Path("b.fits"))


@pytest.fixture
def stars() -> np.ndarray:
    return np.random.default_rng(5).uniform(0, (650, 500), (60, 2))


@pytest.fixture
def like(stars: np.ndarray) -> Sighted:
    pattern = make_reference(*stars.T, np.linspace(9000, 100, 60), SHAPE)
    return Sighted("a.fits", pattern, Solution(WCS, "local", 50, 0.5, 5.0, 0.0, 1, ""))


def test_a_frame_turned_over_and_shifted_lies_where_its_stars_are(stars, like) -> None:
    moved = (stars - (325, 250)) @ MATRIX.T + (310, 270)
    here = ((moved > 0) & (moved < (650, 500))).all(axis=1)
    found = _by_the_sight(request(moved[here]), SolveSettings(), like)
    assert found is not None
    assert found.n_matched == here.sum()
    there = found.wcs.all_pix2world(moved, 0)
    np.testing.assert_allclose(there, WCS.all_pix2world(stars, 0), atol=1e-6)


def test_other_stars_and_other_frames_are_left_to_the_solvers(stars, like) -> None:
    strangers = np.random.default_rng(6).uniform(0, (650, 500), (60, 2))
    assert _by_the_sight(request(strangers), SolveSettings(), like) is None
    assert _by_the_sight(request(stars, (500, 651)), SolveSettings(), like) is None
