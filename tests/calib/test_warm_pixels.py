"""What darks mark as bad: what harms a light frame, from four of them as from forty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.masters import build_masters
from lightcurve.core.data import Exposure
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import CalibrationSettings

SHAPE = (160, 200)
GAIN, READ_ADU, BIAS, SKY, SECONDS = 1.6, 6.0, 500.0, 120.0, 60.0
DEAD, COLD, FULL, STUCK = (20, 30), (40, 50), (60, 70), (60, 80)
TELEGRAPH, RARE = (80, 90), (100, 110)
UNUSABLE = (DEAD, COLD, FULL, STUCK, TELEGRAPH)
TOP = 65535


class Uncooled:
    """Raw frames of a sensor with 1 % of warm pixels and a few unusable ones, in plain numpy."""

    def __init__(self, folder: Path, seed: int = 3) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.rate = np.full(SHAPE, 0.5)
        self.warm = self.rng.random(SHAPE) < 0.01
        self.rate[self.warm] += self.rng.exponential(8.0, np.count_nonzero(self.warm))

    def expose(self, light: float, seconds: float, name: str) -> Path:
        electrons = self.rng.poisson(GAIN * (light + self.rate * seconds), SHAPE)
        adu = BIAS + electrons / GAIN + self.rng.normal(0, READ_ADU, SHAPE)
        # One jumps to and fro between two levels, another is up in one frame of five.
        adu[TELEGRAPH] += 600.0 * (seconds > 0) * (self.count % 2)
        adu[RARE] += 600.0 * (seconds > 0) * (self.count % 5 == 3)
        adu[DEAD], adu[COLD], adu[FULL], adu[STUCK] = 0, adu[COLD] - 400, TOP, 4095
        y, x = self.rng.integers(110, SHAPE[0]), self.rng.integers(0, SHAPE[1])
        adu[y, x] += 8000  # a cosmic ray
        path = self.folder / f"{name}.fits"
        fits.PrimaryHDU(np.clip(np.rint(adu), 0, TOP).astype(np.uint16)).writeto(path)
        return path

    def take(self, kind: str, n: int, light: float, seconds: float) -> list[tuple[Path, Exposure]]:
        exposure = Exposure(kind=kind, exposure_s=seconds, shape=SHAPE)
        group = []
        for self.count in range(n):
            group.append((self.expose(light, seconds, f"{kind}{self.count}"), exposure))
        return group


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    camera = Uncooled(tmp_path_factory.mktemp("uncooled"))
    biases, darks = camera.take("bias", 10, 0.0, 0.0), camera.take("dark", 40, 0.0, SECONDS)
    return camera, biases, darks, [path for path, _ in camera.take("light", 1, SKY, SECONDS)]


def hot(frames, n: int, *, with_bias: bool = True, **facts) -> np.ndarray:
    _, biases, darks, lights = frames
    light = Exposure(kind="light", exposure_s=SECONDS, shape=SHAPE, **facts)
    masters = build_masters(
        light, biases if with_bias else [], darks[:n], [], [],
        settings=CalibrationSettings(), light_frames=lights,
    )  # fmt: skip
    return (masters.bad & PixelFlag.HOT) != 0


@pytest.mark.parametrize("n", [1, 2, 4, 10, 40])
def test_warm_pixels_are_mended_and_not_marked(frames, n):
    found = hot(frames, n)
    # 25 times the variance of sky and read noise is 6,000 ADU of dark current here; none has it.
    assert np.count_nonzero(found[frames[0].warm]) <= 1
    assert np.count_nonzero(found) <= len(UNUSABLE) + 2 + (n == 1)  # one dark: its cosmic ray
    for place in (DEAD, COLD, FULL):
        assert found[place]


def test_the_map_does_not_grow_with_the_number_of_darks(frames):
    few, many = hot(frames, 4), hot(frames, 40)
    assert np.count_nonzero(many) <= np.count_nonzero(few) + 1  # what is up in one frame of five
    assert np.all(many[few])


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("facts", [{}, {"gain_e_per_adu": GAIN}, {"saturation_adu": 65535.0}])
def test_unusable_pixels_stay_marked(frames, facts, with_bias):
    for n in (4, 40):
        found = hot(frames, n, with_bias=with_bias, **facts)
        for place in UNUSABLE:
            assert found[place], (n, place)
    assert found[RARE]


def test_a_pixel_whose_noise_prevails_is_marked_at_short_exposure_no_more(frames):
    _, biases, darks, _ = frames

    def count(seconds: float) -> int:
        light = Exposure(kind="light", exposure_s=seconds, shape=SHAPE, gain_e_per_adu=GAIN)
        masters = build_masters(light, biases, darks, [], [], settings=CalibrationSettings())
        return np.count_nonzero((masters.bad & PixelFlag.HOT)[frames[0].warm])

    # Without a light frame the read noise alone counts: 25 x 36 ADU^2 are 1,440 ADU of current.
    assert 5 < count(SECONDS) < 0.15 * np.count_nonzero(frames[0].warm)
    assert count(SECONDS / 20) <= 1
