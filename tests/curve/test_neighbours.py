"""Light of neighbours, held against sums over pixels."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.curve.neighbours import (
    BETA,
    measured_rings,
    moffat_rings,
    part_of_rings,
    stray_light,
)
from lightcurve.phot.sky import clipped_sky


def _on_pixels(distance: float, radius: float, fwhm: float) -> float:
    """Add up a Moffat profile on a fine grid, within a circle and altogether."""
    core, step = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1)), 0.05
    axis = np.arange(-60, 60, step)
    x, y = np.meshgrid(axis, axis)
    light = (1 + (x**2 + y**2) / core**2) ** -BETA * step**2 * (BETA - 1) / (np.pi * core**2)
    return float(light[np.hypot(x - distance, y) <= radius].sum())


@pytest.mark.parametrize("distance", [0.0, 3.0, 7.8, 15.0])
def test_share_of_a_star_in_a_circle(distance):
    share = part_of_rings(moffat_rings(3.0), np.array([distance]), 4.0).mean()
    assert share == pytest.approx(_on_pixels(distance, 4.0, 3.0), rel=0.05, abs=2e-4)


def test_a_ring_out_of_focus_ends_at_its_rim():
    """An annulus of light from 5 to 10 px: nothing lies beyond, however far a Moffat's wings go."""
    r50, r90 = (np.sqrt(25 + part * 75) for part in (0.5, 0.9))
    rings = measured_rings(r50, r90)
    assert np.median(rings) == pytest.approx(r50, rel=0.01)
    assert np.percentile(rings, 90) == pytest.approx(r90, rel=0.01)
    x, y, flux = np.array([0.0, 30.0]), np.zeros(2), np.ones(2)
    given = {"radius": 11.0, "annulus": (40.0, 60.0)}
    assert stray_light(x, y, flux, rings=rings, **given).aperture.max() == 0
    assert stray_light(x, y, flux, rings=moffat_rings(2 * r50), **given).aperture.max() > 0.01
    gaussian = measured_rings(1.0, np.sqrt(np.log2(10)))
    assert np.mean(gaussian <= 2.0) == pytest.approx(1 - 2**-4, abs=0.005)


def test_every_neighbour_counts_wherever_it_stands():
    """One between aperture and sky, one in the sky, and one far away."""
    x = np.array([100.0, 107.8, 300.0, 313.0, 600.0])
    y = np.full(5, 100.0)
    flux = np.array([1.0, 2.84, 1.0, 0.5, 1.0])
    stray = stray_light(x, y, flux, radius=4.0, annulus=(10.0, 17.0), rings=moffat_rings(3.3))
    assert stray.aperture[0] == pytest.approx(2.84 * _on_pixels(7.8, 4.0, 3.3), rel=0.05)
    assert stray.aperture[0] > 0.02
    ring = _on_pixels(13.0, 17.0, 3.3) - _on_pixels(13.0, 10.0, 3.3)
    area = 4.0**2 / (17.0**2 - 10.0**2)
    assert stray.sky[2] == pytest.approx(0.5 * ring * area, rel=0.05)
    assert stray.aperture[4] == stray.sky[4] == 0


@pytest.mark.parametrize("fwhm", [3.0, 4.5])
@pytest.mark.parametrize("distance", [8.0, 11.0, 14.0, 20.0])
@pytest.mark.parametrize("flux", [1e3, 1e5])
def test_what_clipping_leaves_of_a_neighbour_in_the_sky(flux, distance, fwhm):
    """Held against rendered rings, clipped as every star's is: half of a per cent to all of it."""
    rng, sigma = np.random.default_rng(0), 20.0
    core = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    y, x = np.mgrid[-17:18, -17:18].astype(float)
    ring = (np.hypot(x, y) >= 10) & (np.hypot(x, y) <= 17)
    light = (1 + ((x - distance) ** 2 + y**2) / core**2) ** -BETA * (BETA - 1)
    light *= flux / (np.pi * core**2)
    noise = rng.normal(0, sigma, (400, ring.sum()))
    left = np.mean(clipped_sky(light[ring] + noise)[0]) - np.mean(clipped_sky(noise)[0])
    stray = stray_light(
        np.array([0.0, distance]), np.zeros(2), np.array([1.0, flux]), radius=4.0,
        annulus=(10.0, 17.0), rings=moffat_rings(fwhm), clipped_adu=2.5 * sigma,
    )  # fmt: skip
    assert stray.sky[0] == pytest.approx(left * np.pi * 4.0**2, rel=0.3, abs=5.0)
