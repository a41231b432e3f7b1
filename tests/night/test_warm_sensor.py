"""Nights of an uncooled sensor, rendered in plain numpy: its warm pixels cost no frame."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from sim import tiny_night
from undrawn import reduce_night

SHAPE, SCALE = (180, 220), 1.5 / 3600
RA, DEC = 150.0, 20.0
GAIN, READ_E, BIAS, SKY, SECONDS, SIGMA = 1.5, 7.0, 400.0, 80.0, 60.0, 1.4
START = datetime(2024, 2, 10, 22, 0, 0, tzinfo=UTC)
TARGET = (112.3, 88.6)


class Sensor:
    """A camera that writes frames; `warm` is the dark current, ADU in an exposure.

    The same seed draws the same noise, whatever the warm pixels: two nights that differ in them
    alone differ by what they do.
    """

    def __init__(self, folder: Path, warm: np.ndarray, seed: int) -> None:
        self.folder, self.warm = folder, warm
        self.rng, self.of_warm = np.random.default_rng(seed), np.random.default_rng(seed + 1)
        self.y, self.x = np.indices(SHAPE)
        folder.mkdir()

    def write(self, kind: str, k: int, light: np.ndarray | float, warm: np.ndarray, wcs=None):
        noise = self.rng.standard_normal(SHAPE) * np.sqrt(light / GAIN + (READ_E / GAIN) ** 2)
        of_warm = self.of_warm.standard_normal(SHAPE) * np.sqrt(np.maximum(warm, 0) / GAIN)
        adu = np.clip(np.rint(BIAS + light + warm + noise + of_warm), 0, 65535)
        header = wcs.to_header() if wcs else fits.Header()
        time = START + timedelta(seconds=90 * k)
        header["IMAGETYP"], header["DATE-OBS"] = kind, time.strftime("%Y-%m-%dT%H:%M:%S.%f")
        header["EXPTIME"] = 0.0 if kind == "bias" else SECONDS
        header["FILTER"], header["GAIN"], header["RDNOISE"] = "V", GAIN, READ_E
        header["SITELAT"], header["SITELONG"] = 28.3, -16.5
        header["OBJECT"], header["RA"], header["DEC"] = "Warm-1", RA, DEC
        path = self.folder / f"{kind}{k:03d}.fits"
        fits.PrimaryHDU(adu.astype(np.uint16), header).writeto(path)

    def calibrate(self, n: int) -> None:
        for k in range(n):
            self.write("bias", k, 0.0, np.zeros(SHAPE))
            self.write("dark", k, 0.0, self.warm)

    def observe(self, n: int, drift: np.ndarray) -> None:
        """Expose on 25 stars that move by `drift` (x, y) px a frame; the target is the first."""
        at = np.random.default_rng(4)
        x, y = (TARGET[i] + np.array([[0, 0], *_grid(at)])[:, i] for i in (0, 1))
        flux = np.append(6e4, at.uniform(2e4, 1.2e5, len(x) - 1))
        for k in range(n):
            light = np.full(SHAPE, SKY)
            for one_x, one_y, one in zip(x + k * drift[0], y + k * drift[1], flux, strict=True):
                squared = (self.x - one_x) ** 2 + (self.y - one_y) ** 2
                light += one / (2 * np.pi * SIGMA**2) * np.exp(-squared / (2 * SIGMA**2))
            wcs = WCS(naxis=2)
            wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [RA, DEC]
            wcs.wcs.crpix = np.array(TARGET) + k * drift + 1
            wcs.wcs.cdelt = [-SCALE, SCALE]
            self.write("light", k, light, self.warm, wcs)


def _grid(rng: np.random.Generator) -> list[list[float]]:
    """Offsets of stars from the target, none in another's sky."""
    steps = [(i * 36.0, j * 32.0) for j in (-2, -1, 0, 1, 2) for i in (-2, -1, 0, 1, 2)]
    return [[*(np.array(s) + rng.uniform(-4, 4, 2))] for s in steps if s != (0.0, 0.0)]


def warm_pixels(share: float) -> np.ndarray:
    rng = np.random.default_rng(8)
    where = rng.random(SHAPE) < share
    return np.where(where, rng.exponential(800.0, SHAPE), 0.0)


def reduce(folder: Path, out: Path, **target: str) -> tuple[np.ndarray, np.ndarray, list[dict]]:
    target = {"name": "Warm-1", "ra": str(RA), "dec": str(DEC)} | target
    # One aperture for all: nights that are compared differ by their pixels alone.
    settings = make_settings({"target": target, "apertures": {"radii": [4.0]}})
    reduce_night(folder, settings, out)
    with (out / "lightcurve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    flux, flags = (np.array([float(r[c] or "nan") for r in rows]) for c in ("rel_flux", "flags"))
    with (out / "stars.csv").open(newline="") as file:
        return flux, flags.astype(int), list(csv.DictReader(file))


def observed(folder: Path, warm: np.ndarray, *, n: int = 50, drift=(0.23, -0.11), darks: int = 4):
    sensor = Sensor(folder / "raw", warm, seed=11)
    sensor.calibrate(darks or 4)
    for path in sensor.folder.glob("dark*"):
        if not darks:  # only now: the lights' noise is that of the other nights
            path.unlink()
    sensor.observe(n, np.array(drift))
    return reduce(folder / "raw", folder / "out")


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    return observed(tmp_path_factory.mktemp("cool"), np.zeros(SHAPE))


@pytest.mark.parametrize("share", [0.002, 0.0025, 0.01])
def test_a_night_of_warm_pixels_is_measured_whole(share, without, tmp_path):
    flux, flags, stars = observed(tmp_path, warm_pixels(share))
    assert np.isfinite(flux).all()
    assert not (flags & Flag.BAD_PIXEL).any()
    assert np.std(flux) == pytest.approx(np.std(without[0]), rel=0.1)
    roles = [[star["role"] for star in found].count("comparison") for found in (stars, without[2])]
    assert roles[0] >= 0.8 * roles[1] > 0


def test_a_warm_pixel_beside_a_guided_target_gives_a_light_curve(without, tmp_path):
    warm = np.zeros(SHAPE)
    warm[round(TARGET[1]), round(TARGET[0]) + 2] = 400.0
    flux, flags, _ = observed(tmp_path, warm, n=30, drift=(0.0, 0.0))
    assert np.isfinite(flux).all()
    assert not flags.any()
    assert np.std(flux) < 1.1 * np.std(without[0])


def test_a_star_that_drifts_over_a_warm_pixel_makes_no_step(without, tmp_path):
    warm = np.zeros(SHAPE)
    warm[round(TARGET[1]) - 2, round(TARGET[0]) + 5] = 2000.0
    flux, flags, _ = observed(tmp_path, warm)
    assert np.isfinite(flux).all()
    assert not (flags & Flag.BAD_PIXEL).any()
    # What the pixel did to the star, frame by frame: the nights differ in it alone.
    change = flux / np.median(flux) - without[0] / np.median(without[0])
    assert np.abs(change).max() < 0.01
    for part in np.array_split(change, 5):
        assert abs(part.mean()) < 0.002


@pytest.mark.parametrize("height", [300.0, 1000.0])
def test_without_darks_a_star_makes_no_step_over_a_warm_pixel(height, without, tmp_path):
    """The light frames themselves show the pixel."""
    warm = np.zeros(SHAPE)
    warm[round(TARGET[1]) - 2, round(TARGET[0]) + 5] = height
    flux, flags, _ = observed(tmp_path, warm, darks=0)
    assert np.isfinite(flux).all()
    assert not (flags & Flag.BAD_PIXEL).any()
    change = flux / np.median(flux) - without[0] / np.median(without[0])
    for part in np.array_split(change, 5):
        assert abs(part.mean()) < 0.0025


def test_without_darks_a_night_of_warm_pixels_is_measured_whole(without, tmp_path):
    flux, flags, _ = observed(tmp_path, warm_pixels(0.0025), darks=0)
    assert np.isfinite(flux).all()
    assert not (flags & Flag.BAD_PIXEL).any()
    assert np.std(flux) == pytest.approx(np.std(without[0]), rel=0.15)


def test_our_simulator_says_the_same(tmp_path):
    tiny_night(
        tmp_path / "raw", n_frames=20, shape=(260, 300), n_stars=40, header_wcs=True, n_bias=4,
        n_dark=4, n_flat=4, hot_fraction=0.01, cosmic_rays_per_s=0.0,
    )  # fmt: skip
    flux, flags, _ = reduce(
        tmp_path / "raw", tmp_path / "out", name="Tiny-1", ra="20.0", dec="30.0"
    )
    assert np.isfinite(flux).all()
    assert np.count_nonzero(flags & Flag.BAD_PIXEL) <= 1


def test_the_noise_of_warm_pixels_is_in_the_errors(tmp_path):
    """5 % of the pixels are warm; their current is taken off, what it scatters by is not."""
    sensor = Sensor(tmp_path / "raw", warm_pixels(0.05), seed=21)
    sensor.calibrate(8)
    sensor.observe(40, np.zeros(2))
    target = {"name": "Warm-1", "ra": str(RA), "dec": str(DEC)}
    night = reduce_night(tmp_path / "raw", make_settings({"target": target}), tmp_path / "out")
    cube = night.measurements
    r = len(cube.radii) // 2
    whole = ((cube.flags[:, :, r] & int(Flag.BAD_PIXEL | Flag.EDGE)) == 0).all(axis=0)
    scatter = cube.flux[:, whole, r].std(axis=0, ddof=1)
    ratio = scatter / np.median(cube.flux_err[:, whole, r], axis=0)
    assert whole.sum() > 15
    assert np.median(ratio) == pytest.approx(1.0, abs=0.08)
    # Without the noise of what was subtracted these would be too small.
    plain = np.sqrt(cube.flux[:, :, r] / GAIN + cube.area[:, :, r] * cube.star_sky_std**2)
    grown = np.median((cube.flux_err[:, :, r] / plain)[:, whole], axis=0)
    assert np.max(grown) > 1.03


@pytest.mark.parametrize(("distance", "least"), [(3.5, 50), (0.0, 25)])
def test_a_star_that_drifts_by_a_dead_pixel_makes_no_step(distance, least, without, tmp_path):
    """The target passes, half-way through the night, a pixel that never answers."""
    way = 25 * np.array([0.23, -0.11])
    aside = distance * np.array([0.11, 0.23]) / np.hypot(0.11, 0.23)
    dead = np.rint(np.array(TARGET) + way + aside).astype(int)
    warm = np.zeros(SHAPE)
    warm[dead[1], dead[0]] = -1e5
    flux, flags, _ = observed(tmp_path, warm)
    kept = np.isfinite(flux) & ((flags & Flag.BAD_PIXEL) == 0)
    assert np.count_nonzero(kept) >= least
    assert (flags[kept] & Flag.MENDED).any()
    change = (flux / np.median(flux[kept]) - without[0] / np.median(without[0]))[kept]
    noise = np.std(without[0])
    assert np.abs(change).max() < 2 * noise
    mended = (flags[kept] & Flag.MENDED) != 0
    assert abs(change[mended].mean()) < 0.5 * noise
