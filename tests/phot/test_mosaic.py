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
