"""Sums of images that are 0 almost everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.circles import circle_sums
from lightcurve.phot.sparse import SparseImage

RADII = np.array([2.0, 4.5, 7.0])


def few(share: float) -> np.ndarray:
    image = np.random.default_rng(1).random((60, 80))
    return np.where(image < share, np.float32(100), np.float32(0))


def test_few_pixels_are_summed_as_all_are_but_for_the_part_of_those_at_the_rim() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-3, 83, 40), rng.uniform(-3, 63, 40)
    off = SparseImage.of(few(0.02)).sums(x, y, RADII) - circle_sums(few(0.02), x, y, RADII)
    assert np.abs(off).max() < 25
    assert abs(off.mean()) < 1


@pytest.mark.parametrize("share", [0.0, 0.02, 1.0])
def test_each_pixel_counts_by_the_part_of_it_within_the_circle(share: float) -> None:
    image = few(share)
    x, y = np.array([30.2, 79.0, 0.4, -5.0]), np.array([20.7, 59.0, 31.0, 200.0])
    row, column = np.mgrid[:60, :80]
    away = np.hypot(column - x[:, None, None], row - y[:, None, None])[..., None]
    whole = (np.clip(RADII - away + 0.5, 0, 1) * image[..., None]).sum(axis=(1, 2))
    np.testing.assert_allclose(SparseImage.of(image).sums(x, y, RADII), whole, atol=1e-3)


def test_nothing_lies_around_a_star_without_a_place() -> None:
    found = SparseImage.of(few(1.0)).sums(np.array([np.nan, 30.0]), np.array([5.0, np.inf]), RADII)
    np.testing.assert_array_equal(found, 0)
