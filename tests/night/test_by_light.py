"""A frame in which no star was detected is placed by its light as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.register import make_reference
from lightcurve.core.data import Detections, Exposure, FoundBy, Frame
from lightcurve.core.errors import RegistrationError
from lightcurve.core.settings import make_settings
from lightcurve.night.register_or_solve import place_frame

SHAPE, SHIFT = (80, 100), (6.4, -3.7)


@pytest.mark.parametrize("light", [300.0, 0.0])
def test_a_frame_without_a_star_is_placed_by_all_of_its_light(light):
    rng = np.random.default_rng(4)
    x, y = rng.uniform(12, np.array(SHAPE[::-1]) - 12, (9, 2)).T
    v, u = np.indices(SHAPE)
    pixels = rng.normal(100.0, 8.0, SHAPE)
    for one_x, one_y in zip(x + SHIFT[0], y + SHIFT[1], strict=True):
        pixels += light / 10 * np.exp(-((u - one_x) ** 2 + (v - one_y) ** 2) / (2 * 1.3**2))
    frame = Frame(
        pixels, np.zeros(SHAPE, np.uint8), Exposure(shape=SHAPE), fits.Header(), Path("a.fits")
    )
    none = Detections(*(np.zeros(0) for _ in range(5)), sky=100.0, sky_rms=8.0)
    reference = make_reference(x, y, np.full(9, 1e4), SHAPE)
    solve = make_settings({}).solve
    if not light:
        with pytest.raises(RegistrationError, match="sigma at best"):
            place_frame(frame, none, reference, None, 1.0, solve)
        return
    found, _ = place_frame(frame, none, reference, None, 1.0, solve)
    assert found.found_by is FoundBy.LIGHT
    assert np.hypot(*(found.matrix[:, 2] - SHIFT)) < 0.7
