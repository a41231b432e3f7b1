"""The check star: which it is, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Aperture, ApertureKind, CheckVerdict, Trouble
from lightcurve.core.settings import make_settings
from lightcurve.curve.aperture import take_aperture
from lightcurve.curve.check import judge_check, measure_drift, pick_check, strange_light
from lightcurve.curve.choose import choose_curve
from sim_cube import CubeTruth, simulate_cube

N = 150
TIME = 2460000 + np.arange(N) * 120 / 86400
ERROR = np.full(N, 0.003)


def _judge(flux: np.ndarray) -> CheckVerdict:
    return judge_check("K2", TIME, flux, ERROR, per_bin=10)


def _flat(seed: int) -> np.ndarray:
    return 1 + 0.003 * np.random.default_rng(seed).normal(size=N)


def test_a_flat_star_is_seldom_blamed():
    """Three tests, each at 0.3 %: of 300 stars 3, and 9 once in a thousand times."""
    assert sum(bool(_judge(_flat(seed)).troubles) for seed in range(300)) < 9


@pytest.mark.parametrize(
    ("shape", "trouble"),
    [
        (np.linspace(0.0, 0.01, N), Trouble.TREND),
        (0.006 * (np.abs(np.arange(N) - 40) < 8), Trouble.EXCURSION),
        (0.006 * np.random.default_rng(9).normal(size=N), Trouble.SCATTER),
    ],
    ids=["trend", "excursion", "scatter"],
)
def test_what_its_errors_do_not_allow_is_told(shape, trouble):
    verdict = _judge(_flat(1) + shape)
    assert trouble in verdict.troubles
    if trouble is Trouble.TREND:
        assert verdict.trend == pytest.approx(0.01, abs=3 * verdict.trend_err)
    assert verdict.expected == pytest.approx(0.003)
    assert verdict.results["check_troubles"].value == [t.name.lower() for t in verdict.troubles]


def test_behind_clouds_each_point_counts_by_its_own_error():
    """A tenth of the points is ten times as noisy, and says so: nothing is amiss, nor hidden."""
    rng = np.random.default_rng(4)
    error = np.where((np.arange(N) > 60) & (np.arange(N) < 76), 0.03, 0.003)
    ratios, blamed = [], 0
    for _ in range(40):
        noise = error * rng.normal(size=N)
        calm, loud = (
            judge_check("K2", TIME, 1 + much * noise, error, per_bin=10) for much in (1, 2)
        )
        ratios.append(calm.scatter / calm.expected)
        blamed += bool(calm.troubles)
        assert Trouble.SCATTER in loud.troubles
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)
    assert blamed <= 2


def test_where_all_stars_drift_the_check_star_may():
    rng, error = np.random.default_rng(6), np.full((N, 20), 0.003)
    slopes, bends = 0.01 * rng.normal(size=20), 0.003 * rng.normal(size=20)
    noise = 0.003 * rng.normal(size=(N, 20))
    phase = np.linspace(-0.5, 0.5, N)[:, None]
    wave = np.sqrt(2) * np.cos(4 * np.pi * phase)
    drift = measure_drift(TIME, 1 + phase * slopes + wave * bends + noise, error, 10)
    assert drift.change == pytest.approx(0.01, rel=0.5)
    assert drift.wander == pytest.approx(0.002, rel=0.5)
    still = measure_drift(TIME, 1 + noise, error, 10)
    assert max(still) < 0.001
    flux = _flat(1) + 0.01 * phase[:, 0] + 0.003 * wave[:, 0]
    blamed = judge_check("K2", TIME, flux, ERROR, per_bin=10, field=still)
    assert {Trouble.TREND, Trouble.EXCURSION} <= set(blamed.troubles)
    assert judge_check("K2", TIME, flux, ERROR, per_bin=10, field=drift).troubles == ()


@pytest.mark.parametrize(("n", "at", "per_bin"), [(N, 70, 10), (40, 6, 3), (40, 0, 1), (40, 39, 2)])
def test_one_wild_point_is_no_excursion(n, at, per_bin):
    """Nor a trend, nor scatter: a cosmic ray of 30 sigma, wherever in the night."""
    for seed in range(12):
        noise = 0.003 * np.random.default_rng(seed).normal(size=n)
        calm, hit = (
            judge_check("K2", TIME[:n], 1 + noise + ray, ERROR[:n], per_bin=per_bin)
            for ray in (0.0, 0.17 * (np.arange(n) == at))
        )
        assert hit.troubles == calm.troubles
        assert hit.scatter == pytest.approx(calm.scatter, rel=0.15)


def test_too_few_points_are_not_judged():
    flux = np.where(np.arange(N) < 9, _flat(3), np.nan)
    verdict = _judge(flux)
    assert (verdict.star, verdict.points, verdict.troubles) == ("K2", 9, ())
    assert verdict.results["check_scatter_percent"].value is None


def _cube(light, **truth):
    """A night whose comparison stars have so many times the target's light."""
    cube = simulate_cube(
        np.ones(60), CubeTruth(n_stars=1 + len(light), **truth), np.random.default_rng(5)
    )
    factor = np.append(1.0, np.array(light) * cube.plan.flux_ref[0] / cube.plan.flux_ref[1:])
    flux = cube.flux * factor[:, None]
    error = cube.flux_err * np.sqrt(factor)[:, None]
    return replace(cube, flux=flux, flux_err=error)


def _pick(cube):
    piece = take_aperture(cube, Aperture(ApertureKind.FIXED, 5.0))
    return pick_check(piece, np.arange(1, len(cube.plan)), cube.plan)


def test_the_only_good_comparison_star_is_not_the_check_star():
    assert _pick(_cube([1.0, 0.02, 0.02, 0.02])).row in {2, 3, 4}
    nothing_to_spare = _pick(_cube([0.3, 0.3, 0.3]))
    assert nothing_to_spare.row is None
    assert "spare none of 3" in nothing_to_spare.reason


def test_a_sparse_field_has_no_check_star_and_says_so(caplog):
    curve = choose_curve(_cube([1.0, 1.2]), make_settings({}))
    assert curve.recipe.check_row is None
    assert curve.recipe.check_verdict.star is None
    assert len(curve.recipe.comparison_rows) == 2
    assert "no check star" in caplog.text
    alone = choose_curve(_cube([1.0]), make_settings({}))
    assert alone.recipe.comparison_rows == (1,)
    assert np.isfinite(alone.flux).all()


def test_it_is_like_the_target_near_it_and_alone():
    cube = _cube([1.0] * 12)
    x, y = cube.plan.x_ref.copy(), cube.plan.y_ref.copy()
    x[1:], y[1:] = 50 + 75 * np.arange(12), 900.0
    x[4], y[4] = x[0] + 60, y[0]
    x[7], y[7] = x[0] - 50, y[0]
    plan = replace(cube.plan, x_ref=x, y_ref=y)
    assert _pick(replace(cube, plan=plan)).row == 7
    crowding = np.where(np.arange(13) == 7, 0.8, 0.0)
    assert _pick(replace(cube, plan=replace(plan, crowding=crowding))).row == 4


def test_a_close_companion_is_seen_in_the_growth_of_its_light():
    """6 % of a star's light at the edge of its aperture."""
    cube = _cube([1.0] * 12)
    x = np.append(500.0, 500 + 20 * np.arange(1, 13))
    plan = replace(cube.plan, x_ref=x, y_ref=np.full(13, 500.0))
    flux = cube.flux.copy()
    flux[:, 1] *= 1 + 0.06 / (1 + np.exp(5.3 - cube.radii))
    cube = replace(cube, plan=plan, flux=flux)
    rows = np.arange(1, 13)
    strange = strange_light(cube, rows)
    assert strange[0] > 0.02 > 2 * strange[1:].max()
    piece = take_aperture(cube, Aperture(ApertureKind.FIXED, 5.0))
    assert pick_check(piece, rows, plan).row == 1
    assert pick_check(piece, rows, plan, strange).row == 2
    assert strange_light(cube, rows[:0]).shape == (0,)
