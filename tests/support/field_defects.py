"""What spoils a frame of `field`: galaxies, spikes, bleeding, hits, hot pixels, trail, amplifiers.

Each function adds to the electrons (ny, nx) of a frame before it is read out, in place.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from field import FieldSpec, Stars, draw

FINE = 5  # points along the side of a pixel


def add_galaxies(
    spec: FieldSpec, electrons: np.ndarray, galaxies: Stars, scale_px: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add inclined exponential discs of scale lengths (n,), as the PSF shows them."""
    from scipy.signal import fftconvolve

    ny, nx = electrons.shape
    tilt, angle = rng.uniform(0.3, 1.0, len(galaxies)), rng.uniform(0, np.pi, len(galaxies))
    for n in range(len(galaxies)):
        half = math.ceil(9 * scale_px[n] + 12)
        column, row = round(galaxies.x[n]), round(galaxies.y[n])
        star = Stars(*(np.array([v]) for v in (float(half), float(half), 1 / spec.gain, "")))
        psf = draw(replace(spec, shape=(2 * half + 1, 2 * half + 1)), star)
        fine = (np.arange(FINE * (2 * half + 1)) + 0.5) / FINE - 0.5 - half
        u, v = fine - (galaxies.x[n] - column), fine[:, None] - (galaxies.y[n] - row)
        cos, sin = np.cos(angle[n]), np.sin(angle[n])
        radius = np.hypot(u * cos + v * sin, (v * cos - u * sin) / tilt[n]) / scale_px[n]
        disc = np.exp(-radius).reshape(2 * half + 1, FINE, 2 * half + 1, FINE).mean(axis=(1, 3))
        light = spec.gain * galaxies.flux[n] * fftconvolve(disc / disc.sum(), psf, mode="same")
        top, left = row - half, column - half
        rows = slice(max(top, 0), min(top + len(light), ny))
        columns = slice(max(left, 0), min(left + len(light), nx))
        electrons[rows, columns] += np.maximum(
            light[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left], 0
        )


def add_spikes(spec: FieldSpec, electrons: np.ndarray, stars: Stars, share: float) -> None:
    """Give stars four spikes that fall with the square of the distance; share: of their light."""
    ny, nx = spec.shape
    y, x = np.mgrid[:ny, :nx]
    for k in range(len(stars)):
        one, two = (x - stars.x[k]) / 2**0.5, (y - stars.y[k]) / 2**0.5
        for along, across in ((one + two, one - two), (one - two, one + two)):
            bright = np.exp(-0.5 * (across / 1.2) ** 2) / (along**2 + 25)
            electrons += spec.gain * stars.flux[k] * share * bright


def bleed(electrons: np.ndarray, full_e: float) -> None:
    """Let pixels that are fuller than full spill along their columns, to both sides alike."""
    for column in np.flatnonzero((electrons > full_e).any(axis=0)):
        line = electrons[:, column]
        for row in np.flatnonzero(line > full_e):
            excess, line[row] = line[row] - full_e, full_e
            for side in (-1, 1):
                left, k = excess / 2, row + side
                while left > 0 and 0 <= k < len(line):
                    taken = min(left, max(full_e - line[k], 0.0))
                    line[k] += taken
                    left -= taken
                    k += side


def add_hits(
    electrons: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add cosmic rays, short straight tracks one pixel wide; gives their middles, pixels."""
    ny, nx = electrons.shape
    x, y = rng.uniform(10, nx - 10, n), rng.uniform(10, ny - 10, n)
    for x0, y0 in zip(x, y, strict=True):
        length, angle = min(1 + rng.exponential(2.0), 8), rng.uniform(0, np.pi)
        charge = rng.uniform(400, 4000)
        for step in np.arange(-length / 2, length / 2 + 0.01, 0.25):
            row, column = round(y0 + step * math.sin(angle)), round(x0 + step * math.cos(angle))
            electrons[row, column] += charge / 4
    return x, y


def add_hot_pixels(
    electrons: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add hot pixels; gives their places."""
    ny, nx = electrons.shape
    row, column = rng.integers(5, ny - 5, n), rng.integers(5, nx - 5, n)
    electrons[row, column] += 10 ** rng.uniform(2, 4.3, n)
    return column.astype(float), row.astype(float)


def add_trail(
    electrons: np.ndarray, point: tuple[float, float], angle_deg: float, peak_e: float,
    sigma_px: float,
) -> np.ndarray:  # fmt: skip
    """Add a trail with wings across the whole frame; gives the distance (ny, nx) from its axis."""
    ny, nx = electrons.shape
    y, x = np.mgrid[:ny, :nx]
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    away = np.abs((x - point[0]) * sin - (y - point[1]) * cos)
    electrons += peak_e * (1 + (away / (2 * sigma_px)) ** 2) ** -2.5
    return away


def add_amplifiers(electrons: np.ndarray, offset_e: float, gain: float) -> None:
    """Give the four quadrants offsets and gains of their own, up to so much apart."""
    ny, nx = electrons.shape
    halves = [(slice(n // 2), slice(n // 2, n)) for n in (ny, nx)]
    quadrants = [(rows, columns) for rows in halves[0] for columns in halves[1]]
    for k, part in enumerate(quadrants):
        electrons[part] *= 1 + gain * (k - 1.5) / 3
        electrons[part] += offset_e * (k - 1.5) / 3
