"""A large frame measured in parts gives what it gives when it is calibrated whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.master_files import load_masters
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Exposure, Masters, RawFrame
from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.night.binned import (
    _squares,
    choose_shrink,
    enlarge,
    shrink,
    shrink_bits,
    shrink_frame,
    shrink_masters,
)
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.scene import Scene
from lightcurve.phot.cutouts import gather
from lightcurve.phot.detect import detect
from lightcurve.setup.target import find_target
from lightcurve.simulate.render import render_stars
from sim import tiny_night


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("large")
    tiny_night(
        folder, n_frames=3, shape=(401, 450), n_stars=60, header_wcs=True, n_bias=4, n_dark=3,
        n_flat=4, drift_px_per_hour=(900.0, -600.0),
    )  # fmt: skip
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    return prepare_night(take_inventory(folder, settings), target, settings, folder / "masters")


def test_parts_give_what_the_whole_gives(scene: Scene) -> None:
    assert scene.recipe.shrink == 1
    for path in scene.lights:
        whole = measure_frame(path, scene.recipe)
        in_parts = measure_frame(path, replace(scene.recipe, shrink=2))
        assert whole.status == in_parts.status == "measured"
        moved = in_parts.registration.matrix - whole.registration.matrix
        assert np.abs(moved[:, 2]).max() < 0.3
        for name in ("x", "y"):
            a, b = getattr(whole.photometry, name), getattr(in_parts.photometry, name)
            uncentred = Flag.NO_CENTROID | Flag.NOT_MEASURED
            centred = (whole.photometry.flags | in_parts.photometry.flags)[:, 0] & uncentred == 0
            np.testing.assert_allclose(b[centred], a[centred], atol=0.02)
        flux, again = whole.photometry.flux, in_parts.photometry.flux
        clean = (whole.photometry.flags == 0) & (in_parts.photometry.flags == 0)
        assert clean.sum() > 100
        off = np.abs(again - flux)[clean] / whole.photometry.flux_err[clean]
        # Centroids are sought from places a tenth of a pixel apart, and end as near as 1e-3 px.
        assert np.quantile(off, 0.95) < 0.1
        assert off.max() < 0.5
        np.testing.assert_allclose(in_parts.sky, whole.sky, rtol=0.01)
        np.testing.assert_allclose(in_parts.sky_rms, whole.sky_rms, rtol=0.15)


def test_the_same_places_give_the_same_pixels(scene: Scene, monkeypatch) -> None:
    """With one registration for both, sums differ by rounding alone."""
    path, recipe = scene.lights[0], scene.recipe
    whole = measure_frame(path, recipe)
    monkeypatch.setattr("lightcurve.night.measure.register", lambda *_: whole.registration)
    in_parts = measure_frame(path, replace(recipe, shrink=2)).photometry
    for name in ("flux", "flux_err", "sky", "peak", "fwhm", "x", "y"):
        np.testing.assert_allclose(
            getattr(in_parts, name), getattr(whole.photometry, name), rtol=1e-9, err_msg=name
        )
    np.testing.assert_array_equal(in_parts.flags, whole.photometry.flags)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_shrinking_averages_and_joins_bits(factor: int, dtype: type) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 65536, (50, 41)).astype(dtype)
    ny, nx = 50 // factor, 41 // factor
    squares = image[: factor * ny, : factor * nx].reshape(ny, factor, nx, factor)
    expected = squares.mean(axis=(1, 3), dtype=float)
    np.testing.assert_allclose(shrink(image, factor), expected, rtol=1e-6)
    bits = (rng.random((50, 41)) < 0.05) * rng.integers(1, 8, (50, 41)).astype(np.uint8)
    squares = bits[: factor * ny, : factor * nx].reshape(ny, factor, nx, factor)
    joined = np.bitwise_or.reduce(np.bitwise_or.reduce(squares, axis=3), axis=1)
    np.testing.assert_array_equal(shrink_bits(bits, factor), joined)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_averages_the_good_pixels_of_the_calibrated_frame(
    scene: Scene, factor: int
) -> None:
    """The plain way: calibrate every pixel, then average those of a square that are good."""
    rng = np.random.default_rng(8)
    frame, masters = read_frame(scene.lights[0]), load_masters(scene.recipe.masters_folder)
    flat, hot = masters.flat.copy(), rng.random(masters.flat.shape) < 0.05
    flat[30:40, 20:30], flat[60, 70] = 0, np.nan
    bad = np.where(hot, PixelFlag.HOT, 0).astype(np.uint8)
    dark = np.where(hot, 9e4, masters.dark).astype(np.float32)
    frame = replace(frame, pixels=frame.pixels + np.where(hot, 9e4, 0).astype(np.float32))
    frame.pixels[100:103, 50:60] = np.nan
    frame.bad[100:103, 50:60] = PixelFlag.NOT_FINITE
    masters = replace(masters, flat=flat, dark=dark, bad=bad)
    found = shrink_frame(frame, shrink_masters(masters, frame.pixels.shape, factor), factor)
    whole = reduce_frame(frame, masters)
    ny, nx = found.pixels.shape

    def squares(image: np.ndarray) -> np.ndarray:
        cut = image[: factor * ny, : factor * nx].reshape(ny, factor, nx, factor)
        return cut.transpose(0, 2, 1, 3).reshape(ny, nx, factor**2)

    good = squares(whole.bad) & ~np.uint8(PixelFlag.SATURATED) == 0
    count = good.sum(axis=2)
    total = np.where(good, squares(whole.pixels), 0).sum(axis=2, dtype=float)
    known = 2 * count >= factor**2
    np.testing.assert_array_equal(found.bad == 0, known)
    expected = (total / np.maximum(count, 1))[known]
    # The mean of quotients is not the quotient of means: flats differ by a percent in a square.
    off = np.abs(found.pixels[known] / expected - 1)
    assert np.quantile(off, 0.999) < 0.005
    assert off.max() < 0.03
    assert not known.all()


@pytest.mark.parametrize("factor", [2, 3])
def test_bad_pixels_move_no_star_of_a_shrunk_frame(factor: int) -> None:
    rng = np.random.default_rng(14)
    x, y = (
        part.ravel() for part in np.meshgrid(np.arange(30, 570, 60.3), np.arange(30, 570, 60.7))
    )
    pixels = render_stars((600, 600), x, y, np.full(len(x), 1e5), 5.0) + 200
    pixels = (pixels + rng.normal(0, 5, pixels.shape)).astype(np.float32)
    hot = rng.random(pixels.shape) < 0.02
    pixels[hot] = 60_000
    bad = np.where(hot, PixelFlag.HOT, 0).astype(np.uint8)
    masters = Masters(bias=np.zeros((600, 600), np.float32), bad=bad)
    exposure = Exposure(kind="light", shape=pixels.shape)
    frame = RawFrame(pixels, np.zeros_like(bad), exposure, fits.Header(), Path("large.fits"))
    small = shrink_frame(frame, shrink_masters(masters, frame.pixels.shape, factor), factor)
    found = enlarge(detect(small.pixels, small.bad), factor)
    gap = np.hypot(x[:, None] - found.x, y[:, None] - found.y).min(axis=1)
    assert (gap < 1).mean() > 0.97
    assert np.sqrt(np.mean(gap[gap < 1] ** 2)) < 0.15


def test_frames_sharper_than_the_reference_are_looked_at_whole(scene: Scene) -> None:
    """Shrunk by ten, no star is more than a pixel; the frame must not be lost for it."""
    path = scene.lights[0]
    found = measure_frame(path, replace(scene.recipe, shrink=10))
    whole = measure_frame(path, scene.recipe)
    assert found.status == "measured"
    np.testing.assert_array_equal(found.registration.matrix, whole.registration.matrix)


def test_masters_of_another_size_are_refused(scene: Scene, monkeypatch) -> None:
    masters = load_masters(scene.recipe.masters_folder)
    larger = replace(masters, bias=np.pad(masters.bias, ((0, 1), (0, 0))))
    monkeypatch.setattr("lightcurve.night.measure._masters", lambda *_: larger)
    for shrink_by in (1, 2):
        failed = measure_frame(scene.lights[0], replace(scene.recipe, shrink=shrink_by))
        assert failed.status == "failed"
        assert "is 450 x 401 px, the master bias 450 x 402" in failed.reason


def test_stars_of_a_shrunk_frame_lie_where_they_do_in_the_frame() -> None:
    pixels = render_stars((300, 360), [100.3, 250.8], [120.6, 77.1], [1e6, 5e5], 6.0) + 300
    pixels += np.random.default_rng(1).normal(0, 3, pixels.shape)
    for factor in (2, 3, 4):
        found = enlarge(detect(shrink(pixels.astype(np.float32), factor)), factor)
        np.testing.assert_allclose(found.x, [100.3, 250.8], atol=0.1)
        np.testing.assert_allclose(found.y, [120.6, 77.1], atol=0.1)
        np.testing.assert_allclose(found.fwhm, 6.0, rtol=0.2)
        np.testing.assert_allclose(found.sky_rms, 3.0, rtol=0.1)


def test_squares_reach_over_the_edge_with_nan() -> None:
    image = np.arange(30, dtype=np.uint16).reshape(5, 6)
    x, y = np.array([0, 3, 5, -9]), np.array([4, 2, 0, 2])
    np.testing.assert_array_equal(
        _squares(image, x, y, 1), gather(image.astype(np.float32), x, y, 1)
    )
    bits = _squares(np.ones((5, 6), np.uint8), x, y, 1)
    np.testing.assert_array_equal(bits.sum(axis=(1, 2)), [4, 9, 4, 0])


def test_only_large_frames_of_wide_stars_are_shrunk() -> None:
    assert choose_shrink((500, 4000), 8.0) == 1
    assert choose_shrink((2048, 2048), 3.5) == 1
    assert choose_shrink((2048, 2048), 4.0) == 2
    assert choose_shrink((2048, 2048), 9.0) == 2
    assert choose_shrink((4096, 4096), 5.5) == 3
    assert choose_shrink((9600, 6422), 20.0) == 4
