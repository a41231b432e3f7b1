"""Frames whose stars are too faint to be told one by one, drawn in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.astrometry.correlate import register_by_light
from lightcurve.astrometry.few import as_it_lies
from lightcurve.astrometry.register import make_reference
from lightcurve.astrometry.transform import apply
from lightcurve.core.data import FoundBy
from lightcurve.core.errors import RegistrationError

SHAPE, SKY, NOISE = (90, 110), 500.0, 10.0


def field(seed: int, n: int = 8):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(8, np.array(SHAPE[::-1]) - 8, (n, 2)).T
    return make_reference(x, y, rng.uniform(5e3, 2e4, n), SHAPE, 1000.0)


def frame(reference, matrix: np.ndarray, light: float, seed: int) -> np.ndarray:
    """Draw the stars by `light` of what the reference has of them, sigma 1.3 px."""
    rng = np.random.default_rng(seed)
    v, u = np.indices(SHAPE)
    pixels = rng.normal(SKY, NOISE, SHAPE)
    for (x, y), flux in zip(
        apply(matrix, np.column_stack([reference.x, reference.y])), reference.flux, strict=True
    ):
        shape = np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 1.3**2)) / (2 * np.pi * 1.3**2)
        pixels += light * flux * shape
    return pixels.astype(np.float32)


def register(pixels: np.ndarray, reference):
    bad = np.zeros(SHAPE, np.uint8)
    return register_by_light(pixels, bad, SKY, NOISE, reference, as_it_lies(SHAPE))


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("light", [0.02, 0.1, 1.0])
def test_what_no_star_shows_alone_they_show_together(light, turned):
    right = 0
    for seed in range(10):
        reference, rng = field(seed), np.random.default_rng([seed, 1])
        true = as_it_lies(SHAPE)[turned] + [[0, 0, rng.uniform(-9, 9)], [0, 0, rng.uniform(-9, 9)]]
        pixels = frame(reference, true, light, seed)
        pixels[40, 50] = 60000  # a hot pixel
        try:
            found = register(pixels, reference)
        except RegistrationError:
            continue
        off = found.matrix[:, 2] - true[:, 2]
        assert np.hypot(*off) < 1.5
        np.testing.assert_array_equal(found.matrix[:, :2], true[:, :2])
        assert found.found_by is FoundBy.LIGHT
        assert 0 < found.n_matched <= len(reference.x)
        right += 1
    # Bright ones, each of which may fall on each other, have patterns.
    assert right >= {0.02: 4, 0.1: 9, 1.0: 5}[light]


def test_noise_and_other_fields_are_refused():
    for seed in range(20):
        reference = field(seed)
        for other, light in ((reference, 0.0), (field(seed + 100), 0.02), (field(seed + 100), 1.0)):
            with pytest.raises(RegistrationError):
                register(frame(other, as_it_lies(SHAPE)[0], light, seed), reference)
