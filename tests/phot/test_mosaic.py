"""Colours of a mosaic brought to one sky."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.mosaic import level_colours

SKIES = np.array([[100.0, 140.0], [140.0, 220.0]])  # ADU, of the four colours


@pytest.mark.parametrize("shape", [(64, 64), (1, 64), (64, 1), (1, 1)])
def test_all_colours_have_their_mean_sky(shape: tuple[int, int]):
    """A single row or column has two colours, a single pixel one."""
    row, column = np.indices(shape)
    pixels = SKIES[row % 2, column % 2]
    level = level_colours(pixels, np.zeros(shape, np.uint8))
    np.testing.assert_allclose(level, SKIES[: shape[0], : shape[1]].mean(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(300, 400), (301, 399), (200, 131)])
def test_the_smooth_sky_of_each_colour_is_taken_off(shape: tuple[int, int]):
    """A slope of its own in each colour, to the last column and row of an odd number."""
    rng = np.random.default_rng(2)
    row, column = np.indices(shape)
    sky = SKIES[row % 2, column % 2] * (1 + 0.2 * column / shape[1] - 0.1 * row / shape[0])
    level = level_colours(sky + rng.normal(0, 2, shape), np.zeros(shape, np.uint8))
    rest = level - np.median(level)
    for part in np.ndindex(2, 2):
        assert abs(np.median(rest[part[0] :: 2, part[1] :: 2])) < 1.0
    assert np.std(rest[:, -1]) < 6.0  # beyond the last middle of a cell a slope is not followed
    assert abs(np.median(rest[:, -1] - rest[:, -3])) < 3.0
