"""A pattern of the night sky on the chip, as bright as its stars, taken off by frames in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from dithered import Dithered, render
from lightcurve.core.settings import StackSettings, make_settings
from lightcurve.stack.running_sky import is_wanted
from lightcurve.stack.story import stack_folder


@pytest.mark.parametrize(
    ("given", "band", "wanted"),
    [(None, "J", True), (None, "Ks", True), (None, "R", False), (None, None, False),
     (False, "H", False), (True, "R", True)],
)  # fmt: skip
def test_where_it_is_done(given, band, wanted):
    assert is_wanted(StackSettings(sky_from_neighbours=given), band) is wanted


def test_the_sky_s_pattern_is_gone_and_the_stars_are_not(tmp_path: Path):
    spec = Dithered(n_frames=9, band="J", dither=14.0, margin=30.0, cosmics=0, trail=None,
                    flux=(2e4, 2e5), n_stars=40)  # fmt: skip
    truth = render(tmp_path / "night", spec)
    # Stripes, and what a flat field leaves of single pixels: the noise of the sky itself is 10 ADU.
    pattern = 25 * np.sin(np.arange(spec.shape[1]) / 5)
    pattern = pattern + np.random.default_rng(7).normal(0, 25, spec.shape)
    for path in (tmp_path / "night").glob("*.fits"):
        with fits.open(path, mode="update") as file:
            file[0].data = (file[0].data + pattern).astype(np.float32)
    left = {}
    for name, own in (("own", False), ("near", None)):
        settings = make_settings(
            {"catalogs": {"offline": True}, "stack": {"sky_from_neighbours": own}}
        )
        (one,) = stack_folder(tmp_path / "night", settings, tmp_path / name, catalog=False)
        assert one.made is not None
        stacked = one.made.stacked
        level = np.abs(stacked.light[20:-20, 20:-20])
        left[name] = float(1.48 * np.nanmedian(level))
        if name == "near":
            bright = int(np.argmax(truth.flux))
            assert np.nanmax(stacked.light) > 0.5 * truth.flux[bright] / (1.13 * 3.4**2)
    assert left["near"] < 0.6 * left["own"]
