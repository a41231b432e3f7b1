"""Tests of residuals, of short series and of very long ones."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.transit.quality import residual_tests


@pytest.mark.parametrize("n", [60, 8000])
def test_white_noise_of_any_length_passes(n: int) -> None:
    found = residual_tests(np.random.default_rng(3).standard_normal(n))
    assert found["normality_p"] > 0.01
    assert found["autocorrelation_p"] > 0.01


def test_long_series_of_another_law_do_not() -> None:
    found = residual_tests(np.random.default_rng(3).exponential(size=8000))
    assert found["normality_p"] < 1e-6
