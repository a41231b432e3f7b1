"""Bad pixels: planted ones are found, glow and vignetting are not; a user's list is obeyed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.calib.bad_pixel_map import read_user_map, write_map
from lightcurve.calib.bad_pixels import (
    PixelNoise,
    _Search,
    bad_columns,
    bad_lines,
    dark_variance,
    dead_pixels,
    hot_pixels,
    mark_cosmic_rays,
    tile_median,
)
from lightcurve.calib.repair import repaired
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
    dark[planted] += np.where(rng.random(planted.sum()) < 0.2, -60, 500)
    # 500 electrons are 22 times as noisy as 1, 60 are below by 60 times the noise.
    np.testing.assert_array_equal(hot_pixels(dark, PixelNoise(4.0, 1.0)), planted)


def test_the_glow_of_an_amplifier_is_not_hot():
    rng = np.random.default_rng(2)
    dark = 20 + glow((512, 512)) + rng.normal(0, 5, (512, 512))
    assert not hot_pixels(dark, PixelNoise(25.0, 1.0)).any()


def test_a_quiet_dark_of_whole_numbers_has_no_hot_pixels():
    dark = np.zeros((100, 100))
    dark[3, 4] = 3
    dark[7, 7] = 10
    noise = PixelNoise(dark_variance(dark, dark, 1), 1.0)
    assert np.argwhere(hot_pixels(dark, noise)).tolist() == [[7, 7]]


def test_what_counts_as_hot_is_the_noise_it_adds_to_a_light_frame():
    dark = np.zeros((64, 64))
    dark[10, 10], dark[20, 20] = 400, 4000  # ADU; at 2 e/ADU the variance is half of them
    faint, bright = PixelNoise(16.0, 2.0), PixelNoise(16.0 + 50, 2.0)
    assert np.argwhere(hot_pixels(dark, faint)).tolist() == [[20, 20]]
    assert np.argwhere(hot_pixels(dark, bright)).tolist() == [[20, 20]]
    assert not hot_pixels(dark, PixelNoise(16.0 + 150, 2.0)).any()
    # Light frames of a tenth of the exposure have a tenth of its dark current.
    assert not hot_pixels(dark, PixelNoise(16.0, 2.0, scale=0.1)).any()
    # With a gain five times too large nothing changes where the sky's noise prevails.
    for wrong in (0.2, 1.0, 5.0):
        noise = PixelNoise(1.0 + 100 / (2.0 * wrong), 2.0 * wrong)
        assert np.argwhere(hot_pixels(dark, noise)).tolist() == [[20, 20]]


def test_the_variance_of_a_dark_is_the_same_from_any_number_of_them():
    rng = np.random.default_rng(5)
    for n in (1, 2, 3, 4, 10, 40):
        darks = rng.normal(100, 6, (n, 100, 100))
        std = darks.std(axis=0, ddof=1) if n > 1 else np.full((100, 100), np.nan)
        assert dark_variance(darks.mean(axis=0), std, n) == pytest.approx(36, rel=0.06)


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


def test_tiles_have_the_medians_of_what_is_finite():
    rng = np.random.default_rng(4)
    image = rng.normal(100, 3, (100, 150)).astype(np.float32)
    image[rng.random(image.shape) < 0.02] = np.nan
    image[:33, :38] = np.nan
    level = tile_median(image)
    assert np.isnan(level[:33, :30]).all()
    np.testing.assert_array_equal(level[40:60, 35:60], np.nanmedian(image[33:66, 30:60]))


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


def test_a_list_in_yaml_counts_from_one_and_names_rows_first(tmp_path):
    path = tmp_path / "bad.yml"
    path.write_text("bad_columns: [3]\nbad_rows:\nbad_rectangles:\n  - [6, 8, 6, 7]\n")
    expected = np.zeros((8, 10), np.uint8)
    expected[:, 2] = expected[5:8, 5:7] = PixelFlag.USER
    np.testing.assert_array_equal(read_user_map(path, (8, 10)), expected)
    path.write_text("bad_rectangles: [[0, 1, 1, 1]]")
    with pytest.raises(InputError, match="outside"):
        read_user_map(path, (8, 10))
    path.write_text("bad_columns: [")
    with pytest.raises(InputError, match="cannot be read"):
        read_user_map(path, (8, 10))


@pytest.mark.parametrize("name", ["map.fits", "map.toml"])
def test_a_map_that_was_written_is_read_back(name, tmp_path):
    bad = np.zeros((8, 10), np.uint8)
    bad[:, 2], bad[5] = PixelFlag.HOT, PixelFlag.DEAD
    bad[3, 7] = PixelFlag.HOT
    found = read_user_map(write_map(tmp_path / name, bad, ("a.fits",)), bad.shape)
    np.testing.assert_array_equal(found != 0, bad != 0)
    if name == "map.fits":
        np.testing.assert_array_equal(found, bad)
    with pytest.raises(InputError, match=r"10 x 8|outside"):
        read_user_map(tmp_path / name, (4, 5))


def test_a_map_of_another_program_is_bad_where_it_is_not_zero(tmp_path):
    bad = np.zeros((8, 10), np.int32)
    bad[2, 3], bad[4, 5] = 1, 300
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(bad)]).writeto(tmp_path / "bpm.fits")
    found = read_user_map(tmp_path / "bpm.fits", (8, 10))
    np.testing.assert_array_equal(found, np.where(bad, PixelFlag.USER, 0))


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


@pytest.mark.parametrize(("fwhm", "share"), [(3.0, 0.5), (1.2, 1.0)])
def test_hits_looked_for_in_parts_are_those_of_the_whole_image(fwhm, share, monkeypatch):
    rng = np.random.default_rng(7)
    y, x = np.indices((400, 430))
    scene = np.full(y.shape, 200.0)
    for row, column, light in zip(
        *rng.uniform(0, 400, (2, 60)), rng.uniform(2, 9, 60), strict=True
    ):
        scene += np.exp(light - ((x - column) ** 2 + (y - row) ** 2) / (2 * (fwhm / 2.355) ** 2))
    image = (rng.poisson(scene) + rng.normal(0, 5, scene.shape)).astype(np.float32)
    for row, column, turn in rng.uniform(20, 380, (4, 3)):  # tracks
        along = np.arange(0, turn % 20, 0.5)
        places = (
            (row + along * np.sin(turn)).astype(int),
            (column + along * np.cos(turn)).astype(int),
        )
        image[places] += rng.uniform(50, 3000, len(along))
    bad = rng.random(image.shape) < 1e-3
    search, looked_at, whole = _Search(1.0, 5.0, 60000.0, 4.5), [], _Search.whole

    def look(self, light, *rest):
        looked_at.append(light.size / image.size)
        return whole(self, light, *rest)

    all_of_it, _ = search.whole(image, bad, 2)
    monkeypatch.setattr(_Search, "whole", look)
    found = search.in_parts(image, bad, 2)
    # Nearer, the filters see an edge, of which frames are kept free.
    inner = slice(12, -12), slice(12, -12)
    assert all_of_it[inner].sum() > 50
    np.testing.assert_array_equal(found[inner], all_of_it[inner])
    assert looked_at[0] <= share


def test_a_star_at_the_edge_is_no_cosmic_ray():
    rng = np.random.default_rng(8)
    y, x = np.indices((80, 90))
    star = 9000 * np.exp(-((x - 40) ** 2 + (y - 77.5) ** 2) / (2 * 2.0**2))
    pixels = rng.poisson(300 + star) + rng.normal(0, 5, star.shape)
    frame = Frame(
        pixels.astype(np.float32), np.zeros(star.shape, np.uint8), Exposure(), fits.Header(),
        Path("a.fits"),
    )  # fmt: skip
    marked = mark_cosmic_rays(frame, gain_e_per_adu=1.0, read_noise_e=5.0).bad
    assert np.count_nonzero(marked[star > 10]) < 5  # it were 40


def test_colours_of_a_mosaic_are_no_cosmic_rays():
    rng = np.random.default_rng(9)
    level = np.tile([[300.0, 900.0], [900.0, 500.0]], (60, 60))
    pixels = rng.poisson(level) + rng.normal(0, 5, level.shape)
    hits = np.argwhere(rng.random(level.shape) < 0.002)
    pixels[tuple(hits.T)] += 3000
    exposure = Exposure(mosaic="RGGB")
    frame = Frame(
        pixels.astype(np.float32), np.zeros(level.shape, np.uint8), exposure, fits.Header(),
        Path("a.fits"),
    )  # fmt: skip
    marked = mark_cosmic_rays(frame, gain_e_per_adu=1.0, read_noise_e=5.0).bad != 0
    assert marked[tuple(hits.T)].mean() > 0.95
    assert np.count_nonzero(marked) < 2 * len(hits)


def test_bad_pixels_are_repaired_by_good_neighbours_of_their_colour():
    y, x = np.indices((30, 40))
    for mosaic, scene in ((None, 100.0 + x), ("RGGB", 100.0 + 400 * (x % 2) + 200 * (y % 2))):
        pixels, bad = scene.astype(np.float32), np.zeros(scene.shape, np.uint8)
        bad[10, 12] = bad[0, 0] = bad[20, 21] = PixelFlag.HOT
        bad[22:29, 30:37] = PixelFlag.DEAD
        pixels[bad != 0] = np.nan
        frame = Frame(pixels, bad, Exposure(mosaic=mosaic), fits.Header(), Path("a.fits"))
        done = repaired(frame)
        np.testing.assert_allclose(done.pixels[[10, 20], [12, 21]], scene[[10, 20], [12, 21]])
        assert np.isnan(frame.pixels[10, 12])
        assert done.bad is frame.bad
        if mosaic is None:  # no good pixel within reach of the middle
            assert np.isnan(done.pixels[25, 33])


def test_the_colours_of_a_mosaic_are_not_dead_and_hide_no_line():
    rng = np.random.default_rng(11)
    level = np.tile([[0.45, 1.0], [1.0, 0.3]], (100, 120))
    flat = level * rng.normal(1, 0.01, level.shape)
    flat[31, 47] *= 0.3
    flat[:, 80] *= 0.9
    assert np.argwhere(dead_pixels(flat)).tolist() == [[31, 47]]
    assert np.flatnonzero(bad_lines(flat, least=0.03).all(axis=0)).tolist() == [80]


def test_a_bright_sky_that_falls_towards_the_edges_and_a_ramp_have_no_bad_lines():
    rng = np.random.default_rng(12)
    y, x = np.indices((240, 320))
    sky = 20000 * (1 - 0.4 * np.hypot(x - 160, y - 120) / 200)
    image = rng.poisson(sky).astype(float)
    image[:8] -= 3000 / 2.0 ** np.arange(8)[:, None]  # an amplifier that settles
    assert not bad_lines(image, least=140.0).any()
    image[:, 3] -= 700
    assert np.flatnonzero(bad_lines(image, least=140.0).any(axis=0)).tolist() == [3]
