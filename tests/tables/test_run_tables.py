"""Our own tables: whole, repeatable, and read back to the last bit."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.columns import FRAMES
from lightcurve.core.data import Exposure, FrameResult
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.flags import Flag
from lightcurve.core.quantities import QUANTITIES
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.tables.columns import DESCRIPTION, write_table
from lightcurve.tables.run_tables import (
    read_lightcurve,
    scatter_to_stars,
    write_comparisons,
    write_lightcurve,
    write_stars,
)
from sim_cube import CubeTruth, simulate_cube

LIGHTCURVE_COLUMNS = QUANTITIES.names()


@pytest.fixture(scope="module")
def night():
    cube = simulate_cube(np.ones(40), CubeTruth(n_stars=12), np.random.default_rng(3))
    return cube, choose_curve(cube, Settings())


def test_round_trip_is_exact(night, tmp_path):
    cube, curve = night
    flux = curve.flux.copy()
    flux[3] = np.nan
    curve = replace(curve, flux=flux)
    path = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube)
    again = read_lightcurve(path)
    for name in ("jd_utc", "bjd_tdb", "flux", "flux_err", "target_flux", "comparison_flux"):
        np.testing.assert_array_equal(getattr(again, name), getattr(curve, name), err_msg=name)
    np.testing.assert_array_equal(again.file, curve.file)
    np.testing.assert_array_equal(again.flags, curve.flags)
    for name in ("airmass", "x", "y", "fwhm", "sky", "time"):
        np.testing.assert_array_equal(again.covariates[name], curve.covariates[name], err_msg=name)


def test_a_light_curve_is_read_with_the_stars_beside_it(night, tmp_path):
    """In its own order of frames, whatever theirs is; frames that they lack are NaN."""
    cube, curve = night
    path = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube)
    assert read_lightcurve(path).stars is None
    beside = write_comparisons(tmp_path / "comparisons.csv", curve, curve.stars)
    head, *rows = beside.read_text().splitlines()
    beside.write_text("\n".join([head, *rows[len(curve.stars.names) :][::-1]]) + "\n")
    again = read_lightcurve(path).stars
    assert sorted(again.names) == sorted(curve.stars.names)
    order = [again.names.index(name) for name in curve.stars.names]
    for name in ("flux", "flux_err"):
        values = getattr(again, name)[:, order]
        np.testing.assert_array_equal(values[1:], getattr(curve.stars, name)[1:])
        assert np.isnan(values[0]).all()
    other = write_lightcurve(tmp_path / "other.csv", curve, cube)
    assert read_lightcurve(other).stars is None


def test_same_input_same_bytes_and_no_leftovers(night, tmp_path):
    cube, curve = night
    path = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube)
    first = path.read_bytes()
    write_lightcurve(path, curve, cube)
    assert path.read_bytes() == first
    assert b"\r" not in first
    assert {p.name for p in tmp_path.iterdir()} == {"lightcurve.csv", DESCRIPTION}


def test_failed_frames_are_rows_in_order_of_time(night, tmp_path):
    cube, curve = night
    between = float(curve.jd_utc[4] + curve.jd_utc[5]) / 2
    failed = [
        FrameResult("unreadable.fits", "failed", "no FITS"),
        FrameResult("clouded.fits", "failed", "12 stars", Exposure(mid_jd_utc=between), sky=900.0),
    ]
    path = write_lightcurve(tmp_path / "lightcurve.csv", curve, cube, failed=failed)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert tuple(rows[0]) == LIGHTCURVE_COLUMNS
    assert len(rows) == len(curve.file) + 2
    assert rows[5]["file"] == "clouded.fits"
    assert rows[5]["rel_flux"] == ""
    assert float(rows[5]["sky"]) == 900.0
    assert rows[-1]["file"] == "unreadable.fits"
    again = read_lightcurve(path)
    assert again.flags[5] == again.flags[-1] == Flag.NOT_MEASURED
    assert np.isnan(again.flux[[5, -1]]).all()


def test_stars_and_frames_keep_words_and_quotes(night, tmp_path):
    cube, curve = night
    rows, weights = curve.recipe.comparison_rows, curve.recipe.weights
    extra = {"weight": scatter_to_stars(cube.plan, rows, weights)}
    path = write_stars(tmp_path / "stars.csv", cube.plan, extra)
    table = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["star"] for row in table] == list(cube.plan.star_id)
    assert float(table[rows[0]]["weight"]) == weights[0]
    assert table[0]["weight"] == ""
    frames = [{"file": 'a,"b"\n.fits', "kind": "light"}, {"file": "c.fits", "reason": "too few"}]
    path = write_table(tmp_path / "frames.csv", FRAMES, frames)
    table = list(csv.DictReader(path.read_text().splitlines()))
    assert table[0]["file"] == 'a,"b" .fits'
    assert table[1] == {"file": "c.fits", "kind": "", "reason": "too few"}


def _table(**cells):
    dates = {"jd_utc": "2458107.5", "bjd_tdb": "2458107.5"}
    row = [(dates | cells).get(name, "1") for name in LIGHTCURVE_COLUMNS]
    return ",".join(LIGHTCURVE_COLUMNS) + "\n" + ",".join(row) + "\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("time,flux\n1,2\n", "lacks rel_flux"),
        ("rel_flux,rel_flux_err,flags\n", "no rows"),
        (",".join(LIGHTCURVE_COLUMNS) + "\na,b\n", "row 2 has 2 cells"),
        (",".join(LIGHTCURVE_COLUMNS) + "\n" + ",".join(["x"] * 15) + "\n", "column jd_utc"),
        (_table(flags="99999999999"), "row 2: flags 99999999999: no whole number"),
        (_table(flags=""), "row 2: flags is empty"),
        (_table(jd_utc="58107.5"), "row 2: jd_utc 58107.5 is no Julian date"),
        (_table(flags="-3"), "row 2: flags -3"),
        (_table(flags="1.5"), "row 2: flags 1.5"),
        (_table(flags="inf"), "row 2: flags inf"),
        (_table(rel_flux="-1"), "median of rel_flux is -1"),
        (_table(rel_flux="1e308"), r"median of rel_flux is 1e\+308"),
        ("a\x00b", "binary"),
    ],
)
def test_other_files_are_refused_by_name(content, words, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_lightcurve(path)
    assert "odd.csv" in str(caught.value)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "nowhere" / "x.csv", "x")
