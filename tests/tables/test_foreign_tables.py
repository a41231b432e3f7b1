"""Whole files of programs, spreadsheets and space telescopes: read as what they are, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest

import foreign_tables
from foreign_tables import KINDS
from lightcurve.aij.cut_table import cut_table, told_by
from lightcurve.core.errors import InputError
from lightcurve.core.table_text import parse_numbers
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.missions import MISSIONS
from odd_tables import draw_truth, judge, outcome

LIGHT_CURVES, CUT = "lightcurve.tables.light_curves", "lightcurve.aij.cut_table"
SEED = 17


@pytest.fixture(scope="module")
def truth():
    return draw_truth(np.random.default_rng(SEED))


def faults(kind, truth, folder) -> Iterator[str]:
    """Read each file when the one before has been judged: who looks for one fault waits for one."""
    for case in kind(truth, np.random.default_rng(SEED)):
        if why := judge(outcome(folder / "t.csv", case), case):
            yield f"{case.name}: {why}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_file_is_read_as_what_it_is_or_refused(kind, truth, tmp_path) -> None:
    assert list(faults(kind, truth, tmp_path)) == []


MENDS = (
    ("layouts", f"{LIGHT_CURVES}._refuse_same_times", None),
    ("layouts", f"{LIGHT_CURVES}._refuse_several", None),
    ("layouts", f"{CUT}.UNITS.fullmatch", None),
    ("marks", f"{CUT}._how_cut", lambda body, _: (",", len(body[-1].split(",")))),
    (
        "marks",
        f"{CUT}._fit_rows",
        lambda width, rows, *_: [(r + width * [""])[:width] for r in rows],
    ),
    ("missions", "lightcurve.tables.missions.mission_of", ""),
    ("missions", f"{LIGHT_CURVES}.kind_told", ""),
)


@pytest.mark.parametrize(("kind", "mend", "without"), MENDS, ids=[m[1] for m in MENDS])
def test_they_find_what_is_wrong_without_each_mend(kind, mend, without, truth, tmp_path) -> None:
    instead = without if callable(without) else lambda *_, **__: without
    if mend.endswith(".fullmatch"):
        mend, instead = mend.removesuffix(".fullmatch"), foreign_tables.Nothing()
    with patch(mend, instead):
        assert any(faults(getattr(foreign_tables, kind), truth, tmp_path))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,234.5", "2"], [1234.5, 2]),
        (["1.234,5", "2"], [1234.5, 2]),
        (["2459000,123", "0,5"], [2459000.123, 0.5]),
        (["1,234,567", "1,000"], [1234567, 1000]),
        (["0,998", "1,002"], [0.998, 1.002]),
        (["1'234.5", "12\u202f345"], [1234.5, 12345]),
        (["0.1D-02", "\u22121.5"], [0.001, -1.5]),
        (["--", "1"], [np.nan, 1]),
        (["1,234", "5,678"], None),  # either, and nothing tells
        (["1,234.5", "0,998"], None),  # they contradict
        (["1 234", "2"], None),
        (["cloud", "1"], None),
    ],
)
def test_numbers_in_the_marks_of_any_country(cells, values) -> None:
    found = parse_numbers(cells)
    if values is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, values)


def test_what_a_comma_is_may_be_told_by_other_columns() -> None:
    np.testing.assert_array_equal(parse_numbers(["1,234"], comma_is_point=True), [1.234])
    np.testing.assert_array_equal(parse_numbers(["1,234"], comma_is_point=False), [1234])


def test_rows_with_more_cells_than_columns_are_refused() -> None:
    with pytest.raises(InputError, match="row 2 has 4 cells and the header 3"):
        cut_table(["a,b,c", "1,2,3", "1,2,3,4", "1,2,3", "1,2,3"], "t.csv", [])


def test_what_comments_tell() -> None:
    told = told_by(["# MISSION = 'TESS'", "# - {TELESCOP: Kepler}", "#       format: btjd"])
    assert told == {"MISSION": "TESS", "TELESCOP": "Kepler", "TIME FORMAT": "btjd"}
    assert {name.lower() for name in told.values()} - {"btjd"} <= {m.lower() for m in MISSIONS}


@pytest.mark.parametrize("content", [b"SIMPLE  =", b"SIMPLE  =  T / " + 2880 * b" "])
def test_a_broken_fits_table_is_refused(content, tmp_path) -> None:
    path = tmp_path / "t.fits"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.fits"):
        read_curve(path, ColumnChoice())
