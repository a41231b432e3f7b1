"""Gaussian filters by products of matrices give what scipy's sums give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from lightcurve.phot import smooth
from lightcurve.phot.smooth import smoothed_at, smoothed_by


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


@pytest.mark.parametrize("shape", [(170, 201), (30, 300), (9, 9)])
@pytest.mark.parametrize("share", [0.0, 0.25, np.inf])
def test_at_places_it_is_the_filtered_image_between_its_pixels(
    shape: tuple[int, int], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smooth, "SQUARES", share)
    rng = np.random.default_rng(2)
    image = rng.normal(100, 10, shape).astype(np.float32)
    good = rng.random(shape) > 0.1
    image[~good] = np.nan
    x, y = (rng.uniform(-0.5, n - 0.5, 20) for n in shape[::-1])
    x[:4], y[:4] = (0, 0, shape[1] - 1, 7), (0, shape[0] - 1, shape[0] - 1, 3)
    found = smoothed_at(image, good, (x, y), (2.1, 1.3))
    for sigma, values in zip((2.1, 1.3), found, strict=True):
        plain = gaussian_filter(np.where(good, image, 0), sigma)
        np.testing.assert_allclose(values, map_coordinates(plain, [y, x], order=1), rtol=1e-5)
    assert smoothed_at(image, good, (x[:0], y[:0]), (2.1, 1.3)).shape == (2, 0)
