"""The measuring style of AstroImageJ: its numbers out of our own chain of stages."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from photutils.aperture import CircularAperture, aperture_photometry

from lightcurve.aij.photometry import measure_stars_aij
from lightcurve.aij.read_table import read_aij_table, relative_flux
from lightcurve.compare.frames import compare_with_frames
from lightcurve.compare.result import Tolerance
from lightcurve.compare.tables import compare_files
from lightcurve.core.data import Aperture
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import Settings, make_settings
from lightcurve.curve.aperture import frame_radius, list_apertures
from lightcurve.night.measure_table import measure_folder
from lightcurve.phot.noise import NoiseModel
from lightcurve.tables.light_curves import ColumnChoice
from undrawn import reduce_night

N_FRAMES = 8
CAMERA = NoiseModel(10.0, 12.0, 6.0)
ADDED = 150**0.5  # read noise of 12 e- and 6 electrons of dark current, as one
PER_STAR = (
    *("X(IJ)", "Y(IJ)", "Source-Sky", "Source_Error", "Peak", "Mean", "N_Src_Pixels"),
    *("Sky/Pixel", "N_Sky_Pixels", "FWHM", "Width", "X-Width", "Angle", "Roundness"),
)


def frame_and_start(shared: Path, name: str, row: int) -> tuple:
    table = read_aij_table(shared / "hatp32-aij" / name)
    begin = read_aij_table(shared / "hatp32-aij" / "hatp32_aij_nocentroid.csv")
    pixels = fits.getdata(shared / "hatp32" / table.labels[row]).astype(np.float32)
    place = begin.block("X(FITS)")[row] - 1, begin.block("Y(FITS)")[row] - 1
    return table, pixels, np.zeros(pixels.shape, np.uint8), place


@pytest.mark.parametrize("row", [0, 77, 141])
def test_a_frame_in_our_form_has_astroimagej_s_numbers(shared_data: Path, row: int) -> None:
    table, pixels, bad, place = frame_and_start(shared_data, "hatp32_aij.csv", row)
    radii = np.array([4.0, 6.0, 9.0])
    found = measure_stars_aij(pixels, bad, place, radii, (10.0, 16.0), CAMERA)
    expected = {"flux": "Source-Sky", "flux_err": "Source_Error", "area": "N_Src_Pixels"}
    for ours, theirs in (expected | {"peak": "Peak"}).items():
        assert_allclose(getattr(found, ours)[:, 1], table.block(theirs)[row], rtol=1e-9)
    assert_allclose(found.x + 1, table.block("X(FITS)")[row], rtol=1e-12)
    assert_allclose(-found.angle_deg % 360, table.block("Angle")[row], rtol=1e-9)
    assert_array_equal(found.flags & Flag.NO_CENTROID, 0)
    circles = CircularAperture(np.stack([found.x, found.y], axis=1), 9.0)
    sums = aperture_photometry(pixels.astype(float), circles)["aperture_sum"]
    assert_allclose(found.flux[:, 2], sums - found.sky * np.pi * 81, rtol=1e-9)


def test_a_variable_aperture_is_sized_by_the_stars_that_count(shared_data: Path) -> None:
    table, pixels, bad, place = frame_and_start(shared_data, "hatp32_aij_var_fwhm.csv", 30)
    more = tuple(np.append(p, [300.0, 5000.0]) for p in place)  # empty sky, and off the frame
    sizing = np.arange(8) < 6
    given = (pixels, bad, more, np.array([6.0]), (10.0, 16.0), CAMERA)
    found = measure_stars_aij(*given, fwhm_factor=1.4, sizing=sizing)
    assert found.radius_used == pytest.approx(table.columns["Source_Radius"][30], rel=1e-12)
    assert_allclose(found.flux[:6, 0], table.block("Source-Sky")[30], rtol=1e-9)
    assert np.isnan(found.flux[7, 0])
    assert found.flags[7, 0] & Flag.NOT_MEASURED


def test_edges_saturation_and_bad_pixels_are_flagged() -> None:
    rows, columns = np.indices((60, 60))
    pixels = np.full((60, 60), 100, np.float32)
    for x, y in ((2.0, 30.0), (30.0, 30.0), (48.0, 30.0)):
        pixels += 3000 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 6)
    bad = np.zeros(pixels.shape, np.uint8)
    bad[30, 48] = 4
    place = np.array([2.0, 30.0, 48.0]), np.full(3, 30.0)
    given = (pixels, bad, place, np.array([5.0]), (8.0, 12.0), NoiseModel())
    flags = measure_stars_aij(*given, saturation_adu=3050.0, linearity_adu=1500.0).flags[:, 0]
    assert flags[0] & Flag.EDGE
    assert not flags[1] & Flag.EDGE
    assert (flags & Flag.SATURATED != 0).all()
    assert_array_equal(flags & Flag.BAD_PIXEL != 0, [False, False, True])


def settings_of(shared: Path, **apertures: object) -> Settings:
    return make_settings(
        {
            "target": {"name": "HAT-P-32", "ra": "02:04:10.278", "dec": "+46:41:16.21"},
            "solve": {"index": [shared / "index-tycho2-hatp32.fits"]},
            "camera": {"gain_e_per_adu": 10.0, "read_noise_e": ADDED},
            "apertures": {"style": "aij", "radii": [6.0], "annulus": (10.0, 16.0)} | apertures,
            "stars": {"max_stars": 25, "max_comparisons": 6},
        }
    )


@pytest.fixture(scope="module")
def frames(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for path in sorted((shared_data / "hatp32").glob("*.FITS"))[:N_FRAMES]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def aij_run(shared_data: Path, frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reduce_night(
        frames, settings_of(shared_data), tmp_path_factory.mktemp("run")
    ).products.folder


def test_a_run_gives_the_target_astroimagej_s_numbers(shared_data: Path, aij_run: Path) -> None:
    """Our solving and placing, its centroid: the same numbers."""
    pair = (aij_run / "measurements.csv", shared_data / "hatp32-aij" / "hatp32_aij.csv")
    limits = Tolerance(rtol=1e-9, given=True, partial=True)  # some of its frames
    only = [f"{name}_T1" for name in PER_STAR]
    choices = (ColumnChoice(), ColumnChoice())
    found = compare_files(pair, choices, Settings(), tolerance=limits, only=only)
    assert len(found.differences) == len(only)
    assert found.rows[2] == N_FRAMES
    assert found.agrees, [d for d in found.differences if d.n_beyond]


def test_its_table_is_that_of_its_frames(frames: Path, aij_run: Path) -> None:
    table = aij_run / "measurements.csv"
    found = compare_with_frames(frames, table, Settings(), tolerance=Tolerance(1e-9, given=True))
    assert found.agrees, [d for d in found.differences if d.n_beyond]
    (gain,) = (one for one in found.values if one.name == "gain")
    assert gain.value == pytest.approx(10)


def test_its_curve_is_the_plain_sum_of_fluxes(aij_run: Path) -> None:
    table = read_aij_table(aij_run / "measurements.csv")
    flux, error = relative_flux(table)
    assert_allclose(flux, table.star("rel_flux"), rtol=1e-12)
    with (aij_run / "lightcurve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    curve = np.array([float(row["rel_flux"]) for row in rows])
    assert_allclose(curve, flux / np.median(flux), rtol=1e-9)
    curve_err = np.array([float(row["rel_flux_err"]) for row in rows])
    assert_allclose(curve_err, error / np.median(flux), rtol=1e-9)


def test_measure_alone_has_the_same_numbers(
    shared_data: Path, frames: Path, aij_run: Path, tmp_path: Path
) -> None:
    measure_folder(frames, settings_of(shared_data), tmp_path)
    with (tmp_path / "photometry.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["star"] == "T1"]
    flux = np.array([float(row["flux"]) for row in rows])
    assert_array_equal(flux, read_aij_table(aij_run / "measurements.csv").star("Source-Sky"))


def test_a_variable_aperture_reaches_the_table(
    shared_data: Path, frames: Path, tmp_path: Path
) -> None:
    reduce_night(frames, settings_of(shared_data, fwhm_factor=1.4), tmp_path)
    table = read_aij_table(tmp_path / "measurements.csv")
    radius = table.columns["Source_Radius"]
    assert np.ptp(radius) > 0.1
    assert_allclose(table.star("N_Src_Pixels"), np.pi * radius**2, rtol=1e-9)
    assert (table.columns["FWHM_Mult"] == 1.4).all()
    assert (table.columns["Source_Rad(base)"] == 6).all()
    limits = Tolerance(1e-9, given=True)
    found = compare_with_frames(frames, tmp_path / "measurements.csv", Settings(), tolerance=limits)
    assert found.agrees, found.reasons
    columns = {d.name: d.n for d in found.differences}
    assert columns["Source_Radius"] == N_FRAMES
    assert columns["Width"] == N_FRAMES * len(table.stars) > 10 * N_FRAMES


@pytest.mark.parametrize(
    "apertures",
    [{"fwhm_factor": 1.4}, {"fwhm_factor": 1.4, "style": "aij", "radii": [5.0, 6.0]}],
    ids=["our style", "two radii"],
)
def test_a_variable_aperture_needs_the_style_and_one_base(apertures: dict) -> None:
    with pytest.raises(InputError, match="--fwhm-factor"):
        make_settings({"apertures": apertures})


def test_the_one_variable_aperture_is_the_only_choice() -> None:
    from dataclasses import replace

    from sim_cube import CubeTruth, simulate_cube

    cube = simulate_cube(np.ones(12), CubeTruth(n_stars=5), np.random.default_rng(4))
    used = np.linspace(4, 6, 12)
    cube = replace(cube, radii=cube.radii[[1]], radius_used=used, fwhm_factor=1.4)
    (aperture,) = list_apertures(cube)
    assert aperture == Aperture("width", 1.4)
    assert str(aperture) == "1.4 x the stars' mean width"
    assert_array_equal(frame_radius(cube, aperture), used)


def test_stars_that_come_and_go_are_left_out_of_the_sum() -> None:
    from dataclasses import replace

    from lightcurve.curve.choose import choose_curve
    from sim_cube import CubeTruth, simulate_cube

    cube = simulate_cube(np.ones(30), CubeTruth(n_stars=9), np.random.default_rng(2))
    settings = make_settings({"apertures": {"style": "aij"}})
    first = choose_curve(cube, settings).recipe.comparison_rows
    flux = cube.flux.copy()
    flux[12:, first[0]] = np.nan
    curve = choose_curve(replace(cube, flux=flux), settings)
    rows = list(curve.recipe.comparison_rows)
    assert rows
    assert first[0] not in rows
    assert curve.recipe.weighting == "sum"
    radius = list(cube.radii).index(curve.recipe.aperture.value)
    ratio = flux[:, 0, radius] / flux[:, rows, radius].sum(axis=1)
    assert_allclose(curve.flux, ratio / np.median(ratio), rtol=1e-9)


def test_a_default_run_with_a_variable_aperture_agrees_with_its_frames(
    shared_data: Path, frames: Path, tmp_path: Path
) -> None:
    """Over a hundred stars, of which the faintest rest in more than one place."""
    own = settings_of(shared_data, fwhm_factor=1.4).model_copy(update={"stars": Settings().stars})
    reduce_night(frames, own, tmp_path)
    limits = Tolerance(1e-9, given=True)
    table = tmp_path / "measurements.csv"
    found = compare_with_frames(frames, table, Settings(), tolerance=limits)
    # One of 1,184 is a star so faint that its centroid, begun where it ended, takes one more step.
    assert all(d.n_beyond <= 1 for d in found.differences), found.reasons
    assert all(abs(d.largest) < 0.01 for d in found.differences if d.n_beyond)  # px, or degrees
    assert next(d.n for d in found.differences if d.name == "Width") > 100 * N_FRAMES
