"""Stars out of focus, trailed or blurred: one source each, in its middle, of its size."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.detect import detect
from lightcurve.phot.grains import StarSize, coarse, half_light_diameter, measure_size
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.seeing import choose_radii
from renderer import NightSpec, draw_stars, star_profile
from sim import simulated_stars_image

SKY = 120.0


def field(profile: np.ndarray, width: float, rng: np.random.Generator, *, n: int = 4, light=2e5):
    """Render n x n stars, each in a room of its own, with photon noise."""
    room = 2.6 * width + 24
    x, y = (np.array([*np.ndindex(n, n)]).T + 0.5) * room + rng.uniform(-4, 4, (2, n * n))
    flux = light * rng.uniform(0.4, 1.0, n * n) * max(1, width / 12)
    size = int(n * room)
    scene = draw_stars((size, size), x, y, flux, profile) + SKY
    return rng.poisson(scene).astype(np.float32), x, y, flux


def shapes() -> list:
    rings = [({"ring_px": d / 2}, d) for d in (8, 10, 14, 20, 25, 32, 45, 60)]
    trails = [({"trail_px": length}, length) for length in (6, 9, 14, 22)]
    blurs = [({"fwhm_px": fwhm}, fwhm) for fwhm in (2.0, 4.0, 6.0, 9.0, 14.0, 20.0)]
    return [pytest.param(spec, width, id=f"{spec}") for spec, width in rings + trails + blurs]


@pytest.mark.parametrize(("spec", "width"), shapes())
def test_each_star_is_one_source_in_its_middle(spec: dict, width: float) -> None:
    spec = NightSpec(**spec)
    rng = np.random.default_rng(3)
    pixels, x, y, flux = field(star_profile(spec, spec.fwhm_px, 0.0), width, rng)
    found = detect(pixels)
    assert len(found) == len(x)
    off = np.hypot(x[:, None] - found.x, y[:, None] - found.y)
    assert off.min(axis=1).max() < max(0.1, 0.05 * width)
    nearest = off.argmin(axis=1)
    assert np.corrcoef(found.flux[nearest], flux)[0, 1] > 0.98


@pytest.mark.parametrize("diameter", [12, 25, 60])
def test_a_ring_is_measured_whole(diameter: int) -> None:
    """Centres, light and size of rings, from places two pixels off; the hole is no other star."""
    spec = NightSpec(ring_px=diameter / 2)
    rng = np.random.default_rng(5)
    pixels, x, y, flux = field(star_profile(spec, 3.0, 0.0), diameter, rng)
    stars = detect(pixels)
    size = measure_size(pixels, stars.x, stars.y, stars.sky, stars.grain)
    # The circles that hold 0.5 and 0.9 of the area of a ring with a hole of 0.45, seeing aside.
    halves = [np.sqrt(0.45**2 + part * (1 - 0.45**2)) * diameter / 2 for part in (0.5, 0.9)]
    assert (size.r50, size.r90) == pytest.approx(halves, rel=0.12, abs=1.1)
    radii, annulus = choose_radii(size)
    assert radii[0] < 1.1 * diameter / 2 < radii[-1]
    assert annulus[0] > diameter / 2 + 3
    bad = np.zeros(pixels.shape, np.uint8)
    given = x + 1.5, y - 1.0
    got = measure_stars(
        pixels, bad, *given, radii, annulus, NoiseModel(), grain=stars.grain, max_shift=3.0
    )
    assert not got.flags.any()
    assert np.hypot(got.x - x, got.y - y).max() < max(0.1, 0.012 * diameter)
    np.testing.assert_allclose(got.flux[:, 4], flux, rtol=0.03)
    assert np.median(got.fwhm) == pytest.approx(2 * size.r50, rel=0.15)


def test_sharp_stars_are_seen_as_they_are() -> None:
    """A field of close pairs, a nebula and two stars alone are sharp: no pixel is averaged."""
    rng = np.random.default_rng(8)
    image = simulated_stars_image(rng, shape=(300, 320), n_stars=150, fwhm=3.0)
    assert detect(image.pixels).grain == 1
    y, x = np.mgrid[:300, :320]
    glow = 4e3 * np.exp(-np.hypot(x - 150, y - 140) / 40).astype(np.float32)
    assert detect(image.pixels + rng.poisson(glow)).grain == 1
    two = draw_stars(
        (120, 130),
        np.array([40.2, 90.7]),
        np.array([55.1, 66.4]),
        np.array([2e4, 5e4]),
        star_profile(NightSpec(), 3.0, 0),
    )
    assert detect(rng.poisson(two + SKY).astype(np.float32)).grain == 1


def test_radii_of_a_gaussian_are_multiples_of_its_width() -> None:
    multiples = np.array([0.75, 1.5, 4.0])
    np.testing.assert_allclose(StarSize.gaussian(3.2).radius(multiples), 3.2 * multiples)


def test_squares_are_averages_of_their_good_pixels() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.normal(100, 5, (31, 41)).astype(np.float32)
    spoilt = rng.random(pixels.shape) < 0.2
    spoilt[:3, :3] = True
    mean, bad = coarse(pixels, spoilt, 3)
    masked = np.ma.masked_array(pixels, spoilt)[:30, :39].reshape(10, 3, 13, 3)
    assert bad[0, 0]
    np.testing.assert_allclose(mean[1:], masked.mean(axis=(1, 3))[1:], rtol=1e-5)


def test_half_of_the_light_of_a_gaussian_is_within_its_fwhm() -> None:
    offset = np.arange(-20, 21)
    box = np.exp(-((offset[:, None] - 0.3) ** 2 + (offset + 0.4) ** 2) / (2 * 4.0**2))
    found = half_light_diameter(box[None], np.array([-0.4]), np.array([0.3]))
    assert found[0] == pytest.approx(2.35482 * 4.0, rel=0.03)
