"""Which stars a mosaic shows, and whether its pixels bear out what its header says."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Exposure
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from lightcurve.setup.colour import _pattern_seen, describe_colour, split

SITES = ((0, 0), (0, 1), (1, 0), (1, 1))


def test_the_smart_telescope_shows_three_times_the_stars(shared_data):
    found = []
    for path in sorted((shared_data / "nights/seestar-m94").glob("*20250326*"))[:3]:
        frame = reduce_frame(read_frame(path), None)
        as_grey = len(detect(frame.pixels, frame.bad))
        plane, stars = split(frame, Settings(), saturation_adu=None)
        assert plane.pixels.shape == (960, 540)
        assert plane.exposure.filter == "TG"
        found.append(len(stars) / as_grey)
    assert np.median(found) > 3


def noise_with(levels, *, sigma=20.0, shape=(200, 240), seed=1):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, sigma, shape).astype(np.float32)
    for (row, column), level in zip(SITES, levels, strict=True):
        pixels[row::2, column::2] += level
    return pixels


@pytest.mark.parametrize(
    ("levels", "greens"),
    [
        ((800, 1000, 1000, 700), (1, 2)),
        ((1000, 800, 750, 1003), (0, 3)),
        ((300, 200, 200, 320), (1, 2)),  # green the darkest
        ((1000, 1000, 1000, 1000), None),  # no colours
        ((1000, 900, 1000, 900), None),  # columns of two amplifiers
        ((1000, 1000, 900, 900), None),  # rows of two
        ((1000, 1000, 1000, 900), None),  # one of four amplifiers
        ((1010, 1000, 1000, 1005), None),  # too little to say
        ((1100, 1000, 1000, 900), None),  # red and blue on either side of green
    ],
)
def test_the_green_pixels_are_seen_by_their_sky(levels, greens):
    seen = _pattern_seen(noise_with(levels))
    assert (tuple(k for k, c in enumerate(seen) if c == "G") if seen else None) == greens


def test_noise_alone_is_no_mosaic():
    assert not any(_pattern_seen(noise_with((50,) * 4, sigma=30, seed=s)) for s in range(30))


@pytest.mark.parametrize(
    ("colour", "band", "told"), [(None, "V", False), ("R", "V", True), ("R", "TR", False)]
)
def test_a_colour_that_is_asked_of_a_camera_of_none_is_told(
    colour: str | None, band: str, told: bool
) -> None:
    settings = make_settings({"camera": {"colour": colour}})
    said = describe_colour(Exposure(shape=(8, 8), filter=band), settings)
    assert [value.guessed for value in said] == ([True] if told else [])
