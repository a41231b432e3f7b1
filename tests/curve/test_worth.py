"""The choice by what the curve is worth, held against the known truth and a plain script."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Measurements, Trouble
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.ensemble import build_ensemble
from lightcurve.curve.worth import ask, is_quieter, measure_wander
from sim_cube import CubeTruth, simulate_cube

DEFAULT = make_settings({})
N = 120
INSIDE = np.abs(np.arange(N) - 60) < 25
BASELINE = np.column_stack([np.ones(N), np.linspace(-1, 1, N)])
TIME = np.arange(N) * 120 / 86400


def _night(seed: int, **truth) -> Measurements:
    flux = np.where(INSIDE, 0.99, 1.0)
    return simulate_cube(flux, CubeTruth(**truth), np.random.default_rng(seed))


def _without(cube: Measurements, frames: np.ndarray, stars: list[int]) -> Measurements:
    """Take stars out of frames, at every aperture."""
    flux, flags = cube.flux.copy(), cube.flags.copy()
    for row in stars:
        flux[frames, row], flags[frames, row] = np.nan, Flag.NOT_MEASURED
    return replace(cube, flux=flux, flags=flags)


def _plain_script(cube: Measurements) -> np.ndarray:
    """Sum the ten brightest stars, at the radius that is quietest out of transit."""
    brightest = 1 + np.argsort(-cube.plan.flux_ref[1:])[:10]
    best, curve = np.inf, np.empty(0)
    for k in range(len(cube.radii)):
        ratio = cube.flux[:, 0, k] / cube.flux[:, brightest, k].sum(axis=1)
        ratio /= np.median(ratio[~INSIDE])
        line = np.linalg.lstsq(BASELINE[~INSIDE], ratio[~INSIDE], rcond=None)[0]
        scatter = np.std((ratio - BASELINE @ line)[~INSIDE])
        if scatter < best:
            best, curve = scatter, ratio
    return curve


def _error(flux: np.ndarray) -> float:
    """Rms of a curve about the truth and a baseline."""
    off = flux / np.where(INSIDE, 0.99, 1.0)
    return float(np.std(off - BASELINE @ np.linalg.lstsq(BASELINE, off, rcond=None)[0]))


@pytest.mark.parametrize(
    "truth", [{}, {"target_electrons": 3e4, "sky_electrons": 200.0}], ids=["bright", "faint"]
)
def test_a_plain_script_is_not_quieter(truth):
    ours, plain = [], []
    for seed in range(8):
        cube = _night(seed, **truth)
        curve = choose_curve(cube, DEFAULT, in_transit=INSIDE, dip=INSIDE.astype(float))
        ours.append(_error(curve.flux))
        plain.append(_error(_plain_script(cube)))
    assert np.mean(ours) <= 1.02 * np.mean(plain)


@pytest.mark.parametrize("planet", [False, True])
def test_no_frame_is_lost_while_there_is_another_comparison_star(planet):
    """One star is far better than all others, and missing in a third of the night."""
    cube, gone = _night(3, n_stars=24), np.arange(80, N)
    flux, error = cube.flux.copy(), cube.flux_err.copy()
    rng = np.random.default_rng(1)
    flux[:, 2:] *= 1 + 0.02 * rng.normal(size=(N, 22, 1))
    best = cube.flux[:, [0]] * 50 / np.where(INSIDE, 0.99, 1.0)[:, None, None]
    flux[:, [1]] = best
    error[:, [1]] = best * 1e-4
    cube = _without(replace(cube, flux=flux, flux_err=error), gone, [1])
    asked = {"in_transit": INSIDE, "dip": INSIDE.astype(float)} if planet else {}
    curve = choose_curve(cube, DEFAULT, **asked)
    assert np.isfinite(curve.flux).all()
    assert not (curve.flags & int(Flag.CLOUD | Flag.NO_COMPARISON)).any()
    assert 1 in curve.recipe.comparison_rows


def test_stars_that_leave_serve_the_frames_that_no_other_covers():
    cube = _without(_night(4, n_stars=12), np.arange(30, N), [1, 2, 3])
    cube = _without(cube, np.arange(20), list(range(4, 12)))
    curve = choose_curve(cube, DEFAULT)
    assert np.isfinite(curve.flux).all()
    assert {1, 2, 3} & set(curve.recipe.comparison_rows)


def test_a_frame_without_comparison_stars_is_not_cloudy():
    lost = np.array([7, 8, 90])
    curve = choose_curve(_without(_night(5), lost, list(range(1, 40))), DEFAULT)
    assert np.flatnonzero(curve.flags & int(Flag.NO_COMPARISON)).tolist() == lost.tolist()
    assert not (curve.flags & int(Flag.CLOUD | Flag.NOT_MEASURED)).any()


def test_the_check_star_has_no_vote():
    cube = _night(6)
    first = choose_curve(cube, DEFAULT, in_transit=INSIDE).recipe
    k, noise = first.check_row, np.random.default_rng(2).normal(size=(N, 1))
    spoilt, missing = cube.flux.copy(), cube.flux.copy()
    spoilt[:, k] *= 1 + 0.05 * noise
    missing[:, k] = np.where(cube.radii == first.aperture.value, np.nan, missing[:, k])
    verdicts = []
    for flux in (spoilt, missing):
        recipe = choose_curve(replace(cube, flux=flux), DEFAULT, in_transit=INSIDE).recipe
        for name in ("aperture", "comparison_rows", "check_row"):
            assert getattr(first, name) == getattr(recipe, name)
        verdicts.append(recipe.check_verdict)
    assert Trouble.SCATTER not in first.check_verdict.troubles
    assert Trouble.SCATTER in verdicts[0].troubles
    assert verdicts[1].points == 0


def test_what_is_lost_costs_what_it_would_have_told():
    dip = INSIDE.astype(float)
    every = np.ones(N, dtype=bool)
    question = ask(TIME, BASELINE, dip=dip, scored=~INSIDE, good=every)
    assert question.shapes.shape == (N, 2)  # depth and mid-time
    no_ingress = every.copy()
    no_ingress[30:45] = False
    plain = every.copy()
    plain[:15] = False
    assert question.leverage(every) < question.leverage(plain) < question.leverage(no_ingress)
    assert question.leverage(~INSIDE) == np.inf
    level = ask(TIME, BASELINE, dip=None, scored=None, good=every)
    assert level.leverage(every) == pytest.approx(1 / np.sqrt(N))
    # What no frame tells is not asked.
    flat = ask(TIME, BASELINE, dip=np.zeros(N), scored=None, good=every)
    assert flat.shapes.shape == (N, 0)


def test_the_error_foretold_is_that_of_a_least_squares_depth():
    """With a box that has no edge in the frames' times, depth alone: sigma / |dip - baseline|."""
    rng, dip = np.random.default_rng(3), INSIDE.astype(float)
    question = replace(
        ask(TIME, BASELINE, dip=dip, scored=~INSIDE, good=np.ones(N, dtype=bool)),
        shapes=dip[:, None],
    )
    design = np.column_stack([BASELINE, dip])
    depths = [
        np.linalg.lstsq(design, 1 + 0.003 * rng.normal(size=N), rcond=None)[0][-1]
        for _ in range(2000)
    ]
    foretold = 0.003 * question.leverage(np.ones(N, dtype=bool))
    assert foretold == pytest.approx(np.std(depths), rel=0.06)


def test_a_step_costs_and_luck_does_not():
    rng, dip = np.random.default_rng(4), INSIDE.astype(float)
    question = ask(TIME, BASELINE, dip=dip, scored=~INSIDE, good=np.ones(N, dtype=bool))
    white = 1 + 0.002 * rng.normal(size=N)
    step = white + 0.01 * (np.arange(N) > 100)
    assert question.noise(white).slow == pytest.approx(question.noise(white).point)
    assert question.noise(step).slow > 1.3 * question.noise(step).point
    noisier = white + 0.0002 * rng.normal(size=N)
    residual = question.residual(white)
    assert not is_quieter(question.residual(noisier), residual)
    loud = question.residual(white + 0.004 * rng.normal(size=N))
    assert is_quieter(residual, loud)


def test_a_flip_on_a_wrong_flat_drops_no_comparison_star():
    """Every star steps at the flip by its own per cent: the fit takes the step up."""
    cube = _night(7, n_stars=20, flip=True)
    step = 1 + 0.01 * np.random.default_rng(3).normal(size=20)
    flux = cube.flux * np.where(np.arange(N)[:, None] >= N // 2, step, 1.0)[:, :, None]
    curve = choose_curve(
        replace(cube, flux=flux), DEFAULT, in_transit=INSIDE, dip=INSIDE.astype(float)
    )
    assert len(curve.recipe.comparison_rows) == 18
    design = np.column_stack([BASELINE, np.arange(N) >= N // 2])
    off = curve.flux / np.where(INSIDE, 0.99, 1.0)
    off -= design @ np.linalg.lstsq(design, off, rcond=None)[0]
    assert np.std(off) < 1.1 * np.median(curve.flux_err)


def test_a_star_with_a_drift_of_its_own_makes_no_step_where_it_comes_and_goes():
    cube = _night(8, n_stars=6)
    drift = np.linspace(-0.02, 0.02, N)
    flux = cube.flux.copy()
    flux[:, 1] *= (40 * (1 + drift))[:, None]
    error = cube.flux_err.copy()
    error[:, 1] *= 6
    cube = _without(replace(cube, flux=flux, flux_err=error), np.arange(90, N), [1])
    curve = choose_curve(cube, DEFAULT, in_transit=INSIDE, dip=INSIDE.astype(float))
    assert 1 in curve.recipe.comparison_rows
    relative = curve.flux / np.where(INSIDE, 0.99, 1.0)
    line = np.polynomial.Polynomial.fit(np.arange(60, 90), relative[60:90], 1)
    step = np.mean(relative[90:] - line(np.arange(90, N)))
    assert abs(step) < 0.004


def test_points_a_night_apart_tell_no_noise():
    """A star that rises and falls from night to night: its own errors decide."""
    cube = _night(9)
    varying = 1 + 0.3 * np.sin(1.7 * np.arange(N))
    days = cube.jd_utc[0] + np.arange(N, dtype=float)
    flux = cube.flux.copy()
    flux[:, 0] *= varying[:, None]
    cube = replace(cube, jd_utc=days, bjd_tdb=days, flux=flux)
    recipe = choose_curve(cube, DEFAULT).recipe
    assert len(recipe.comparison_rows) == DEFAULT.stars.max_comparisons
    assert 4.0 <= recipe.radius_px <= 8.0


def test_a_rich_field_loses_no_frame_to_the_many_stars_that_are_left_out():
    """The faintest of 90 stars alone is there in three frames."""
    cube = _night(10, n_stars=91)
    faintest = int(np.argmin(cube.plan.flux_ref[1:])) + 1
    others = [row for row in range(1, 91) if row != faintest]
    curve = choose_curve(_without(cube, np.array([5, 6, 110]), others), DEFAULT)
    assert np.isfinite(curve.flux).all()
    assert faintest in curve.recipe.comparison_rows


def test_what_neighbouring_points_share_is_seen_in_other_stars():
    """Stars that cross pixels wave by 0.3 %, each in its own phase; noise is 0.2 % a point."""
    rng, n = np.random.default_rng(4), 240
    wave = 0.003 * np.sqrt(2) * np.sin(np.arange(n)[:, None] / 4 + 2 * np.pi * np.arange(12) / 12)
    for amplitude in (0.0, 1.0):
        flux = 1e4 * (1 + amplitude * wave + 0.002 * rng.normal(size=(n, 12)))
        wander = measure_wander(build_ensemble(flux, np.full(flux.shape, 20.0)))
        assert wander == pytest.approx(0.003 * amplitude, abs=0.001)
    assert measure_wander(build_ensemble(flux[:, :1], np.full((n, 1), 20.0))) == 0.0


def test_an_aperture_whose_curves_wander_is_not_chosen_for_its_quiet_neighbours():
    """Half the light in the small aperture, and what is lost at its edge goes with the pixels."""
    rng = np.random.default_rng(8)
    cube = simulate_cube(np.ones(150), CubeTruth(n_stars=16, sky_electrons=1000.0), rng)
    phase = rng.uniform(0, 6, 16)
    wave = np.sin(np.arange(150)[:, None] / 5 + phase)
    leak = np.array([0.02, 0.012, 0.004, 0.0, 0.0, 0.0])
    flux = cube.flux * (1 + leak * wave[..., None])
    before, after = (choose_curve(one, DEFAULT) for one in (cube, replace(cube, flux=flux)))
    assert before.recipe.radius_px < 4.5 < after.recipe.radius_px
    assert np.std(after.flux) < 1.1 * np.std(before.flux)
