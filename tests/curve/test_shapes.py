"""What is no single star is told from the field's own profile, in focus and out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.data import Measurements, StarPlan
from lightcurve.curve.shapes import measure_shapes
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.detect import detect
from lightcurve.phot.noise import NoiseModel
from sim_cube import CubeTruth, simulate_cube

SHAPE, SKY, FINE = (300, 320), 200.0, 5
GALAXY, DOUBLE, HOT = 3, 8, 12
LADDER = (0.75, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3)  # of apertures, in FWHM
Profile = Callable[[np.ndarray, float], np.ndarray]


def moffat(r: np.ndarray, fwhm: float) -> np.ndarray:
    return (1 + (2**0.4 - 1) * (2 * r / fwhm) ** 2) ** -2.5


def donut(r: np.ndarray, fwhm: float) -> np.ndarray:
    """Out of focus: a ring with a shadow in the middle, blurred edges."""
    outer, inner = 0.75 * fwhm, 0.3 * fwhm
    return 1 / (1 + np.exp((r - outer) / 0.7)) - 0.9 / (1 + np.exp((r - inner) / 0.7))


def render(
    places: np.ndarray, flux: np.ndarray, fwhm: float, profile: Profile, rng: np.random.Generator
) -> np.ndarray:
    """Stars, a galaxy, an equal double, and a hot pixel, with photon noise; gain 1."""
    ny, nx = SHAPE
    image = np.zeros(SHAPE)
    v, u = (np.mgrid[: FINE * 61, : FINE * 61] + 0.5) / FINE - 0.5
    for k, ((x, y), light) in enumerate(zip(places, flux, strict=True)):
        x0, y0 = int(x) - 30, int(y) - 30
        if k == HOT:
            image[int(y), int(x)] += light
            continue
        if k == DOUBLE:
            step = 0.35 * fwhm
            values = sum(profile(np.hypot(u - x + x0 + s, v - y + y0), fwhm) for s in (-step, step))
        elif k == GALAXY:
            r = np.hypot(u - x + x0, v - y + y0)
            values = profile(r, fwhm) / 5 + np.exp(-r / (0.8 * fwhm))
        else:
            values = profile(np.hypot(u - x + x0, v - y + y0), fwhm)
        box = values.reshape(61, FINE, 61, FINE).sum(axis=(1, 3))
        rows, columns = slice(max(y0, 0), min(y0 + 61, ny)), slice(max(x0, 0), min(x0 + 61, nx))
        part = box[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        image[rows, columns] += light * part / box.sum()
    return rng.poisson(image + SKY).astype(np.float32)


def stacked(frames: list[np.ndarray], places: np.ndarray, fwhm: float) -> Measurements:
    """Measure the objects in every frame."""
    radii, annulus = fwhm * np.array(LADDER), (4.5 * fwhm, 8 * fwhm)
    found = [
        measure_stars(
            pixels, np.zeros(pixels.shape, np.uint8), *places.T, radii, annulus, NoiseModel(1, 3)
        )
        for pixels in frames
    ]
    names = ("flux", "flux_err", "flags", "peak", "x", "y", "fwhm")
    cube = {name: np.stack([getattr(one, name) for one in found]) for name in names}
    plain = simulate_cube(np.ones(3), CubeTruth(n_stars=len(places)), np.random.default_rng(1))
    plan: StarPlan = replace(plain.plan, x_ref=places[:, 0], y_ref=places[:, 1])
    return replace(plain, plan=plan, radii=radii, annulus=annulus, **cube)


@pytest.mark.parametrize(("profile", "fwhm"), [(moffat, 2.4), (moffat, 4.5), (donut, 9.0)])
def test_galaxy_double_and_hot_pixel_are_told_from_stars(profile, fwhm):
    rng = np.random.default_rng(3)
    grid = np.array([(x, y) for y in range(45, 280, 52) for x in range(45, 290, 57)], dtype=float)
    places = grid + rng.uniform(-4, 4, grid.shape)
    flux = 3e5 * 10 ** rng.uniform(-0.8, 0.6, len(places))
    frames = [
        render(places, flux, fwhm * seeing, profile, rng) for seeing in rng.uniform(0.9, 1.15, 4)
    ]
    shapes = measure_shapes(stacked(frames, places, fwhm))
    assert set(np.flatnonzero(shapes.odd)) == {GALAXY, DOUBLE, HOT}
    assert shapes.excess[GALAXY] < 0
    assert shapes.excess[DOUBLE] < 0
    assert shapes.excess[HOT] > 0


@pytest.mark.parametrize("seed", range(4))
def test_no_star_is_called_odd(seed):
    cube = simulate_cube(np.ones(60), CubeTruth(), np.random.default_rng(seed))
    assert not measure_shapes(cube).odd.any()


def test_the_nucleus_of_a_real_galaxy_is_no_star(shared_data):
    pixels = green(sorted((shared_data / "nights" / "seestar-m94").glob("*20250326*"))[0])
    stars = detect(pixels, max_stars=40)
    places = np.column_stack([stars.x, stars.y])
    shapes = measure_shapes(stacked([pixels], places, max(float(np.median(stars.fwhm)), 2.0)))
    nucleus = int(np.argmax(stars.flux))
    assert shapes.odd[nucleus]
    assert shapes.excess[nucleus] < 0
    assert shapes.odd.sum() < 0.3 * len(places)


def green(path: Path) -> np.ndarray:
    """Mean of both green pixels of each four of a GRBG mosaic."""
    mosaic = fits.getdata(path).astype(np.float32)
    return (mosaic[0::2, 0::2] + mosaic[1::2, 1::2]) / 2
