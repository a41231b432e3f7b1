"""Clipped peaks are told by their own light: soft, hard, of one star, or in some frames only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Measurements, StarRole
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.candidates import pick_candidates
from lightcurve.curve.saturation import mark_saturated, pile_up
from sim_cube import CubeTruth, simulate_cube

FULL = 58_000.0


def _cube(bright: dict[int, float], *, seeing=(2.2, 3.3), n=60, seed=1, clip=None) -> Measurements:
    """A night in which stars have peaks that follow flux, seeing and their place on the pixels.

    bright: predicted peaks, ADU, of single stars in median seeing. clip: what the camera makes of
    a peak above the sky.
    """
    rng = np.random.default_rng(seed)
    cube = simulate_cube(np.ones(n), CubeTruth(n_stars=25), rng)
    fwhm = np.linspace(*seeing, n)[rng.permutation(n)]
    usual = np.median(cube.flux[:, :, 3], axis=0)
    share = 0.88 / fwhm[:, None] ** 2 * np.exp(rng.normal(0, 0.05, usual.size * n)).reshape(n, -1)
    wanted = 8e3 * 10 ** rng.uniform(-0.6, 0.6, usual.size)
    wanted[list(bright)] = list(bright.values())
    factor = wanted / (usual * 0.88 / np.median(fwhm) ** 2)
    height = cube.flux[:, :, 3] * factor * share
    height = np.maximum(clip(height), 0) if clip else height
    return replace(
        cube,
        fwhm_px=fwhm,
        flux=cube.flux * factor[:, None],
        flux_err=cube.flux_err * factor[:, None],
        peak=np.repeat((height + cube.star_sky)[:, :, None], len(cube.radii), axis=2),
    )


def _soft(height: np.ndarray) -> np.ndarray:
    """A well that fills up: straight to 55,000 ADU, 61,000 at the most."""
    bend = 55_000 + 6_000 * np.tanh((height - 55_000) / 12_000)
    return np.where(height < 55_000, height, bend)


def _flagged(cube: Measurements) -> np.ndarray:
    """Share of the frames in which each star is saturated."""
    return ((cube.flags[:, :, 3] & Flag.SATURATED) != 0).mean(axis=0)


def test_a_soft_plateau_of_two_stars_is_saturation_and_nothing_else_is():
    marked, level = mark_saturated(_cube({5: 95_000.0, 9: 130_000.0}, clip=_soft))
    assert 52_000 < level < 61_500
    share = _flagged(marked)
    assert share[[5, 9]].min() > 0.8
    assert np.delete(share, [5, 9]).max() == 0


def test_one_star_clipped_at_any_level_is_enough():
    marked, level = mark_saturated(_cube({7: 110_000.0}, clip=lambda h: np.minimum(h, FULL)))
    assert level == pytest.approx(FULL, rel=0.01)
    assert _flagged(marked)[7] > 0.9


def test_only_the_frames_that_clip_are_flagged():
    """Sharp frames reach the ceiling, soft ones do not."""
    cube = _cube({7: 60_000.0}, seeing=(2.0, 4.0), clip=lambda h: np.minimum(h, FULL))
    clipped = cube.peak[:, 7, 3] >= FULL
    assert 0.2 < clipped.mean() < 0.8
    marked, _ = mark_saturated(cube)
    flagged = (marked.flags[:, 7, 3] & Flag.SATURATED) != 0
    assert (flagged & clipped).sum() > 0.9 * clipped.sum()
    assert (flagged & ~clipped).sum() <= 2


@pytest.mark.parametrize("seed", range(6))
def test_a_bright_star_below_the_ceiling_is_left_alone(seed):
    for seeing in ((2.2, 3.3), (2.6, 2.7)):
        cube = _cube({5: 55_000.0, 9: 50_000.0}, seed=seed, seeing=seeing)
        assert mark_saturated(cube)[1] is None


def test_an_equal_double_is_not_saturated():
    """Its peak holds less of its light, and grows less with the seeing: by an exponent of 0.6."""

    def doubled(height: np.ndarray) -> np.ndarray:
        height = height.copy()
        height[:, 5] = (
            0.6 * np.median(height[:, 5]) * (height[:, 5] / np.median(height[:, 5])) ** 0.6
        )
        return height

    assert mark_saturated(_cube({5: 60_000.0}, clip=doubled))[1] is None


def test_a_clipped_comparison_star_is_called_saturated_and_not_variable():
    cube = _cube({5: 95_000.0, 9: 130_000.0}, clip=_soft)
    lost = np.clip(_cube({5: 95_000.0, 9: 130_000.0}).peak - cube.peak, 0, None)
    cube = replace(cube, flux=cube.flux - 3 * lost)
    marked, _ = mark_saturated(cube)
    roles = pick_candidates(marked, make_settings({}).stars).roles
    for row in (5, 9):
        role, reason = roles[row]
        assert role == StarRole.FIELD
        assert "saturated" in reason
        assert "varies" not in reason


def test_many_equal_peaks_at_the_top_are_a_pile_up_and_those_of_noise_are_none():
    rng = np.random.default_rng(3)
    peak = rng.normal(3000, 400, (100, 8))
    assert pile_up(peak) is None
    assert pile_up(np.minimum(peak, 3300)) == 3300
    assert pile_up(np.rint(rng.normal(33, 0.6, (8000, 3)))) is None
    assert pile_up(np.full((5, 5), np.nan)) is None


def test_both_marks_are_of_one_judge():
    """Three bright stars alone tell no plateau, and stand at the top all night."""
    cube = _cube({})
    peak = cube.peak.copy()
    peak[:, [4, 8, 11]] = 4095.0
    peak[:, [k for k in range(25) if k not in {4, 8, 11}]] /= 10
    marked, level = mark_saturated(replace(cube, peak=peak))
    assert level == 4095
    assert set(np.flatnonzero(_flagged(marked) == 1)) == {4, 8, 11}
    assert pick_candidates(marked, make_settings({}).stars).saturation_adu == level
