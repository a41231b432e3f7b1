"""The field's own noise: gain and floor as they were put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.curve.noise import FieldNoise, measure_field_noise, with_noise
from sim_cube import CubeTruth, cube_times, simulate_cube


def night(gain: float, floor: float, seed: int, *, n_stars: int = 120, n_frames: int = 150):
    """Simulate fluxes in ADU of a camera of this gain, with a floor in every star by itself."""
    truth = CubeTruth(n_stars=n_stars, target_electrons=1e5)
    rng = np.random.default_rng(seed)
    cube = simulate_cube(np.ones(n_frames), truth, rng)
    assert len(cube_times(n_frames, truth)) == n_frames
    own = 1 + floor * rng.normal(size=(n_frames, n_stars, 1))
    return replace(
        cube,
        flux=cube.flux * own / gain,
        flux_err=cube.flux_err / gain,
        star_sky=cube.star_sky / gain,
        star_sky_std=cube.star_sky_std / gain,
        peak=cube.peak / gain,
    )


@pytest.mark.parametrize(("gain", "floor"), [(1.5, 0.002), (12.0, 0.004)])
def test_gain_and_floor_are_found(gain: float, floor: float) -> None:
    found = [measure_field_noise(night(gain, floor, seed)) for seed in range(6)]
    pulls = [(one.gain_e_per_adu - gain) / one.gain_err for one in found]
    assert abs(np.mean(pulls)) < 1.5
    assert np.mean([one.gain_e_per_adu for one in found]) == pytest.approx(gain, rel=0.1)
    assert np.mean([one.floor for one in found]) == pytest.approx(floor, rel=0.15)


def test_a_known_gain_is_kept() -> None:
    found = measure_field_noise(night(1.5, 0.003, 1), gain_e_per_adu=1.5)
    assert (found.gain_e_per_adu, found.gain_err) == (1.5, 0.0)
    assert found.floor == pytest.approx(0.003, rel=0.25)


def test_too_few_stars_tell_nothing() -> None:
    assert measure_field_noise(night(1.5, 0.002, 2, n_stars=6)) is None
    assert measure_field_noise(night(1.5, 0.002, 2, n_frames=10)) is None


def test_errors_follow_the_noise() -> None:
    """Photons of another gain and the floor, added in squares."""
    cube = night(2.0, 0.0, 3)
    noisy = with_noise(cube, FieldNoise(4.0, 0.1, 0.01, 50), assumed_gain=2.0)
    flux = np.maximum(cube.flux, 0)
    expected = cube.flux_err**2 + flux * (1 / 4 - 1 / 2) + (0.01 * flux) ** 2
    np.testing.assert_allclose(noisy.flux_err**2, np.maximum(expected, 0), rtol=1e-6)
