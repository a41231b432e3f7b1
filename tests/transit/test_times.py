"""Ephemerides of mid-times, against their own statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.transit.times import Times, fit_ephemeris, known_ephemeris
from sim_season import PLANET

KNOWN = known_ephemeris(PLANET)


def make_times(rng, epochs, sigma, **truth):
    period = truth.get("period", PLANET.period_days)
    error = sigma * np.ones(len(epochs))
    mid = PLANET.t0_bjd_tdb + epochs * period + error * rng.normal(size=len(epochs))
    return Times(epochs, mid, np.diag(error**2))


def test_errors_of_t0_and_period_are_honest():
    rng, pulls = np.random.default_rng(2), []
    for _ in range(400):
        epochs = np.sort(rng.choice(300, size=9, replace=False))
        sigma = rng.uniform(1e-4, 2e-3, size=9)
        one = fit_ephemeris(make_times(rng, epochs, sigma, period=2.50002), KNOWN)
        t0 = PLANET.t0_bjd_tdb + one.epoch * 2.50002
        error = np.sqrt(np.diag(one.cov))
        pulls.append([(one.t0 - t0) / error[0], (one.period - 2.50002) / error[1]])
        assert abs(one.correlation) < 0.2  # T0 is at a whole epoch
    assert np.std(pulls, axis=0) == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.15


def test_correlated_times_of_one_night_count_once():
    cov = np.full((2, 2), 1e-6) + 1e-12 * np.eye(2)
    one = fit_ephemeris(Times(np.array([4, 4]), KNOWN.at(np.array([4, 4])), cov), KNOWN)
    assert one.epoch == 4
    assert one.period == PLANET.period_days
    assert np.sqrt(one.cov[0, 0]) == pytest.approx(1e-3, rel=1e-3)


def test_the_error_of_a_prediction_grows_with_the_epochs():
    assert KNOWN.error(np.array([0]))[0] == pytest.approx(4e-4)
    assert KNOWN.error(np.array([1000]))[0] == pytest.approx(np.hypot(4e-4, 2e-3))
    bare = known_ephemeris(replace(PLANET, errors={}))
    assert np.isnan(bare.error(np.array([3]))).all()


def test_times_that_scatter_widen_the_errors():
    rng = np.random.default_rng(4)
    times = make_times(rng, np.arange(0, 200, 10), 1e-3)
    tight = Times(times.epoch, times.mid, times.cov / 9)
    assert fit_ephemeris(times, KNOWN).scaled == 1.0
    assert fit_ephemeris(tight, KNOWN).scaled == pytest.approx(3.0, rel=0.3)
