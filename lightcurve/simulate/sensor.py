"""A sensor's fixed pattern: bias, dark current and response of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.simulate.observatory import SimCamera


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """What calibration frames should find.

    Attributes
    ----------
    bias : (ny, nx) float array
        ADU.
    dark : (ny, nx) float array
        Electrons per second.
    flat : (ny, nx) float array
        Relative response to light, mean 1 over columns that are not dead.
    hot : (ny, nx) bool array
    """

    bias: np.ndarray
    dark: np.ndarray
    flat: np.ndarray
    hot: np.ndarray


def make_sensor(camera: SimCamera) -> Sensor:
    """Make the pattern of a camera; the same camera has the same one every time."""
    rng = np.random.default_rng([camera.seed, 0x5E])
    hot = rng.random(camera.shape) < camera.hot_fraction
    dark = camera.dark_e_s * np.clip(rng.normal(1, 0.1, camera.shape), 0, None)
    dark[hot] += rng.exponential(camera.hot_e_s, np.count_nonzero(hot))
    return Sensor(bias=_bias(camera, rng), dark=dark, flat=_flat(camera, rng), hot=hot)


def _bias(camera: SimCamera, rng: np.random.Generator) -> np.ndarray:
    ny, nx = camera.shape
    slope = np.linspace(-1, 1, ny)[:, None]
    columns = rng.standard_normal(nx)
    return camera.bias_adu + camera.bias_structure_adu * (slope + columns)


def _flat(camera: SimCamera, rng: np.random.Generator) -> np.ndarray:
    """Vignetting by the squared distance from the axis, dust, pixels, dead columns."""
    ny, nx = camera.shape
    y, x = np.mgrid[:ny, :nx]
    radius = np.hypot(x - (nx - 1) / 2, y - (ny - 1) / 2) / np.hypot(nx / 2, ny / 2)
    flat = 1 - camera.vignetting * radius**2
    for _ in range(camera.n_dust):
        flat *= 1 - camera.dust_depth * rng.uniform(0.4, 1) * _ring(x, y, rng)
    flat *= rng.normal(1, camera.response_rms, camera.shape)
    flat /= flat.mean()
    flat[:, rng.choice(nx, camera.n_dead_columns, replace=False)] *= 0.01
    return flat


def _ring(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shadow of a grain out of focus under a telescope with a central obstruction, 0 to 1."""
    ny, nx = x.shape
    distance = np.hypot(x - rng.uniform(0, nx), y - rng.uniform(0, ny))
    outer = rng.uniform(12, 25)
    inside, hole = (0.5 * (1 - np.tanh((distance - r) / 1.5)) for r in (outer, 0.4 * outer))
    return inside - hole
