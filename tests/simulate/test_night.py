"""A simulated night: geometry, sensor, repeatability and what is written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.core.errors import InputError
from lightcurve.simulate.dialects import DIALECTS
from lightcurve.simulate.night import DEMO_CALIBRATIONS, Truth, demo_night, simulate_night
from lightcurve.simulate.observatory import FLAGSTAFF, Night, SimCamera, airmass
from lightcurve.simulate.render import make_sensor
from lightcurve.simulate.sky import SimTarget, StarField
from sim import simulated_stars_image, tiny_night

CLEAN = {
    "hot_fraction": 0.0,
    "cosmic_rays_per_s": 0.0,
    "n_dust": 0,
    "vignetting": 0.0,
    "response_rms": 0.0,
    "bias_structure_adu": 0.0,
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def light(truth: Truth, k: int) -> np.ndarray:
    """Read a frame in electrons, without bias, dark and sky."""
    camera, night = truth.camera, truth.night
    pixels = (fits.getdata(truth.lights[k]) - truth.sensor.bias) * camera.gain_e_per_adu
    dark = truth.sensor.dark * night.exposure_s
    sky = night.sky_e_s * night.exposure_s * truth.conditions.airmass[k]
    return (pixels - dark) / truth.sensor.flat - sky


def centroid(image: np.ndarray, x: float, y: float, half: int = 12) -> tuple[float, ...]:
    """Flux-weighted centre and sum of a box."""
    i, j = round(y), round(x)
    box = image[i - half : i + half + 1, j - half : j + half + 1]
    yy, xx = np.mgrid[i - half : i + half + 1, j - half : j + half + 1]
    return (xx * box).sum() / box.sum(), (yy * box).sum() / box.sum(), box.sum()


@pytest.mark.parametrize("mirrored", [False, True])
def test_stars_stand_where_the_truth_says(tmp_path: Path, mirrored: bool) -> None:
    """Centroid, flux and the WCS in the header agree with the truth, before and after a flip."""
    _, truth = tiny_night(
        tmp_path, n_stars=0, target_mag=9.5, moffat_beta=None, flip_at=0.5, mirrored=mirrored,
        rotation_deg=25.0, header_wcs=True, wcs_error_px=0.0, read_noise_e=1.0,
        target_flux=np.array([1.0, 0.98, 1.0, 0.97]), **CLEAN,
    )  # fmt: skip
    for k, path in enumerate(truth.lights):
        x, y, flux = centroid(light(truth, k), truth.x[k, 0], truth.y[k, 0])
        assert (x, y) == pytest.approx((truth.x[k, 0], truth.y[k, 0]), abs=0.02)
        expected = truth.electrons[0] * truth.conditions.transparency[k] * truth.target_flux[k]
        assert flux == pytest.approx(expected, rel=0.005)
        wcs = WCS(fits.getheader(path))
        where = wcs.world_to_pixel_values(truth.target.ra_deg, truth.target.dec_deg)
        np.testing.assert_allclose(where, (truth.x[k, 0], truth.y[k, 0]), atol=1e-5)


def test_orientation_on_the_sky(tmp_path: Path) -> None:
    """Position angle of +y as told, and east left of north unless mirrored."""
    for mirrored in (False, True):
        _, truth = tiny_night(
            tmp_path / str(mirrored), n_frames=1, rotation_deg=20.0, mirrored=mirrored,
            header_wcs=True, wcs_error_px=0.0, n_stars=3,
        )  # fmt: skip
        wcs = WCS(fits.getheader(truth.lights[0]))
        center = wcs.pixel_to_world(80, 60)
        up, right = wcs.pixel_to_world(80, 61), wcs.pixel_to_world(81, 60)
        assert center.position_angle(up).deg == pytest.approx(20.0, abs=1e-3)
        assert center.separation(up).arcsec == pytest.approx(1.2, rel=1e-5)
        side = (center.position_angle(right).deg - 20.0) % 360
        assert side == pytest.approx(90.0 if mirrored else 270.0, abs=1e-3)


def test_wcs_error_is_the_one_asked_for(tmp_path: Path) -> None:
    _, truth = tiny_night(tmp_path, header_wcs=True, wcs_error_px=2.5, n_stars=3)
    for k, path in enumerate(truth.lights):
        x, y = WCS(fits.getheader(path)).world_to_pixel_values(
            truth.target.ra_deg, truth.target.dec_deg
        )
        assert np.hypot(x - truth.x[k, 0], y - truth.y[k, 0]) == pytest.approx(2.5, abs=1e-4)


def test_flip_is_half_a_turn(tmp_path: Path) -> None:
    _, truth = tiny_night(
        tmp_path, flip_at=0.5, jitter_px=0.0, drift_px_per_hour=(0, 0),
        field_rotation_deg_per_hour=0.0, n_stars=8,
    )  # fmt: skip
    ny, nx = truth.camera.shape
    np.testing.assert_allclose(truth.x[0] + truth.x[-1], nx - 1, atol=1e-8)
    np.testing.assert_allclose(truth.y[0] + truth.y[-1], ny - 1, atol=1e-8)
    assert truth.conditions.rotation_deg[2] - truth.conditions.rotation_deg[1] == 180


def test_calibration_frames_give_the_sensor_back(tmp_path: Path) -> None:
    _, truth = tiny_night(
        tmp_path, n_frames=1, n_bias=40, n_dark=20, n_flat=20, cosmic_rays_per_s=0.0,
        hot_fraction=0.01, dark_e_s=1.0, n_dead_columns=1,
    )  # fmt: skip
    camera, sensor = truth.camera, truth.sensor
    gain, noise = camera.gain_e_per_adu, camera.read_noise_e / camera.gain_e_per_adu
    stack = {
        kind: np.mean([fits.getdata(path).astype(float) for path in paths], axis=0)
        for kind, paths in [("b", truth.biases), ("d", truth.darks), ("f", truth.flats)]
    }
    assert np.std(stack["b"] - sensor.bias) == pytest.approx(noise / np.sqrt(40), rel=0.05)
    dark = (stack["d"] - sensor.bias) * gain / truth.night.exposure_s
    expected = np.sqrt((sensor.dark * 60 + camera.read_noise_e**2) / 20) / 60
    assert np.std((dark - sensor.dark) / expected) == pytest.approx(1, abs=0.05)
    hot = sensor.dark > 2 * camera.dark_e_s
    assert 0.005 < hot.mean() < 0.015
    assert sensor.dark[hot].mean() > 10 * sensor.dark[~hot].mean()
    response = stack["f"] - sensor.bias - sensor.dark * 2 / gain
    ratio = response / response[sensor.flat > 0.5].mean() / sensor.flat
    assert np.std(ratio[sensor.flat > 0.5]) < 0.003
    assert np.count_nonzero((sensor.flat < 0.05).all(axis=0)) == 1


def test_sensor_belongs_to_the_camera() -> None:
    one, same, other = (make_sensor(SimCamera(shape=(50, 60), seed=s)) for s in (3, 3, 4))
    assert np.array_equal(one.flat, same.flat)
    assert not np.array_equal(one.flat, other.flat)
    assert one.flat.mean() == pytest.approx(1)


def test_vignetting_and_dust_darken() -> None:
    bare = {"response_rms": 0.0, "vignetting": 0.0, "n_dust": 0}
    even = make_sensor(SimCamera(shape=(101, 101), **bare)).flat
    dim = make_sensor(SimCamera(shape=(101, 101), **bare | {"vignetting": 0.2})).flat
    dust = make_sensor(SimCamera(shape=(101, 101), **bare | {"n_dust": 1})).flat
    assert np.ptp(even) == 0
    assert dim[0, 0] / dim[50, 50] == pytest.approx(0.8, abs=0.01)
    assert 0.94 < dust.min() / dust.max() < 0.99


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in [("a", 7), ("b", 7), ("c", 8)]:
        tiny_night(tmp_path / name, seed=seed, n_frames=2, n_bias=1, n_dark=1, n_flat=1)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 7
    for name in files:
        a, b, c = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert a == b, name
        assert a != c, name


def test_calibrations_and_headers_leave_the_lights_alone(tmp_path: Path) -> None:
    bare, _ = tiny_night(tmp_path / "a", n_frames=2)
    full, _ = tiny_night(tmp_path / "b", n_frames=2, n_bias=2, n_flat=1, header_wcs=True)
    for a, b in zip(bare, full, strict=True):
        assert np.array_equal(fits.getdata(a), fits.getdata(b))


def test_photometry_finds_the_dip_again(tmp_path: Path) -> None:
    """Independent apertures on calibrated frames: within the noise, through cloud and flip."""
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture

    dip = np.repeat([1.0, 0.97, 1.0], 4)
    _, truth = tiny_night(
        tmp_path, n_frames=12, shape=(200, 240), n_stars=30, target_flux=dip, flip_at=0.5,
        cloud_depth=0.5, cloud_at=0.3, cosmic_rays_per_s=0.0, hot_fraction=0.0, seed=11,
        mag_range=(10.5, 12.0), moffat_beta=None,
    )  # fmt: skip
    inside = np.all((truth.x > 25) & (truth.x < 215) & (truth.y > 25) & (truth.y < 175), axis=0)
    apart = np.hypot(truth.x[0] - truth.x[0][:, None], truth.y[0] - truth.y[0][:, None])
    inside &= np.sort(apart, axis=0)[1] > 24
    flux, variance = [], []
    for k in range(12):
        image = light(truth, k)
        xy = np.column_stack([truth.x[k, inside], truth.y[k, inside]])
        aperture = CircularAperture(xy, 2.0 * truth.conditions.fwhm_px[k])
        sky = ApertureStats(image, CircularAnnulus(xy, 16, 24)).median
        flux.append(ApertureStats(image, aperture).sum - sky * aperture.area)
        pixel = 180 * truth.conditions.airmass[k] + 3 + truth.camera.read_noise_e**2
        variance.append(flux[-1] + aperture.area * pixel)
    flux, variance = np.array(flux), np.array(variance)
    expected = truth.electrons[inside] * truth.conditions.transparency[:, None]
    expected[:, 0] *= dip
    error = np.sqrt(variance) / flux
    # A common factor of each frame is left free: what the aperture cuts off the wings.
    ratio = flux / expected
    residual = ratio / np.average(ratio, axis=1, weights=error**-2, keepdims=True) - 1
    assert inside[0]
    assert np.count_nonzero(inside) > 5
    assert np.median(np.abs(residual / error)) == pytest.approx(0.67, abs=0.15)
    depth = 1 - np.mean(ratio[dip < 1, 0] * 0.97) / np.mean(ratio[dip == 1, 0])
    assert depth == pytest.approx(0.03, abs=0.004)


def test_clouds_and_extinction_dim_the_stars(tmp_path: Path) -> None:
    _, truth = tiny_night(
        tmp_path, n_frames=21, cloud_depth=0.6, cloud_at=0.5, transparency_wander=0.0,
        n_stars=2, shape=(40, 40),
    )  # fmt: skip
    clear = 10 ** (-0.4 * 0.18 * truth.conditions.airmass)
    assert truth.conditions.transparency[10] / clear[10] == pytest.approx(0.4)
    assert truth.conditions.transparency[0] / clear[0] == pytest.approx(1)


def test_airmass_against_astropy() -> None:
    """secz of astropy's apparent altitude; refraction and curved air make 0.4 % at 2.2."""
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    jd = np.linspace(2460586.62, 2460587.0, 12)
    where = EarthLocation(lat=FLAGSTAFF.latitude_deg, lon=FLAGSTAFF.longitude_deg)
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        frame = AltAz(obstime=Time(jd, format="jd"), location=where)
        expected = SkyCoord(20 * u.deg, 30 * u.deg).transform_to(frame).secz.value
    np.testing.assert_allclose(airmass(jd, 20.0, 30.0, FLAGSTAFF), expected, rtol=0.005)


def test_truth_is_written(tmp_path: Path) -> None:
    paths, truth = tiny_night(tmp_path, target_flux=lambda jd: np.where(jd > jd[1], 0.98, 1.0))
    with (tmp_path / "truth.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    document = json.loads((tmp_path / "truth.json").read_text())
    assert [row["file"] for row in rows] == [path.name for path in paths]
    assert [float(row["target_flux"]) for row in rows] == [1, 1, 0.98, 0.98]
    assert [float(row["jd_utc"]) for row in rows] == truth.conditions.mid_jd_utc.tolist()
    assert document["target"]["name"] == "Tiny-1"
    assert len(document["stars"]["ra_deg"]) == len(truth.stars)
    assert document["night"]["seed"] == 5


def test_stars_of_the_whole_sky(tmp_path: Path) -> None:
    """A list reaching round the sky, and a field that straddles the zero of right ascension."""
    around = np.arange(0.0, 360.0, 30.0)
    everywhere = StarField(around, 80 * np.cos(around), np.full(12, 10.0))
    target = SimTarget("Everywhere", 359.999, 70.0, 11.0)
    night = Night(n_frames=2, ra_deg=0.001, dec_deg=70.0, moffat_beta=None, cosmic_rays_per_s=0)
    camera = SimCamera(shape=(60, 80))
    truth = simulate_night(tmp_path, night, camera, everywhere, target, np.ones(2))
    assert 0 < truth.x[0, 0] < 80
    assert light(truth, 0).sum() == pytest.approx(
        truth.electrons[0] * truth.conditions.transparency[0], rel=0.05
    )
    assert 0 <= fits.getheader(truth.lights[0])["RA"] < 360


def test_satellite_crosses_one_frame(tmp_path: Path) -> None:
    _, truth = tiny_night(tmp_path, n_stars=0, trail_frames=(2,), **CLEAN)
    level = [np.percentile(light(truth, k), 97) for k in range(4)]
    assert level[2] > 3 * max(level[0], level[1], level[3])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_valid_fits(tmp_path: Path, dialect: str) -> None:
    _, truth = tiny_night(
        tmp_path, dialect=dialect, full_scale_adu=4095, n_frames=2, n_bias=1, n_dark=1, n_flat=1,
        header_wcs=True,
    )  # fmt: skip
    paths = truth.lights + truth.biases + truth.darks + truth.flats
    assert [p.name for p in paths[-3:]] == ["bias_0001.fits", "dark_0001.fits", "flat_0001.fits"]
    for path in paths:
        with fits.open(path) as hdus:
            hdus.verify("exception")
            assert hdus[0].shape == (120, 160)
            assert hdus[0].data.max() <= 4095


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "klingon"}, "dialect 'klingon'; there are standard, maxim"),
        ({"target_flux": np.ones(3)}, "must be 4 numbers"),
        ({"target_flux": np.array([1, 1, np.nan, 1])}, "none negative"),
        ({"dec_deg": -80.0}, "below the horizon in 4 of 4"),
        ({"n_frames": 0}, "a frame or more"),
        ({"exposure_s": 200.0}, r"200 s\) no longer than the cadence \(150 s"),
        ({"drift_px_per_hour": (9e4, 0), "jitter_px": 9e3}, "target is in no frame"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny_night(tmp_path, **options)


def test_demo_is_worth_reducing(tmp_path: Path) -> None:
    """A bright target, enough comparison stars in every frame, all the troubles."""
    night, camera, field, target = demo_night(1)
    few = type(night)(**{name: getattr(night, name) for name in night.__slots__} | {"n_frames": 3})
    truth = simulate_night(tmp_path, few, camera, field, target, np.ones(3))
    assert 60 <= night.n_frames <= 80
    assert DEMO_CALIBRATIONS == 5
    electrons = truth.electrons[0] * truth.conditions.transparency[0]
    area = np.pi * (1.5 * truth.conditions.fwhm_px[0]) ** 2
    sky = night.sky_e_s * night.exposure_s * truth.conditions.airmass[0]
    snr = electrons / np.sqrt(electrons + area * (sky + camera.read_noise_e**2))
    assert 300 < snr < 500
    ny, nx = camera.shape
    inside = np.all((truth.x > 40) & (truth.x < nx - 40), axis=0)
    inside &= np.all((truth.y > 40) & (truth.y < ny - 40), axis=0)
    assert np.count_nonzero(inside & (truth.electrons > 0.25 * truth.electrons[0])) >= 25
    assert fits.getdata(truth.lights[0]).max() == camera.full_scale_adu


@pytest.mark.parametrize("seed", range(5))
def test_demo_target_stands_alone(seed: int) -> None:
    _, _, field, target = demo_night(seed)
    away = np.hypot((field.ra_deg - target.ra_deg) * 0.866, field.dec_deg - target.dec_deg) * 3600
    assert away.min() > 29
    assert 100 < len(field) <= 115


def test_stars_image_helper(rng: np.random.Generator) -> None:
    made = simulated_stars_image(rng, n_stars=5)
    total = made.pixels.sum() - made.sky * made.pixels.size
    assert total == pytest.approx(made.flux.sum(), rel=0.02)
