"""Curves of choices made by hand, on simulated cubes."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from lightcurve.core.data import Choice, Measurements
from lightcurve.core.errors import FitError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.form import prepare_search
from lightcurve.curve.plan import revise_plan
from lightcurve.curve.retake import apertures_of, choice_of, retake, retake_many, retake_plainly
from sim_cube import CubeTruth, simulate_cube

DEFAULT = make_settings({})
INSIDE = np.abs(np.arange(120) - 60) < 20
AIJ = make_settings({"apertures": {"style": "aij", "radii": [4, 5, 6]}})
ARRAYS = ("flux", "flux_err", "target_flux", "comparison_flux", "flags")


def _cube(seed: int = 1, **truth) -> Measurements:
    return simulate_cube(np.ones(120), CubeTruth(**truth), np.random.default_rng(seed))


@pytest.mark.parametrize("settings", [DEFAULT, AIJ])
@pytest.mark.parametrize("in_transit", [None, INSIDE])
def test_the_programs_own_choice_gives_its_curve_to_the_last_bit(settings, in_transit):
    cube = _cube(drift_px=200.0, flip=True, cloud=True)
    chosen = choose_curve(cube, settings, in_transit=in_transit)
    again = retake(cube, settings, choice_of(chosen, cube, settings), in_transit=in_transit)
    for name in ARRAYS:
        assert np.array_equal(getattr(again, name), getattr(chosen, name), equal_nan=True), name
    for name, values in chosen.covariates.items():
        assert np.array_equal(again.covariates[name], values, equal_nan=True), name
    told = {field.name for field in fields(chosen.recipe)} - {"roles", "radius_per_frame_px"}
    for name in told:
        assert str(getattr(again.recipe, name)) == str(getattr(chosen.recipe, name)), name


def test_named_comparison_stars_give_what_a_run_with_them_gives():
    cube = _cube()
    rows = (3, 7, 12)
    named = make_settings({"stars": {"comparisons": ["C4", "C8", "C13"]}})
    others = set(range(1, 40)) - set(rows)
    plan = revise_plan(cube.plan, dict.fromkeys(others, ("field", "not named")))
    run = choose_curve(replace(cube, plan=plan), named)
    choice = replace(choice_of(run, cube, DEFAULT), rows=rows)
    assert run.recipe.comparison_rows == rows
    for name in ARRAYS:
        assert np.array_equal(getattr(run, name), getattr(retake(cube, DEFAULT, choice), name))


def test_a_plain_sum_is_the_target_over_the_sum():
    cube = _cube()
    choice = Choice((4, 9), apertures_of(cube, DEFAULT).index(_fixed(cube, 5.0)), "sum")
    ratio = cube.flux[:, 0, 2] / (cube.flux[:, 4, 2] + cube.flux[:, 9, 2])
    curve = retake(cube, DEFAULT, choice)
    assert curve.flux == pytest.approx(ratio / np.median(ratio), rel=1e-10)
    assert curve.recipe.weighting == "sum"


def _fixed(cube: Measurements, radius: float):
    return next(a for a in apertures_of(cube, DEFAULT) if a.value == radius and a.unit == "px")


def test_points_taken_out_are_flagged_and_nothing_else_changes():
    cube = _cube()
    own = choice_of(choose_curve(cube, DEFAULT), cube, DEFAULT)
    curve = retake(cube, DEFAULT, own)
    fewer = retake(cube, DEFAULT, replace(own, excluded=(cube.file[3], cube.file[50])))
    assert np.array_equal(curve.flux, fewer.flux)
    changed = np.flatnonzero(curve.flags != fewer.flags)
    assert changed.tolist() == [3, 50]
    assert (fewer.flags[changed] & Flag.OUTLIER).all()


def test_a_check_star_that_is_taken_checks_nothing():
    cube = _cube()
    chosen = choose_curve(cube, DEFAULT)
    own, check = choice_of(chosen, cube, DEFAULT), chosen.recipe.check_row
    curve = retake(cube, DEFAULT, replace(own, rows=(*own.rows, check)))
    assert curve.recipe.check_row is None
    assert curve.recipe.check_verdict.star is None
    assert check in curve.recipe.comparison_rows


def test_one_star_and_a_star_that_was_never_seen():
    cube = _cube()
    flux = cube.flux.copy()
    flux[:, 5] = np.nan
    lost = replace(cube, flux=flux)
    own = choice_of(choose_curve(cube, DEFAULT), cube, DEFAULT)
    alone = retake(lost, DEFAULT, replace(own, rows=(4,)))
    both = retake(lost, DEFAULT, replace(own, rows=(4, 5)))
    assert both.recipe.comparison_rows == (4,)
    assert np.array_equal(alone.flux, both.flux)
    with pytest.raises(FitError):
        retake(lost, DEFAULT, replace(own, rows=(5,)))


def test_many_at_once_are_as_one_by_one(monkeypatch):
    monkeypatch.setattr("lightcurve.curve.retake.AT_ONCE", 10_000)
    cube = _cube(drift_px=200.0, flip=True, cloud=True)
    search = prepare_search(cube, DEFAULT, in_transit=INSIDE)
    own = choice_of(choose_curve(cube, DEFAULT), cube, DEFAULT)
    others = [replace(own, rows=tuple(r for r in own.rows if r != row)) for row in own.rows[:5]]
    others += [replace(own, aperture=k) for k in (0, 1, 4)]
    others += [replace(own, weighting="sum"), replace(own, excluded=(cube.file[7],))]
    *curves, none = retake_many(search, [*others, replace(own, rows=())])
    assert none is None
    for choice, curve in zip(others, curves, strict=True):
        alone = retake_plainly(search, choice)
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(curve, name), getattr(alone, name), rtol=1e-12)
        assert curve.covariates.keys() == alone.covariates.keys()
