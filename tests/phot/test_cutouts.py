"""Pixels at positions."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.cutouts import nearest_pixel


def test_who_is_beyond_the_frame_has_the_pixel_at_its_rim():
    x = np.array([2.4, -3.0, 9.6, 1e30, np.nan])
    y = np.array([0.6, 4.0, 99.0, -np.inf, 2.0])
    row, column = nearest_pixel(x, y, (5, 10))
    assert row.tolist() == [1, 4, 4, 0, 2]
    assert column.tolist() == [2, 0, 9, 9, 0]
