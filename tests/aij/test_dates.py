"""Dates in AstroImageJ tables: a wrong one is told and not used."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import read_aij_table
from lightcurve.core.data import About

DAYS = 0.6 + np.arange(9) * 0.01


def write_csv(path: Path, column: str, values: list[object]) -> Path:
    lines = [f"{value},{1 + 0.001 * k}" for k, value in enumerate(values)]
    path.write_text("\n".join([f"{column},flux", *lines]) + "\n")
    return path


def test_one_wrong_date_leaves_the_others(tmp_path: Path) -> None:
    dates = 2458107 + DAYS
    dates[3] = 58107.0
    table = read_aij_table(write_csv(tmp_path / "t.csv", "JD_UTC", list(dates)))
    assert [(n.about, n.subject) for n in table.unusable] == [(About.NOT_JULIAN, "JD_UTC")]
    assert np.flatnonzero(np.isnan(table.times()["JD_UTC"])).tolist() == [3]
    mjd = write_csv(tmp_path / "m.csv", "MJD", list(58107.00012 + DAYS))
    assert read_aij_table(mjd).unusable == ()


def test_times_are_found_in_small_letters(tmp_path: Path) -> None:
    table = read_aij_table(write_csv(tmp_path / "t.csv", "jd_utc", list(2458107 + DAYS)))
    assert "JD_UTC" in table.times()
    assert "JD_UTC" not in table.missing
