"""Noise from how stars bend against one another: what was put in comes out, of however few."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.curve.bends import measure_excess, neighbours


def field(sigma: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Stars under one sky that wanders, and one that rises and falls by up to 0.3 % a frame."""
    rng = np.random.default_rng(seed)
    flux = 1 + sigma * rng.normal(size=(n, len(sigma)))
    flux[:, 0] *= 1 + 0.03 * np.sin(0.1 * np.arange(n))
    return flux * (0.7 + 0.3 * rng.random((n, 1)))


@pytest.mark.parametrize(
    "sigma", [(0.01, 0.02), (0.01, 0.01, 0.03), tuple(np.linspace(1, 5, 30) / 300)]
)
@pytest.mark.parametrize("shares", ["best", "equal"])
def test_the_noise_put_in_is_found_to_be_as_expected(sigma: tuple[float, ...], shares: str) -> None:
    sigma = np.array(sigma)
    n, found = 60, []
    for seed in range(200):
        flux = field(sigma, n, seed)
        variance = np.broadcast_to(sigma**2, flux.shape)
        share = 1 / variance if shares == "best" else np.ones_like(flux)
        ratio, spread = measure_excess(flux, share, variance, neighbours(np.arange(n)))
        found.append(ratio)
    assert np.mean(found, axis=0) == pytest.approx(1, abs=0.08)
    assert np.mean(found) == pytest.approx(1, abs=0.05)
    if len(sigma) > 10:
        assert np.std(found) == pytest.approx(np.mean(spread), rel=0.15)


def test_two_stars_tell_their_sum_alone() -> None:
    """Both are off by the same factor, whichever of them it is."""
    flux = field(np.array([0.01, 0.03]), 3000, 1)
    variance = np.full(flux.shape, 0.01**2)
    ratio, _ = measure_excess(flux, 1 / variance, variance, neighbours(np.arange(3000)))
    assert ratio == pytest.approx(5, rel=0.1)


def test_a_wild_point_and_a_missing_one_do_not_count() -> None:
    flux = field(np.full(6, 0.01), 200, 2)
    clean = measure_excess(
        flux, np.ones_like(flux), np.full(flux.shape, 1e-4), neighbours(np.arange(200))
    )
    flux[50, 3] *= 2
    flux[90:95, 2] = np.nan
    share = np.isfinite(flux).astype(float)
    share[50, 3] = 0
    spoilt, _ = measure_excess(flux, share, np.full(flux.shape, 1e-4), neighbours(np.arange(200)))
    assert spoilt == pytest.approx(clean[0], rel=0.2)
    alone = np.where(np.arange(6) == 4, flux, np.nan)
    ratio, _ = measure_excess(
        alone, np.isfinite(alone) * 1.0, np.ones_like(flux), neighbours(np.arange(200))
    )
    assert np.isnan(ratio).all()


def test_frames_across_a_gap_are_no_neighbours() -> None:
    time = np.r_[0:10, 40:50].astype(float)
    assert not np.any((neighbours(time)[0] < 10) & (neighbours(time)[2] >= 10))
    assert neighbours(time).shape == (3, 16)
    assert neighbours(time[:2]).shape == (3, 0)
    assert neighbours(np.arange(8000.0)).shape == (3, 1000)
