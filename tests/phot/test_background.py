"""The error of each pixel of a frame."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lightcurve.phot.background import measure_background, pixel_error


def test_the_error_of_a_pixel_is_its_scatter() -> None:
    """Frames of the same light again and again scatter by what one of them says."""
    rng = np.random.default_rng(3)
    light = np.full((150, 160), 200.0)
    light[60:64, 70:75] += 5000.0
    frames = [rng.poisson(2 * light) / 2 + rng.normal(0, 4, light.shape) for _ in range(40)]
    first = frames[0].astype(np.float32)
    background = measure_background(first, np.zeros(first.shape, np.uint8))
    error = pixel_error(first, background, 2.0)
    scatter = np.std(frames, axis=0)
    assert np.median(error) == pytest.approx(np.sqrt(100 + 16), rel=0.03)
    assert np.median((scatter / error)[60:64, 70:75]) == pytest.approx(1, abs=0.1)


def test_a_steep_sky_keeps_its_slope_into_the_corners() -> None:
    v, u = np.indices((380, 400))
    sky = 1500 + 2.2 * u + 1.1 * v
    pixels = (sky + np.random.default_rng(3).normal(0, 10, sky.shape)).astype(np.float32)
    level = measure_background(pixels, np.zeros(sky.shape, np.uint8)).level
    assert np.abs(level - sky).max() < 4


def test_many_stars_on_a_steep_sky_leave_level_and_noise_as_they_are() -> None:
    """Where stars leave no sky in a cell it is that of the place; a slope is no noise."""
    rng = np.random.default_rng(5)
    v, u = np.indices((420, 420))
    sky = 1500 + 1.5 * u + 0.8 * v
    light = np.zeros(sky.shape)
    y, x = (p.ravel() + rng.integers(-1, 2, p.size) for p in np.mgrid[6:414:12, 6:414:12])
    light[y, x] = 10 ** rng.uniform(3, 5, len(x))
    blurred = gaussian_filter(light, 0.8)
    pixels = (sky + blurred + rng.normal(0, 30, sky.shape)).astype(np.float32)
    background = measure_background(pixels, np.zeros(sky.shape, np.uint8))
    assert background.sources.mean() > 0.95
    assert np.abs(background.level - sky).max() < 15
    assert np.median(background.rms) == pytest.approx(30, rel=0.03)
