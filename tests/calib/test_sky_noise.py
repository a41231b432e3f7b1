"""Gain and read noise by frames of the sky, and what a header says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.gain import CameraNoise, measure_noise
from lightcurve.calib.masters import build_masters
from lightcurve.calib.sky_noise import (
    contradiction,
    gain_of_lights,
    gains_agree,
    sky_of_pair,
)
from lightcurve.core.data import Exposure, RawFrame, Severity
from lightcurve.core.errors import CalibrationError
from lightcurve.core.settings import CalibrationSettings, Settings
from lightcurve.setup.camera import settle_camera

SHAPE = (512, 600)
BIAS = 500.0


class Camera:
    """A sensor and its stars, in plain numpy: gain, read noise, uneven pixels, hot ones."""

    def __init__(self, gain: float, read_noise: float, n_stars: int) -> None:
        self.rng = np.random.default_rng(11)
        self.gain, self.read_noise = gain, read_noise
        self.response = self.rng.normal(1, 0.01, SHAPE)
        self.hot = (self.rng.random(SHAPE) < 0.003) * self.rng.exponential(2000, SHAPE)
        ny, nx = SHAPE
        self.stars = np.column_stack([
            self.rng.uniform(12, nx - 30, n_stars), self.rng.uniform(12, ny - 12, n_stars),
            50 + 100 * self.rng.pareto(0.9, n_stars),
        ])  # fmt: skip

    def light(self, sky: float, shift: float = 0.0) -> np.ndarray:
        """Expose a frame, ADU; sky: electrons a pixel, higher on one side; shift: of the stars."""
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        electrons = sky * (0.85 + 0.3 * x / SHAPE[1])
        for star_x, star_y, flux in self.stars:
            at_x = star_x + shift
            cut = slice(int(star_y) - 10, int(star_y) + 11), slice(int(at_x) - 10, int(at_x) + 11)
            r2 = (x[cut] - at_x) ** 2 + (y[cut] - star_y) ** 2
            electrons[cut] += flux * 2 / (np.pi * 8.7) * (1 + r2 / 8.7) ** -3.0
        return self.read(electrons * self.response + self.hot)

    def read(self, electrons: np.ndarray) -> np.ndarray:
        noisy = self.rng.poisson(electrons) + self.rng.normal(0, self.read_noise, SHAPE)
        return np.clip(np.rint(noisy / self.gain + BIAS), 0, 65535).astype(np.float32)

    def dark(self, electrons: float = 0.0) -> np.ndarray:
        return self.read(np.full(SHAPE, electrons))


CAMERAS = [(1.5, 8.0, 300.0), (0.25, 1.5, 60.0), (4.0, 12.0, 1500.0)]


@pytest.mark.parametrize(("gain", "read_noise", "sky"), CAMERAS)
@pytest.mark.parametrize("n_stars", [50, 1500])
def test_two_light_frames_and_two_biases(
    gain: float, read_noise: float, sky: float, n_stars: int
) -> None:
    camera = Camera(gain, read_noise, n_stars)
    pair = sky_of_pair(camera.light(sky), camera.light(1.03 * sky, shift=3.3))
    found = measure_noise(pair, (camera.dark(), camera.dark()))
    assert found.gain_e_per_adu == pytest.approx(gain, rel=0.06)
    assert abs(found.gain_e_per_adu - gain) < 3.5 * found.gain_err + 0.04 * gain
    rounded = np.hypot(read_noise, gain / np.sqrt(12))
    assert found.read_noise_e == pytest.approx(rounded, rel=0.07)


@pytest.mark.parametrize(("gain", "read_noise", "sky"), CAMERAS)
def test_light_frames_alone_as_the_sky_changes(gain: float, read_noise: float, sky: float) -> None:
    camera = Camera(gain, read_noise, 300)
    frames = [camera.light(sky * (1 + k / 4), shift=3.0 * k) for k in range(4)]
    found = gain_of_lights(frames)
    assert found is not None
    assert gains_agree(gain, *found)
    assert not gains_agree(2 * gain, *found)


def test_a_crowd_of_stars_does_not_tell() -> None:
    camera = Camera(1.5, 8.0, 12000)
    frames = camera.light(60), camera.light(90, shift=3.3)
    with pytest.raises(CalibrationError):
        sky_of_pair(*frames)
    assert gain_of_lights(frames) is None


def test_a_level_sky_does_not_tell() -> None:
    rng = np.random.default_rng(3)
    frames = [rng.normal(1000, 20, SHAPE) for _ in range(3)]
    assert gain_of_lights(frames) is None
    assert gain_of_lights(frames[:1]) is None
    assert gain_of_lights([np.ones((20, 20)), np.ones((20, 20))]) is None


@pytest.mark.parametrize(
    ("gain", "read_noise", "dark_current", "told"),
    [
        (1.5, 8.0, False, ()),
        (1.42, 7.0, False, ()),
        (3.0, 8.0, False, ("gain",)),
        (1.5, 5.0, False, ("read noise",)),
        (1.5, 5.0, True, ()),
        (1.5, 12.0, True, ("read noise",)),
        (0.7, 20.0, False, ("gain", "read noise")),
        (None, None, False, ()),
    ],
)
def test_a_header_is_held_against_the_frames(
    gain: float | None, read_noise: float | None, dark_current: bool, told: tuple[str, ...]
) -> None:
    noise = CameraNoise(1.5, 0.01, 8.0, 0.1, 100)
    sources = {"gain_e_per_adu": "header EGAIN", "read_noise_e": "header RDNOISE"}
    light = Exposure(gain_e_per_adu=gain, read_noise_e=read_noise, sources=sources)
    text = contradiction(noise, light, dark_current=dark_current)
    assert bool(text) == bool(told)
    assert all(word in text for word in told)


def written(folder: Path, images: list[np.ndarray], name: str) -> list[tuple[Path, Exposure]]:
    group = []
    for k, image in enumerate(images):
        path = folder / f"{name}{k}.fits"
        fits.writeto(path, image.astype(np.uint16))
        group.append((path, Exposure(shape=SHAPE, exposure_s=60.0)))
    return group


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_masters_without_flats_measure_the_camera(tmp_path: Path, kind: str) -> None:
    camera = Camera(1.5, 8.0, 200)
    lights = written(tmp_path, [camera.light(300, 2.0 * k) for k in range(4)], "light")
    darks = written(tmp_path, [camera.dark() for _ in range(4)], kind)
    none: list[tuple[Path, Exposure]] = []
    light = Exposure(
        shape=SHAPE, exposure_s=60.0, gain_e_per_adu=3.0, sources={"gain_e_per_adu": "header EGAIN"}
    )
    bias, dark = (darks, none) if kind == "bias" else (none, darks)
    masters = build_masters(
        light, bias, dark, none, none, settings=CalibrationSettings(),
        light_frames=[path for path, _ in lights],
    )  # fmt: skip
    assert masters.gain_e_per_adu == pytest.approx(1.5, rel=0.05)
    assert masters.read_noise_e == pytest.approx(8.0, rel=0.05)
    warned = [str(note) for note in masters.notes if note.severity is Severity.WARNING]
    assert any("EGAIN" in line and "--gain" in line for line in warned)


def raw(pixels: np.ndarray, gain: float) -> RawFrame:
    exposure = Exposure(
        shape=SHAPE, gain_e_per_adu=gain, guessed=("gain_e_per_adu",),
        sources={"gain_e_per_adu": "header GAIN (no unit: electrons per ADU assumed)"},
    )  # fmt: skip
    bad = np.zeros(SHAPE, np.uint8)
    return RawFrame(pixels, bad, exposure, fits.Header(), Path("x.fits"))


@pytest.mark.parametrize(("stated", "is_gain"), [(1.5, True), (6.5, False)])
def test_a_gain_without_unit_is_told_by_the_noise(stated: float, is_gain: bool) -> None:
    camera = Camera(1.5, 8.0, 200)
    frames = [raw(camera.light(300 * (1 + k / 4), 2.0 * k), stated) for k in range(4)]
    found = settle_camera(frames, None, Settings())
    assert found.gain_known
    assert found.noise.gain_e_per_adu == pytest.approx(1.5, rel=1e-9 if is_gain else 0.2)
    # One frame alone does not tell.
    alone = settle_camera(frames[:1], None, Settings())
    assert (alone.gain_known, alone.noise.gain_e_per_adu) == (False, stated)
