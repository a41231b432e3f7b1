"""The small pictures of a frame show what is there, where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.data import Detections
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.pictures import (
    FIELD_SIDE,
    REFERENCE_SIDE,
    field_picture,
    reference_picture,
    target_picture,
)
from lightcurve.night.prepare import prepare_night
from lightcurve.night.store import decode_result, encode_result
from lightcurve.setup.target import find_target
from sim import tiny_night

SKY, RMS = 300.0, 5.0


def stars(sky: float = SKY, rms: float = RMS) -> Detections:
    return Detections(*[np.empty(0)] * 5, sky=sky, sky_rms=rms)


def steps(picture):
    """ADU from one grey to the next, at each pixel."""
    height = np.hypot(picture.soft, picture.adu - picture.sky)
    return height * (picture.high - picture.low) / 254


def test_a_picture_tells_the_mean_of_its_squares_as_finely_as_its_greys():
    rng = np.random.default_rng(1)
    pixels = rng.normal(SKY, RMS, (300, 400)).astype(np.float32)
    pixels[40:44, 80:84] = 20000
    picture = field_picture(pixels, stars())
    assert picture.step == 4
    assert max(picture.pixels.shape) <= FIELD_SIDE
    truth = pixels.reshape(75, 4, 100, 4).mean(axis=(1, 3))
    assert (np.abs(picture.adu - truth) <= steps(picture)).all()
    assert picture.adu[10, 20] == pytest.approx(20000, rel=0.01)
    assert picture.on_picture(81.5, 41.5) == (20, 10)


def test_holes_are_left_out_and_what_has_no_value_says_so():
    pixels = np.full((256, 256), SKY, np.float32)
    pixels[:2] = np.nan
    pixels[100, 100] = np.nan
    picture = field_picture(pixels, stars())
    assert (picture.pixels[0] == 0).all()
    assert np.isnan(picture.adu[0]).all()
    np.testing.assert_allclose(picture.adu[1:], SKY, rtol=1e-3)


@pytest.mark.parametrize("fill", [np.nan, 0.0, np.inf, 1e30])
def test_a_frame_without_anything_in_it_gives_a_picture(fill):
    pixels = np.full((10, 8), fill, np.float32)
    for picture in (field_picture(pixels, stars(np.nan, np.nan)), reference_picture(pixels)):
        assert picture.pixels.shape == (10, 8)
        assert np.isfinite([picture.sky, picture.soft, picture.low, picture.high]).all()


@pytest.mark.parametrize("outer", [7.0, 18.2, 60.0])
@pytest.mark.parametrize("place", [(201.3, 98.7), (2.0, 1.0), (399.4, 299.4)])
def test_the_target_is_in_the_middle_of_its_picture(place, outer):
    y, x = np.mgrid[:300, :400]
    distance = np.hypot(x - place[0], y - place[1])
    pixels = (SKY + 9000 * np.exp(-(distance**2) / 8)).astype(np.float32)
    picture = target_picture(pixels, (0, 0), place, outer, stars())
    n = picture.pixels.shape[0]
    assert picture.pixels.shape == (n, n)
    assert n <= 48
    assert n * picture.step >= 2 * outer
    height = np.nan_to_num(picture.adu - SKY).clip(0)
    rows, columns = np.indices(picture.pixels.shape)
    middle = [np.sum(height * axis) / height.sum() for axis in (columns, rows)]
    assert np.abs(np.array(picture.on_picture(*place)) - (n - 1) / 2).max() <= 0.5
    if place == (201.3, 98.7):
        assert middle == pytest.approx(picture.on_picture(*place), abs=0.1)
    cut = target_picture(pixels[:, :250], (0, 0), place, outer, stars())
    assert (cut is None) == (place[0] > 250 + outer)


def test_a_part_of_a_frame_gives_the_picture_that_the_frame_gives():
    pixels = np.random.default_rng(2).normal(SKY, RMS, (90, 120)).astype(np.float32)
    whole = target_picture(pixels, (0, 0), (50.2, 40.1), 12, stars())
    part = target_picture(pixels[20:70, 30:80], (30, 20), (50.2, 40.1), 12, stars())
    np.testing.assert_array_equal(whole.pixels, part.pixels)
    assert (whole.left, whole.bottom) == (part.left, part.bottom)


def test_the_reference_picture_is_small_enough():
    picture = reference_picture(np.full((1300, 2000), SKY, np.float32))
    assert max(picture.pixels.shape) <= REFERENCE_SIDE


@pytest.mark.parametrize("shrink", [1, 2])
def test_the_target_is_in_the_middle_after_a_flip_too(tmp_path: Path, shrink: int):
    tiny_night(tmp_path, n_frames=4, header_wcs=True, flip_at=0.5, shape=(401, 450), n_stars=60)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    scene = prepare_night(take_inventory(tmp_path, settings), target, settings, tmp_path / "m")
    recipe = replace(scene.recipe, shrink=shrink)
    results = [decode_result(encode_result(measure_frame(p, recipe))) for p in scene.lights]
    turned = [abs(r.registration.rotation_deg) > 90 for r in results]
    assert any(turned)
    assert not all(turned)
    for result in results:
        picture = result.target_picture
        brightest = np.unravel_index(np.argmax(picture.pixels), picture.pixels.shape)
        assert np.abs(np.array(brightest) - (picture.pixels.shape[0] - 1) / 2).max() <= 1.5
        x, y = result.photometry.x, result.photometry.y
        flux = result.photometry.flux[:, 0]
        whole = result.field_picture
        k = int(np.nanargmax(flux))
        column, row = (round(v) for v in whole.on_picture(x[k], y[k]))
        assert whole.pixels[row - 1 : row + 2, column - 1 : column + 2].max() > 200
