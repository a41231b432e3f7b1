"""Gaussian filters by products of matrices give what scipy's sums give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lightcurve.phot.smooth import smoothed_by


@pytest.mark.parametrize("shape", [(70, 101), (32, 64), (5, 40), (1, 1)])
@pytest.mark.parametrize(("dtype", "rounding"), [(np.float32, 3e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize(("sigma", "truncate"), [(0.7, 3.0), (1.3, 4.0), (6.0, 4.0)])
def test_it_is_scipys_filter(shape, dtype, rounding, sigma, truncate) -> None:
    image = np.random.default_rng(1).normal(size=shape).astype(dtype)
    found = smoothed_by(image, sigma, truncate)
    assert found.dtype == dtype
    plain = gaussian_filter(image, sigma, truncate=truncate)
    np.testing.assert_allclose(found, plain, atol=4 * rounding)


def test_a_star_leaves_no_rounding_beyond_the_filter() -> None:
    image = np.zeros((80, 90), np.float32)
    image[40, 50] = 1e15
    found = smoothed_by(image, 2.0, 3.0)
    assert np.count_nonzero(found) == 13**2


@pytest.mark.parametrize("wild", [np.nan, np.inf, 3e38])
def test_what_is_not_finite_spreads_as_far_as_the_filter(wild: float) -> None:
    image = np.ones((80, 90), np.float32)
    image[40, 50] = wild
    with np.errstate(all="ignore"):
        plain = gaussian_filter(image, 2.0, truncate=3.0)
    np.testing.assert_allclose(smoothed_by(image, 2.0, 3.0), plain, rtol=1e-5)
