"""A star is dimmed by what was asked, with the noise of the photons left; and no other byte."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import FrameError
from lightcurve.frames.dim import Star, write_dimmed

SHAPE, STAR, SKY, GAIN = (41, 47), Star(22.3, 19.6, 9.0), 300.0, 2.0


def expected() -> np.ndarray:
    y, x = np.indices(SHAPE)
    return 40000.0 * np.exp(-((x - STAR.x) ** 2 + (y - STAR.y) ** 2) / 8) / (8 * np.pi)


def write_frame(path, rng):
    counts = rng.poisson(GAIN * (SKY + expected())) / GAIN
    fits.PrimaryHDU(np.rint(counts).astype(np.uint16)).writeto(path, overwrite=True)
    return path


def dimmed(folder, rng, loss):
    path = write_frame(folder / "a.fits", rng)
    out = write_dimmed(path, folder / "b.fits", STAR, loss=loss, gain=GAIN, shape=SHAPE, rng=rng)
    return tuple(fits.getdata(one).astype(float) for one in (path, out))


def test_the_light_lost_is_what_was_asked_and_its_noise_that_of_the_photons_left(tmp_path):
    rng = np.random.default_rng(3)
    loss, n = 0.3, 150
    light = expected().sum()
    sums = np.array([dimmed(tmp_path, rng, loss)[1].sum() - SKY * np.prod(SHAPE) for _ in range(n)])
    variance = ((1 - loss) * light + SKY * np.prod(SHAPE)) / GAIN
    assert sums.mean() == pytest.approx((1 - loss) * light, abs=4 * np.sqrt(variance / n) + 80)
    assert sums.var(ddof=1) / variance == pytest.approx(1.0, abs=4 * np.sqrt(2 / n))


def test_what_is_not_the_stars_stays_as_it_was(tmp_path):
    before, after = dimmed(tmp_path, np.random.default_rng(4), 0.02)
    y, x = np.indices(SHAPE)
    outside = np.hypot(x - STAR.x, y - STAR.y) > STAR.radius_px
    np.testing.assert_array_equal(before[outside], after[outside])
    assert (before != after)[~outside].any()
    assert fits.getheader(tmp_path / "a.fits") == fits.getheader(tmp_path / "b.fits")


def test_frames_that_are_not_stored_as_they_are_measured_are_refused(tmp_path):
    rng = np.random.default_rng(5)
    path, told = write_frame(tmp_path / "a.fits", rng), {"loss": 0.1, "gain": 1.0, "rng": rng}
    with pytest.raises(FrameError):
        write_dimmed(path, tmp_path / "b.fits", STAR, shape=(40, 47), **told)
    fits.CompImageHDU(fits.getdata(path)).writeto(tmp_path / "c.fits.fz")
    with pytest.raises(FrameError):
        write_dimmed(tmp_path / "c.fits.fz", tmp_path / "d.fits", STAR, shape=SHAPE, **told)
