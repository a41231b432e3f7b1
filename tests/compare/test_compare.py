"""Comparing: pairs and numbers by hand, tables in any mix, and tables with their own frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from typer.testing import CliRunner

from lightcurve.aij.find_rules import noise_from_errors
from lightcurve.aij.photometry import AijRecipe
from lightcurve.aij.read_table import read_aij_table
from lightcurve.cli import app
from lightcurve.compare.columns import compare_column, frame_key, match_labels, match_times
from lightcurve.compare.frames import MOVED, compare_with_frames, remeasure_table
from lightcurve.compare.result import Tolerance, write_comparison
from lightcurve.compare.tables import compare_files, spread_choices
from lightcurve.core import times
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.phot.noise import NoiseModel, flux_error, pixel_variance_model
from lightcurve.tables.light_curves import ColumnChoice
from sim_table import simulated_table

ANY = (ColumnChoice(), ColumnChoice())
TABLES = (
    *("hatp32_aij.csv", "hatp32_aij.tbl", "hatp32_aij_with_times.csv"),
    *("hatp32_aij_var_fwhm.csv", "hatp32_aij_nocentroid.csv"),
    *("hatp32_aij_nostarremoval.csv", "hatp32_aij_inexact.csv"),
)
PROMISED = (
    *("Source-Sky", "Sky/Pixel", "Source_Error", "Peak", "N_Src_Pixels", "rel_flux_T1"),
    *("rel_flux_err_T1", "X(FITS)", "Y(FITS)", "Width"),
)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_numbers_of_a_column_by_hand() -> None:
    a = np.array([1.0, 2.0, 3.5, np.nan, np.nan, 0.0])
    b = np.array([1.0, 2.5, 3.0, 4.0, np.nan, 0.0])
    found = compare_column("c", a, b, list("uvwxyz"), rtol=0.1, atol=0.3)
    assert (found.n, found.n_one_sided, found.where) == (4, 1, "v")
    assert found.median == 0
    assert found.rms == pytest.approx(np.sqrt(0.5 / 4))
    assert found.largest == -0.5
    assert found.largest_relative == pytest.approx(0.2)
    assert found.n_beyond == 1  # the one-sided one; 0.5 is within 0.3 + 0.1 * 2.5
    assert compare_column("c", a, b, list("uvwxyz"), rtol=0.1).n_beyond == 3
    empty = compare_column("c", a[3:5], b[3:5], ["x", "y"])
    assert (empty.n, empty.n_beyond) == (0, 1)
    assert np.isnan(empty.median)


def test_frames_are_known_by_any_spelling() -> None:
    assert frame_key(r"C:\night\A 1.FITS.gz") == frame_key("/data/a 1.fit") == "a 1"
    rows = match_labels(["b.fits", "", "a.fits", "a.fits", "z"], ["A.fit", "", "B", "a.fts.fz"])
    assert_array_equal(rows, [[0, 2, 3], [2, 0, 3]])


@settings(max_examples=60)
@given(
    n=st.integers(2, 40), seed=st.integers(0, 9999), jitter=st.floats(0, 0.45), drop=st.booleans()
)
def test_times_find_their_partners_in_any_order(
    n: int, seed: int, jitter: float, drop: bool
) -> None:
    rng = np.random.default_rng(seed)
    a = 2458107.5 + np.arange(n) * 0.002
    order = rng.permutation(n)
    b = (a + jitter * 0.002 * rng.uniform(-1, 1, n))[order]
    lost = rng.random(n) < 0.3 if drop else np.zeros(n, dtype=bool)
    lost[:2] = False
    b = np.where(lost, np.nan, b)
    rows_a, rows_b = match_times(a, b, tolerance=0.001)
    assert_array_equal(order[rows_b], rows_a)
    assert len(rows_a) == n - lost.sum()


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(InputError, match="negative"):
        match_times(np.arange(3.0), np.arange(3.0), tolerance=-1)


def write_csv(path: Path, header: str, *columns: np.ndarray) -> Path:
    rows = [",".join(repr(float(v)) for v in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def curve_csv(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    t = 2458107.6 + np.arange(40) * 0.003
    flux = 1 + 0.01 * np.sin(np.arange(40))
    return write_csv(tmp_path / "a.csv", "BJD_TDB,flux,flux_err", t, flux, flux * 0.002), t, flux


def test_a_scaled_copy_agrees_and_a_changed_point_is_named(curve_csv, tmp_path) -> None:
    path, t, flux = curve_csv
    changed = flux * 7.0
    same = write_csv(tmp_path / "b.csv", "BJD_TDB,f", t + 1e-6, changed)
    limits = Tolerance(rtol=1e-12, given=True)
    choices = spread_choices((path, same), (), {"flux": ["f"], "flux_kind": ["flux"]})
    found = compare_files((path, same), choices, Settings(), tolerance=limits, only=["BJD_TDB, s"])
    assert found.agrees
    assert found.matched_by == "BJD_TDB"
    assert found.differences[0].median == pytest.approx(-0.0864, abs=1e-4)
    changed[7] *= 1.001
    write_csv(same, "BJD_TDB,f", t, changed)
    found = compare_files((path, same), choices, Settings(), tolerance=limits)
    first = found.differences[0]
    assert (first.name, first.n, first.n_beyond) == ("relative flux", 40, 1)
    assert first.where == f"{t[7]:.6f}"
    assert first.largest == pytest.approx(-0.001 * flux[7], rel=0.02)
    assert found.agrees is False


def test_an_exotic_curve_and_our_own_times(curve_csv, tmp_path) -> None:
    """EXOTIC comments its header and gives BJD_TDB; a table of JD_UTC needs the star's place."""
    path, t, flux = curve_csv
    exotic = tmp_path / "FinalLightCurve_X_b_2017.csv"
    lines = ["# FINAL TIMESERIES OF X b", "# BJD_TDB,Orbital Phase,Flux,Uncertainty,Model,Airmass"]
    pairs = zip(t.tolist(), flux.tolist(), strict=True)
    lines += [f"{x!r}, 0.0, {f!r}, 0.002, 1.0, 1.1" for x, f in pairs]
    exotic.write_text("\n".join(lines) + "\n")
    found = compare_files((exotic, path), ANY, Settings(), tolerance=Tolerance(1e-9, given=True),
                          only=["relative flux", "BJD_TDB, s"])  # fmt: skip
    assert found.agrees
    assert found.rows == (40, 40, 40)
    jd = t - 0.004
    civil = write_csv(tmp_path / "civil.csv", "JD_UTC,flux", jd, flux)
    place = make_settings({"target": {"ra": "31.0428", "dec": "46.6878"}})
    with pytest.raises(InputError, match="--time"):
        compare_files((exotic, civil), ANY, Settings(), tolerance=Tolerance())
    found = compare_files((exotic, civil), ANY, place, tolerance=Tolerance())
    off = (t - times.bjd_tdb(jd, 31.0428, 46.6878, None)) * 86400
    assert abs(np.median(off)) < 130
    assert next(d for d in found.differences if d.name == "BJD_TDB, s").median == pytest.approx(
        np.median(off), abs=1e-3
    )
    assert any("computed from its JD_UTC" in note for note in found.notes)


def test_an_aavso_report_of_exotic_says_what_its_dates_are(curve_csv, tmp_path) -> None:
    path, t, flux = curve_csv
    report = tmp_path / "AAVSO_X_b.txt"
    lines = ["#TYPE=EXOPLANET", "#DELIM=,", "#DATE_TYPE=BJD_TDB", '#COMP_STAR-XC={"ra": "1.0"}']
    lines += ["#RESULTS=Tc=2458107.7 +/- 0.001", "#DATE,DIFF,ERR,DETREND_1,DETREND_2"]
    lines += [f"{x:.8f},{3 * f:.7f},0.006,1.2,1.0" for x, f in zip(t, flux, strict=True)]
    report.write_text("\n".join(lines) + "\n")
    limits = Tolerance(1e-6, given=True)
    found = compare_files((report, path), ANY, Settings(), tolerance=limits)
    columns = {d.name: d for d in found.differences}
    assert found.matched_by == "BJD_TDB"
    assert columns["relative flux"].n_beyond == 0
    assert columns["BJD_TDB, s"].n_beyond == 0


def test_files_without_header_and_columns_for_each(curve_csv, tmp_path) -> None:
    path, t, flux = curve_csv
    bare = tmp_path / "bare.txt"
    bare.write_text(
        "\n".join(f"{x!r} {f!r}" for x, f in zip(t.tolist(), flux.tolist(), strict=True))
    )
    pair = (path, bare)
    choices = spread_choices(pair, ("when", "light"), {
        "time": ["when"], "flux": ["-", "light"], "time_kind": ["bjd_tdb"],
    })  # fmt: skip
    assert choices[0] == ColumnChoice()
    limits = Tolerance(1e-12, given=True)
    found = compare_files(pair, choices, Settings(), tolerance=limits, only=["relative flux"])
    assert found.agrees


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flux": ["nonsense"]}, "nonsense"),
        ({"target": ["T7"]}, "a star 'T7'"),
        ({"flux": ["a", "b", "c"]}, "two files"),
    ],
)
def test_columns_that_are_not_there(curve_csv, given, words) -> None:
    path = curve_csv[0]
    with pytest.raises(InputError, match=words):
        spread_choices((path, path), (), given)


def test_rows_that_never_meet(curve_csv, tmp_path) -> None:
    path, t, flux = curve_csv
    later = write_csv(tmp_path / "later.csv", "BJD_TDB,flux", t + 30, flux)
    with pytest.raises(InputError, match="no rows at the same time"):
        compare_files((path, later), ANY, Settings(), tolerance=Tolerance())
    with pytest.raises(InputError, match="frame"):
        compare_files((path, later), ANY, Settings(), tolerance=Tolerance(), by="frame")
    with pytest.raises(InputError, match="--by"):
        compare_files((path, later), ANY, Settings(), tolerance=Tolerance(), by="luck")
    with pytest.raises(InputError, match="--only zzz: no such column"):
        compare_files((path, path), ANY, Settings(), tolerance=Tolerance(), only=["zzz"])


def test_the_command_writes_shows_and_sets_its_status(curve_csv, tmp_path) -> None:
    path, t, flux = curve_csv
    other = write_csv(tmp_path / "b.csv", "BJD_TDB,flux,flux_err", t, flux + 1e-4, flux * 0.002)
    out = tmp_path / "out"
    status, shown = run("compare", path, other, "--atol", "1e-3", "--out", out)
    assert status == 0
    assert "They agree." in shown
    assert (out / "comparison.csv").read_text().startswith("name,n,")
    assert (out / "comparison.png").stat().st_size > 5000
    status, shown = run("compare", path, other, "--rtol", "1e-6", "--only", "flux", "--json")
    found = json.loads(shown)
    assert (status, found["agrees"], found["rows"]["matched"]) == (1, False, 40)
    assert found["columns"][0]["name"] == "flux"
    assert found["columns"][0]["n_beyond"] == 40
    status, shown = run("compare", path, other, "--json")
    assert (status, json.loads(shown)["agrees"]) == (0, None)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path) -> None:
    t = 2460000.7 + 0.002 * np.arange(40)
    paths = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "a.csv"
        paths.append(write_csv(path, "BJD_TDB,flux,flux_err", t, 1 + 0 * t, 0.001 + 0 * t))
    found = json.loads(run("compare", *paths, "--json")[1])
    assert [found["a"], found["b"]] == [str(path) for path in paths]


def test_the_command_says_what_it_needs(curve_csv, tmp_path) -> None:
    with pytest.raises(InputError, match="--frames"):
        run("compare", curve_csv[0])
    with pytest.raises(InputError, match="--frames"):
        run("compare", curve_csv[0], curve_csv[0], "--frames", tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gain", 2], "--gain does nothing without --frames"),
        (["--annulus", 9, 15], "--annulus does nothing without --frames"),
        (["--frames", ".", "--ra", 2], "--ra does nothing with --frames"),
        (["--frames", ".", "--height", 2], "--height does nothing with --frames"),
    ],
    ids=["gain", "annulus", "ra", "height"],
)
def test_options_that_would_do_nothing_are_refused(curve_csv, options, words) -> None:
    with pytest.raises(InputError, match=words):
        run("compare", curve_csv[0], *options)


@pytest.mark.parametrize("name", TABLES)
def test_our_engine_gives_astroimagej_s_numbers(shared_data: Path, name: str) -> None:
    """Every row and star of every column, from the table's own positions."""
    found = compare_with_frames(
        shared_data / "hatp32",
        shared_data / "hatp32-aij" / name,
        Settings(),
        tolerance=Tolerance(1e-9, given=True),
    )
    columns = {d.name: d for d in found.differences}
    assert found.agrees, [d for d in found.differences if d.n_beyond]
    assert all(columns[c].n in {142, 852} and columns[c].n_one_sided == 0 for c in PROMISED)
    assert (MOVED in columns) == ("nocentroid" not in name)
    told = {one.name: one for one in found.values}
    assert told["gain"].value == pytest.approx(10, rel=1e-5)
    # The square root of 12^2 and 6 electrons of dark.
    assert told["read noise"].value == pytest.approx(150**0.5, rel=1e-5)
    assert ("stars left in" in told["sky level"].text) == ("nostar" in name)
    assert ("whole" in told["pixels"].text) == ("inexact" in name)


def test_gain_and_read_noise_come_back_from_errors() -> None:
    rng = np.random.default_rng(3)
    flux, sky = rng.uniform(-50, 9e4, 30), rng.uniform(0, 900, 30)
    area, n_sky = rng.uniform(50, 300, 30), rng.integers(200, 900, 30).astype(float)
    truth = NoiseModel(1.37, 8.9)
    error = flux_error(flux, area, pixel_variance_model(sky, truth), n_sky, 1.37)
    found = noise_from_errors(error, flux, sky, area, n_sky)
    assert_allclose([found.gain_e_per_adu, found.read_noise_e], [1.37, 8.9], rtol=1e-9)
    assert noise_from_errors(error[:2], flux[:2], sky[:2], area[:2], n_sky[:2]) is None


RECIPES = {
    "moment centroid": AijRecipe(5.0, (9.0, 15.0), centroid="moment"),
    "odd radius": AijRecipe(4.37, (8.5, 13.25)),
    "plane": AijRecipe(5.0, (9.0, 15.0), remove_stars=False, plane=True),
    "fixed places": AijRecipe(5.5, (9.0, 15.0), centroid="none", exact=False),
    "follows the seeing": AijRecipe(5.0, (9.0, 15.0), fwhm_factor=1.2),
}


@pytest.mark.parametrize("name", RECIPES)
def test_other_rules_are_found_by_trial(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    path = simulated_table(tmp_path, recipe)
    again = remeasure_table(tmp_path, path, Settings())
    rules = again.rules.recipe
    assert rules.remove_stars == recipe.remove_stars
    assert (rules.plane, rules.exact) == (recipe.plane, recipe.exact)
    assert (rules.centroid == "none") == (recipe.centroid == "none")
    assert rules.noise.gain_e_per_adu == pytest.approx(1.5, rel=1e-9)
    assert not [d for d in again.differences(Tolerance(1e-9)) if d.n_beyond]


def test_a_radius_from_a_radial_profile(tmp_path: Path) -> None:
    """Its widths were measured at a base radius with a sky that the table does not tell."""
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0)))
    lines = path.read_text().splitlines()
    more = ["\tRadial_Cutoff\tSource_Rad(base)", *["\t0.01\t7"] * (len(lines) - 1)]
    path.write_text("\n".join(a + b for a, b in zip(lines, more, strict=True)) + "\n")
    found = compare_with_frames(tmp_path, path, Settings(), tolerance=Tolerance(1e-9, given=True))
    assert found.agrees
    assert "Width" not in {d.name for d in found.differences}
    (widths,) = (one for one in found.values if one.name == "widths")
    assert widths.text.startswith("not compared")


def test_the_table_s_times_are_held_against_the_headers(tmp_path: Path) -> None:
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0)))
    assert any("times: not compared" in note for note in frames_result(tmp_path, path)["notes"])
    for k in range(4):
        fits.setval(tmp_path / f"f{k}.fits", "DATE-OBS", value=f"2017-12-20T01:0{k}:00.000")
        fits.setval(tmp_path / f"f{k}.fits", "EXPTIME", value=60.0)
    # 2017-12-20 01:00:30 UTC and each minute after; the third row 5 s early
    jd = 2458107.5 + (3600 + 30 + 60 * np.arange(4)) / 86400
    jd[2] -= 5 / 86400
    lines = path.read_text().splitlines()
    more = ["\tJD_UTC", *(f"\t{value:.9f}" for value in jd)]
    path.write_text("\n".join(a + b for a, b in zip(lines, more, strict=True)) + "\n")
    found = frames_result(tmp_path, path)
    times = next(c for c in found["columns"] if c["name"] == "JD_UTC, s")
    assert (found["agrees"], found["reasons"]) == (False, ["JD_UTC, s"])
    assert (times["n"], times["n_beyond"], times["where"]) == (4, 1, "f2.fits")
    assert times["largest"] == pytest.approx(5, abs=1e-3)
    assert "JD_UTC" not in found["only_in"]["b"]
    assert frames_result(tmp_path, path, "--time-tolerance", 6)["agrees"]


def frames_result(folder: Path, table: Path, *options: object) -> dict:
    return json.loads(run("compare", "--frames", folder, table, "--json", *options)[1])


def test_changed_frames_and_missing_ones_are_told(tmp_path: Path) -> None:
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0)))
    with fits.open(tmp_path / "f2.fits", mode="update") as hdus:
        hdus[0].data = hdus[0].data + np.int16(3)
    (tmp_path / "f3.fits").unlink()
    status, shown = run("compare", "--frames", tmp_path, path, "--json")
    found = json.loads(shown)
    columns = {c["name"]: c for c in found["columns"]}
    assert status == 1
    assert columns["Source-Sky"]["n_beyond"] == 0  # a pedestal leaves the flux
    assert columns["Sky/Pixel"]["n_beyond"] == 3
    assert columns["Sky/Pixel"]["where"].startswith("f2.fits")
    assert columns["Sky/Pixel"]["largest"] == pytest.approx(3)
    assert any("1 frames are not there, such as f3.fits" in note for note in found["notes"])


def test_a_table_that_cannot_be_measured_again(tmp_path: Path, curve_csv) -> None:
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0)))
    with pytest.raises(InputError, match="Label"):
        remeasure_table(tmp_path, curve_csv[0], Settings())
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="none of the 4 frames"):
        remeasure_table(empty, path, Settings())
    text = path.read_text().replace("Source_Radius", "Something")
    path.write_text(text)
    with pytest.raises(InputError, match="--radius"):
        remeasure_table(tmp_path, path, Settings())
    own = make_settings(
        {"apertures": {"radii": [5.0]}, "camera": {"gain_e_per_adu": 1.5, "read_noise_e": 7.0}}
    )
    again = remeasure_table(tmp_path, path, own)
    assert not [d for d in again.differences(Tolerance(1e-9)) if d.n_beyond]


def test_what_was_written_is_what_was_compared(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "hatp32-aij"
    pair = (folder / "hatp32_aij.csv", folder / "hatp32_aij.tbl")
    found = compare_files(pair, ANY, Settings(), tolerance=Tolerance(given=True))
    assert found.agrees
    assert found.matched_by == "frame"
    files = write_comparison(tmp_path, found)
    table = read_aij_table(files["table"])
    assert len(table) == len(found.differences) > 100


def test_every_public_table_is_compared_with_itself(shared_data: Path) -> None:
    for path in sorted((shared_data / "aij-tables").iterdir()):
        if path.suffix == ".aperture":
            continue
        names = ("BJD_TDB", "rel_flux_T1", "rel_flux_err_T1") if "no_header" in path.name else ()
        choices = spread_choices((path, path), names, {})
        found = compare_files((path, path), choices, Settings(), tolerance=Tolerance(given=True))
        assert found.agrees, path.name
        assert found.rows[0] == found.rows[1] == found.rows[2], path.name
        assert found.differences[0].name == "relative flux", path.name
        assert found.differences[0].n == found.rows[0], path.name


@pytest.mark.parametrize(
    ("size", "unit"), [(0.01, "%"), (2e-6, "ppm"), (3e-9, "ppb"), (2e-15, "1e-15"), (0, "1e-15")]
)
def test_the_figure_takes_the_unit_that_suits(size: float, unit: str, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    from lightcurve.compare.result import draw_difference, draw_histogram, draw_two_curves

    time, flux = np.arange(50.0), 1 + 0.01 * np.sin(np.arange(50))
    flux[3] = np.nan
    difference = size * np.cos(np.arange(50))
    difference[3] = np.nan
    above, below, beside = Figure().subplots(3, 1)
    theirs, ours = draw_two_curves(above, time, flux, flux + difference, ("ours", "theirs"))
    assert_array_equal(theirs.get_ydata(), flux + difference)
    assert_array_equal(ours.get_ydata(), flux)
    factor, name = draw_difference(below, time, difference)
    assert name == unit
    bars = draw_histogram(beside, difference * factor)
    assert sum(bar.get_width() for bar in bars) == 49


def test_our_light_curve_and_a_plain_table(shared_data: Path, tmp_path: Path) -> None:
    """Named columns are for the plain table alone; ours needs none."""
    from lightcurve.curve.choose import choose_curve
    from lightcurve.tables.run_tables import write_lightcurve
    from sim_cube import CubeTruth, simulate_cube

    cube = simulate_cube(np.ones(25), CubeTruth(n_stars=6), np.random.default_rng(3))
    curve = choose_curve(cube, Settings())
    ours = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube)
    columns = (cube.jd_utc - 2400000.5, curve.target_flux, curve.comparison_flux)
    plain = write_csv(tmp_path / "plain.csv", "t,star,others", *columns)
    named = ("--time", "t", "--time-kind", "mjd_utc", "--flux", "star", "--divide-by", "others")
    status, shown = run(
        "compare", ours, plain, *named, "--only", "relative flux", "--rtol", "1e-9", "--json"
    )
    found = json.loads(shown)
    assert (status, found["agrees"], found["matched_by"]) == (0, True, "JD_UTC")
    assert found["columns"][0]["n"] == 25


def test_a_read_noise_needs_its_gain(tmp_path: Path) -> None:
    path = simulated_table(tmp_path, AijRecipe(5.0, (9.0, 15.0)))
    with pytest.raises(InputError, match="--read-noise without --gain"):
        remeasure_table(tmp_path, path, make_settings({"camera": {"read_noise_e": 5.0}}))
