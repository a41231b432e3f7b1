"""Times of minimum that were put in come back; Kwee and van Woerden's as worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lightcurve.variables.minima import find_minima, kwee_van_woerden, running_mean, windows

T0 = 2459000.3
NOISE = 0.006


def night(rng, *, middle=T0, hours=(-2.5, 2.5), width=0.025, depth=0.4, minutes=2.0):
    time = T0 + np.arange(hours[0] / 24, hours[1] / 24, minutes / 1440)
    flux = 1 - depth * np.exp(-0.5 * ((time - middle) / width) ** 2)
    return time, flux + rng.normal(0, NOISE, len(time)), np.full(len(time), NOISE)


def by_hand(time: np.ndarray, value: np.ndarray, fold: float) -> tuple[float, float]:
    """Fold about half a step before a moment, at it and after it, as the paper does."""
    step = time[1] - time[0]
    sums = []
    for k in (-0.5, 0.0, 0.5):
        middle = fold + k * step
        pairs = [
            (v, w)
            for t, v in zip(time, value, strict=True)
            for u, w in zip(time, value, strict=True)
            if t < middle - 1e-9 and abs(t + u - 2 * middle) < 1e-9
        ]
        sums.append(pairs)
    number = min(map(len, sums))
    totals = [sum((v - w) ** 2 for v, w in pairs[-number:]) for pairs in sums]
    a, b, c = np.polyfit([fold - step / 2, fold, fold + step / 2], totals, 2)
    return -b / (2 * a), math.sqrt((4 * a * c - b * b) / (4 * a * a * (number / 2 - 1)))


def test_kwee_and_van_woerden_by_hand() -> None:
    time = np.arange(21.0)
    value = (time - 9.8) ** 2 / 50 + np.random.default_rng(1).normal(0, 0.03, 21)
    moment, error = kwee_van_woerden(time, value)
    expected, of_formula = by_hand(time, value, round(2 * moment) / 2)
    assert moment == pytest.approx(expected, abs=1e-6)
    assert error == pytest.approx(of_formula, rel=1e-6)
    assert moment == pytest.approx(9.8, abs=0.2)


def test_a_minimum_comes_back_within_its_errors() -> None:
    rng = np.random.default_rng(2)
    for middle in (T0, T0 + 0.01, T0 - 0.02):
        (one,) = find_minima(*night(rng, middle=middle), rng=rng)
        assert abs(one.time - middle) < 4 * one.error
        assert abs(one.kwee - middle) < 4 * one.kwee_err
        assert 5e-5 < one.error < 5e-4
        assert one.depth == pytest.approx(0.4, abs=0.02)
        # Of a Gaussian: 2 sqrt(2 ln 2) of its width.
        assert one.width == pytest.approx(2.3548 * 0.025, rel=0.05)
        assert one.whole


def test_what_is_no_minimum_is_not_timed() -> None:
    rng = np.random.default_rng(3)
    assert not find_minima(*night(rng, depth=0.0), rng=rng)
    # A branch alone: the night ends before the light comes back.
    assert not find_minima(*night(rng, middle=T0 + 0.125), rng=rng)
    few = slice(0, 6)
    assert not find_minima(*(v[few] for v in night(rng)), rng=rng)


def test_one_branch_seen_in_part_is_told_and_less_sure() -> None:
    rng = np.random.default_rng(4)
    (whole,) = find_minima(*night(rng), rng=rng)
    (part,) = find_minima(*night(rng, hours=(-2.5, 0.4)), rng=rng)
    assert not part.whole
    assert part.error > whole.error
    assert abs(part.time - T0) < 4 * part.error


def test_light_that_does_not_change_and_few_points_make_no_minima() -> None:
    rng = np.random.default_rng(5)
    time, _, error = night(rng)
    assert not find_minima(time, np.ones(len(time)), error, rng=rng)
    # Hundredths of a magnitude, of which most are alike.
    coarse = 1 + 0.01 * np.round(rng.normal(0, 0.3, len(time)))
    assert not find_minima(time, coarse, error, rng=rng)
    for _ in range(40):  # at any times: a mean of three points is no better than one of them
        time = np.sort(rng.uniform(T0, T0 + 0.3, 100))
        flux = 1 + 0.3 * (time - T0) + rng.normal(0, NOISE, 100)
        assert not list(windows(time, flux, np.full(100, NOISE)))


def test_a_mean_over_neighbours_is_that_over_all_points() -> None:
    rng = np.random.default_rng(6)
    time, error = np.sort(rng.uniform(0, 2, 1300)), rng.uniform(0.5, 2, 1300)
    weight = np.exp(-0.5 * ((time[:, None] - time) / 0.02) ** 2) / error**2
    weight /= weight.sum(axis=1)[:, None]
    flux = rng.normal(0, 1, 1300)
    mean, share = running_mean(time, flux, error, 0.02)
    assert_allclose(mean, weight @ flux, atol=1e-3)
    assert_allclose(share, np.linalg.norm(weight, axis=1), rtol=1e-3)
