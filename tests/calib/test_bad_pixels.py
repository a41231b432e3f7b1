"""Bad pixels: planted ones are found, glow and vignetting are not; a user's list is obeyed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.calib.bad_pixels import (
    bad_columns,
    dead_pixels,
    hot_pixels,
    mark_cosmic_rays,
    read_user_map,
    tile_median,
)
from lightcurve.core.data import Exposure, Frame
from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag


def glow(shape):
    y, x = np.indices(shape)
    return 200 * np.exp(-np.hypot(y, x - shape[1]) / 80)


def test_hot_and_cold_pixels_stand_out_of_a_glowing_dark():
    rng = np.random.default_rng(1)
    dark = 20 + 0.05 * np.indices((256, 300))[1] + rng.normal(0, 2, (256, 300))
    planted = np.zeros(dark.shape, dtype=bool)
    planted[rng.integers(0, 256, 40), rng.integers(0, 300, 40)] = True
    dark[planted] += np.where(rng.random(planted.sum()) < 0.2, -60, 60)
    np.testing.assert_array_equal(hot_pixels(dark, n_sigma=8), planted)


def test_the_glow_of_an_amplifier_is_not_hot():
    rng = np.random.default_rng(2)
    dark = 20 + glow((512, 512)) + rng.normal(0, 5, (512, 512))
    assert hot_pixels(dark, n_sigma=8).mean() < 0.002


def test_a_quiet_dark_of_whole_numbers_has_no_hot_pixels():
    dark = np.zeros((100, 100))
    dark[3, 4] = 3
    dark[7, 7] = 10
    assert np.argwhere(hot_pixels(dark)).tolist() == [[7, 7]]


def test_dead_pixels_in_a_vignetted_flat():
    y, x = np.indices((300, 300))
    flat = 1 - 0.8 * np.hypot(x - 150, y - 150) / 212
    flat[10, 10] *= 0.4
    flat[150, 150] = 0
    flat[20, 20] = np.nan
    flat[30, 30] = -1
    found = np.argwhere(dead_pixels(flat)).tolist()
    assert found == [[10, 10], [20, 20], [30, 30], [150, 150]]


def test_bad_columns_and_rows():
    rng = np.random.default_rng(3)
    image = rng.normal(100, 3, (200, 240)) + 0.1 * np.arange(240)
    image[:, 77] += 5
    assert np.flatnonzero(bad_columns(image)).tolist() == [77]
    assert np.flatnonzero(bad_columns(image.T, axis=1)).tolist() == [77]
    assert not bad_columns(image, least=10).any()


@settings(max_examples=30)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(-1000, 1000))
def test_tiles_cover_any_shape(ny, nx, level):
    image = np.full((ny, nx), float(level))
    np.testing.assert_allclose(tile_median(image), level, rtol=1e-6)


def test_user_map(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        "columns = [2]\nrows = [0]\npixels = [[4, 3]]\nrectangles = [[5, 5, 6, 7]]\n",
        encoding="utf-8",
    )
    marked = read_user_map(path, (8, 10))
    expected = np.zeros((8, 10), np.uint8)
    expected[:, 2] = expected[0] = expected[3, 4] = expected[5:8, 5:7] = PixelFlag.USER
    np.testing.assert_array_equal(marked, expected)
    assert marked.dtype == np.uint8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns = [10]", r"columns 10 lies outside the frame of 10 x 8 px"),
        ("rows = [-1]", "outside"),
        ("rectangles = [[5, 5, 4, 7]]", "outside"),
        ("rectangles = [[1, 2, 3]]", "expected"),
        ("pixels = [[1.5, 2]]", "expected"),
        ("columns = [true]", "expected"),
        ("colums = [1]", "expected"),
        ("columns = {a = 1}", "expected"),
        ("columns = [", "cannot be read"),
    ],
)
def test_user_map_errors(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_user_map(path, (8, 10))
    with pytest.raises(InputError, match="cannot be read"):
        read_user_map(tmp_path / "absent.toml", (8, 10))


def test_hits_are_marked_and_stars_spared():
    rng = np.random.default_rng(1)
    y, x = np.indices((200, 200))
    scene = np.full((200, 200), 300.0)
    stars = rng.uniform(20, 180, (15, 2))
    for cy, cx in stars:
        scene += 4000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2.0**2))
    pixels = rng.poisson(scene * 1.5) / 1.5 + rng.normal(0, 5, scene.shape)
    hits = np.argwhere(scene < 305)[rng.choice(np.count_nonzero(scene < 305), 30, replace=False)]
    pixels[tuple(hits.T)] += 2000
    pixels[5, 5] = np.nan
    bad = np.zeros(pixels.shape, np.uint8)
    bad[5, 5] = PixelFlag.NOT_FINITE
    frame = Frame(pixels.astype(np.float32), bad, Exposure(), fits.Header(), Path("a.fits"))
    marked = mark_cosmic_rays(frame, gain_e_per_adu=1.5, read_noise_e=7.5)
    found = (marked.bad & PixelFlag.COSMIC_RAY) != 0
    assert found[tuple(hits.T)].mean() > 0.95
    for cy, cx in stars:
        assert not found[round(cy), round(cx)]
    assert marked.pixels is frame.pixels
    assert marked.bad[5, 5] & PixelFlag.NOT_FINITE
    assert not frame.bad[0].any()
