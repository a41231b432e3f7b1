"""Aperture photometry against analytic images, photutils, and the noise put in."""

from __future__ import annotations

import numpy as np
import pytest
from photutils.aperture import CircularAperture, aperture_photometry

from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.phot.aperture import measure_stars, second_moments
from lightcurve.phot.noise import (
    QUANTISATION_VARIANCE,
    NoiseModel,
    flux_error,
    pixel_variance_model,
)
from lightcurve.simulate.render import render_stars
from sim import simulated_stars_image

RADII = np.array([2.0, 3.0, 4.5, 6.3])
ANNULUS = (10.0, 16.0)


def measure(pixels: np.ndarray, x: object, y: object, **options: object) -> object:
    bad = options.pop("bad", np.zeros(pixels.shape, np.uint8))
    options = {"radii": RADII, "annulus": ANNULUS, "noise": NoiseModel()} | options
    x, y = np.atleast_1d(x).astype(float), np.atleast_1d(y).astype(float)
    return measure_stars(np.ascontiguousarray(pixels, np.float32), bad, x, y, **options)


def test_nothing_on_a_level_sky() -> None:
    found = measure(np.full((80, 90), 500.0), [40.3, 20.0], [41.7, 50.0])
    np.testing.assert_allclose(found.flux, 0, atol=2e-3)
    np.testing.assert_allclose(found.area, np.pi * RADII**2 * np.ones((2, 1)))
    np.testing.assert_allclose(found.sky, 500)
    assert (found.flags & Flag.NO_CENTROID).all()  # there is no star to centre on
    np.testing.assert_array_equal(found.x, [40.3, 20.0])


def test_light_inside_a_radius_is_that_of_the_profile() -> None:
    """Share of a round Gaussian inside radius R: 1 - exp(-R^2 / 2 s^2), with the pixel's own width.

    A pixel widens the star by 1/12 along each axis when it collects the light, and once more when
    the light of a pixel that the circle cuts is taken as level.
    """
    fwhm = 4.0
    x, y = np.array([60.0, 100.4, 140.7]), np.array([50.5, 60.2, 70.9])
    pixels = render_stars((130, 200), x, y, np.full(3, 1e5), fwhm) + 200
    found = measure(pixels, x, y)
    variance = (fwhm / 2.35482) ** 2 + 2 / 12
    share = 1 - np.exp(-(RADII**2) / (2 * variance))
    np.testing.assert_allclose(found.flux / 1e5, np.tile(share, (3, 1)), atol=3e-3)
    np.testing.assert_allclose(found.x, x, atol=2e-3)
    np.testing.assert_allclose(found.y, y, atol=2e-3)


def test_sums_are_those_of_photutils() -> None:
    image = simulated_stars_image(np.random.default_rng(3))
    found = measure(image.pixels, image.x, image.y)
    positions = np.column_stack([found.x, found.y])
    for k, radius in enumerate(RADII):
        table = aperture_photometry(
            image.pixels.astype(float), CircularAperture(positions, radius), method="exact"
        )
        ours = found.flux[:, k] + found.sky * found.area[:, k]
        np.testing.assert_allclose(ours, table["aperture_sum"], rtol=2e-6)


def test_quoted_error_is_the_scatter() -> None:
    """Pulls over many noise draws, with true sky and flux known, are one wide and centred."""
    pulls = []
    for seed in range(12):
        image = simulated_stars_image(
            np.random.default_rng(seed), n_stars=40, shape=(300, 300), flux_range=(3e3, 3e4)
        )
        alone = _isolated(image.x, image.y, 2 * ANNULUS[1])
        x, y, flux = image.x[alone], image.y[alone], image.flux[alone]
        found = measure(image.pixels, x, y, noise=NoiseModel(image.gain, image.read_noise))
        share = 1 - np.exp(-(RADII[3] ** 2) / (2 * ((3.0 / 2.35482) ** 2 + 2 / 12)))
        pulls.append((found.flux[:, 3] - share * flux) / found.flux_err[:, 3])
    pulls = np.concatenate(pulls)
    assert len(pulls) > 60
    assert abs(pulls.mean()) < 3 / np.sqrt(len(pulls))
    assert 0.85 < pulls.std() < 1.15


def _isolated(x: np.ndarray, y: np.ndarray, distance: float) -> np.ndarray:
    gap = np.hypot(x[:, None] - x, y[:, None] - y) + 1e9 * np.eye(len(x))
    return gap.min(axis=1) > distance


def test_stars_do_not_depend_on_one_another() -> None:
    """A star measured alone has the same bits as among others, in any order."""
    image = simulated_stars_image(np.random.default_rng(5))
    everyone = measure(image.pixels, image.x, image.y)
    order = np.random.default_rng(0).permutation(len(image.x))
    shuffled = measure(image.pixels, image.x[order], image.y[order])
    for name in ("x", "y", "flux", "flux_err", "sky", "fwhm", "peak", "flags"):
        np.testing.assert_array_equal(getattr(everyone, name)[order], getattr(shuffled, name))


def test_what_spoils_a_star_is_flagged() -> None:
    x, y = np.array([30.0, 2.5, 70.0, 120.0, -40.0]), np.array([30.0, 60.0, 30.0, 60.0, 30.0])
    pixels = render_stars((100, 160), x, y, np.full(5, 5e4), 3.0) + 100
    bad = np.zeros(pixels.shape, np.uint8)
    bad[30, 73] = PixelFlag.HOT
    bad[60, 120] = PixelFlag.SATURATED
    found = measure(pixels, x, y, bad=bad, linearity_adu=pixels.max() - 1)
    assert found.flags[1, 3] & Flag.EDGE
    assert np.isnan(found.flux[1, 3])
    assert np.isfinite(found.flux[1, 0])
    assert not found.flags[2, 0] & Flag.BAD_PIXEL  # 3 px away, beyond the first radius
    assert found.flags[2, 3] & Flag.MENDED
    assert (found.flags[3] & Flag.SATURATED).all()
    assert (found.flags[4] & Flag.NOT_MEASURED).all()
    assert np.isnan(found.flux[4]).all()
    highest = found.peak[:, 0] > pixels.max() - 1
    assert (((found.flags[:, 0] & Flag.NON_LINEAR) != 0) == highest).all()
    whole = found.flags[0] & ~np.uint16(Flag.NON_LINEAR)
    assert (whole == 0).all()


def test_a_saturation_level_marks_without_a_mask() -> None:
    pixels = np.minimum(render_stars((80, 80), [40], [40], [1e6], 3.0) + 100, 4095)
    found = measure(pixels, 40, 40, saturation_adu=4095)
    assert (found.flags & Flag.SATURATED).all()


def test_second_moments_of_a_tilted_gaussian() -> None:
    """Axes s1, s2 and angle t give m20 = s1^2 cos^2 t + s2^2 sin^2 t, and so on."""
    offset = np.arange(-20, 21)
    u, v = np.meshgrid(offset, offset)
    angle, long, short = np.radians(25), 3.0, 2.0
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    box = np.exp(-(along**2) / (2 * long**2) - across**2 / (2 * short**2))[None]
    shape = second_moments(box, np.zeros(1), np.zeros(1), 18.0)
    assert shape["angle_deg"][0] % 180 == pytest.approx(25, abs=0.1)
    assert shape["roundness"][0] == pytest.approx(short / long, rel=1e-3)
    m20 = (long * np.cos(angle)) ** 2 + (short * np.sin(angle)) ** 2
    assert shape["x_width"][0] == pytest.approx(np.sqrt(m20) / 0.3602, rel=1e-3)


def test_ccd_equation() -> None:
    """Merline & Howell (1995) by hand: F 1e4 ADU at 2 e-, 50 px, sky variance 9, 200 sky px."""
    by_hand = np.sqrt(1e4 / 2 + 50 * (1 + 50 / 200) * 9)
    assert flux_error(np.array(1e4), np.array(50), np.array(9.0), np.array(200), 2.0) == by_hand
    camera = NoiseModel(gain_e_per_adu=2, read_noise_e=6, dark_e=4)
    variance = pixel_variance_model(np.array([100.0, -5.0]), camera)
    np.testing.assert_allclose(variance - QUANTISATION_VARIANCE, [240 / 4, 40 / 4])


def test_no_star_at_all_has_no_flux_and_no_width() -> None:
    sky, none = np.full((60, 60), 100, np.float32), np.zeros(0)
    phot = measure_stars(
        sky, np.zeros(sky.shape, np.uint8), none, none, np.array([2.0, 3.0]), (8.0, 14.0),
        NoiseModel(),
    )  # fmt: skip
    assert phot.flux.shape == (0, 2)
    assert phot.fwhm.shape == (0,)
