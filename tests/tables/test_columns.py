"""Tables that grow: other columns, orders, versions and separators give the same points or none."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.table import Table
from matplotlib.image import imread

from lightcurve.core.columns import LIGHTCURVE, MODEL, STARS, TABLES, columns_in_markdown
from lightcurve.core.covariates import COVARIATES, Covariate
from lightcurve.core.data import LightCurve, Measurements
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.quantities import QUANTITIES, Panel, Quantity, night_panels
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.exports.submission import Submission, usable_points
from lightcurve.report.night import save_night
from lightcurve.tables.columns import DESCRIPTION, read_table, write_table
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_tables import read_lightcurve, write_lightcurve
from sim_cube import CubeTruth, simulate_cube

N = 72
SAME = ("file", "jd_utc", "bjd_tdb", "flux", "flux_err", "flags")


@pytest.fixture(scope="module")
def night() -> tuple[Measurements, LightCurve]:
    """A night of 72 points, six of them flagged."""
    cube = simulate_cube(np.ones(N), CubeTruth(n_stars=12), np.random.default_rng(3))
    curve = choose_curve(cube, Settings())
    flags = np.zeros(N, np.uint16)
    flags[[3, 9, 20]] = Flag.CLOUD
    flags[[33, 51, 70]] = Flag.OUTLIER
    return cube, replace(curve, flags=flags)


@pytest.fixture
def path(night: tuple[Measurements, LightCurve], tmp_path: Path) -> Path:
    return write_lightcurve(tmp_path / "lightcurve.csv", night[1], night[0])


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def put(path: Path, rows: list[list[str]], delimiter: str = ",") -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue())


def n_used(curve: LightCurve) -> int:
    return int(usable_points(Submission(curve)).sum())


def one_more(path: Path) -> None:
    rows = rows_of(path)
    put(path, [[*row, "humidity" if k == 0 else str(k)] for k, row in enumerate(rows)])


def reordered(path: Path) -> None:
    put(path, [row[::-1] for row in rows_of(path)])


def without_description(path: Path) -> None:
    (path.parent / DESCRIPTION).unlink()


def without_quality(path: Path) -> None:
    keep = [name not in {"airmass", "shift", "rotation", "sky"} for name in rows_of(path)[0]]
    put(path, [[c for c, kept in zip(row, keep, strict=True) if kept] for row in rows_of(path)])


def little_left_and_alone(path: Path) -> None:
    keep = [name in {"file", "bjd_tdb", "jd_utc", "rel_flux", "rel_flux_err", "flags"}
            for name in rows_of(path)[0]]  # fmt: skip
    put(path, [[c for c, kept in zip(row, keep, strict=True) if kept] for row in rows_of(path)])
    without_description(path)


def from_a_spreadsheet(path: Path) -> None:
    rows = rows_of(path)
    put(path, [rows[0], *([c.replace(".", ",") if k else c for k, c in enumerate(row)]
                          for row in rows[1:])], delimiter=";")  # fmt: skip
    without_description(path)


def with_remarks(path: Path) -> None:
    path.write_text("# a night\n# of mine\n" + path.read_text())


def from_pandas(path: Path) -> None:
    pd.read_csv(path, dtype=str).to_csv(path)  # with its row numbers


def from_astropy(path: Path) -> None:
    Table.read(path).write(path, format="ascii.ecsv", overwrite=True)  # blanks between


def reread_with_holes(path: Path) -> None:
    one_more(path)
    put(path, [[*row[:-1], "" if k == 5 else row[-1]] for k, row in enumerate(rows_of(path))])
    from_astropy(path)


def in_capitals(path: Path) -> None:
    rows = rows_of(path)
    put(path, [[name.upper() for name in rows[0]], *rows[1:]])


def in_capitals_and_alone(path: Path) -> None:
    in_capitals(path)
    without_description(path)


def of_a_later_minor_version(path: Path) -> None:
    one_more(path)
    set_version(path, "lightcurve.csv 1.7")


def set_version(path: Path, told: str) -> None:
    content = json.loads((path.parent / DESCRIPTION).read_text())
    for entry in content["tables"]:
        entry["dc:conformsTo"] = told
    (path.parent / DESCRIPTION).write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [one_more, reordered, without_description, without_quality, little_left_and_alone,
     from_a_spreadsheet, from_pandas, from_astropy, reread_with_holes, with_remarks,
     of_a_later_minor_version, in_capitals, in_capitals_and_alone],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_another_layout_gives_the_same_points(
    change: Callable[[Path], None], night: tuple[Measurements, LightCurve], path: Path
) -> None:
    assert n_used(night[1]) == N - 6
    change(path)
    again = read_curve(path)
    for name in SAME:
        np.testing.assert_array_equal(getattr(again, name), getattr(night[1], name), err_msg=name)
    assert n_used(again) == N - 6


def test_a_missing_column_is_nan_and_an_unknown_one_is_kept(path: Path) -> None:
    one_more(path)
    assert read_curve(path).columns["humidity"].tolist() == list(range(1, N + 1))
    assert read_curve(path).to_table()["humidity"].tolist() == list(range(1, N + 1))
    without_quality(path)
    curve = read_curve(path)
    assert np.isnan(curve.covariates["airmass"]).all()
    assert np.isnan(curve.columns["rotation"]).all()
    assert np.isfinite(curve.covariates["fwhm"]).all()


def test_an_unknown_column_is_written_again(
    night: tuple[Measurements, LightCurve], path: Path
) -> None:
    one_more(path)
    again = write_lightcurve(path, replace(night[1], columns=read_curve(path).columns), night[0])
    assert read_curve(again).columns["humidity"].tolist() == list(range(1, N + 1))


@pytest.mark.parametrize("gone", ["flags", "rel_flux_err"])
def test_without_what_makes_the_points_it_is_refused(gone: str, path: Path) -> None:
    (column,) = [k for k, name in enumerate(rows_of(path)[0]) if name == gone]
    put(path, [row[:column] + row[column + 1 :] for row in rows_of(path)])
    for alone in (False, True):
        if alone:
            without_description(path)
        with pytest.raises(InputError, match=gone):
            read_curve(path)
    curve = read_curve(path, ColumnChoice(time="bjd_tdb", flux="rel_flux"))  # asked for by name
    assert np.isfinite(curve.flux).all()


def test_a_newer_layout_is_refused(path: Path) -> None:
    set_version(path, "lightcurve.csv 2.0")
    with pytest.raises(InputError, match=r"layout 2\.0.*reads up to 1\.x"):
        read_curve(path)
    set_version(path, "stars.csv 1.0")
    with pytest.raises(InputError, match=r"it is a stars\.csv"):
        read_lightcurve(path)


@pytest.mark.parametrize("table", [*TABLES], ids=lambda table: table.name)
def test_every_table_is_described_and_opened_by_all(table, tmp_path: Path) -> None:
    rows = [{c.name: "word" if c.kind == "string" else 1 for c in table.columns}] * 3
    path = write_table(tmp_path / table.name, table, rows)
    names = [column.name for column in table.columns]
    assert list(pd.read_csv(path).columns) == names
    assert Table.read(path).colnames == names
    assert rows_of(path)[0] == names
    (entry,) = json.loads((tmp_path / DESCRIPTION).read_text())["tables"]
    columns = entry["tableSchema"]["columns"]
    assert [column["name"] for column in columns] == names
    assert all(column["dc:description"] for column in columns)
    for column in columns:
        units.Unit(column.get("schema:unitText", ""))
    cells = read_table(path, table)
    assert cells.n_rows == 3
    set_version(path, f"{table.name} {table.version[0] + 1}.0")
    with pytest.raises(InputError, match="newer"):
        read_table(path, table)


def test_one_description_holds_all_tables_of_a_folder(path: Path) -> None:
    write_table(path.parent / "stars.csv", STARS, [{"star": "T1", "role": "target"}])
    before = (path.parent / DESCRIPTION).read_bytes()
    write_table(path.parent / "stars.csv", STARS, [{"star": "T1", "role": "target"}])
    assert (path.parent / DESCRIPTION).read_bytes() == before
    tables = json.loads(before)["tables"]
    assert [entry["url"] for entry in tables] == ["lightcurve.csv", "stars.csv"]


def test_a_description_of_others_says_nothing_and_a_broken_one_is_an_error(path: Path) -> None:
    (path.parent / DESCRIPTION).write_text('{"url": "lightcurve.csv", "tables": 3}')
    assert n_used(read_curve(path)) == N - 6
    (path.parent / DESCRIPTION).write_text("{")
    with pytest.raises(InputError, match=DESCRIPTION):
        read_curve(path)
    write_table(path.parent / "model.csv", MODEL, [])
    assert n_used(read_curve(path)) == N - 6


def test_a_quantity_added_at_run_time_is_written_described_and_read(
    night: tuple[Measurements, LightCurve], tmp_path: Path
) -> None:
    entry = Quantity(
        "dummy", "twice the airmass", "mag", measured=lambda m: 2 * m.airmass, panel=Panel("Dummy")
    )
    QUANTITIES.register(entry)
    COVARIATES.register(Covariate("dummy", "a dummy", ("dummy",)))
    try:
        measured = choose_curve(night[0], Settings())
        path = write_lightcurve(tmp_path / "lightcurve.csv", night[1], night[0])
        curve = read_lightcurve(path)
        assert "| `dummy` | mag | twice the airmass |" in columns_in_markdown(LIGHTCURVE.columns)
        panels = night_panels(measured)
        (told,) = json.loads((tmp_path / DESCRIPTION).read_text())["tables"]
    finally:
        del QUANTITIES.entries["dummy"], COVARIATES.entries["dummy"]
    np.testing.assert_array_equal(measured.covariates["dummy"], 2 * night[0].airmass)
    np.testing.assert_array_equal(curve.covariates["dummy"], 2 * night[0].airmass)
    np.testing.assert_array_equal(curve.columns["dummy"], 2 * night[0].airmass)
    fewer = [panel for panel in panels if panel[0].label != "Dummy"]
    plain, taller = (
        imread(save_night(tmp_path / "night.png", measured, shown)) for shown in (fewer, panels)
    )
    labels = [panel.label for panel, _ in panels]
    assert labels == [
        "Shift (px)", "Rotation (deg)", "Sky (ADU)", "FWHM (px)", "Dummy", "Airmass"
    ]  # fmt: skip
    assert taller.shape[0] > plain.shape[0]
    column = told["tableSchema"]["columns"][-1]
    assert (column["name"], column["schema:unitText"]) == ("dummy", "mag")
    np.testing.assert_array_equal(  # unknown to a program without it, and kept
        read_lightcurve(path).columns["dummy"], 2 * night[0].airmass
    )


def test_a_curve_is_a_table_with_units(night: tuple[Measurements, LightCurve], path: Path) -> None:
    for curve in (night[1], read_lightcurve(path)):
        table = curve.to_table()
        assert tuple(table.colnames) == QUANTITIES.names()
        assert table["bjd_tdb"].unit == "d"
        assert table["shift"].description == QUANTITIES.get("shift").description
        np.testing.assert_array_equal(table["rel_flux"], curve.flux)


def test_every_quantity_is_read_back_somewhere(path: Path) -> None:
    curve = read_lightcurve(path)
    for quantity in QUANTITIES:
        places = (
            getattr(curve, quantity.attribute) if quantity.attribute else None,
            curve.columns.get(quantity.name),
        )
        assert sum(place is not None for place in places) == 1, quantity.name
    assert LIGHTCURVE.columns is QUANTITIES
    assert math.isnan(read_table(path, LIGHTCURVE).numbers("absent")[0])


@pytest.mark.parametrize(
    ("kept", "lacking"),
    [
        (("bjd_tdb", "rel_flux", "rel_flux_err", "airmass"), "flags"),
        (("bjd_tdb", "rel_flux_err", "airmass", "flags"), "rel_flux"),
    ],
)
def test_a_part_of_ours_that_would_give_other_points_is_refused(
    kept: tuple[str, ...], lacking: str, path: Path
) -> None:
    """Read as another's table it would lose its flags without a word."""
    keep = [name in kept for name in rows_of(path)[0]]
    put(path, [[c for c, here in zip(row, keep, strict=True) if here] for row in rows_of(path)])
    without_description(path)
    with pytest.raises(InputError, match=rf"it lacks {lacking}; --time, --flux"):
        read_curve(path)
    choice = ColumnChoice(time="bjd_tdb", flux=kept[1], flux_kind="flux")
    assert np.isfinite(read_curve(path, choice).flux).any()
