"""Transits of a period that nobody told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.search import box_planet, search_transits
from space_files import observe, planet_of


def noisy(sector, seed, noise=1e-3):
    rng = np.random.default_rng(seed)
    return sector.light * (1 + noise * rng.normal(size=len(sector.light)))


@pytest.mark.parametrize("period", [1.7, 6.3])
def test_period_time_and_depth_of_a_planet_are_found(period):
    planet = planet_of(period_days=period, rp_over_rs=0.05, a_over_rs=11 * (period / 4) ** (2 / 3))
    sector = observe(31, cadence_s=900.0, planet=planet)
    box = search_transits(sector.bjd_tdb, noisy(sector, 31))
    assert box is not None
    assert box.found
    assert box.period == pytest.approx(period, rel=1e-3)
    phase = (box.t0 - planet.t0_bjd_tdb) / period
    assert abs(phase - round(phase)) * period < 0.02
    assert box.depth == pytest.approx(0.0025, rel=0.3)
    made = box_planet(box, "b", 10.0, 20.0)
    assert transit_duration(made) == pytest.approx(box.duration, rel=0.05)
    assert made.rp_over_rs == pytest.approx(math.sqrt(box.depth))


@pytest.mark.parametrize("seed", range(2))
def test_noise_has_no_planet(seed):
    sector = observe(seed, cadence_s=1800.0, planet=planet_of(rp_over_rs=1e-3))
    box = search_transits(sector.bjd_tdb, noisy(sector, seed))
    assert box is None or not box.found


def test_a_night_is_too_short():
    time = 2459000 + np.arange(0, 0.3, 0.001)
    assert search_transits(time, np.ones(len(time))) is None
