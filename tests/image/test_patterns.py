"""Frames without a star: noise, the pattern of a sensor, a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import FrameError
from lightcurve.core.progress import Clock
from lightcurve.core.settings import make_settings
from lightcurve.image.prepare import without_patterns
from lightcurve.image.story import measure_image
from lightcurve.phot.depth import blank_places
from lightcurve.phot.detect import detect

OFFLINE = make_settings({"catalogs": {"offline": True}, "image": {"psf": "none", "injected": 0}})


def test_a_mask_is_no_image(tmp_path: Path) -> None:
    mask = (np.random.default_rng(3).random((80, 90)) < 0.05).astype(np.uint8)
    fits.writeto(tmp_path / "mask.fits", mask)
    with pytest.raises(FrameError, match="mask"):
        measure_image(tmp_path / "mask.fits", OFFLINE, Clock())


def test_what_is_too_wide_to_have_its_sky_on_the_frame_is_no_star() -> None:
    """A soft glow over a tenth of a frame, as amplifiers leave; a star beside it stays one."""
    rng = np.random.default_rng(4)
    v, u = np.mgrid[:300, :300]
    glow = 400 * np.exp(-((u - 150) ** 2 + (v - 150) ** 2) / (2 * 25**2))
    star = 5000 * np.exp(-((u - 60) ** 2 + (v - 200) ** 2) / (2 * 2**2))
    for light, kept in ((glow, False), (star, True)):
        stars = detect((1000 + light + rng.normal(0, 5, light.shape)).astype(np.float32))
        left, notes = without_patterns(stars, light.shape)
        assert bool(len(left)) == kept
        assert bool(notes) != kept


def test_wide_annuli_are_measured_on_fewer_blank_places() -> None:
    free = np.zeros((2000, 2000), dtype=bool)
    counts = [
        len(blank_places(free, 5.0, reach, np.random.default_rng(1))[0]) for reach in (20.0, 200.0)
    ]
    assert counts[0] == 2000
    assert 100 <= counts[1] < 200
