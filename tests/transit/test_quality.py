"""Tests of residuals, of short series and of very long ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import anderson, kstest

from lightcurve.transit.quality import (
    anderson_darling,
    coverage,
    fold_about,
    normal_chance,
    residual_tests,
)


@pytest.mark.parametrize("n", [60, 8000])
def test_white_noise_of_any_length_passes(n: int) -> None:
    found = residual_tests(np.random.default_rng(3).standard_normal(n))
    assert found["normality_p"] > 0.01
    assert found["autocorrelation_p"] > 0.01


def test_long_series_of_another_law_do_not() -> None:
    found = residual_tests(np.random.default_rng(3).exponential(size=8000))
    assert found["normality_p"] < 1e-6


def test_the_statistic_is_scipys() -> None:
    for n, power in ((12, 1), (142, 1), (700, 3)):
        values = np.random.default_rng(n).standard_normal(n) ** power
        with warnings.catch_warnings(action="ignore"):
            known = anderson(values).statistic
        assert anderson_darling(values) / (1 + 0.75 / n + 2.25 / n**2) == pytest.approx(known)


def test_chances_of_normal_values_are_even() -> None:
    rng = np.random.default_rng(5)
    found = [residual_tests(rng.normal(3, 2, 40))["normality_p"] for _ in range(1000)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_chances_fall_as_the_statistic_grows() -> None:
    chances = [normal_chance(a) for a in np.linspace(0, 160, 4000)]
    assert np.all(np.diff(chances) < 0.002)  # where two formulas meet they differ by so much
    assert chances[-1] < 1e-100


def test_several_transits_are_covered_as_one():
    night = np.linspace(-0.1, 0.1, 101)
    folded = fold_about(np.concatenate([10 + night, 16.0 + night]), 12.0, 2.0)
    assert coverage(folded, 12.0, 0.1, 0.02)["coverage_transit"] == 1
    assert np.array_equal(fold_about(10 + night, 10.01, 2.0), 10 + night)
