"""Sums within circles: those of many stars at once are those of photutils, star by star."""

from __future__ import annotations

import numpy as np
import pytest
from photutils.aperture import CircularAperture, aperture_photometry

from lightcurve.phot.circles import FEWEST, WIDEST_PX, circle_sums

N = 3 * FEWEST
RADII = np.array([0.4, 0.9, 1.5, 2.0, 3.5, 7.1, WIDEST_PX])


def plain(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    circles = [CircularAperture(np.column_stack([x, y]), r) for r in radii]
    table = aperture_photometry(pixels.astype(float), circles, method="exact")
    return np.column_stack([table[f"aperture_sum_{k}"] for k in range(len(radii))])


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixels = rng.gamma(0.5, 2000, (90, 120)).astype(np.float32)
    return pixels, rng.uniform(15, 104, N), rng.uniform(15, 74, N)


@pytest.mark.parametrize("level", [0.0, -700.0, 1e5])
def test_sums_are_those_of_photutils(level: float) -> None:
    pixels, x, y = scene(np.random.default_rng(1))
    pixels += np.float32(level)
    # On pixels' middles, edges and corners, where lines touch circles.
    x[:9], y[:9] = (part.ravel() for part in np.meshgrid([40.0, 40.5, 41.5], [30.0, 30.5, 31.5]))
    found = circle_sums(pixels, x, y, RADII)
    absolute = plain(np.abs(pixels), x, y, RADII)
    assert (np.abs(found - plain(pixels, x, y, RADII)) < 1e-11 * absolute + 1e-9).all()


def test_a_flat_image_has_the_area_of_the_circles() -> None:
    _, x, y = scene(np.random.default_rng(2))
    found = circle_sums(np.ones((90, 120), np.float32), x, y, RADII)
    np.testing.assert_allclose(found, np.broadcast_to(np.pi * RADII**2, found.shape), rtol=1e-12)


@pytest.mark.parametrize("wide", [WIDEST_PX, WIDEST_PX + 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -3e38, 1e25])
def test_what_is_no_number_counts_only_where_it_is_in_the_circle(value: float, wide: float) -> None:
    pixels, x, y = scene(np.random.default_rng(3))
    good = circle_sums(pixels, x, y, np.array([2.0, wide]))
    i, j = np.rint(x[5]).astype(int) + 3, np.rint(y[5]).astype(int)
    pixels[j, i] = value
    found = circle_sums(pixels, x, y, np.array([2.0, wide]))
    far = np.hypot(x - i, y - j)
    np.testing.assert_allclose(found[far > 3, 0], good[far > 3, 0], rtol=1e-12)
    inside = found[5, 1]
    assert np.isnan(inside) if np.isnan(value) else inside == pytest.approx(value, rel=1e-6)


def test_what_lies_off_the_image_does_not_count() -> None:
    pixels, x, y = scene(np.random.default_rng(4))
    x[:20], y[20:40] = np.linspace(-8, 8, 20), np.linspace(80, 98, 20)
    around = np.pad(pixels, 60)
    found = circle_sums(pixels, x, y, RADII)
    np.testing.assert_allclose(found, plain(around, x + 60, y + 60, RADII), rtol=1e-7, atol=1e-6)


def test_stars_do_not_depend_on_one_another() -> None:
    pixels, x, y = scene(np.random.default_rng(5))
    together = circle_sums(pixels, x, y, RADII)
    for k in (0, N // 2, N - 1):
        one = circle_sums(pixels, x[k : k + 1], y[k : k + 1], RADII)
        np.testing.assert_allclose(one[0], together[k], rtol=1e-12)


def test_an_image_smaller_than_its_circles_is_summed() -> None:
    pixels, places = np.ones((7, 6), np.float32), np.full(N, 3.0)
    found = circle_sums(pixels, places, places, np.array([2.0, 9.0]))
    np.testing.assert_allclose(found, np.broadcast_to([4 * np.pi, 42.0], found.shape), rtol=1e-7)
