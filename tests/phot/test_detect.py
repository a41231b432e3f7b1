"""Detection, centroids, sky and seeing against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.phot.background import measure_sky, subtract_sky
from lightcurve.phot.centroid import peak_width, windowed_centroid
from lightcurve.phot.cutouts import gather
from lightcurve.phot.detect import (
    KERNEL_SUM,
    SAME_PX,
    Light,
    Peaks,
    _first_at_place,
    all_peaks,
    bright_maxima,
    detect,
    follow,
    single_pixels,
)
from lightcurve.phot.grains import StarSize
from lightcurve.phot.seeing import binned_profile, choose_radii, profile_fwhm
from lightcurve.phot.sky import clipped_sky
from lightcurve.simulate.render import render_stars
from sim import simulated_stars_image


@pytest.mark.parametrize("fwhm", [2.0, 3.0, 5.0])
def test_stars_are_found_where_they_are(fwhm: float) -> None:
    image = simulated_stars_image(
        np.random.default_rng(7), shape=(400, 420), fwhm=fwhm, flux_range=(5e3, 1e5)
    )
    found = detect(image.pixels)
    gap = np.hypot(image.x[:, None] - found.x, image.y[:, None] - found.y)
    apart = np.hypot(image.x[:, None] - image.x, image.y[:, None] - image.y)
    alone = (apart + 1e9 * np.eye(len(image.x))).min(axis=1) > 6 * fwhm
    assert gap[alone].min(axis=1).max() < 0.2
    assert gap.min(axis=0).max() < 2 * fwhm  # no star where none is
    near = gap[alone].argmin(axis=1)
    bright = image.flux[alone] > 2e4
    width = np.median(found.fwhm[near][bright])
    assert width == pytest.approx(np.hypot(fwhm, 0.68), rel=0.12)  # 0.68 = the pixel's own
    assert (np.diff(found.flux) <= 0).all()
    assert found.sky == pytest.approx(image.sky, abs=1.0)


def test_no_star_in_noise() -> None:
    pixels = np.random.default_rng(1).normal(300, 10, (500, 500)).astype(np.float32)
    assert len(detect(pixels)) <= 2  # 5 sigma, 2.5e5 pixels of which some 1e5 are independent


def test_hot_pixels_and_bad_columns_are_no_stars() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.normal(300, 5, (200, 200)).astype(np.float32)
    pixels[rng.integers(5, 195, 50), rng.integers(5, 195, 50)] += 3000
    pixels[:, 77] += 800
    assert len(detect(pixels)) == 0
    masked = render_stars((200, 200), [100], [100], [1e5], 3.0) + rng.normal(300, 5, (200, 200))
    bad = np.zeros(masked.shape, np.uint8)
    bad[90:111, 90:111] = PixelFlag.DEAD
    assert len(detect(masked, bad)) == 0


def test_stars_sharper_than_a_pixel_are_no_single_pixels() -> None:
    """Light on one pixel, some on its neighbours: as a smart telescope's green pixels have it."""
    star = np.array([[0.05, 0.05, 0.02], [0.22, 1.0, 0.12], [0.1, 0.75, 0.44]])
    light = np.random.default_rng(1).normal(0, 1, (40, 60))
    light[9:12, 19:22] += 150 * star
    light[30, 40] += 150
    rows, columns = single_pixels(light, np.ones_like(light), np.ones(light.shape, dtype=bool), 1.6)
    assert list(zip(rows, columns, strict=True)) == [(30, 40)]


def test_flat_topped_star_is_one_star() -> None:
    pixels = render_stars((200, 200), [90.3], [100.6], [2e6], 4.0) + 300
    pixels += np.random.default_rng(4).normal(0, 5, pixels.shape)
    found = detect(np.minimum(pixels, 4095).astype(np.float32), saturation_adu=4095)
    assert len(found) == 1
    assert np.hypot(found.x[0] - 90.3, found.y[0] - 100.6) < 0.5  # a plateau tells little


def test_too_small_an_image() -> None:
    with pytest.raises(InputError, match="8 x 9 px is too small"):
        detect(np.zeros((9, 8)))


def test_centroid_is_unbiased_over_the_pixel() -> None:
    """No noise, the star anywhere in its pixel, and a neighbour's bright gradient absent."""
    grid = np.linspace(-0.5, 0.5, 11)
    dx, dy = (part.ravel() for part in np.meshgrid(grid, grid))
    boxes = np.stack(
        [
            render_stars((23, 23), [11 + a], [11 + b], [1e4], 3.0)
            for a, b in zip(dx, dy, strict=True)
        ]
    )
    found = windowed_centroid(boxes, 1.3)
    np.testing.assert_allclose(found, [dx, dy], atol=5e-3)


def test_centroid_noise_is_near_the_limit() -> None:
    """A Gaussian star's centre is known to s / sqrt(N) at best (King 1983), N electrons, no sky."""
    rng = np.random.default_rng(8)
    electrons = 2e4
    model = render_stars((23, 23), [11.2], [10.9], [electrons], 3.0)
    found = windowed_centroid(rng.poisson(model, (400, 23, 23)).astype(float), 1.3)
    limit = np.hypot(3.0 / 2.35482, 1 / np.sqrt(12)) / np.sqrt(electrons)
    for axis, truth in zip(found, (0.2, -0.1), strict=True):
        assert axis.mean() == pytest.approx(truth, abs=5e-3)
        assert axis.std() < 1.3 * limit


def test_no_light_has_no_centre() -> None:
    boxes = np.stack([np.zeros((11, 11)), -np.ones((11, 11)), np.full((11, 11), np.nan)])
    assert np.isnan(windowed_centroid(boxes, 1.3)).all()


def test_boxes_reach_over_the_edge_with_nan() -> None:
    image = np.arange(20.0).reshape(4, 5)
    box = gather(image, np.array([0]), np.array([3]), 1)[0]
    np.testing.assert_array_equal(box, [[np.nan, 10, 11], [np.nan, 15, 16], [np.nan] * 3])


def test_width_of_a_gaussian() -> None:
    offset = np.arange(-5, 6)
    for sigma in (0.8, 1.3, 3.0):
        box = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
        assert peak_width(box[None])[0] == pytest.approx(sigma, rel=1e-9)


def test_sky_is_not_fooled_by_neighbours() -> None:
    """Normal sky with a fifth of the annulus on a neighbour's wing."""
    rng = np.random.default_rng(9)
    values = rng.normal(1000, 12, (300, 600))
    values[:, :120] += rng.exponential(300, (300, 120))
    sky, scatter, kept = clipped_sky(values)
    assert sky.mean() == pytest.approx(1000, abs=1.5)
    assert scatter.mean() == pytest.approx(12, rel=0.12)
    assert (kept < 560).all()


def test_sky_of_whole_numbers_is_not_whole() -> None:
    values = np.round(np.random.default_rng(10).normal(100.3, 0.8, (200, 900)))
    sky, _, _ = clipped_sky(values)
    assert sky.mean() == pytest.approx(100.3, abs=0.05)  # the median is 100


def test_sky_of_nothing() -> None:
    sky, scatter, kept = clipped_sky(np.full((1, 5), np.nan))
    assert np.isnan([sky[0], scatter[0]]).all()
    assert kept[0] == 0


@pytest.mark.parametrize("fwhm", [2.5, 4.0, 6.0])
def test_profile_has_the_width_put_in(fwhm: float) -> None:
    box = render_stars((41, 41), [20.3], [19.8], [1e5], fwhm)
    found = profile_fwhm(*binned_profile(box[None], np.array([0.3]), np.array([-0.2])))
    assert found[0] == pytest.approx(np.hypot(fwhm, 2.35482 / np.sqrt(12)), rel=0.04)


def test_radii_follow_the_seeing() -> None:
    for fwhm in (0.8, 1.5, 2.5, 8.0):
        radii, (inner, outer) = choose_radii(StarSize.gaussian(fwhm))
        assert (np.diff(radii) > 0).all()
        assert inner > radii[-1]
        assert outer > inner
    np.testing.assert_allclose(choose_radii(StarSize.gaussian(4.0))[0][:4], [3.0, 4.0, 5.0, 6.0])


@pytest.mark.parametrize("fwhm", [2.0, 3.0, 6.0])
def test_bright_stars_found_quickly_are_those_of_the_whole_frame_filtered(fwhm: float) -> None:
    """A steep sky, hot pixels and a saturated star; the plain way filters every pixel."""
    rng = np.random.default_rng(12)
    image = simulated_stars_image(rng, shape=(500, 420), fwhm=fwhm, flux_range=(5e3, 4e5))
    pixels = image.pixels + np.linspace(0, 400, 420, dtype=np.float32)
    pixels[rng.integers(5, 495, 200), rng.integers(5, 415, 200)] += 3000
    pixels = np.minimum(pixels, 8000).astype(np.float32)
    bad = np.zeros(pixels.shape, np.uint8)
    bad[40:60, 30:50] = PixelFlag.DEAD
    light = Light(pixels, bad, measure_sky(pixels, bad))
    rms = light.sky.rms
    plain = by_place(all_peaks(light, 0.5 * rms))
    quick = by_place(follow(light, bright_maxima(light, 6 * rms), 0.5 * rms, 10**6))
    bright = [p for p in plain if plain[p] > 12 * KERNEL_SUM * rms]  # have a pixel over 6 sigma
    assert len(bright) > 100
    assert len(set(bright) - set(quick)) <= 0.01 * len(bright)
    both = sorted(set(plain) & set(quick))
    assert len(both) > 0.98 * len(quick)
    heights = [[peaks[p] for p in both] for peaks in (plain, quick)]
    np.testing.assert_allclose(*heights, rtol=0.02, atol=3 * KERNEL_SUM)


@pytest.mark.parametrize("trouble", ["gradient", "hot pixels", "dead columns", "ridge"])
def test_the_brightest_stars_are_found_whatever_the_sky(trouble: str) -> None:
    """A rich field: only its brightest are asked for, and they must be the brightest."""
    rng = np.random.default_rng(21)
    image = simulated_stars_image(
        rng, shape=(1000, 1100), n_stars=1500, fwhm=3.0, flux_range=(5e3, 4e5)
    )
    pixels, bad = image.pixels.copy(), np.zeros(image.pixels.shape, np.uint8)
    x = np.arange(1100, dtype=np.float32)
    if trouble == "gradient":
        pixels += 9 * x
    elif trouble == "ridge":
        pixels += 5000 * np.exp(-(((x - 500) / 150) ** 2))
    elif trouble == "hot pixels":
        pixels[rng.integers(5, 995, 5000), rng.integers(5, 1095, 5000)] += 20_000
    else:
        pixels[:, rng.choice(1100, 40, replace=False)] = np.nan
        bad[np.isnan(pixels)] = PixelFlag.NOT_FINITE
    found = detect(pixels, bad, max_stars=150)
    gap = np.hypot(image.x[:, None] - found.x, image.y[:, None] - found.y)
    near_nan = np.zeros(len(image.x), bool)
    if trouble == "dead columns":
        lost = np.flatnonzero(bad[0])
        near_nan = (np.abs(image.x[:, None] - lost) < 2).any(axis=1)
    whole = ~near_nan & (np.minimum(image.x, image.y) > 8)
    whole &= (image.x < 1092) & (image.y < 992)
    brightest = np.argsort(-np.where(whole, image.flux, 0))[:60]
    assert (gap[brightest].min(axis=1) < 1.5).sum() >= 57  # some are blended with brighter ones
    assert (gap.min(axis=0) < 2).mean() > 0.97  # no star where none is


def test_sky_is_not_fooled_by_numbers_that_mean_nothing() -> None:
    """Sentinels of other programs: one of them must not change scatter and mean of the rest."""
    values = np.random.default_rng(4).normal(100, 11, (20, 500)).astype(np.float32)
    without = clipped_sky(values[:, 1:])
    for sentinel in (-(2.0**31), -1e10, -1e30, -3.4e38, 3.4e38, np.nan):
        values[:, 0] = sentinel
        for ours, theirs in zip(clipped_sky(values), without, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1)
        np.testing.assert_allclose(clipped_sky(values)[1], without[1], rtol=0.02)


def by_place(peaks: Peaks) -> dict[tuple[int, int], float]:
    y, x, height = peaks
    return dict(zip(zip(y.tolist(), x.tolist(), strict=True), height.tolist(), strict=True))


def test_sky_at_pixels_is_the_sky_of_the_whole_frame() -> None:
    rng = np.random.default_rng(13)
    pixels = (np.linspace(100, 300, 333)[:, None] + rng.normal(0, 3, (333, 210))).astype(np.float32)
    sky = measure_sky(pixels)
    y, x = rng.integers(0, 333, 500), rng.integers(0, 210, 500)
    np.testing.assert_allclose(sky.at(x, y), (pixels - subtract_sky(pixels, sky))[y, x], rtol=1e-5)
    np.testing.assert_allclose(sky.at(x, y), 100 + y * 200 / 332, atol=25)
    inner = (y > 40) & (y < 290)
    np.testing.assert_allclose(sky.at(x, y)[inner], 100 + y[inner] * 200 / 332, atol=8)
    for rows, above, below in sky.bands():
        here = (y >= rows.start) & (y < rows.stop)
        low, high = np.minimum(above, below)[x[here]], np.maximum(above, below)[x[here]]
        assert (sky.at(x[here], y[here]) >= low - 1e-3).all()
        assert (sky.at(x[here], y[here]) <= high + 1e-3).all()


def test_squares_about_stars_are_parts_of_the_whole_frame() -> None:
    rng = np.random.default_rng(14)
    pixels = rng.normal(200, 5, (60, 70)).astype(np.float32)
    bad = np.where(rng.random(pixels.shape) < 0.1, np.uint8(PixelFlag.HOT), np.uint8(0))
    bad[30, 20:40] = PixelFlag.SATURATED
    light = Light(pixels, bad, measure_sky(pixels, bad))
    y, x = (part.ravel() for part in np.mgrid[0:60, 0:70])
    found = light.around(x, y, 3)
    padded = np.pad(light.whole(), 3, constant_values=np.nan)
    plain = np.lib.stride_tricks.sliding_window_view(padded, (7, 7)).reshape(-1, 7, 7)
    # The sky under a star's middle is taken off all of its square.
    np.testing.assert_allclose(np.moveaxis(found, 2, 0), plain, atol=0.5)


def test_pieces_of_one_star_are_those_near_a_brighter_one() -> None:
    rng = np.random.default_rng(15)
    x, y = rng.uniform(0, 40, (2, 300))
    x[::17] = np.nan
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    plain = np.flatnonzero(~(np.tril(apart <= SAME_PX, -1)).any(axis=1))
    np.testing.assert_array_equal(_first_at_place(x, y), plain)
    assert 150 < len(plain) < 280


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_bright_maxima_are_all_that_stand_out_of_the_sky(slope: float) -> None:
    """A flat sky is compared at once, a steep one band by band; the plain way looks at each."""
    rng = np.random.default_rng(16)
    image = simulated_stars_image(rng, shape=(300, 260), fwhm=3.0, flux_range=(5e3, 4e5))
    pixels = (image.pixels + slope * np.arange(260)).astype(np.float32)
    light = Light(pixels, np.zeros(pixels.shape, np.uint8), measure_sky(pixels))
    threshold = 8 * light.sky.rms
    found = by_place(bright_maxima(light, threshold))
    whole = light.whole()
    around = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3)).max(axis=(2, 3))
    plain = np.argwhere((pixels[1:-1, 1:-1] == around) & (whole[1:-1, 1:-1] > threshold)) + 1
    assert set(found) == {(y, x) for y, x in plain.tolist()}
    assert len(plain) > 20
