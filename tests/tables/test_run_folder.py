"""A run folder stands for the table in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightcurve.core.errors import InputError
from lightcurve.tables.run_folder import table_of


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
