"""Errors against scatter on frames drawn by a few lines of numpy, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Measurements
from lightcurve.curve.ensemble import build_ensemble, relative_flux
from lightcurve.curve.noise import measure_field_noise, with_noise
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from sim_cube import CubeTruth, simulate_cube

N_FRAMES, SIDE, GAIN, READ = 100, 140, 1.6, 6.0
RADII = np.array([3.0, 4.5, 6.5])
ANNULUS = (8.0, 12.0)
PLACES = np.stack(np.meshgrid([23.0, 54.0, 85.0, 116.0], [23.0, 54.0, 85.0, 116.0])).reshape(2, -1)


def interpolated(frame: np.ndarray) -> np.ndarray:
    """Draw straight lines between every second pixel of every second row: the red of a mosaic."""
    full, known = np.arange(SIDE), np.arange(0, SIDE, 2)
    rows = np.stack([np.interp(full, known, row[::2]) for row in frame[::2]])
    return np.stack([np.interp(full, known, column) for column in rows.T], axis=1)


def night(electrons: np.ndarray, sky: float, seed: int, *, mosaic: bool) -> Measurements:
    """Measure stars of so many electrons in frames that drift, at the gain of the camera."""
    rng, own, n = np.random.default_rng(seed), NoiseModel(gain_e_per_adu=GAIN), len(electrons)
    y, x = np.indices((SIDE, SIDE))
    measured = []
    for k in range(N_FRAMES):
        px, py = PLACES[:, :n] + 0.02 * k + 0.3 * rng.normal(size=(2, 1))
        light = np.full((SIDE, SIDE), sky)
        for one, a, b in zip(electrons * rng.uniform(0.7, 1), px, py, strict=True):
            light += one / (2 * np.pi * 4) * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8)
        frame = (rng.poisson(light) + READ * rng.normal(size=light.shape)) / GAIN
        frame = interpolated(frame) if mosaic else np.rint(frame)
        bad = np.zeros(frame.shape, np.uint8)
        measured.append(
            measure_stars(frame.astype(np.float32), bad, px, py, RADII, ANNULUS, own, max_shift=0.5)
        )
    cube = simulate_cube(np.ones(N_FRAMES), CubeTruth(n_stars=n), rng)
    names = {"star_sky_std": "sky_std", "n_sky": "n_sky"}
    names |= {name: name for name in ("flux", "flux_err", "area", "peak", "flags")}
    stacked = {to: np.stack([getattr(m, name) for m in measured]) for to, name in names.items()}
    return replace(cube, radii=RADII, **stacked)


def scatter_over_error(cube: Measurements, k: int) -> np.ndarray:
    """Hold each star against all others, at a radius: (n_star,)."""
    flux, error = cube.flux[:, :, k], cube.flux_err[:, :, k]
    members = np.arange(flux.shape[1])
    relative, errors = relative_flux(build_ensemble(flux, error), flux, error, members=members)
    return np.sqrt(np.mean(((relative - np.mean(relative, axis=0)) / errors) ** 2, axis=0))


KINDS = {
    "bright stars": (10 ** (5.3 - 0.05 * np.arange(16)), 80.0),
    "all sorts": (10 ** (4.9 - 0.1 * np.arange(16)), 150.0),
    "faint stars, bright sky": (10 ** (4.3 - 0.04 * np.arange(16)), 1500.0),
    "three stars": (np.array([9e4, 6e4, 3e4]), 80.0),
}  # fmt: skip


@pytest.mark.parametrize("mosaic", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_errors_equal_the_scatter_at_every_radius(kind: str, mosaic: bool) -> None:
    """Of 1,600 measurements, or 900: known to 2 or 3 %; the gain told is that of the camera."""
    nights = 1 if len(KINDS[kind][0]) > 9 else 3
    found = []
    for seed in range(nights):
        cube = night(*KINDS[kind], seed, mosaic=mosaic)
        noise = measure_field_noise(cube, gain_e_per_adu=GAIN)
        cube = with_noise(cube, noise, assumed_gain=GAIN)
        found.append([np.mean(scatter_over_error(cube, k)) for k in range(len(RADII))])
    assert np.mean(found, axis=0) == pytest.approx(np.ones(3), abs=0.1)
