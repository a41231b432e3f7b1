"""The second renderer holds itself to what is known of light, noise and transits."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import renderer
from renderer import Neighbour, NightSpec, Sensor, disc_flux, draw_stars, render_night, star_profile

SHAPES = [{}, {"ring_px": 9.0}, {"trail_px": 7.0}, {"elongation": 1.4}, {"fwhm_px": 1.9}]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_star_keeps_its_light_wherever_it_falls_in_a_pixel(shape):
    profile = star_profile(NightSpec(**shape), shape.get("fwhm_px", 3.0), 0.3)
    assert profile[:, 4].sum() == pytest.approx(1.0)
    for x, y in np.random.default_rng(1).uniform(59.5, 60.5, (5, 2)):
        image = draw_stars((121, 121), *np.array([[x], [y], [1e5]]), profile)
        assert image.sum() == pytest.approx(1e5, rel=2e-4)
        rows, columns = np.indices(image.shape)
        assert (image * columns).sum() / image.sum() == pytest.approx(x, abs=0.01)
        assert (image * rows).sum() / image.sum() == pytest.approx(y, abs=0.01)


def test_the_width_is_the_width_that_was_ordered():
    image = draw_stars(
        (61, 61),
        *np.array([[30.0], [30.0], [1.0]]),
        star_profile(NightSpec(elongation=1.0), 8.0, 0),
    )
    row = image[30] / image[30, 30]
    assert 2 * np.interp(-0.5, -row[30:], np.arange(31)) == pytest.approx(8.0, rel=0.02)


def test_a_ring_has_a_hole():
    image = draw_stars(
        (61, 61),
        *np.array([[30.0], [30.0], [1.0]]),
        star_profile(NightSpec(ring_px=12.0), 3.0, 0.5),
    )
    assert image[30, 30] < 0.1 * image[30, 39]


@pytest.mark.parametrize("p", [0.01, 0.12, 0.6, 1.0])
def test_a_dark_disc_before_an_even_one_takes_its_area(p):
    assert disc_flux(np.array([0.0]), p, (0.0, 0.0))[0] == pytest.approx(
        1 - p**2, abs=2e-6 + 1e-3 * p
    )
    # Two circles that cut each other: the lens between them.
    d = 1 - 0.3 * p
    lens = (
        p**2 * np.arccos((d**2 + p**2 - 1) / (2 * d * p)) + np.arccos((d**2 + 1 - p**2) / (2 * d))
        - 0.5 * np.sqrt((-d + p + 1) * (d + p - 1) * (d - p + 1) * (d + p + 1))
    )  # fmt: skip
    assert 1 - disc_flux(np.array([d]), p, (0.0, 0.0))[0] == pytest.approx(lens / np.pi, rel=2e-3)


def test_its_transits_are_those_of_the_program():
    from lightcurve.transit.ephemeris import make_planet
    from lightcurve.transit.model import transit_flux

    spec = NightSpec(rp=0.11, impact=0.5, limb=(0.4, 0.25))
    hours = np.linspace(-2, 2, 81)
    values = {
        "name": "b",
        "ra": 10.0,
        "dec": 0.0,
        "period_days": spec.period_days,
        "t0_bjd_tdb": 2460000.0,
    }
    values |= {"rp_over_rs": spec.rp, "a_over_rs": spec.a_over_rs, "inclination_deg": 88.0}
    u1, u2 = spec.limb
    theta = np.array(
        [2460000.0, spec.rp, spec.a_over_rs, spec.impact, (u1 + u2) ** 2, u1 / 2 / (u1 + u2)]
    )
    theirs = transit_flux(
        2460000 + hours / 24,
        theta,
        make_planet(values, "test"),
        exposure_days=spec.exposure_s / 86400,
    )
    ours = renderer.transit(spec, hours, 0.0)
    assert np.abs(ours - theirs).max() < 2e-5
    inside = np.ptp(hours[ours < 1]) / 24
    assert inside == pytest.approx(renderer.duration_days(spec), abs=0.11 / 24)


def test_noise_of_the_sensor_is_that_of_its_electrons():
    spec = NightSpec(shape=(120, 150), cosmic_rays=0.0, prnu=0.0, vignetting=0.0)
    sensor = Sensor(spec, np.random.default_rng(2))
    pair = [sensor.expose(900.0, 60.0).astype(float) for _ in range(2)]
    variance = np.var(pair[0] - pair[1]) / 2
    expected = (900 + 60 * spec.dark_e_s + spec.read_e**2) / spec.gain**2 + 1 / 12
    assert variance == pytest.approx(expected, rel=0.03)
    assert np.mean(pair[0] - sensor.bias) == pytest.approx(
        900 / spec.gain + 60 * spec.dark_e_s / spec.gain, rel=1e-3
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("second")
    spec = NightSpec(
        n_frames=50, flip_at=0.6, prnu=0.0, vignetting=0.0, bias_pattern_adu=0.0, cosmic_rays=0.0,
        transparency_wander=0.0, transit=False,
    )  # fmt: skip
    return render_night(spec, folder, np.random.default_rng(3))


@pytest.mark.filterwarnings("ignore:.*datfix")
def test_headers_place_the_stars_where_they_are(night):
    for k in (0, 12, 49):
        x, y = WCS(fits.getheader(night.lights[k])).all_world2pix(night.ra_deg, night.dec_deg, 0)
        away = np.hypot(x - night.x[k], y - night.y[k])
        assert np.ptp(x - night.x[k]) < 0.01 > np.ptp(y - night.y[k])
        assert away.max() < 5 * night.spec.wcs_error_px
    assert np.hypot(night.x[0, 1] - night.x[-1, 1], night.y[0, 1] - night.y[-1, 1]) > 20  # the flip


def test_a_plain_sum_over_a_good_circle_reaches_the_limit(night):
    """Sums at true places, against all stars by their weight, scatter by what is told."""
    rows, columns = np.indices(night.spec.shape)
    sums = np.empty(night.electrons.shape)
    for k, path in enumerate(night.lights):
        image = fits.getdata(path).astype(float)
        image -= np.median(image)
        away = np.hypot(columns - night.x[k, :, None, None], rows - night.y[k, :, None, None])
        sums[k] = (np.clip(5.5 - away, 0, 1) * image).sum(axis=(1, 2))
    relative = sums / sums.mean(axis=1, keepdims=True)
    relative /= relative.mean(axis=0)
    weight = night.electrons.mean(axis=0)[1:]  # about 1 / variance, of bright stars
    target = relative[:, 0] / np.average(relative[:, 1:], axis=1, weights=weight)
    assert np.std(target) / np.mean(target) == pytest.approx(np.median(night.limit), rel=0.3)


def test_a_neighbour_lies_where_it_was_ordered_and_is_not_compared_with(tmp_path):
    spec = NightSpec(
        n_frames=2, neighbours=(Neighbour(6.0, 40.0, 0.3),), n_bias=0, n_dark=0, n_flat=0
    )
    truth = render_night(spec, tmp_path, np.random.default_rng(3))
    assert np.hypot(
        truth.x[0, -1] - truth.x[0, 0], truth.y[0, -1] - truth.y[0, 0]
    ) == pytest.approx(6.0)
    assert truth.electrons[0, -1] == pytest.approx(0.3 * truth.electrons[0, 0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["light_0001.fits", "light_0002.fits"]
