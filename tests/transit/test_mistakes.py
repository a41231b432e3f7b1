"""Wrong clocks are recognised by their size, and right ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.times import bjd_tdb, hjd_utc
from lightcurve.transit.mistakes import clock_mistakes, explain, judge_times
from lightcurve.transit.times import Times, known_ephemeris
from sim_season import PLANET

KNOWN = known_ephemeris(PLANET)
STAR = (PLANET.ra_deg, PLANET.dec_deg)
SECOND = 1 / 86400


def judged(epochs, late, sigma, rng):
    """Judge mid-times that are late by so many days."""
    mid = KNOWN.at(epochs) + sigma * rng.normal(size=len(epochs)) + late
    mistakes = [clock_mistakes(float(one), *STAR, 60.0) for one in mid]
    return judge_times(Times(epochs, mid, np.diag(np.full(len(epochs), sigma**2))), KNOWN, mistakes)


def test_the_sizes_are_those_of_the_conversions():
    jd = 2459123.75
    bjd = float(bjd_tdb(jd, *STAR, None))
    size = {one.words: one.days / SECOND for one in clock_mistakes(bjd, *STAR, 60.0)}
    assert size["UTC taken for TDB"] == pytest.approx(-69.184, abs=0.002)
    assert size["JD_UTC taken for BJD_TDB"] == pytest.approx((jd - bjd) / SECOND, abs=0.05)
    heliocentric = (float(hjd_utc(jd, *STAR, None)) - bjd) / SECOND
    assert size["HJD_UTC taken for BJD_TDB"] == pytest.approx(heliocentric, abs=0.05)
    assert size["start of exposures taken for their middle"] == pytest.approx(-30.0)
    early = clock_mistakes(2448000.5, *STAR, 0.0)
    assert early[0].days / SECOND == pytest.approx(-57.184, abs=0.01)  # of 1990
    assert not any("exposures" in one.words for one in early)


@pytest.mark.parametrize(
    ("late_s", "sigma_s", "words"),
    [
        (-69.184, 6.0, "UTC taken for TDB"),
        (28800.0, 60.0, "UTC+8 h"),
        (-19800.0, 60.0, "UTC-5.5 h"),
        (43200.0, 60.0, "UTC+12 h"),
        (-43200.0, 60.0, "half a day"),
    ],
)
def test_one_wrong_clock_among_twelve_is_named_and_left_out(late_s, sigma_s, words):
    rng = np.random.default_rng(6)
    late = np.zeros(12)
    late[4] = late_s * SECOND
    found = judged(np.arange(12) * 17, late, sigma_s * SECOND, rng)
    assert np.flatnonzero(~found.kept).tolist() == [4]
    assert words in found.words[4]
    assert not any(found.words[:4] + found.words[5:])


def test_one_wrong_clock_among_three_is_told_by_the_ephemeris_known():
    late = np.array([0.0, 0.0, 1 / 24])
    found = judged(np.array([1, 1, 2]), late, 40 * SECOND, np.random.default_rng(1))
    assert found.kept.tolist() == [True, True, False]
    assert "UTC+1 h" in found.words[2]


def test_two_wrong_clocks_do_not_shield_each_other():
    rng = np.random.default_rng(7)
    late = np.zeros(7)
    late[[0, 6]] = 1 / 24
    found = judged(np.arange(7) * 31, late, 40 * SECOND, rng)
    assert np.flatnonzero(~found.kept).tolist() == [0, 6]


def test_right_clocks_are_kept_and_seldom_named():
    rng, named, kept = np.random.default_rng(8), 0, True
    for _ in range(8):
        epochs = np.sort(rng.choice(200, size=rng.integers(2, 15), replace=False))
        found = judged(epochs, np.zeros(len(epochs)), 60 * SECOND, rng)
        named += sum(map(bool, found.words))
        kept &= bool(found.kept.all())
    assert kept
    assert named <= 1


def test_transits_that_vary_are_no_wrong_clocks():
    rng, left_out, total = np.random.default_rng(9), 0, 0
    for _ in range(8):
        epochs = np.sort(rng.choice(120, size=rng.integers(5, 15), replace=False))
        wave = 6 / 1440 * np.sin(2 * np.pi * (epochs / rng.uniform(15, 60) + rng.random()))
        found = judged(epochs, wave, 30 * SECOND, rng)
        left_out += int((~found.kept).sum())
        total += len(epochs)
    assert left_out < 0.01 * total


def test_no_mistake_is_named_that_the_error_hides():
    mistakes = clock_mistakes(2459000.0, *STAR, 60.0)
    assert explain(70 * SECOND, 60 * SECOND, mistakes) == ()
    assert explain(500 * SECOND, 2 * SECOND, mistakes) == ()
