"""Sums over pixels of small pictures: which pixels, and what shifts do."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.stamps import basin, gaussian_share, hourly_scatter, without_shifts


def star(x, y, light, width=0.9, side=11):
    rows, columns = np.mgrid[:side, :side]
    return light * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / width**2)


def test_the_way_up_parts_two_stars():
    image = star(4, 5, 100) + star(8, 5, 300)
    mine, other = basin(image, (4.2, 5.1)), basin(image, (8, 5))
    assert mine[5, 4]
    assert other[5, 8]
    assert not (mine & other).any()


def test_a_star_in_the_wing_of_another_has_the_pixels_beside_its_place():
    image = star(5, 5, 1.0) + star(7, 5, 1000, width=1.5)
    mine = basin(image, (5, 5))
    assert mine.sum() == 9
    assert mine[5, 5]


def test_the_share_of_a_round_star_adds_up():
    every = np.ones((21, 21), dtype=bool)
    assert gaussian_share(every, (10.2, 9.7), 0.8) == pytest.approx(1, abs=1e-9)
    half = every.copy()
    half[:, 11:] = False
    assert gaussian_share(half, (10.5, 10.0), 0.8) == pytest.approx(0.5, abs=1e-9)


def test_shifts_are_taken_off_and_transits_and_the_star_left():
    rng = np.random.default_rng(4)
    time = np.arange(0, 20, 600 / 86400)
    shift = np.column_stack([0.3 * ((time / 0.25) % 1 - 0.5), 0.02 * rng.normal(size=time.size)])
    own = 1 + 0.003 * np.sin(time / 2.0)
    own[(time % 3.3) < 0.12] -= 0.01
    raw = 900 * own * (1 + 0.05 * shift[:, 0] - 0.1 * shift[:, 0] ** 2)
    raw *= 1 + 2e-4 * rng.normal(size=time.size)
    steady = without_shifts(time, raw[:, None], shift, np.ones(time.size, dtype=bool))[:, 0]
    left = steady / own / np.median(steady / own)
    assert np.std(left) < 2.5e-4
    dark = (time % 3.3) < 0.12
    assert np.mean(left[dark]) == pytest.approx(np.mean(left[~dark]), abs=5e-5)


def test_the_scatter_of_an_hour_is_that_of_its_points():
    rng = np.random.default_rng(5)
    time = np.arange(0, 27, 120 / 86400)
    flux = 50 * (1 + 1e-3 * rng.normal(size=time.size))
    good = np.ones(time.size, dtype=bool)
    assert hourly_scatter(time, flux, good) == pytest.approx(1e-3 / np.sqrt(30), rel=0.1)
    assert hourly_scatter(time, -flux, good) == np.inf
