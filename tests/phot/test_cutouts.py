"""Pixels at positions."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.cutouts import (
    add_squares,
    gather,
    nearest_pixel,
    peaks_and_bits,
    take_offsets,
)


def test_who_is_beyond_the_frame_has_the_pixel_at_its_rim():
    x = np.array([2.4, -3.0, 9.6, 1e30, np.nan])
    y = np.array([0.6, 4.0, 99.0, -np.inf, 2.0])
    row, column = nearest_pixel(x, y, (5, 10))
    assert row.tolist() == [1, 4, 4, 0, 2]
    assert column.tolist() == [2, 0, 9, 9, 0]


def test_places_far_off_the_image_hold_nothing_and_take_no_time() -> None:
    x = np.array([10**15, -(10**15), np.iinfo(np.int64).min, 3])
    offsets = np.array([-1, 0, 1]), np.zeros(3, int)
    image = np.arange(60.0).reshape(6, 10)
    found = take_offsets(image, x, np.array([2, 2, 2, 10**15]), offsets)
    assert found.shape == (4, 3)
    assert np.isnan(found).all()
    with np.errstate(invalid="ignore"):
        peak, bits = peaks_and_bits(
            image, np.ones((6, 10), np.uint8), np.array([np.nan, 4.0]), np.array([2.0, 2.0]),
            np.array([1.0]),
        )  # fmt: skip
    assert np.isnan(peak[0]).all()
    assert peak[1] == 35
    assert bits.tolist() == [[0], [1]]


def test_squares_are_the_same_beside_one_that_reaches_over_the_edge():
    image = np.arange(600.0).reshape(20, 30)
    x, y = np.array([2, 15, 27]), np.array([17, 9, 2])
    inside = gather(image, x, y, 2)
    beside = gather(image, np.append(x, 0), np.append(y, 19), 2)
    np.testing.assert_array_equal(beside[:3], inside)
    np.testing.assert_array_equal(inside[1], image[7:12, 13:18])
    assert np.isnan(beside[3]).sum() == 16


def test_squares_are_added_where_they_lie_on_the_image() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(-9, 39, 200), rng.integers(-9, 29, 200)
    squares = rng.normal(size=(200, 7, 7))
    image = rng.normal(size=(20, 30))
    whole = np.zeros((80, 90))
    for column, row, square in zip(x, y, squares, strict=True):
        whole[row + 27 : row + 34, column + 27 : column + 34] += square
    found = image.copy()
    add_squares(found, x, y, squares)
    np.testing.assert_allclose(found, image + whole[30:50, 30:60], atol=1e-12)


def test_the_highest_pixel_and_all_bits_are_those_within_each_radius() -> None:
    """Radii so close that they hold the same pixels, NaN, and stars at the edge."""
    rng = np.random.default_rng(6)
    pixels = rng.normal(100, 30, (40, 50)).astype(np.float32)
    pixels[rng.random(pixels.shape) < 0.1] = np.nan
    pixels[:7, :7] = np.nan
    bad = (rng.random(pixels.shape) < 0.05) * rng.integers(1, 64, pixels.shape)
    x, y = rng.uniform(0, 49, 60), rng.uniform(0, 39, 60)
    x[0] = y[0] = 1.0
    radii = np.array([0.3, 0.4, 1.5, 1.51, 1.52, 3.0, 5.5])
    peak, bits = peaks_and_bits(pixels, bad.astype(np.uint8), x, y, radii)
    rows, columns = np.mgrid[:40, :50]
    for star, radius in np.ndindex(peak.shape):
        far = np.hypot(columns - np.rint(x[star]), rows - np.rint(y[star]))
        inside = far <= radii[radius] + 0.5
        finite = pixels[inside][np.isfinite(pixels[inside])]
        np.testing.assert_equal(peak[star, radius], finite.max() if finite.size else np.nan)
        assert bits[star, radius] == np.bitwise_or.reduce(bad[inside])
