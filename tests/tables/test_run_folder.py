"""A run folder stands for the table in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightcurve.core.errors import InputError
from lightcurve.tables.run_folder import read_record, table_of


def test_a_folder_stands_for_its_table(tmp_path: Path) -> None:
    table = tmp_path / "V" / "lightcurve.csv"
    table.parent.mkdir()
    table.touch()
    assert table_of(table.parent, "lightcurve.csv") == table
    assert table_of(table, "measurements.csv") == table
    assert table_of(tmp_path / "absent.csv", "lightcurve.csv") == tmp_path / "absent.csv"
    with pytest.raises(InputError, match=r"there are runs in it: V"):
        table_of(tmp_path, "lightcurve.csv")
    with pytest.raises(InputError, match=r"no measurements.csv of a finished run"):
        table_of(tmp_path, "measurements.csv")


@pytest.mark.parametrize("line", ["night = 5", '[night]\nexposure_s = "x"', "night.ra_deg = true"])
def test_a_record_whose_numbers_are_none_is_refused(tmp_path, line) -> None:
    (tmp_path / "run.toml").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="night"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("site", "= 3"),
        ("site", ".latitude_deg = 31.0"),
        ("site", "= {latitude_deg = 31.0, longitude_deg = 7.0, moon = 1}"),
        ("dilution", ".value = 1.0"),
        ("annulus_px", "= [9.0]"),
        ("planet", "= 'x'"),
    ],
)
def test_a_record_that_is_no_night_of_ours_is_refused(tmp_path: Path, name: str, rest: str) -> None:
    (tmp_path / "run.toml").write_text(f"[night]\n{name}{rest}\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"night\.{name}"):
        read_record(tmp_path)


def test_what_nobody_reads_of_a_record_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[night]\nsite.latitude_deg = 31\nnew = [1]\n")
    with pytest.raises(InputError, match=r"longitude_deg"):
        read_record(tmp_path)
    (tmp_path / "run.toml").write_text("[night]\nra_deg = 31\nnew = [1]\n")
    assert read_record(tmp_path)["night"]["ra_deg"] == 31
