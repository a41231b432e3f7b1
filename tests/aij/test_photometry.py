"""AstroImageJ's measuring rules: against geometry, plain loops, and AstroImageJ itself."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lightcurve.aij.photometry import AijRecipe, measure_aij
from lightcurve.aij.read_table import AijTable, read_aij_table
from lightcurve.aij.sky import SkyRule, photometer_sky
from lightcurve.core.errors import InputError
from lightcurve.phot.cutouts import circle_overlap
from lightcurve.phot.noise import NoiseModel

CAMERA = NoiseModel(gain_e_per_adu=10.0, read_noise_e=12.0, dark_e=6.0)
EXACT = 1e-9
STILL_PX = 0.01
MEASURED = (
    *("X(IJ)", "Y(IJ)", "X(FITS)", "Y(FITS)", "Source-Sky", "N_Src_Pixels", "Source_Error"),
    *("Source_SNR", "Peak", "Mean", "Sky/Pixel", "N_Sky_Pixels", "FWHM"),
)
SHAPE = ("Width", "X-Width", "Y-Width", "Angle", "Roundness")
RULES = {
    "hatp32_aij.csv": {},
    "hatp32_aij.tbl": {},
    "hatp32_aij_with_times.csv": {},
    "hatp32_aij_nocentroid.csv": {"centroid": "none"},
    "hatp32_aij_nostarremoval.csv": {"remove_stars": False},
    "hatp32_aij_inexact.csv": {"exact": False},
    "hatp32_aij_var_fwhm.csv": {"fwhm_factor": 1.4},
}


def gaussian_star(
    x: float, y: float, *, shape: tuple[int, int] = (60, 70), sigma: float = 2.0
) -> np.ndarray:
    rows, columns = np.indices(shape)
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return 100.0 + 5000.0 * light


@settings(max_examples=60)
@given(x=st.floats(-0.5, 0.5), y=st.floats(-0.5, 0.5), radius=st.floats(0.3, 7.0, exclude_min=True))
def test_the_cells_of_a_circle_add_up_to_its_area(x: float, y: float, radius: float) -> None:
    edges = np.arange(-9.5, 9.6)
    area = circle_overlap((edges - x)[None], (edges - y)[None], radius)
    assert_allclose(area.sum(), np.pi * radius**2, rtol=1e-12)
    assert area.min() > -1e-12
    assert area.max() < 1 + 1e-12


def clipped_by_loop(values: list[float]) -> tuple[float, int]:
    """AstroImageJ's 2-sigma rule, pixel by pixel."""
    kept = values
    before = np.mean(kept)
    for _ in range(100):
        mean, sigma = np.mean(kept), np.std(kept)
        kept = [v for v in values if mean - 2 * sigma <= v <= mean + 2 * sigma]
        if abs(np.mean(kept) - before) < 1e-4:
            break
        before = np.mean(kept)
    return float(np.mean(kept)), len(kept)


def test_clipped_sky_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(5)
    image = np.round(rng.normal(300, 12, (80, 90)))
    image[30:34, 40:44] += 900
    x, y = 35.3, 36.8
    planes, n_sky, _ = photometer_sky(image, (np.array([x]), np.array([y])), SkyRule((6.0, 12.0)))
    rows, columns = np.indices(image.shape)
    distance = np.hypot(columns - x, rows - y)
    mean, count = clipped_by_loop(list(image[(distance >= 6) & (distance <= 12)]))
    assert n_sky[0] == count
    assert_allclose(planes[0], [mean, 0, 0], rtol=1e-12)


@pytest.mark.parametrize("remove_stars", [True, False])
def test_a_tilted_sky_is_subtracted_as_a_plane(remove_stars: bool) -> None:
    rows, columns = np.indices((60, 60))
    image = (200 + 0.5 * columns - 0.25 * rows).astype(np.float32)
    recipe = AijRecipe(4.0, (8.0, 14.0), plane=True, remove_stars=False, centroid="none")
    recipe = replace(recipe, remove_stars=remove_stars)
    found = measure_aij(image, np.array([30.0]), np.array([25.0]), recipe)
    # The clip leaves out the same corners on both sides of a symmetric slope.
    assert_allclose(found.flux, 0, atol=1e-3)
    assert_allclose(found.sky, 200 + 15 - 6.25, rtol=1e-7)


@pytest.mark.parametrize("method", ["howell", "moment"])
def test_a_symmetric_star_is_found_where_it_is(method: str) -> None:
    image = gaussian_star(33.0, 28.0)
    recipe = AijRecipe(6.0, (12.0, 18.0), centroid=method)
    found = measure_aij(image, np.array([34.3]), np.array([26.9]), recipe)
    assert found.found.all()
    assert_allclose([found.x[0], found.y[0]], [33.0, 28.0], atol=0.01)


def test_flux_and_errors_follow_the_formulas() -> None:
    image = gaussian_star(33.0, 28.0)
    recipe = AijRecipe(7.0, (12.0, 18.0), centroid="none", noise=CAMERA)
    found = measure_aij(image, np.array([33.0]), np.array([28.0]), recipe)
    light = 5000 * 2 * np.pi * 4 * (1 - np.exp(-(49) / 8))
    assert_allclose(found.flux, light, rtol=1e-3)
    assert_allclose(found.area, np.pi * 49, rtol=1e-12)
    assert found.peak[0] == pytest.approx(5100)
    n_s, n_b, sky = found.area[0], found.n_sky[0], found.sky[0]
    electrons = 10 * found.flux[0] + n_s * (1 + n_s / n_b) * (10 * sky + 6 + 144 + 100 * 0.083521)
    assert_allclose(found.flux_err, np.sqrt(electrons) / 10, rtol=1e-12)


def test_whole_pixels_are_counted() -> None:
    image = np.ones((20, 20), dtype=np.float32)
    recipe = AijRecipe(3.0, None, exact=False, centroid="none")
    found = measure_aij(image, np.array([10.0]), np.array([10.0]), recipe)
    rows, columns = np.indices(image.shape)
    inside = np.hypot(columns - 10, rows - 10) < 3
    assert found.area[0] == found.flux[0] == inside.sum()


def test_an_aperture_over_the_edge_loses_area() -> None:
    image = np.ones((20, 20), dtype=np.float32)
    recipe = AijRecipe(4.0, None, centroid="none")
    found = measure_aij(image, np.array([-0.5]), np.array([10.0]), recipe)
    assert_allclose(found.area, np.pi * 16 / 2, rtol=1e-12)


def test_a_star_far_outside_has_no_flux() -> None:
    image = gaussian_star(33.0, 28.0)
    recipe = AijRecipe(4.0, (8.0, 12.0))
    found = measure_aij(image, np.array([500.0, 33.0]), np.array([28.0, 28.0]), recipe)
    assert np.isnan(found.flux[0])
    assert not found.found[0]
    assert found.flux[1] > 0


@settings(max_examples=20)
@given(order=st.permutations(range(5)), pedestal=st.integers(0, 2000))
def test_order_and_pedestal_leave_the_fluxes(order: list[int], pedestal: int) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(15, 55, 5), rng.uniform(15, 45, 5)
    image = sum(gaussian_star(*place) for place in zip(x, y, strict=True))
    image = np.rint(image + rng.normal(0, 5, image.shape)).astype(np.float32)
    recipe = AijRecipe(4.0, (7.0, 12.0))
    plain = measure_aij(image, x, y, recipe)
    other = measure_aij(image + pedestal, x[order], y[order], recipe)
    assert_allclose(other.flux, plain.flux[order], rtol=1e-7)
    assert_allclose(other.sky, plain.sky[order] + pedestal, rtol=1e-9)
    assert_allclose(other.x, plain.x[order], rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"radius": 0.0}, "radius"),
        ({"annulus": (9.0, 4.0)}, "annulus"),
        ({"centroid": "psf"}, "centroid"),
    ],
)
def test_impossible_settings_are_refused(values: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        AijRecipe(**({"radius": 4.0, "annulus": (8.0, 12.0)} | values))


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference; a NaN on one side only is infinite."""
    if np.any(np.isnan(ours) != np.isnan(theirs)):
        return float("inf")
    known = np.isfinite(theirs)
    scale = np.where(theirs[known] == 0, 1.0, np.abs(theirs[known]))
    return float(np.max(np.abs(ours[known] - theirs[known]) / scale, initial=0.0))


@lru_cache(maxsize=200)
def pixels_of(path: Path) -> np.ndarray:
    return fits.getdata(path).astype(np.float32)


def recipe_of(table: AijTable, row: int, rules: dict) -> AijRecipe:
    columns = table.columns
    annulus = (columns["Sky_Rad(min)"][row], columns["Sky_Rad(max)"][row])
    return AijRecipe(columns["Source_Radius"][row], annulus, noise=CAMERA, **rules)


@pytest.mark.parametrize("name", RULES)
def test_every_number_of_astroimagej(shared_data: Path, name: str) -> None:
    """All rows and stars, from the table's own positions."""
    rules = {k: v for k, v in RULES[name].items() if k in {"remove_stars", "exact"}}
    table = read_aij_table(shared_data / "hatp32-aij" / name)
    shapes = () if "fwhm_factor" in RULES[name] else SHAPE  # then of the base radius, see below
    worst = dict.fromkeys((*MEASURED, *shapes, "FWHM_Mean"), 0.0)
    for row, label in enumerate(table.labels):
        pixels = pixels_of(shared_data / "hatp32" / label)
        x, y = table.block("X(FITS)")[row] - 1, table.block("Y(FITS)")[row] - 1
        stay = RULES[name].get("centroid", "settled")
        recipe = recipe_of(table, row, {**rules, "centroid": stay})
        found = measure_aij(pixels, x, y, recipe)
        ours = found.columns() | {"FWHM_Mean": np.array(found.fwhm_mean())}
        theirs = {c: table.block(c)[row] for c in ours} | {
            "FWHM_Mean": table.columns["FWHM_Mean"][row]
        }
        for column in worst:
            worst[column] = max(worst[column], relative(ours[column], theirs[column]))
    assert {c: v for c, v in worst.items() if v > EXACT} == {}


@pytest.mark.parametrize("name", [n for n in RULES if "nocentroid" not in n])
def test_centroids_stay_where_astroimagej_left_them(shared_data: Path, name: str) -> None:
    rules = {k: v for k, v in RULES[name].items() if k != "fwhm_factor"}
    table = read_aij_table(shared_data / "hatp32-aij" / name)
    for row in range(0, len(table), 3):
        pixels = pixels_of(shared_data / "hatp32" / table.labels[row])
        x, y = table.block("X(FITS)")[row] - 1, table.block("Y(FITS)")[row] - 1
        found = measure_aij(pixels, x, y, recipe_of(table, row, rules))
        assert np.abs(found.x - x).max() < STILL_PX
        assert np.abs(found.y - y).max() < STILL_PX


def test_variable_aperture_from_astroimagej_s_own_start(shared_data: Path) -> None:
    """Radius, widths, positions and fluxes follow when the start is that of its WCS."""
    folder = shared_data / "hatp32-aij"
    begin = read_aij_table(folder / "hatp32_aij_nocentroid.csv")
    table = read_aij_table(folder / "hatp32_aij_var_fwhm.csv")
    # Where a last centroid step rounded differently (one star in 400 frames) the path differs.
    limits = dict.fromkeys((*MEASURED, *SHAPE), EXACT) | {"Variance": 1e-4}
    agree = []
    for row in range(0, len(table), 2):
        pixels = pixels_of(shared_data / "hatp32" / table.labels[row])
        x, y = begin.block("X(FITS)")[row] - 1, begin.block("Y(FITS)")[row] - 1
        recipe = AijRecipe(6.0, (10.0, 16.0), fwhm_factor=1.4, noise=CAMERA)
        found = measure_aij(pixels, x, y, recipe)
        assert found.radius == pytest.approx(table.columns["Source_Radius"][row], rel=EXACT)
        ours = found.columns()
        agree.append([relative(ours[c], table.block(c)[row]) < limits[c] for c in limits])
    assert np.mean(agree, axis=0).min() > 0.98
