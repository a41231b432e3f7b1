"""Aperture and comparison choice on simulated cubes with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Criterion, Measurements
from lightcurve.core.errors import FitError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.aperture import interpolation_weights, take_aperture
from lightcurve.curve.blend import Blend, Companion, field_profile
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.clouds import against_others
from lightcurve.curve.detrend import design_matrix, remove_trend
from lightcurve.curve.ensemble import build_ensemble
from lightcurve.curve.form import star_curves
from sim_cube import CubeTruth, simulate_cube

DEFAULT = make_settings({})


def _cube(flux=None, seed=1, **truth) -> Measurements:
    flux = np.ones(120) if flux is None else flux
    return simulate_cube(flux, CubeTruth(**truth), np.random.default_rng(seed))


def test_scatter_reaches_the_noise_put_in():
    cube = _cube()
    light_curve = choose_curve(cube, DEFAULT)
    assert np.std(light_curve.flux) < 1.25 * np.median(light_curve.flux_err)
    assert np.std(light_curve.flux) > 0.8 * np.median(light_curve.flux_err)
    assert np.median(light_curve.flux) == pytest.approx(1, abs=1e-9)
    assert light_curve.recipe.check_row not in light_curve.recipe.comparison_rows
    assert 0 not in light_curve.recipe.comparison_rows
    assert light_curve.recipe.check_row not in (None, 0)


def test_a_transit_has_no_vote():
    """The choice is the same whatever happens inside the predicted transit."""
    inside = np.abs(np.arange(120) - 60) < 20
    rng = np.random.default_rng(5)
    wild = np.where(inside, 1 - 0.1 * rng.random(120), 1.0)
    quiet = choose_curve(_cube(), DEFAULT, in_transit=inside)
    noisy = choose_curve(_cube(wild), DEFAULT, in_transit=inside)
    for name in ("aperture", "comparison_rows", "check_row"):
        assert getattr(quiet.recipe, name) == getattr(noisy.recipe, name)


def test_same_input_same_choice():
    first = choose_curve(_cube(), DEFAULT)
    second = choose_curve(_cube(), DEFAULT, processes=2)
    assert np.array_equal(first.flux, second.flux)
    assert first.recipe.aperture == second.recipe.aperture
    assert first.recipe.weights == second.recipe.weights


def test_drift_flip_and_cloud():
    cube = _cube(np.ones(160), drift_px=250.0, flip=True, cloud=True, target_electrons=3e6)
    light_curve = choose_curve(cube, DEFAULT)
    assert not (light_curve.flags & Flag.CLOUD).any()  # it dims all stars alike
    worst = int(0.85 * 160)
    assert light_curve.flux_err[worst] > 1.2 * np.median(light_curve.flux_err)
    flip = light_curve.covariates["meridian_flip"]
    assert set(flip) == {0.0, 1.0}
    clear = light_curve.flux
    step = np.median(clear[80:110]) - np.median(clear[50:80])
    assert step == pytest.approx(0.003, abs=0.0005)


@pytest.mark.parametrize("light", [np.ones(5), np.array([30.0, 1.0, 1.0, 1.0]), np.ones(2)])
def test_stars_are_held_against_the_others_alone(light):
    """One sigma is one sigma, though a bright star is nearly all of the mean."""
    rng = np.random.default_rng(2)
    level = 1e5 * light
    flux = rng.normal(level, np.sqrt(level), (400, len(light)))
    ensemble = build_ensemble(flux, np.broadcast_to(np.sqrt(level), flux.shape))
    assert np.std(against_others(ensemble), axis=0) == pytest.approx(1, abs=0.15)
    alone = build_ensemble(flux[:, :1], np.sqrt(level)[:1] * np.ones((400, 1)))
    assert np.isnan(against_others(alone)).all()


def test_a_cloud_that_is_no_veil_costs_its_frames():
    cube = _cube(np.ones(100))
    rng = np.random.default_rng(8)
    inside = slice(70, 80)
    veil = np.full(cube.flux.shape[:2], 0.4)[inside] * np.exp(
        rng.normal(0, 0.1, (10, cube.flux.shape[1]))
    )
    flux, error = cube.flux.copy(), cube.flux_err.copy()
    flux[inside] *= veil[:, :, None]
    error[inside] *= np.sqrt(veil[:, :, None])
    patchy = replace(cube, flux=flux, flux_err=error)
    marked = (choose_curve(patchy, DEFAULT).flags & Flag.CLOUD) > 0
    assert marked[inside].sum() >= 8
    assert not marked[:70].any()
    assert not marked[80:].any()


def test_variable_clipped_and_departing_stars_are_left_out():
    cube = _cube()
    flux, flags, peak = cube.flux.copy(), cube.flags.copy(), cube.peak.copy()
    brightest = int(np.argmax(cube.plan.flux_ref))
    variable, departing = [k for k in range(1, 40) if k != brightest][:2]
    flux[:, variable] *= 1 + 0.1 * np.sin(np.arange(120) / 10)[:, None]
    flux[30:, departing] = np.nan
    flags[30:, departing] = Flag.NOT_MEASURED
    ceiling = np.quantile(peak[:, brightest, -1], 0.6)
    cube = replace(cube, flux=flux, flags=flags, peak=np.minimum(peak, ceiling))
    recipe = choose_curve(cube, DEFAULT).recipe
    assert not {variable, departing, brightest} & set(recipe.comparison_rows)
    assert "varies" in recipe.roles[variable][1]
    assert "30 of the target" in recipe.roles[departing][1]
    assert "saturated" in recipe.roles[brightest][1]
    assert recipe.saturation_adu == pytest.approx(ceiling, rel=0.01)


def test_the_check_star_is_there_all_night():
    """The star nearest in brightness leaves the field; the next nearest takes its place."""
    cube = _cube()
    first = choose_curve(cube, DEFAULT).recipe.check_row
    flux, flags = cube.flux.copy(), cube.flags.copy()
    flux[70:, first] = np.nan
    flags[70:, first] = Flag.NOT_MEASURED
    recipe = choose_curve(replace(cube, flux=flux, flags=flags), DEFAULT).recipe
    assert recipe.check_row not in (None, first)
    # Where every star comes and goes, one of them still serves.
    flux, flags = cube.flux.copy(), cube.flags.copy()
    for row in range(1, 40):
        gone = np.arange(row, row + 30) % 120
        flux[gone, row], flags[gone, row] = np.nan, Flag.NOT_MEASURED
    assert choose_curve(replace(cube, flux=flux, flags=flags), DEFAULT).recipe.check_row == first


def test_an_outlier_is_flagged_not_removed():
    flux = np.ones(120)
    flux[50] = 1.1
    light_curve = choose_curve(_cube(flux), DEFAULT)
    assert np.flatnonzero(light_curve.flags & Flag.OUTLIER).tolist() == [50]
    assert light_curve.flux[50] == pytest.approx(1.1, abs=0.02)


def test_forced_comparisons_are_used_as_they_are():
    settings = make_settings({"stars": {"comparisons": ["C3", "C5"], "weights": "sum"}})
    cube = _cube()
    role = np.where(np.isin(np.arange(40), [2, 4]), "comparison", "field")
    role[0] = "target"
    cube = replace(cube, plan=replace(cube.plan, role=role))
    light_curve = choose_curve(cube, settings)
    assert light_curve.recipe.comparison_rows == (2, 4)
    piece = take_aperture(cube, light_curve.recipe.aperture)
    assert light_curve.comparison_flux == pytest.approx(piece.flux[:, [2, 4]].sum(axis=1))


@pytest.mark.parametrize("n", [5, 10, 19, 60])
def test_comparison_stars_are_not_dropped_by_luck(n):
    """Where all are as quiet as their light lets them be, none makes the curve quieter."""
    recipe = choose_curve(_cube(np.ones(n)), DEFAULT).recipe
    dropped = [row for row, (role, _) in recipe.roles.items() if role == "field"]
    assert len(recipe.comparison_rows) == DEFAULT.stars.max_comparisons
    assert len(dropped) == 39 - 1 - 30
    light = _cube(np.ones(n)).plan.flux_ref
    kept = light[list(recipe.comparison_rows)]
    assert np.median(kept) > 3 * np.median(light[dropped])


def test_few_points_outside_the_transit_still_set_the_level(caplog):
    flux = np.where(np.arange(60) < 54, 0.97, 1.0)
    light_curve = choose_curve(_cube(flux), DEFAULT, in_transit=flux < 1)
    assert np.median(light_curve.flux[54:]) == pytest.approx(1, abs=1e-9)
    assert np.median(light_curve.flux[:54]) == pytest.approx(0.97, abs=0.004)
    assert "median of 6 points outside the predicted transit, which are few" in caplog.text
    assert light_curve.recipe.criterion is Criterion.NEIGHBOURS
    inside = choose_curve(_cube(flux), DEFAULT, in_transit=np.ones(60, dtype=bool))
    assert np.median(inside.flux) == pytest.approx(1, abs=1e-9)
    assert "inside the predicted transit too" in caplog.text
    assert "inside" in inside.recipe.normalised


@pytest.mark.parametrize("n", [1, 3, 4])
def test_too_few_frames_are_named_as_the_reason(n):
    words = f"the target is well measured in {n} of {n} frames, and a curve needs 5"
    with pytest.raises(FitError, match=words):
        choose_curve(_cube(np.ones(n)), DEFAULT)


def test_candidates_lost_in_the_night_are_named_as_the_reason():
    cube = _cube(np.ones(30))
    flux, flags = cube.flux.copy(), cube.flags.copy()
    flux[4:, 1:], flags[4:, 1:] = np.nan, Flag.NOT_MEASURED
    words = (
        "1 comparison candidates are left of 39 and good in fewer than 5 of the target's 30 "
        r"frames, without 38, such as C\d+ \(good in only 4 of the target's 30"
    )
    with pytest.raises(FitError, match=words):
        choose_curve(replace(cube, flux=flux, flags=flags), DEFAULT)


def test_no_comparison_is_an_error():
    cube = _cube()
    plan = replace(cube.plan, role=np.array(["target"] + ["field"] * 39))
    with pytest.raises(FitError, match="39 other stars"):
        choose_curve(replace(cube, plan=plan), DEFAULT)


def test_the_curve_brings_its_stars_along_each_against_the_others():
    """They scatter as the recipe says; one that is alone has no curve of its own."""
    curve = choose_curve(_cube(), DEFAULT)
    recipe, stars = curve.recipe, curve.stars
    own = tuple(f"C{row + 1}" for row in recipe.comparison_rows)
    assert stars.names == (*own, recipe.check)
    assert stars.flux.shape == stars.flux_err.shape == (120, len(stars.names))
    np.testing.assert_allclose(np.nanmedian(stars.flux, axis=0), 1)
    scatter = np.nanstd(stars.flux, axis=0)[:-1]
    np.testing.assert_allclose(scatter, recipe.star_scatter, rtol=0.3)
    alone = choose_curve(_cube(), make_settings({"stars": {"max_comparisons": 1}}))
    assert len(alone.recipe.comparison_rows) == 1
    assert alone.stars.names == (alone.recipe.check,)


def test_curves_of_all_stars_are_flat():
    cube = _cube()
    light_curve = choose_curve(cube, DEFAULT)
    relative, error = star_curves(cube, light_curve)
    pull = (relative - 1) / error
    assert np.std(pull) == pytest.approx(1, abs=0.15)
    assert relative[:, 0] == pytest.approx(light_curve.flux, rel=1e-9)


def test_interpolated_aperture_lies_on_a_cubic():
    radii = np.array([2.0, 3.0, 4.5, 6.0, 8.0])
    wanted = np.array([2.0, 2.7, 5.1, 7.9, 8.0, 4.5])
    weights = interpolation_weights(radii, wanted)
    assert weights @ (radii**3 - radii) == pytest.approx(wanted**3 - wanted)
    assert weights.sum(axis=1) == pytest.approx(1)


def test_trend_is_removed():
    time = np.linspace(-1, 1, 100)
    design = design_matrix({"time": time, "flat": np.ones(100)}, ["time", "flat"])
    assert design[:, 1].std() == pytest.approx(1)
    assert not design[:, 2].any()
    spoiled = 2 + 0.1 * time
    spoiled[3] = 9
    flat, trend = remove_trend(spoiled, design)
    assert trend == pytest.approx(2 + 0.1 * time, rel=1e-3)
    assert flat[5] == pytest.approx(1, rel=1e-3)


def test_an_aperture_pays_for_other_stars_light_in_it():
    """A neighbour that takes half of a depth in wide apertures makes a narrow one the best."""
    cube = _cube(target_electrons=3e6)
    alone = choose_curve(cube, DEFAULT)
    beside = (Companion(8.0, 0.0, 3.0, 0.1, "a catalogue"),)
    blend = Blend(field_profile(cube), cube.fwhm_px, beside)
    blended = choose_curve(cube, DEFAULT, blend=blend)
    assert blended.recipe.radius_px < alone.recipe.radius_px
    narrow, wide = (blend.share(c.recipe.radius_per_frame_px) for c in (blended, alone))
    assert narrow.value > wide.value + 0.02
    assert blended.dilution == narrow
    assert alone.dilution is None
