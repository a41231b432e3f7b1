"""Bad pixels in an aperture: no step where they hide little light, no measurement where much."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel

RADII, ANNULUS, SKY = np.array([4.0, 6.0]), (12.0, 18.0), 100.0


def moffat(x: float, y: float, flux: float, *, fwhm=3.0, beta=3.0, stretch=1.15) -> np.ndarray:
    """A star of 60 x 60 px, elongated by `stretch` at 30 degrees; 5 x 5 samples a pixel."""
    fine = (np.arange(300) + 0.5) / 5 - 0.5
    u, v = np.meshgrid(fine - x, fine - y)
    along, across = u * 0.866 + v * 0.5, v * 0.866 - u * 0.5
    core = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    squared = (along / stretch) ** 2 + (across * stretch) ** 2
    light = (1 + squared / core**2) ** -beta * (beta - 1) / (np.pi * core**2) / 25
    return flux * light.reshape(60, 5, 60, 5).sum(axis=(1, 3))


def measure(pixels: np.ndarray, bad: np.ndarray, x: float, y: float):
    where = np.array([x + 0.3]), np.array([y - 0.2])  # the registration's error
    noise = NoiseModel(gain_e_per_adu=1.0)
    return measure_stars(pixels.astype(np.float32), bad, *where, RADII, ANNULUS, noise)


@pytest.mark.parametrize("value", [0.0, 20000.0, np.nan])
@pytest.mark.parametrize("fwhm", [2.2, 3.0, 4.5])
def test_a_star_that_drifts_over_a_bad_pixel_makes_no_step(value, fwhm):
    """The pixel is 0 to 9 px from the star's middle, in any direction; without noise."""
    kept = dropped = 0
    for k, distance in enumerate(np.linspace(0, 9, 37)):
        angle, phase = 2.4 * k, np.array([0.37 * k % 1, 0.61 * k % 1])
        x, y = 29.0 + phase
        star = moffat(x, y, 1e5, fwhm=fwhm) + SKY
        i, j = round(x + distance * np.cos(angle)), round(y + distance * np.sin(angle))
        bad = np.zeros(star.shape, np.uint8)
        clean = measure(star, bad, x, y)
        star[j, i], bad[j, i] = value, PixelFlag.HOT
        found = measure(star, bad, x, y)
        for r in range(2):
            if found.flags[0, r] & Flag.BAD_PIXEL:
                dropped += 1
                assert np.hypot(i - x, j - y) < 2 * fwhm  # near the core
                continue
            kept += bool(found.flags[0, r] & Flag.MENDED)
            off = abs(found.flux[0, r] - clean.flux[0, r])
            assert off < 0.5 * clean.flux_err[0, r]
            assert found.flux_err[0, r] > 0.99999 * clean.flux_err[0, r]
            assert abs(found.x[0] - clean.x[0]) < 0.01 * fwhm
    assert kept > 10
    assert dropped > 5


def test_the_error_of_mended_sums_is_their_scatter():
    rng = np.random.default_rng(3)
    star = moffat(29.3, 30.1, 3e4) + SKY
    bad = np.zeros(star.shape, np.uint8)
    bad[34, 28] = bad[30, 34] = bad[26, 27] = PixelFlag.DEAD
    flux, error = [], []
    for _ in range(200):
        pixels = rng.normal(star, np.sqrt(star))
        pixels[bad != 0] = 0
        found = measure(pixels, bad, 29.3, 30.1)
        assert found.flags[0, 1] == Flag.MENDED
        flux.append(found.flux[0, 1])
        error.append(found.flux_err[0, 1])
    true = measure(star, np.zeros_like(bad), 29.3, 30.1).flux[0, 1]
    assert np.mean(flux) == pytest.approx(true, abs=0.3 * np.mean(error))
    # 200 draws tell a scatter to 5 %.
    assert 0.87 < np.std(flux) / np.mean(error) < 1.13


def test_what_cannot_be_told_stays_bad():
    star = moffat(29.3, 30.1, 1e5) + SKY
    for flag in (PixelFlag.TRAIL, PixelFlag.BORDER):
        marks = np.zeros(star.shape, np.uint8)
        marks[30, 34] = flag
        assert measure(star, marks, 29.3, 30.1).flags[0, 1] & Flag.BAD_PIXEL
    half = np.zeros(star.shape, np.uint8)
    half[:, 29:] = PixelFlag.DEAD  # more than half of the light
    assert (measure(star, half, 29.3, 30.1).flags & Flag.BAD_PIXEL).all()


def field_of(rng: np.random.Generator, n: int, *, fwhm=2.6):
    """n x n stars, each in 60 x 60 px; the first is bright. Returns image, places and light."""
    tiles, places, fluxes = [], [], []
    for k in range(n * n):
        x, y = 29 + rng.random(2)
        flux = 4e5 if k == 0 else 10 ** rng.uniform(4.5, 5.4)
        tiles.append(moffat(x, y, flux, fwhm=fwhm))
        places.append((x + 60 * (k % n), y + 60 * (k // n)))
        fluxes.append(flux)
    rows = [np.hstack(tiles[n * k : n * k + n]) for k in range(n)]
    return np.vstack(rows) + SKY, np.array(places), np.array(fluxes)


@pytest.mark.parametrize("n", [2, 4])
def test_bright_stars_on_a_sensor_of_many_holes_are_measured(n):
    """3 % of the pixels are dead: light and errors are right, whatever share is in holes."""
    pulls, kept, shares = [], [], []
    for seed in range(16 if n < 4 else 5):
        rng = np.random.default_rng([n, seed])
        image, places, _ = field_of(rng, n)
        noise, radii = NoiseModel(gain_e_per_adu=1.0), np.array([3.0, 4.5, 6.0])
        args = *(places + rng.normal(0, 0.1, places.shape)).T, radii, ANNULUS, noise
        true = measure_stars(image.astype(np.float32), np.zeros(image.shape, np.uint8), *args)
        bad = np.where(rng.random(image.shape) < 0.03, np.uint8(PixelFlag.HOT), np.uint8(0))
        seen = np.where(bad, 0, rng.poisson(image)).astype(np.float32)
        found = measure_stars(seen, bad, *args)
        mended = (found.flags & Flag.MENDED) != 0
        kept.append(((found.flags & Flag.BAD_PIXEL) == 0).mean())
        pulls.extend(((found.flux - true.flux) / found.flux_err)[mended])
        clean = (true.flux_err / found.flux_err)[mended]
        shares.extend(clean)
        assert (clean <= 1.01).all()
    assert np.mean(kept) > (0.9 if n == 2 else 0.97)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls) / len(radii))
    assert 0.85 < np.std(pulls) < 1.15
    assert np.median(shares) > 0.85


def test_a_pixel_of_two_stars_is_mended_for_neither():
    star = moffat(25.0, 30.0, 1e5) + moffat(35.0, 30.0, 1e5) + SKY
    bad = np.zeros(star.shape, np.uint8)
    bad[30, 30] = PixelFlag.HOT
    where = np.array([25.0, 35.0]), np.array([30.0, 30.0])
    found = measure_stars(
        star.astype(np.float32), bad, *where, RADII, ANNULUS, NoiseModel(gain_e_per_adu=1.0)
    )
    assert (found.flags[:, 1] & Flag.BAD_PIXEL).all()
