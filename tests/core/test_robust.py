"""One robust scatter for the whole program."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import mad_std

from lightcurve.core.robust import MAD_TO_SIGMA, image_median, medians, robust_scatter


def test_robust_scatter_is_that_of_astropy_and_blind_to_wild_values():
    values = np.random.default_rng(1).normal(5.0, 2.0, 20001)
    assert robust_scatter(values) == pytest.approx(mad_std(values), rel=1e-12)
    assert robust_scatter(values) == pytest.approx(2.0, rel=0.03)
    wild = np.append(values, [np.nan, np.inf, -np.inf, *np.full(20, 1e9)])
    assert robust_scatter(wild) == pytest.approx(2.0, rel=0.03)
    assert robust_scatter(values, about=0.0) == pytest.approx(
        MAD_TO_SIGMA * np.median(np.abs(values))
    )
    assert np.isnan(robust_scatter(np.full(3, np.nan)))
    assert np.isnan(robust_scatter(np.zeros(0)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1,), (2,), (7, 101), (3, 4, 100)])
def test_medians_are_those_of_numpy_to_the_bit(kind: type, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(2).normal(1000, 3, shape).astype(kind)
    found = medians(values)
    assert found.dtype == kind
    np.testing.assert_array_equal(found, np.median(values, axis=-1))


def test_the_median_of_an_image_is_that_of_its_known_pixels():
    rng = np.random.default_rng(6)
    small = rng.normal(100, 5, (80, 91)).astype(np.float32)
    small[3:9] = np.nan
    assert image_median(small) == pytest.approx(np.nanmedian(small), rel=1e-6)
    large = rng.normal(100, 5, (2000, 2000)).astype(np.float32)
    large[:, 1::2] += 50  # as of two colours
    assert image_median(large) == pytest.approx(np.nanmedian(large), abs=2)  # few lie between
    assert np.isnan(image_median(np.full((3, 3), np.nan)))
