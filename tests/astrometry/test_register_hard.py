"""Registration of rendered frames, from pixels: the cases that defeat frame-to-frame tracking.

Each registers to within a pixel of the truth, or is reported with the reason; which of the two may
happen is said in each test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lightcurve.astrometry.register import (
    MAX_FALSE_PROBABILITY,
    MIN_MATCHED,
    ReferencePattern,
    make_reference,
    register,
)
from lightcurve.astrometry.transform import apply
from lightcurve.core.data import Registration
from lightcurve.core.errors import RegistrationError
from lightcurve.phot.detect import detect
from lightcurve.simulate.render import render_stars

SHAPE = (400, 500)
CENTRE = np.array([249.5, 199.5])
SKY, NOISE = 200.0, 8.0


@dataclass
class Sky:
    """Stars around the pointing, in pixels of the reference frame, and their fluxes."""

    xy: np.ndarray
    flux: np.ndarray

    def light(self, matrix: np.ndarray, fwhm: float = 3.0) -> np.ndarray:
        return render_stars(SHAPE, *apply(matrix, self.xy).T, self.flux, fwhm)

    def reference(self) -> ReferencePattern:
        stars = detect(noisy(self.light(STILL), 0))
        return make_reference(stars.x, stars.y, stars.flux, SHAPE)


STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


def make_sky(seed: int, n: int = 150, faintest: float = 1e3) -> Sky:
    """A field nine times as large as the frame, its counts rising as in the real sky."""
    rng = np.random.default_rng(seed)
    size = 3 * np.array(SHAPE[::-1])
    xy = rng.uniform(-size / 3, 2 * size / 3, (9 * n, 2))
    return Sky(xy, np.minimum(faintest * rng.random(9 * n) ** (-1 / 1.1), 3e5))


def noisy(light: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed + 1000)
    noise = rng.normal(size=SHAPE) * np.sqrt(NOISE**2 + np.maximum(light, 0))
    return (light + SKY + noise).astype(np.float32)


def transform(
    angle_deg: float, shift: tuple[float, float], *, mirrored: bool = False
) -> np.ndarray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    linear = np.array([[c, -s], [s, c]]) @ np.diag([1, -1 if mirrored else 1])
    return np.column_stack([linear, CENTRE - linear @ CENTRE + shift])


def register_image(pixels: np.ndarray, reference: ReferencePattern) -> Registration:
    stars = detect(pixels)
    return register(stars.x, stars.y, stars.flux, reference)


def error_px(found: Registration, matrix: np.ndarray, sky: Sky) -> float:
    """Largest error over the part of the reference that the frame shows."""
    seen = apply(matrix, sky.xy)
    both = ((seen > 0) & (seen < SHAPE[::-1]) & (sky.xy > 0) & (sky.xy < SHAPE[::-1])).all(axis=1)
    return float(np.hypot(*(apply(found.matrix, sky.xy[both]) - seen[both]).T).max())


@pytest.mark.parametrize("angle", [180.0, 179.3, 183.0, 90.0, -90.0, 31.0, 247.0])
def test_a_meridian_flip_at_any_angle_registers(angle: float) -> None:
    sky = make_sky(1)
    for k, mirrored in enumerate((False, True)):
        matrix = transform(angle, (17.0, -23.0), mirrored=mirrored)
        found = register_image(noisy(sky.light(matrix), k), sky.reference())
        assert error_px(found, matrix, sky) < 0.5
        assert found.mirrored == mirrored


@pytest.mark.parametrize("shift", [(40.0, 0.0), (-90.0, 75.0), (0.0, 160.0), (230.0, -120.0)])
def test_dithers_larger_than_the_distance_of_stars_register(shift: tuple[float, float]) -> None:
    sky = make_sky(2, n=350)  # about 24 px from star to star
    matrix = transform(0.1, shift)
    found = register_image(noisy(sky.light(matrix), 2), sky.reference())
    assert error_px(found, matrix, sky) < 0.5


def test_a_dither_off_the_field_is_reported() -> None:
    sky = make_sky(3)
    for shift in ((480.0, 0.0), (900.0, 300.0)):
        with pytest.raises(RegistrationError, match="may be chance"):
            register_image(noisy(sky.light(transform(0, shift)), 3), sky.reference())


def test_clouds_register_while_there_are_stars_and_are_reported_then() -> None:
    sky = make_sky(4)
    reference, matrix = sky.reference(), transform(0.3, (12.0, 31.0))
    outcomes = []
    for extinction in (1.0, 0.1, 0.03, 0.015, 0.008, 0.004, 0.001, 0.0):
        pixels = noisy(sky.light(matrix) * extinction, 4)
        try:
            found = register_image(pixels, reference)
        except RegistrationError as error:
            assert "clouds" in str(error)  # noqa: PT017
            assert error.n_detected == len(detect(pixels))  # noqa: PT017
            outcomes.append(False)
        else:
            assert error_px(found, matrix, sky) < 1.5
            assert found.false_match_probability < MAX_FALSE_PROBABILITY
            outcomes.append(True)
    # Once the stars are too few they stay too few; down to 3 % of the light all is well.
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes[:3] == [True] * 3
    assert not outcomes[-1]


def test_patchy_cloud_over_half_the_frame_registers() -> None:
    sky = make_sky(5)
    matrix = transform(0.0, (-8.0, 5.0))
    veil = np.where(np.arange(SHAPE[1]) < 250, 0.005, 1.0)
    found = register_image(noisy(sky.light(matrix) * veil, 5), sky.reference())
    assert error_px(found, matrix, sky) < 0.7


@pytest.mark.parametrize(("length", "at_least"), [(4.0, 3), (8.0, 3), (15.0, 2), (30.0, 0)])
def test_trailed_frames_register_or_are_reported(length: float, at_least: int) -> None:
    sky = make_sky(6)
    reference = sky.reference()
    registered = 0
    for angle in (0.0, 35.0, 90.0):
        along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        steps = np.linspace(-0.5, 0.5, int(2 * length) + 1)
        light = np.mean(
            [sky.light(transform(0.0, (20.0, -14.0) + length * step * along)) for step in steps],
            axis=0,
        )
        try:
            found = register_image(noisy(light, 6), reference)
        except RegistrationError as error:
            assert "trail" in str(error)  # noqa: PT017
        else:
            registered += 1
            # A trail's own place is known to some of its length; no star is taken for another.
            assert error_px(found, transform(0.0, (20.0, -14.0)), sky) < max(0.6 * length, 1.0)
    assert registered >= at_least


@pytest.mark.parametrize("peak", [30.0, 300.0, 5000.0])
def test_a_satellite_does_not_mislead(peak: float) -> None:
    sky = make_sky(7)
    reference = sky.reference()
    y, x = np.indices(SHAPE)
    for k, (slope, start) in enumerate([(0.4, 50.0), (-1.7, 390.0), (0.0, 200.0)]):
        off = (y - start - slope * x) / np.hypot(1, slope)
        trail = peak * np.exp(-0.5 * (off / 1.3) ** 2)
        matrix = transform(0.2, (33.0, -18.0))
        found = register_image(noisy(sky.light(matrix) + trail, k), reference)
        assert error_px(found, matrix, sky) < 0.7


@pytest.mark.parametrize("period", [25, 40, 64])
@pytest.mark.parametrize("in_reference", [True, False])
def test_a_grid_of_hot_pixels_does_not_mislead(period: int, in_reference: bool) -> None:
    sky = make_sky(8)
    hot = np.zeros(SHAPE)
    hot[10::period, 7::period] = 4000.0
    # Spread over two pixels, as defects of a debayered or resampled frame: they pass for stars.
    hot += 0.6 * np.roll(hot, 1, axis=1) + 0.6 * np.roll(hot, 1, axis=0)
    first = detect(noisy(sky.light(STILL) + (hot if in_reference else 0), 8))
    reference = make_reference(first.x, first.y, first.flux, SHAPE)
    for k, (angle, shift) in enumerate(
        [(0.0, (9.0, 4.0)), (0.1, (float(period), 0.0)), (180.0, (3.0, 8.0)), (41.0, (60.0, 5.0))]
    ):
        matrix = transform(angle, shift)
        found = register_image(noisy(sky.light(matrix) + hot, k), reference)
        assert error_px(found, matrix, sky) < 0.7


def test_hot_pixels_alone_are_no_field() -> None:
    sky = make_sky(9)
    pixels = noisy(np.zeros(SHAPE), 9)
    pixels[5::30, 5::30] += 5000
    with pytest.raises(RegistrationError):
        register_image(pixels, sky.reference())


def test_no_two_fields_of_a_thousand_are_taken_for_one() -> None:
    rng = np.random.default_rng(77)
    size = np.array(SHAPE[::-1])
    for _ in range(1000):
        n, m = rng.integers(MIN_MATCHED, 21, 2)
        one, other = rng.uniform([0, 0], size, (n, 2)), rng.uniform([0, 0], size, (m, 2))
        reference = make_reference(*one.T, rng.random(n), SHAPE)
        with pytest.raises(RegistrationError):
            register(*other.T, rng.random(m), reference)
