"""Variations that were put in are found, none is invented; evidences are those of brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from lightcurve.transit.evidence import SIZES, Data
from lightcurve.transit.times import Times, known_ephemeris
from lightcurve.transit.variation import Variation, try_variations, weigh_all
from sim_season import PLANET

KNOWN = known_ephemeris(PLANET)
EPOCHS = np.array([0, 7, 19, 30, 44, 52, 61, 80, 95, 110, 127, 140])


def times_of(late_minutes, sigma=0.8, seed=1, epochs=EPOCHS, worse=1.0):
    rng = np.random.default_rng(seed)
    noise = worse * sigma * rng.normal(size=len(epochs))
    mid = KNOWN.at(epochs) + (late_minutes + noise) / 1440
    return Times(epochs, mid, np.diag(np.full(len(epochs), (sigma / 1440) ** 2)))


def test_a_wave_is_found_with_its_period_and_size():
    told = try_variations(times_of(6 * np.sin(2 * np.pi * EPOCHS / 37.0 + 1.0)), KNOWN)
    assert told.found is Variation.PERIODIC
    assert told.period_epochs[0] == pytest.approx(37.0, abs=4 * told.period_epochs[1])
    assert told.size_minutes[0] == pytest.approx(6.0, abs=4 * told.size_minutes[1])
    error = np.sqrt(np.diag(told.ephemeris.cov))
    assert abs(told.ephemeris.period - PLANET.period_days) < 3 * error[1]


def test_a_changing_period_is_found():
    rate = 1e-6  # days an epoch, each epoch
    told = try_variations(times_of(0.5 * rate * EPOCHS**2 * 1440, sigma=0.2), KNOWN)
    assert told.found is Variation.QUADRATIC
    assert told.period_change[0] == pytest.approx(rate, abs=4 * told.period_change[1])


def test_a_wave_of_few_epochs_leaves_the_line_as_unsure_as_it_is():
    """Less than a turn of it is as good as a changing period: neither line is sure."""
    pulls, epochs = [], np.array([48, 55, 62, 68, 73, 75, 76, 80, 89])
    for k in range(24):
        late = 4 * np.sin(2 * np.pi * (epochs / 60.0 + k / 24))
        told = try_variations(times_of(late, sigma=0.5, seed=k, epochs=epochs), KNOWN).ephemeris
        off = told.t0 - float(KNOWN.at(np.array(told.epoch)))
        pulls.append(off / np.sqrt(told.cov[0, 0]))
    assert np.sqrt(np.mean(np.square(pulls))) < 3


def test_errors_too_small_are_scatter_and_no_wave():
    found = [try_variations(times_of(0.0, seed=k, worse=4.0), KNOWN).found for k in range(8)]
    assert Variation.SCATTER in found
    assert {*found} <= {Variation.SCATTER, Variation.LINEAR}


def test_nothing_is_invented():
    found = [try_variations(times_of(0.0, seed=k), KNOWN).found for k in range(20)]
    assert {*found} == {Variation.LINEAR}


def test_few_epochs_test_nothing():
    few = np.array([0, 3, 3, 9])
    told = try_variations(times_of(np.zeros(4), epochs=few), KNOWN)
    assert told.found is Variation.UNTESTED
    assert not told.log_evidence
    assert "periodic" not in try_variations(times_of(0.0, epochs=np.arange(5)), KNOWN).log_evidence


def test_the_evidence_is_that_of_the_whole_covariance():
    """A normal prior on a column adds its outer product to the covariance."""
    times = times_of(2 * (EPOCHS / 70 - 1.0) ** 2)
    data = Data.of(times, KNOWN)
    column = data.phase**2
    solved = data.solve(column[None, :, None]).log_evidence[0]
    plain = data.log_evidence(data.cov)
    for k in (0, 10, 23):
        brute = data.log_evidence(data.cov + SIZES[k] ** 2 * np.outer(column, column)) - plain
        assert solved[k] == pytest.approx(brute, abs=1e-6)


def test_all_models_together_weigh_as_much_as_the_best_of_them():
    times = times_of(6 * np.sin(2 * np.pi * EPOCHS / 37.0))
    data = Data.of(times, KNOWN)
    plain = data.log_evidence(data.cov) - 0.5 * len(EPOCHS) * math.log(2 * math.pi)
    plain -= math.log(data.half)
    best = max(try_variations(times, KNOWN).log_evidence.values())
    assert weigh_all(times, KNOWN) - plain == pytest.approx(best - math.log(50), abs=0.5)


def test_another_mid_time_brings_the_chance_of_it():
    """However far away it is: evidences of some and of all are of the same ephemerides."""
    times = times_of(0.0, epochs=np.array([0, 7, 300]))
    brought = weigh_all(times, KNOWN) - weigh_all(times.of(np.arange(3) < 2), KNOWN)
    weights = np.array([1 - 300 / 7, 300 / 7])  # of the line through two, at the third
    late = (times.mid - KNOWN.at(times.epoch)) * 1440
    sigma = math.hypot(0.8, *(0.8 * weights))
    chance = norm.logpdf(late[2], weights @ late[:2], sigma)
    assert brought == pytest.approx(chance, abs=1e-6)
