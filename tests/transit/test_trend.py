"""Trends with priors: their sizes, what they cost, and depths without bias on hard nights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lightcurve.core.covariates import COVARIATES, Covariate
from lightcurve.core.settings import FitSettings
from lightcurve.transit.fit import fit_points
from lightcurve.transit.problem import make_noise
from lightcurve.transit.trend import ANY, make_trend
from sim_points import KINDS, PLANET, hard_night

N = 60
USED = np.arange(N) < 50
LINE = np.linspace(0, 3, N)
QUICK = FitSettings(sample=False)


def _sizes(asked=None, **covariates):
    """One sigma of the flux that each column may take, root mean square over the points used."""
    trend = make_trend(covariates, USED, asked=asked)
    return dict(zip(trend.owner, trend.width * trend.columns[USED].std(axis=0), strict=True))


def test_physics_says_how_large_a_trend_may_be():
    airmass = LINE + 1
    sizes = _sizes(airmass=airmass, fwhm=4 + LINE, time=LINE / 24, other=LINE)
    assert sizes["airmass"] == pytest.approx(3e-2 * airmass[USED].std())
    assert sizes["fwhm"] == pytest.approx(5e-3 * np.std(LINE[USED]) / np.median(4 + LINE[USED]))
    assert sizes["time"] == pytest.approx(5e-3 * LINE[USED].std())
    assert sizes["other"] == pytest.approx(5e-3)
    # In other units nothing changes where the size is relative.
    assert _sizes(fwhm=10 * (4 + LINE))["fwhm"] == pytest.approx(sizes["fwhm"])
    # A sky that was taken off already has no level to be relative to.
    assert _sizes(sky=LINE - LINE[USED].mean())["sky"] <= 2e-3
    asked = make_trend({"airmass": airmass, "fwhm": 4 + LINE}, USED, asked=("fwhm",))
    assert asked.names == ("fwhm",)
    assert asked.width == pytest.approx(ANY)


def test_a_position_means_another_thing_after_a_flip():
    after = np.arange(N) >= 30
    x = np.where(after, 1000 - LINE, LINE)
    trend = make_trend({"x": x, "meridian_flip": after.astype(float)}, USED, asked=None)
    x_columns = trend.columns[:, [name == "x" for name in trend.owner]]
    assert x_columns.shape[1] == 4  # a line and a square on either side
    for column in x_columns.T:
        assert not (column[after].any() and column[~after].any())
    # No column takes the thousand pixels between the sides for a drift.
    assert trend.width[[name == "x" for name in trend.owner]].max() < 2e-3


def test_one_more_covariate_has_the_size_that_its_entry_says(monkeypatch):
    monkeypatch.setattr(COVARIATES, "entries", dict(COVARIATES.entries))
    COVARIATES.register(Covariate("focus", "steps", ("focus",), size=1e-4))
    assert _sizes(focus=100 * LINE)["focus"] == pytest.approx(1e-2 * LINE[USED].std())


@pytest.mark.parametrize("red", [False, True], ids=["white", "red"])
def test_the_whitened_noise_is_that_of_the_whole_covariance(red):
    """By the covariance written out: C + X S X^T."""
    rng = np.random.default_rng(1)
    gaps = np.abs(np.subtract.outer(LINE, LINE))
    plain = np.diag(rng.uniform(1, 2, N) ** 2) + red * np.exp(-gaps)
    root = np.linalg.inv(np.linalg.cholesky(plain)) if red else 1 / np.sqrt(np.diag(plain))
    trend, width = rng.normal(size=(N, 3)), np.array([0.5, 2.0, 1e-6])
    noise = make_noise(root, trend, width)
    whole = plain + (trend * width**2) @ trend.T
    values = rng.normal(size=(N, 2))
    white = noise.whiten(values)
    np.testing.assert_allclose(
        white.T @ white, values.T @ np.linalg.solve(whole, values), rtol=1e-9
    )
    np.testing.assert_allclose(noise.whiten(values[:, 0]), white[:, 0], atol=1e-12)
    # What is expected of the trend, given the values (Gaussian conditioning).
    mean, cov = noise.coefficients(values[:, 0])
    gain = (trend * width**2).T @ np.linalg.inv(whole)
    np.testing.assert_allclose(mean, gain @ values[:, 0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(cov, np.diag(width**2) - gain @ (trend * width**2), atol=1e-9)


def test_a_trend_larger_than_expected_is_taken_all_the_same():
    """Priors have tails: what many points say is believed, what few say is not."""
    rng = np.random.default_rng(2)
    line, free = np.linspace(-1, 1, N)[:, None], np.ones((N, 1))
    for true, kept in ((0.02, 0.9), (0.1, 0.99)):
        values = true * line[:, 0] + 0.01 * rng.normal(size=N)
        noise = make_noise(np.full(N, 100.0), line, np.array([0.01]))
        exact = float(line[:, 0] @ values / (line[:, 0] @ line[:, 0]))
        assert noise.loosen(values, free).coefficients(values)[0][0] > kept * exact
        assert noise.loosen(values, free).width[0] > noise.width[0]
    nothing = noise.loosen(0.01 * rng.normal(size=N), free)
    assert 0.8 * noise.width[0] < nothing.width[0] < 1.1 * noise.width[0]


@cache
def _pulls(kind, covariates=None):
    """Pulls of mid-time, radius ratio and duration, and the ratio found over the true one."""
    rows, settings = [], FitSettings(sample=False, covariates=covariates)
    for seed in range(9):
        points, theta, duration = hard_night(kind, seed, noise=0.0015)
        fit = fit_points(points, PLANET, settings=settings)
        truth = {"mid_time_bjd_tdb": theta[0], "rp_over_rs": theta[1], "duration_days": duration}
        found = [{**fit.unproven, **fit.parameters}[name] for name in truth]
        pulls = [
            (p.value - true) / ((p.upper - p.lower) / 2)
            for p, true in zip(found, truth.values(), strict=True)
        ]
        rows.append([*pulls, found[1].value / theta[1]])
    return np.array(rows)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"clear", "moon", "slope", "arch", "seeing"}))
def test_a_hard_night_does_not_bend_the_depth(kind):
    """A short version of benchmarks/bench_injection.py --kind tables, which has the numbers."""
    found = _pulls(kind)
    error = found[:, 3].std(ddof=1) / 3
    assert found[:, 3].mean() == pytest.approx(1, abs=max(0.005, 3 * error))
    assert np.all(np.abs(found[:, :3].mean(axis=0)) < 1.2)
    assert np.all(found[:, :2].std(axis=0) < 1.8)


def test_trends_left_out_would_bend_it():
    """The nights are hard: without their covariates the depths are wrong, and not by chance."""
    worst, best = (_pulls("far drift", covariates)[:, 3] - 1 for covariates in ((), None))
    assert np.sqrt(np.mean(worst**2)) > 1.5 * np.sqrt(np.mean(best**2))


def test_seeing_cannot_eat_a_transit():
    """A FWHM that swells like the transit: of any size it takes it, as physics allows it not."""
    points, theta, _ = hard_night("clear", 5, ratio=(0.12, 0.12))
    shape = np.exp(-0.5 * ((points.time - theta[0]) / 0.045) ** 4)
    points = replace(points, covariates={"fwhm": 4 * (1 + 0.3 * shape)})
    free = fit_points(points, PLANET, settings=FitSettings(sample=False, covariates=("fwhm",)))
    held = fit_points(points, PLANET, settings=QUICK)
    widths = [(p.upper - p.lower) / 2 for p in (f.parameters["rp_over_rs"] for f in (free, held))]
    assert widths[0] > 1.5 * widths[1]
    assert held.parameters["rp_over_rs"].value == pytest.approx(theta[1], abs=3 * widths[1])


def test_light_that_the_seeing_lets_in_is_taken_as_it_was_foretold():
    """A neighbour's light grows with the fourth power of the seeing, a fifth less than foretold."""
    points, theta, _ = hard_night("bump", 3)
    light = 0.005 * (points.covariates["fwhm"] / 4) ** 4
    flux = points.flux * (1 + light)
    told = {**points.covariates, "other_light": 1.2 * light}
    found = {}
    for name, covariates in (("told", told), ("not", points.covariates)):
        night = replace(points, flux=flux, covariates=covariates)
        fit = fit_points(night, PLANET, settings=QUICK)
        found[name] = {**fit.unproven, **fit.parameters}["rp_over_rs"]
    error = {name: (p.upper - p.lower) / 2 for name, p in found.items()}
    assert found["told"].value == pytest.approx(theta[1], abs=2 * error["told"])
    assert error["told"] < 0.9 * error["not"]


def test_the_fit_tells_what_each_covariate_does():
    points, _, _ = hard_night("clear", 7)
    clouds = 1 - 0.5 * np.exp(-0.5 * ((points.time - points.time[60]) / 0.01) ** 2)
    spoilt = points.flux * (1 + 0.02 * (clouds - 1))
    points = replace(
        points, flux=spoilt, covariates=points.covariates | {"comparison_flux": clouds}
    )
    fit = fit_points(points, PLANET, settings=QUICK)
    told = {influence.covariate: influence for influence in fit.influences}
    assert list(told) == list(fit.covariates)
    of_clouds = told["comparison_flux"]
    assert of_clouds.amplitude_percent == pytest.approx(
        1.0, abs=4 * of_clouds.amplitude_err_percent
    )
    assert of_clouds.amplitude_percent > 5 * of_clouds.amplitude_err_percent
    without = fit_points(
        points, PLANET, settings=FitSettings(sample=False, forbidden=("comparison_flux",))
    )
    moved = without.parameters["rp_over_rs"].value - fit.parameters["rp_over_rs"].value
    # What is told is the straight line to where the fit without it goes.
    assert of_clouds.radius_ratio_without == pytest.approx(moved, rel=0.5)
