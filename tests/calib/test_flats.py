"""Flats of a screen and of the twilight: the camera is in the master, and the rest is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from lightcurve.calib.combine import Combined
from lightcurve.calib.flats import (
    _cells_without_single,
    _in_cells,
    _of_pixels,
    _without_single,
    combine_flats,
    noise_and_response,
)
from lightcurve.calib.masters import build_masters
from lightcurve.calib.stacker import Stacker
from lightcurve.core.data import Exposure, FrameKind, Severity
from lightcurve.core.settings import CalibrationSettings

SHAPE, GAIN, READ_E, BIAS = (220, 260), 1.4, 8.0, 1000.0
SETTINGS = CalibrationSettings()
LIGHT = Exposure(kind="light", shape=SHAPE, exposure_s=60.0, filter="V", saturation_adu=65535.0)
LEVELS = 30000 * 10 ** -np.linspace(0, 1, 9)  # the sky of an evening, which fades to a tenth


@dataclass
class Sensor:
    """A camera in plain numpy: vignetting and grain, a bias that is even."""

    folder: Path
    grain: float = 0.01
    seed: int = 4

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.y, self.x = np.indices(SHAPE)
        off = np.hypot(self.x - 130, self.y - 110) / 170
        self.response = (1 - 0.2 * off**2) * (1 + self.rng.normal(0, self.grain, SHAPE))
        self.response /= self.response.mean()
        self.stars: list[tuple[float, float]] = []

    def take(self, name: str, light: np.ndarray | float, seconds: float, dark: float = 0.0):
        electrons = self.rng.poisson(GAIN * light * self.response + dark * seconds)
        pixels = BIAS + (electrons + self.rng.normal(0, READ_E, SHAPE)) / GAIN
        path = self.folder / f"{name}.fits"
        fits.writeto(path, np.clip(np.rint(pixels), 0, 65535).astype(np.uint16))
        kind = FrameKind(name.rstrip("0123456789").replace("_", " "))
        band = "V" if kind == FrameKind.FLAT else None
        return path, Exposure(kind=kind, shape=SHAPE, exposure_s=seconds, filter=band)

    def star_field(self, move: np.ndarray, brightest: float) -> np.ndarray:
        """Render 25 stars, the mount moved by `move` pixels between frames."""
        rng = np.random.default_rng(8)
        light = np.zeros(SHAPE)
        for _ in range(25):
            x, y = rng.uniform(-20, 280), rng.uniform(-20, 240)
            peak = brightest * 10 ** rng.uniform(-2.5, 0)
            away = (self.x - x - move[0]) ** 2 + (self.y - y - move[1]) ** 2
            light += peak * np.exp(-away / (2 * 1.7**2))
            if peak > 10:
                self.stars.append((x + move[0], y + move[1]))
        return light

    def twilight(self, levels: np.ndarray, step: float, brightest: float = 6000.0) -> list:
        """Flats of a sky that fades while longer exposures make its stars brighter."""
        frames = []
        for k, level in enumerate(levels):
            stars = self.star_field(step * k * np.array([9.0, -7.0]), brightest * (k + 1) / 9)
            frames.append(self.take(f"flat{k}", level + stars, 1.0 + k))
        return frames

    def biases(self) -> list:
        return [self.take(f"bias{k}", 0.0, 0.0) for k in range(12)]


def made(flats: list, biases: list, light: Exposure = LIGHT):
    return build_masters(light, biases, [], flats, [], settings=SETTINGS)


def warnings(masters) -> list[str]:
    return [n.text for n in masters.notes if n.severity is Severity.WARNING and n.subject == "flat"]


@pytest.mark.parametrize("step", [1.0, 2.0])
def test_no_star_of_the_twilight_is_left_in_the_master(step: float, tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    flats = sensor.twilight(LEVELS, step)
    masters = made(flats, sensor.biases())
    off = masters.flat / sensor.response
    smooth = gaussian_filter(off / np.median(off) - 1, 1.7)
    noise = np.std(smooth)
    places = {
        (round(y), round(x))
        for x, y in sensor.stars
        if 5 < x < SHAPE[1] - 5 and 5 < y < SHAPE[0] - 5
    }
    at = np.array([smooth[place] for place in places])
    assert len(at) > 60
    assert abs(at.mean()) < 4e-4  # of stars too faint to be found in any frame
    assert at.max() < 5 * noise
    assert noise < 8e-4
    assert not any("spots" in text for text in warnings(masters))


@pytest.mark.parametrize("shape", [(40, 60), (41, 60), (40, 61), (1, 9), (31, 33)])
def test_cells_are_squares_of_pixels(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(5).normal(0, 1, shape).astype(np.float32)
    cells = _in_cells(image)
    ny, nx = cells.shape
    squares = image[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2)
    np.testing.assert_allclose(cells, squares.mean(axis=(1, 3)), atol=1e-6)
    if ny:
        wide = _of_pixels(cells, shape)
        rows, columns = (np.minimum(np.arange(n) // 2, n // 2 - 1) for n in shape)
        np.testing.assert_array_equal(wide, cells[np.ix_(rows, columns)])


def test_no_single_pixel_column_or_row_makes_a_spot() -> None:
    image = np.zeros((30, 40), np.float32)
    image[5, 6], image[:, 12], image[20] = 9.0, 7.0, -8.0
    image[2:5, 25:30] = 3.0
    even = _without_single(image)[1:-1, 1:-1]
    assert np.unique(even).tolist() == [0.0, 3.0]
    assert np.count_nonzero(even) == 15


@pytest.mark.parametrize("shape", [(300, 41), (257, 40), (128, 9), (129, 8), (2, 6), (1, 5)])
def test_strips_give_the_cells_of_the_whole(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(6).normal(1, 0.1, shape).astype(np.float32)
    image[:, 3], image[0, 0] = np.nan, 0.01
    whole = np.isfinite(image) & (image > 0.05)
    plain = _in_cells(_without_single(np.where(whole, image, np.float32(1)) - np.float32(1)))
    np.testing.assert_array_equal(_cells_without_single(image), plain)


def test_stars_that_stand_still_are_told(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    masters = made(sensor.twilight(LEVELS, 0.0, 30000.0), sensor.biases())
    assert any("Move the telescope" in text for text in warnings(masters))


def test_errors_of_a_master_flat_are_those_it_has(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    flats = sensor.twilight(LEVELS, 1.5)
    bias = np.full(SHAPE, BIAS, np.float32)
    groups = {kind: [] for kind in FrameKind} | {FrameKind.FLAT: flats}
    combined = combine_flats(groups, Stacker(SETTINGS, None, []), bias, None, None, LIGHT)
    middle = np.median(sensor.response)
    off = combined.image - sensor.response / middle
    err = combined.std / np.sqrt(combined.n_used)
    assert 0.95 < np.sqrt(np.mean(off**2) / np.mean(err**2)) < 1.05


def test_a_screen_is_as_before_and_nothing_is_told(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    flats = [sensor.take(f"flat{k}", 25000.0, 5.0) for k in range(9)]
    masters = made(flats, sensor.biases())
    assert not warnings(masters)
    off = masters.flat / sensor.response
    expected = 1 / np.sqrt(9 * 25000 * GAIN)
    assert np.std(off) == pytest.approx(expected, rel=0.1)


def test_light_that_changes_its_side_is_told(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    side = (sensor.x / SHAPE[1] - 0.5) * 0.06
    flats = [sensor.take(f"flat{k}", 25000 * (1 + side * (k - 4) / 4), 5.0) for k in range(9)]
    (told,) = warnings(made(flats, sensor.biases()))
    assert "gradients of up to 6." in told or "gradients of up to 5." in told


def test_flats_with_more_noise_than_grain_are_told(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path, grain=0.004)
    flats = [sensor.take(f"flat{k}", 300.0, 0.5) for k in range(3)]
    (told,) = warnings(made(flats, sensor.biases()))
    assert "of noise" in told


def test_flats_over_what_is_linear_are_left_out(tmp_path: Path) -> None:
    from dataclasses import replace

    sensor = Sensor(tmp_path)
    flats = [sensor.take(f"flat{k}", level, 5.0) for k, level in enumerate([20000.0] * 4 + [45000])]
    light = replace(LIGHT, linearity_adu=40000.0)
    masters = made(flats, sensor.biases(), light)
    (told,) = warnings(masters)
    assert "flat4.fits" in told
    assert masters.inputs[FrameKind.FLAT] == tuple(f"flat{k}.fits" for k in range(4))
    few = made(flats[2:], [], light)
    assert len(few.inputs[FrameKind.FLAT]) == 3  # two are too few to do without it


@pytest.mark.parametrize("kind", ["dark flat", "dark"])
def test_darks_of_their_exposure_serve_flats_without_bias(kind: str, tmp_path: Path) -> None:
    """The dark flats are of their own exposure, whatever their header calls them."""
    sensor = Sensor(tmp_path)
    flats = [sensor.take(f"flat{k}", 3000.0, 5.0, dark=20.0) for k in range(9)]
    name = kind.replace(" ", "_")
    short = [sensor.take(f"{name}{k}", 0.0, 5.0, dark=20.0) for k in range(6)]
    long = [sensor.take(f"dark{k}", 0.0, 60.0, dark=20.0) for k in range(10, 15)]
    groups = {"dark": long + (short if kind == "dark" else []), "dark flat": short}
    dark_flats = groups["dark flat"] if kind == "dark flat" else []
    masters = build_masters(LIGHT, [], groups["dark"], flats, dark_flats, settings=SETTINGS)
    assert masters.dark_exposure_s == 60
    off = masters.flat / sensor.response
    assert np.std(off) < 0.008  # the bias left in would flatten the vignetting by a quarter
    corner, centre = off[:40, :40].mean(), off[90:130, 110:150].mean()
    assert corner / centre == pytest.approx(1, abs=2e-3)


def test_flats_that_are_copies_have_no_noise(tmp_path: Path) -> None:
    sensor = Sensor(tmp_path)
    first, exposure = sensor.take("flat0", 25000.0, 5.0)
    copies = [(first, exposure)] * 3
    masters = made(copies, [])
    assert np.isfinite(masters.flat).all()


def test_noise_of_a_mosaic_is_that_of_all_its_colours() -> None:
    shape = 2048, 2048  # of which some rows tell
    std = np.where(np.arange(shape[0])[:, None] % 2, 0.02, 0.01) * np.ones(shape, np.float32)
    image, n_used = np.ones(shape, np.float32), np.ones(shape, np.uint16)
    noise, _ = noise_and_response(Combined(image, std, n_used, std, (), np.array([])))
    assert noise == pytest.approx(np.sqrt((0.02**2 + 0.01**2) / 2), rel=0.01)
