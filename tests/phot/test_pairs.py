"""An unresolved pair is taken apart by the frame's own stars; a single star is left whole."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.epsf import build_psf
from lightcurve.phot.pairs import split_star

SHAPE, SKY, GAIN = (260, 280), 150.0, 1.0
TARGET = (140.3, 128.8)


def field(companion, fwhm, *, seed=1, beta=3.0, elongation=1.15):
    """Stars of one slightly long profile, in pixels of 7 x 7 points, and the target's image."""
    rng = np.random.default_rng(seed)
    grid = np.array([(x, y) for y in range(30, 250, 40) for x in range(30, 260, 40)], dtype=float)
    grid += rng.uniform(-5, 5, grid.shape)
    grid = grid[np.hypot(*(grid - TARGET).T) > 25]
    light = 3e5 * 10 ** rng.uniform(-0.7, 0.4, len(grid))
    stars = [(*xy, q) for xy, q in zip(grid, light, strict=True)] + [(*TARGET, 3e5)]
    if companion is not None:
        dx, dy, ratio = companion
        stars.append((TARGET[0] + dx, TARGET[1] + dy, 3e5 * ratio))
    image, scale = np.full(SHAPE, SKY), 4 * (2 ** (1 / beta) - 1) / fwhm**2
    fine = (np.arange(7) - 3) / 7
    for x, y, flux in stars:
        x0, y0 = round(x) - 25, round(y) - 25
        u = (np.arange(51)[:, None] + fine + x0 - x).ravel()
        v = (np.arange(51)[:, None] + fine + y0 - y).ravel()
        shape = (1 + scale * (u**2 / elongation + v[:, None] ** 2 * elongation)) ** -beta
        box = shape.reshape(51, 7, 51, 7).sum(axis=(1, 3))
        rows = slice(max(y0, 0), min(y0 + 51, SHAPE[0]))
        columns = slice(max(x0, 0), min(x0 + 51, SHAPE[1]))
        image[rows, columns] += (
            flux * box[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
            / box.sum()
        )  # fmt: skip
    return rng.poisson(image) - SKY, grid


def split(companion, fwhm, **how):
    light, grid = field(companion, fwhm, **how)
    good, sky = np.ones(SHAPE, bool), np.full(SHAPE, SKY)
    psf = build_psf(
        light, sky, good, tuple(grid.T), np.arange(len(grid)), fwhm, gain_e_per_adu=GAIN
    )
    dx, dy, ratio = companion or (0, 0, 0)
    centre = (TARGET[0] + dx * ratio / (1 + ratio), TARGET[1] + dy * ratio / (1 + ratio))
    return split_star(light, sky + np.maximum(light, 0) / GAIN, good, psf, centre)


@pytest.mark.parametrize("fwhm", [2.6, 4.0])
@pytest.mark.parametrize(("apart", "ratio"), [(1.0, 1.0), (0.8, 0.9), (1.0, 0.4), (1.2, 0.2)])
def test_a_pair_is_taken_apart(fwhm, apart, ratio):
    angle = np.radians(35)
    dx, dy = apart * fwhm * np.cos(angle), apart * fwhm * np.sin(angle)
    pair = split((dx, dy, ratio), fwhm)
    assert pair is not None
    truth = min(ratio, 1 / ratio)
    assert pair.light == pytest.approx(truth, abs=3 * pair.err)
    assert pair.light == pytest.approx(truth, abs=0.12)
    assert pair.err < 0.2
    assert np.hypot(pair.x, pair.y) == pytest.approx(apart * fwhm, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_a_single_star_is_left_whole(seed):
    assert split(None, 3.0, seed=seed) is None
