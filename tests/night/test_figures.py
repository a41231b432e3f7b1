"""Which figures a night has all for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Masters
from lightcurve.night.figures import FIGURES


@pytest.mark.parametrize(
    ("masters", "drawn"),
    [
        (None, False),
        (Masters(bad=np.ones((3, 4), np.uint8)), False),  # hot pixels that the lights show
        (Masters(flat=np.ones((3, 4), np.float32)), True),
    ],
)
def test_masters_are_drawn_where_there_is_a_picture_of_one(masters, drawn):
    night = SimpleNamespace(has_pixels=True, scene=SimpleNamespace(masters=masters))
    finished = SimpleNamespace(night=night, need_night=lambda: night)
    assert bool(FIGURES.get("masters").lacks(finished)) is not drawn
