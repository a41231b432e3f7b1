"""Rates, limits and widths of simulated trials are those that they were drawn with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from lightcurve.trust.rates import fit_detection, measure_width, share_of


def trials(rng, n, place=0.8, width=0.3, top=1.0):
    depths = np.geomspace(0.3, 3.0, n)
    rates = top * norm.cdf(np.log(depths / place) / width)
    return depths, rng.uniform(size=n) < rates


def test_depths_of_a_rate_are_within_their_errors():
    rng = np.random.default_rng(4)
    truth = {0.5: 0.8, 0.95: 0.8 * math.exp(0.3 * norm.ppf(0.95))}
    for rate, true in truth.items():
        found = [fit_detection(*trials(rng, 120)).depth(rate) for _ in range(20)]
        pulls = np.array([(depth - true) / error for depth, error in found])
        assert abs(pulls.mean()) < 0.6
        assert 0.5 < pulls.std() < 1.5


def test_rates_are_those_that_were_drawn_on_the_mean():
    rng = np.random.default_rng(5)
    told = np.array([fit_detection(*trials(rng, 100)).rate(0.95)[0] for _ in range(40)])
    assert told.mean() == pytest.approx(norm.cdf(math.log(0.95 / 0.8) / 0.3), abs=0.05)


def test_no_limit_is_told_where_deep_transits_are_missed_too():
    depths, found = trials(np.random.default_rng(6), 200, top=0.6)
    detection = fit_detection(depths, found)
    assert math.isfinite(detection.depth(0.5)[0])
    assert math.isinf(detection.depth(0.95)[0])
    assert detection.rate(30.0)[0] == pytest.approx(0.6, abs=0.1)


def test_what_one_night_tells_of_its_noise_widens_the_errors_of_depths():
    depths, found = trials(np.random.default_rng(7), 100)
    plain, wider = (fit_detection(depths, found, night).depth(0.5) for night in (0.0, 0.3))
    assert plain[0] == wider[0]
    assert wider[1] ** 2 - plain[1] ** 2 == pytest.approx((0.3 * plain[0]) ** 2)


def test_pulls_tell_how_wide_they_are_but_for_misses():
    rng = np.random.default_rng(8)
    pulls = np.append(rng.normal(0.3, 1.4, 400), [60.0, np.nan])
    width = measure_width(pulls, 0.1 * pulls)
    assert width.width == pytest.approx(1.4, abs=3 * width.width_err)
    assert width.mean == pytest.approx(0.3, abs=3 * width.mean_err)
    assert width.bias == pytest.approx(0.03, abs=3 * width.bias_err)
    assert width.count == 400
    assert measure_width([0.1, 0.2, np.nan], [0.0, 0.0, 0.0]) is None


@pytest.mark.parametrize(("found", "n"), [(0, 20), (7, 20), (20, 20)])
def test_limits_of_a_share_are_those_of_wilson(found, n):
    share, low, high = share_of(found, n)
    known = binomtest(found, n).proportion_ci(2 * norm.cdf(1) - 1, method="wilson")
    assert share == found / n
    assert (low, high) == pytest.approx((known.low, known.high), abs=1e-9)
