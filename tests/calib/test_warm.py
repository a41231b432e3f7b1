"""Warm pixels are told from light frames, and no star is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from lightcurve.calib import warm
from lightcurve.calib.bad_pixels import tile_median
from lightcurve.calib.masters import build_masters
from lightcurve.calib.warm import FEWEST, dark_excess, frames_looked_at, warm_of_lights
from lightcurve.core.data import Exposure, FrameKind, Severity
from lightcurve.core.flags import PixelFlag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import CalibrationSettings

SHAPE, SKY, NOISE = (150, 180), 300.0, 12.0
Y, X = np.indices(SHAPE)


def lights(folder, warm, *, n=20, drift=(0.4, -0.25), fwhm=2.5, colours=(1.0, 1.0, 1.0, 1.0)):
    """Twenty-five stars on a sky that fades, by a Gaussian over whole pixels."""
    rng, sigma = np.random.default_rng(7), fwhm / 2.3548
    x, y = rng.uniform(15, 165, 25), rng.uniform(15, 135, 25)
    light = rng.uniform(500, 60000, 25)
    filters = np.array(colours)[2 * (Y % 2) + X % 2]
    sub = (np.arange(5) - 2) / 5
    for k in range(n):
        image = np.full(SHAPE, SKY + 4 * k)
        for one_x, one_y, one in zip(x + k * drift[0], y + k * drift[1], light, strict=True):
            part_x, part_y = (
                np.exp(-((np.arange(m)[:, None] + sub - at) ** 2) / 2 / sigma**2).mean(axis=1)
                for m, at in ((SHAPE[1], one_x), (SHAPE[0], one_y))
            )
            image += one / 2 / np.pi / sigma**2 * np.outer(part_y, part_x)
        adu = filters * image + warm + rng.normal(0, NOISE, SHAPE) + 500
        fits.PrimaryHDU(np.clip(np.rint(adu), 0, 65535).astype(np.uint16)).writeto(
            folder / f"{k:02d}.fits"
        )
    return sorted(folder.glob("*.fits"))


def sprinkled(share=0.005):
    rng = np.random.default_rng(3)
    return np.where(rng.random(SHAPE) < share, rng.uniform(150, 2000, SHAPE), 0.0)


@pytest.mark.parametrize("colours", [(1.0, 1.0, 1.0, 1.0), (0.9, 0.5, 0.5, 0.3)])
@pytest.mark.parametrize("drift", [(0.4, -0.25), (0.0, 0.0)])
def test_warm_pixels_are_found_and_measured(drift, colours, tmp_path):
    warm = sprinkled()
    found = warm_of_lights(lights(tmp_path, warm, drift=drift, colours=colours), SHAPE).excess
    assert not np.any(found[warm == 0])
    inner = np.zeros(SHAPE, bool)
    inner[8:-8, 8:-8] = True
    assert np.count_nonzero(found[inner & (warm > 0)]) > 0.85 * np.count_nonzero(warm[inner])
    off = (found - warm)[found > 0]
    assert np.quantile(np.abs(off), 0.9) < 1.5 * NOISE  # the rest lie in the wings of stars
    assert abs(np.median(off)) < 0.5 * NOISE


@pytest.mark.parametrize("fwhm", [1.3, 1.6, 2.0, 4.0])
@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.01, 0.0)])
def test_no_core_of_a_guided_star_is_a_warm_pixel(fwhm, drift, tmp_path):
    found = warm_of_lights(lights(tmp_path, np.zeros(SHAPE), drift=drift, fwhm=fwhm), SHAPE)
    assert not found.excess.any()


@pytest.mark.parametrize("drift", [0.0, 0.7])
def test_a_crowd_hides_no_warm_pixel_that_would_be_found_among_all(drift, monkeypatch):
    """The plain way: all that is high or low is looked at in each frame."""
    rng = np.random.default_rng(11)
    stars = np.zeros((2 * SHAPE[0], 2 * SHAPE[1]))
    stars[tuple(rng.integers(0, np.array(stars.shape), (4000, 2)).T)] = 10 ** rng.uniform(
        3, 5, 4000
    )
    warm_there, cold_there = sprinkled(), np.where(rng.random(SHAPE) < 0.001, 300.0, 0.0)
    frames = []
    for k in range(15):
        seen = gaussian_filter(stars, rng.uniform(1.1, 1.5))[40:, 40 + round(k * drift) :]
        light = seen[: SHAPE[0], : SHAPE[1]] + warm_there + SKY
        frames.append(rng.poisson(light) - cold_there + rng.normal(0, NOISE, SHAPE))
    block = np.round(frames).astype(np.float32)
    found, looked_at = warm._excess(block), []
    monkeypatch.setattr(
        warm, "_standing_out", lambda _least, out, _sigma: looked_at.append(out.mean()) or out
    )
    plain = warm._excess(block)
    assert (looked_at[0] > 0.1) == (drift == 0)  # of a crowd that drifts little lies in all frames
    for name, truth in (("excess", warm_there), ("lacking", cold_there)):
        ours, theirs = getattr(found, name), getattr(plain, name)
        np.testing.assert_array_equal(ours[truth > 0], theirs[truth > 0])
        assert not np.any(ours[theirs == 0])
    assert np.count_nonzero(found.excess[warm_there > 0]) > 20


@pytest.mark.parametrize("order", ["<f4", ">f4"])
@pytest.mark.parametrize("shape", [(150, 180), (1501, 1403), (31, 20)])
def test_warm_pixels_of_a_dark_stand_above_their_tile(shape, order):
    """The plain way: all of the image at once."""
    rng = np.random.default_rng(12)
    glow = 20 * np.exp(-np.arange(shape[1]) / 50)
    dark = rng.normal(3, 2, shape) + glow + np.where(rng.random(shape) < 0.01, 500, 0)
    dark[3, 4] = np.nan
    bad = (rng.random(shape) < 0.01).astype(np.uint8)
    above = dark.astype(np.float32) - tile_median(dark.astype(np.float32))
    some = above.ravel()[:: above.size // 1_000_000 | 1]
    warm = (above > 5 * robust_scatter(some, about=0.0)) & (bad == 0)
    row, column, excess = dark_excess(dark.astype(order), bad)
    np.testing.assert_array_equal((row, column), np.nonzero(warm))
    np.testing.assert_array_equal(excess, above[warm])
    assert 0.003 < warm.mean() < 0.03
    assert not dark_excess(np.ones(shape, np.float32), None)[0].size


def test_a_few_frames_tell_nothing(tmp_path):
    paths = lights(tmp_path, sprinkled(), n=FEWEST - 1)
    assert warm_of_lights(paths, SHAPE) is None
    assert warm_of_lights(paths * 2, (10, 10)) is None


def test_masters_without_darks_take_them_off_and_mark_what_that_does_not_mend(tmp_path):
    warm = sprinkled()
    warm[40, 50], warm[70, 80], warm[100, 120] = 600.0, 20000.0, 1e6
    paths = lights(tmp_path, warm)
    for k, path in enumerate(paths):  # up and down, never less than 500 ADU
        with fits.open(path, mode="update") as file:
            file[0].data[90:93, 60:110] = 800 + 4 * k
            file[0].data[91, 62:108:5] += np.uint16(300 + 3000 * (k % 2))
    light = Exposure(kind="light", exposure_s=60.0, shape=SHAPE)
    masters = build_masters(
        light, [], [], [], [], settings=CalibrationSettings(), light_frames=paths
    )
    assert masters.dark[40, 50] == pytest.approx(600.0, abs=1.5 * NOISE)
    assert masters.dark[70, 80] == pytest.approx(20000.0, abs=1.5 * NOISE)
    assert masters.dark_exposure_s == 60.0
    assert not masters.dark_includes_bias
    # At 1 e/ADU the noise of 20000 ADU is 12 times that of the sky: taken off, it is still there.
    assert masters.bad[100, 120] == masters.bad[70, 80] == PixelFlag.HOT
    up_and_down = np.zeros(SHAPE, bool)
    up_and_down[91, 62:108:5] = True
    assert np.count_nonzero(masters.bad[up_and_down]) >= 4
    assert np.count_nonzero(masters.bad[~up_and_down]) == 2


def darks(folder, warm, n=6):
    rng = np.random.default_rng(9)
    for k in range(n):
        adu = 500 + warm + rng.normal(0, NOISE / 2, SHAPE)
        fits.PrimaryHDU(np.rint(adu).astype(np.uint16)).writeto(folder / f"dark{k}.fits")
    exposure = Exposure(kind="dark", exposure_s=60.0, shape=SHAPE)
    return [(path, exposure) for path in sorted(folder.glob("dark*"))]


@pytest.mark.parametrize("share", [0.4, 1.0, 2.2])
@pytest.mark.parametrize("drift", [(0.4, -0.25), (0.0, 0.0)])
def test_darks_of_another_temperature_are_scaled_to_the_lights(share, drift, tmp_path):
    """A sensor loses half of its dark current in about six degrees."""
    warm = sprinkled()
    paths = lights(tmp_path, share * warm, drift=drift)
    group = darks(tmp_path, warm)
    light = Exposure(kind="light", exposure_s=60.0, shape=SHAPE, gain_e_per_adu=1.0)
    masters = build_masters(
        light, [], group, [], [], settings=CalibrationSettings(), light_frames=paths
    )
    hot = warm > 300
    left = share * warm[hot] - (masters.dark[hot] - np.median(masters.dark))
    assert np.median(np.abs(left)) < 0.03 * share * np.median(warm[hot]) + NOISE / 2
    told = [
        n for n in masters.notes if n.severity is Severity.WARNING and n.subject == FrameKind.DARK
    ]
    assert bool(told) == (share != 1.0)
    assert np.median(masters.dark[warm == 0]) == pytest.approx(500, abs=2)


def test_a_night_that_grows_is_looked_at_anew_only_as_it_doubles():
    looked_at = [tuple(frames_looked_at(range(n))) for n in range(200)]
    assert not any(looked_at[:5])
    assert len(set(looked_at[5:])) == 6  # from 5, 8, 15, 29, 57 and 113 on
    for n in range(15, 200):
        assert len(looked_at[n]) == 15
        assert looked_at[n][-1] >= n // 2 - 1


def test_pixels_are_gathered_and_their_medians_taken_as_numpy_does():
    rng = np.random.default_rng(2)
    block = rng.normal(size=(15, 20, 30)).astype(np.float32)
    j, i = rng.integers(0, 20, 40), rng.integers(0, 30, 40)
    values = warm._values(block, j, i)
    np.testing.assert_array_equal(values, block[:, j, i])
    known = rng.random(values.shape) < 0.6
    known[0] = True
    values[9:, 0], known[:, 0] = np.nan, True  # frames without a value here tell nothing
    wanted = np.nanmedian(np.where(known, values, np.nan), axis=0)
    values[~known] = np.nan
    np.testing.assert_allclose(warm._median_where(known, values), wanted, rtol=1e-6)
