"""Dates in tables: what is no Julian date, or not UTC, is told and not used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import QUANTITIES
from lightcurve.tables.light_curves import ColumnChoice, read_curve

DAYS = 0.6 + np.arange(9) * 0.01


def write_csv(path: Path, column: str, values: list[object]) -> Path:
    lines = [f"{value},{1 + 0.001 * k}" for k, value in enumerate(values)]
    path.write_text("\n".join([f"{column},flux", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("column", "offset", "words"),
    [
        ("JD_UTC", 58107.0, r"JD_UTC 58107.6 is no Julian date: MJD\? \(9 rows\)"),
        ("BJD_TDB", 1107.0, r"BJD_TDB 1107.6 is no Julian date \(9 rows\)"),
        ("JD_UTC", 1e300, "JD_UTC 1e[+]300 is no Julian date"),
    ],
    ids=["mjd", "short", "huge"],
)
def test_a_wrong_kind_of_date_is_told(
    column: str, offset: float, words: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "t.csv", column, list(offset + DAYS))
    with pytest.raises(InputError, match=words):
        read_curve(path)
    with pytest.raises(InputError, match="give --time-kind"):
        read_curve(path, ColumnChoice(time=column))


def test_dates_of_a_time_zone_are_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "DATE-OBS", ["2017-12-20T02:00:00-07:00"] * 9)
    with pytest.raises(InputError, match="not UTC but of a time zone: 2017-12-20T02:00:00-07:00"):
        read_curve(path, ColumnChoice(time="DATE-OBS"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("jd_utc", 58107.6), ("bjd_tdb", 1e300), ("bjd_tdb", "inf"), ("jd_utc", 0.0)],
    ids=["mjd", "huge", "inf", "zero"],
)
def test_a_wrong_date_of_our_own_light_curve_is_named(
    column: str, value: object, tmp_path: Path
) -> None:
    rows = [
        {**dict.fromkeys(QUANTITIES.names(), 1.0), "file": f"f{k}.fits", "flags": 0}
        | {"jd_utc": 2458107.6 + 0.01 * k, "bjd_tdb": 2458107.6 + 0.01 * k}
        for k in range(9)
    ]

    def write(name: str) -> Path:
        lines = [",".join(str(row[c]) for c in QUANTITIES.names()) for row in rows]
        path = tmp_path / name
        path.write_text("\n".join([",".join(QUANTITIES.names()), *lines]) + "\n")
        return path

    good = write("good.csv")
    rows[3][column] = value
    bad = write("bad.csv")
    for pair in ([good, bad], [bad, good]):
        result = CliRunner().invoke(app, ["compare", *map(str, pair)])
        assert isinstance(result.exception, InputError)
        assert f"bad.csv: row 5: {column} {float(value):.12g} is no Julian" in str(result.exception)
    assert CliRunner().invoke(app, ["compare", str(good), str(good), "--rtol", "0"]).exit_code == 0
