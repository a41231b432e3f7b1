"""Means of neighbouring points: what they are, and that a fit of them is that of the points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import StarCurves
from lightcurve.core.settings import FitSettings
from lightcurve.transit import solve
from lightcurve.transit.bins import Bins, make_bins
from lightcurve.transit.fit import fit_points
from lightcurve.transit.model import expected_ingress, transit_flux
from lightcurve.transit.red_noise import MAX_POINTS
from sim_points import MID, PLANET, hard_night

QUICK = FitSettings(sample=False)


def _bins(time, exposure_s=5.0, error=None):
    return make_bins(time, np.full(len(time), 0.01) if error is None else error, exposure_s, PLANET)


def test_a_night_of_usual_cadence_is_left_as_it_is():
    time = MID + np.arange(150) * 90 / 86400
    bins = _bins(time[::-1], 60.0)
    np.testing.assert_array_equal(bins.mean(time[::-1]), time)
    assert bins.exposure_s == 60.0
    np.testing.assert_array_equal(bins.error, 0.01)


def test_means_are_weighted_and_no_bin_is_wide():
    rng = np.random.default_rng(1)
    time = MID + np.sort(rng.uniform(0, 0.2, 4000))
    time[2000:] += 0.05
    error = rng.uniform(0.005, 0.02, 4000)
    bins = _bins(time, error=error)
    values = rng.normal(size=(4000, 2))
    parts = np.split(np.arange(4000), bins.firsts[1:])
    assert len(parts) < 400
    assert max(np.ptp(time[part]) for part in parts) < expected_ingress(PLANET) / 12
    part = parts[7]
    weight = error[part] ** -2.0
    np.testing.assert_allclose(bins.mean(values)[7], weight @ values[part] / weight.sum())
    assert bins.error[7] == pytest.approx(weight.sum() ** -0.5)
    assert np.std(bins.mean(error * rng.normal(size=4000)) / bins.error) == pytest.approx(
        1, abs=0.1
    )


@pytest.mark.parametrize("exposure_s", [1.0, 10.0])
def test_the_model_over_a_bin_is_the_mean_of_the_model_at_its_points(exposure_s):
    """To 30 ppm of the star's light, in the bends of ingress and egress, too."""
    time = MID - 0.08 + np.arange(1400) * 10 / 86400
    theta = np.array([MID, 0.14, 8.0, 0.3, 0.4, 0.3])
    bins = _bins(time, exposure_s)
    assert len(bins.firsts) < 200
    points = transit_flux(time, theta, PLANET, exposure_days=exposure_s / 86400)
    whole = transit_flux(bins.mean(time), theta, PLANET, exposure_days=bins.exposure_s / 86400)
    np.testing.assert_allclose(whole, bins.mean(points), atol=3e-5)


def test_a_star_that_lacks_points_is_the_mean_of_those_it_has():
    time = MID + np.arange(1000) * 10 / 86400
    bins = _bins(time)
    flux = np.column_stack([np.full(1000, 1.0), np.full(1000, np.nan)])
    flux[::2, 0] = np.nan
    found = bins.stars(StarCurves(("C2", "C3"), flux, np.full((1000, 2), 0.01)), level=500.0)
    np.testing.assert_allclose(found.flux[:, 0], 500)
    assert np.isnan(found.flux[:, 1]).all()
    assert np.median(found.flux_err[:, 0] / bins.error) / 500 == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("kind", ["clear", "all"])
def test_a_fit_of_means_is_that_of_the_points(kind, monkeypatch):
    """Against the plain way, every point by itself: a fifth of an error, and the same errors."""
    points, _, _ = hard_night(kind, 4, n=590, noise=0.004)
    points = replace(points, exposure_s=20.0)
    means = fit_points(points, PLANET, settings=QUICK)

    def alone(time, error, exposure_s, planet):
        del planet
        order = np.argsort(time)
        return Bins(order, np.arange(len(time)), error[order] ** -2.0, error[order], exposure_s)

    monkeypatch.setattr(solve, "make_bins", alone)
    plain = fit_points(points, PLANET, settings=QUICK)
    assert len(_bins(points.time).firsts) < len(points.time) / 2
    for name in ("mid_time_bjd_tdb", "rp_over_rs", "duration_days"):
        one, other = means.parameters[name], plain.parameters[name]
        error = (other.upper - other.lower) / 2
        assert one.value == pytest.approx(other.value, abs=0.2 * error), name
        assert (one.upper - one.lower) / 2 == pytest.approx(error, rel=0.15), name
    np.testing.assert_allclose(means.model * means.trend, plain.model * plain.trend, atol=1e-3)
    assert means.statistics["chi2"] == pytest.approx(plain.statistics["chi2"], rel=0.01)


@pytest.mark.parametrize("level", [1.0, 800.0])
def test_stars_say_the_same_of_a_flux_of_any_level(level):
    points, _, _ = hard_night("clear", 6)
    rng, size = np.random.default_rng(6), (160, 8)
    curves = StarCurves(tuple("abcdefgh"), rng.normal(1, 0.002, size), np.full(size, 0.002))
    told = replace(points, stars=curves, flux=level * points.flux, flux_err=level * points.flux_err)
    quiet = fit_points(told, PLANET, settings=QUICK).statistics["red_noise_over_white"]
    assert (
        quiet < 0.6 * fit_points(points, PLANET, settings=QUICK).statistics["red_noise_over_white"]
    )


def test_eight_thousand_points_are_solved_with_red_noise_and_without_the_wild_ones():
    points, theta, _ = hard_night("clear", 5, n=8000, noise=0.01)
    flux = points.flux.copy()
    flux[[100, 4000]] *= 1.2
    fit = fit_points(replace(points, flux=flux, exposure_s=1.0), PLANET, settings=QUICK)
    assert not fit.used[[100, 4000]].any()
    assert fit.used.sum() >= 7990
    assert np.isfinite(fit.statistics["red_noise_probability"])
    assert fit.model.shape == fit.residuals.shape == (8000,)
    rp = fit.parameters["rp_over_rs"]
    assert rp.value == pytest.approx(theta[1], abs=2 * (rp.upper - rp.lower))
    assert len(_bins(points.time).firsts) < MAX_POINTS
