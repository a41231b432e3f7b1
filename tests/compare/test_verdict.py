"""Verdicts of comparisons: nothing that was left out may count as agreement."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.compare.columns import compare_column
from lightcurve.compare.tables import period_of
from lightcurve.core.errors import InputError

ROWS = 12


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def write_table(path: Path, *, rows: int = ROWS, **changes: np.ndarray | None) -> Path:
    """Write a table of one star with two kinds of time; None leaves a column out."""
    k = np.arange(ROWS)
    columns = {
        "Label": [f"f{i}.fits" for i in k],
        "JD_UTC": 2458107.6 + k * 0.003,
        "HJD_UTC": 2458107.604 + k * 0.003,
        "Source-Sky_T1": 1000.0 + k,
        "Peak_T1": 90.0 + k,
    } | changes
    columns = {name: list(v)[:rows] for name, v in columns.items() if v is not None}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "a.csv")


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
@pytest.mark.parametrize("option", ["--rtol", "--atol", "--time-tolerance"])
def test_a_tolerance_that_is_none_is_refused(option: str, value: str, table: Path) -> None:
    with pytest.raises(InputError, match=option):
        run("compare", table, table, option, value)


@pytest.mark.parametrize("option", ["--rtol", "--atol", "--time-tolerance"])
def test_nor_is_it_taken_with_frames(option: str, table: Path) -> None:
    with pytest.raises(InputError, match=option):
        run("compare", "--frames", table.parent, table, option, "nan")


def test_rows_without_partner_are_told_and_fail(table: Path, tmp_path: Path) -> None:
    one = write_table(tmp_path / "one.csv", rows=1)
    status, shown = run("compare", table, one, "--rtol", 0)
    assert status == 1
    assert "A a.csv: 11 rows have no partner" in shown
    assert "THEY DIFFER in 11 rows of A without partner." in shown
    status, shown = run("compare", one, table, "--rtol", 0, "--json")
    found = json.loads(shown)
    assert (status, found["agrees"]) == (1, False)
    assert found["reasons"] == ["11 rows of B without partner"]
    assert run("compare", table, one, "--rtol", 0, "--partial")[0] == 0
    assert run("compare", table, one)[0] == 0  # no verdict was asked for


def test_columns_of_one_side_are_listed_and_fail_where_named(table: Path, tmp_path: Path) -> None:
    less = write_table(tmp_path / "less.csv", Peak_T1=None)
    status, shown = run("compare", table, less, "--rtol", 0)
    assert status == 0
    assert "A a.csv alone has" in shown
    only = ("--only", "Source-Sky", "--only")
    status, shown = run("compare", table, less, "--rtol", 0, *only, "Peak", "--json")
    found = json.loads(shown)
    assert (status, found["agrees"], found["only_in"]["b"]) == (1, False, [])
    assert any("Peak_T1" in reason for reason in found["reasons"])
    with pytest.raises(InputError, match="--only Sky/Pixle: no such column"):
        run("compare", table, less, *only, "Sky/Pixle")


@pytest.mark.parametrize(("column", "days"), [("JD_UTC", 1.0), ("HJD_UTC", 0.5)])
def test_times_of_tables_without_light_curves_count(
    column: str, days: float, table: Path, tmp_path: Path
) -> None:
    """Neither table has comparison stars, hence no light curve; frames pair the rows."""
    start = {"JD_UTC": 2458107.6, "HJD_UTC": 2458107.604}[column]
    late = write_table(tmp_path / "b.csv", **{column: start + days + np.arange(ROWS) * 0.003})
    status, shown = run("compare", late, table, "--rtol", 0, "--json")
    found = {c["name"]: c for c in json.loads(shown)["columns"]}
    assert status == 1
    assert found[f"{column}, s"]["median"] == pytest.approx(days * 86400)
    assert found[f"{column}, s"]["n_beyond"] == ROWS
    assert run("compare", late, table, "--rtol", 0, "--time-tolerance", 90000)[0] == 0


def test_a_time_that_one_lacks_is_a_difference(table: Path, tmp_path: Path) -> None:
    jd = 2458107.6 + np.arange(ROWS) * 0.003
    jd[4] = np.nan
    hole = write_table(tmp_path / "b.csv", JD_UTC=jd)
    status, shown = run("compare", hole, table, "--rtol", 0, "--json")
    found = {c["name"]: c for c in json.loads(shown)["columns"]}
    assert (status, found["JD_UTC, s"]["n_one_sided"]) == (1, 1)


def test_huge_numbers_overflow_in_silence() -> None:
    found = compare_column("c", np.array([1e308, 1.0]), np.array([-1e308, 1.0]), ["x", "y"])
    assert found.largest == np.inf
    assert (found.n_beyond, found.where) == (1, "x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--columns", "a,b,c"), "--columns: .* header"),
        (("--time", "JD_UTC", "--time-kind", "bogus"), "--time-kind 'bogus'"),
        (("--time-kind", "jd_utc"), "name the column with --time"),
    ],
    ids=["columns", "bogus kind", "kind of nothing"],
)
def test_options_without_use_are_refused(options: tuple[str, ...], words: str, table: Path) -> None:
    with pytest.raises(InputError, match=words):
        run("compare", table, table, *options)


def test_angles_differ_by_the_shorter_way_round() -> None:
    a, b = np.array([359.9, 1.0, 10.0]), np.array([0.1, 179.0, 190.0])
    found = compare_column("Angle_T1", a, b, ["r", "s", "t"], atol=0.5, period=180.0)
    assert (found.largest, found.where, found.n_beyond) == (pytest.approx(2.0), "s", 1)
    assert found.rms == pytest.approx(np.sqrt((0.2**2 + 2.0**2) / 3))
    assert np.isnan(found.largest_relative)
    assert period_of("Angle_C12") == 180
    assert period_of("rotation") == 360
    assert period_of("Width_T1") is None


def test_columns_compared_under_other_names_are_not_called_alone(tmp_path: Path) -> None:
    flux = 1.0 + 0.01 * np.arange(ROWS)
    table = write_table(tmp_path / "b.csv", rel_flux_T1=flux, rel_flux_err_T1=0.01 * flux)
    other = tmp_path / "other.csv"
    lines = [f"{2458107.6 + k * 0.003},{f}" for k, f in enumerate(flux)]
    other.write_text("\n".join(["JD_UTC,flux", *lines]) + "\n")
    status, shown = run("compare", table, other, "--json")
    found = json.loads(shown)
    assert (status, found["only_in"]["b"]) == (0, [])
    assert "rel_flux_T1" not in found["only_in"]["a"]
    of_time = next(c for c in found["columns"] if c["name"] == "JD_UTC, s")
    assert of_time["largest_relative"] is None
    assert " inf " not in run("compare", table, other)[1]
