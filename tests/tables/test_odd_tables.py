"""Tables as people and programs write them, and wrongly: read as what they are, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import odd_tables
from lightcurve.core.errors import InputError
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from odd_tables import KINDS, Case, Truth, draw_truth, judge, outcome

LIGHT_CURVES, FIT = "lightcurve.tables.light_curves", "lightcurve.night.fit_table"
SEED = 16


@pytest.fixture(scope="module")
def truth() -> Truth:
    return draw_truth(np.random.default_rng(SEED))


def faults(kind: Callable[..., object], truth: Truth, folder: Path) -> list[str]:
    """Read every case of a kind, and tell what is wrong of it."""
    tried: list[Case] = list(kind(truth, np.random.default_rng(SEED)))
    told = [(case, judge(outcome(folder / "t.csv", case), case)) for case in tried]
    return [f"{case.name}: {why}" for case, why in told if why]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_table_is_read_as_what_it_is_or_refused(kind, truth, tmp_path) -> None:
    assert faults(kind, truth, tmp_path) == []


MENDS = (
    ("brightness", f"{LIGHT_CURVES}.check_flux", None),
    ("brightness", f"{LIGHT_CURVES}.check_errors", None),
    ("brightness", f"{LIGHT_CURVES}.kind_of_flux", ""),
    ("brightness", f"{LIGHT_CURVES}.check_unit", None),
    ("brightness", f"{FIT}.check_sense", None),
    ("fills", f"{LIGHT_CURVES}.drop_fills", lambda values, _: values),
    ("columns_and_rows", f"{LIGHT_CURVES}._refuse_twins", None),
    ("columns_and_rows", f"{LIGHT_CURVES}._stands_again", np.array(False)),
    ("columns_and_rows", f"{FIT}.check_exposure", None),
    ("columns_and_rows", f"{LIGHT_CURVES}._of_good_quality", np.array(True)),
    ("columns_and_rows", f"{LIGHT_CURVES}._exposures", np.full(1, np.nan)),
    ("times", f"{FIT}.check_epoch", None),
    ("moments", f"{LIGHT_CURVES}._to_middle", 0.0),
    ("of_programs", f"{LIGHT_CURVES}._refuse_several", None),
    ("of_programs", f"{LIGHT_CURVES}._to_middle", 0.0),
)


@pytest.mark.filterwarnings("ignore:overflow")  # which the mends prevent
@pytest.mark.parametrize(("kind", "mend", "without"), MENDS, ids=[m[1] for m in MENDS])
def test_they_find_what_is_wrong_without_each_mend(kind, mend, without, truth, tmp_path) -> None:
    instead = without if callable(without) else lambda *_, **__: without
    with patch(mend, instead):
        assert faults(getattr(odd_tables, kind), truth, tmp_path)


def test_times_that_contradict_each_other_are_found_without_the_checks(truth, tmp_path) -> None:
    with (
        patch(f"{LIGHT_CURVES}.check_pair"),
        patch(f"{FIT}.CLOCK_TOLERANCE_S", np.inf),
    ):
        found = faults(odd_tables.times, truth, tmp_path)
    assert len(found) == 2


@pytest.mark.parametrize("column", ["flux", "mag", "flux_ppm"])
def test_numbers_at_the_edge_are_refused_in_silence(column, tmp_path) -> None:
    rows = [f"{2459000.6 + k / 700:.6f},{'-' if k % 3 else ''}1e308,1e-300" for k in range(40)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"BJD_TDB,{column},err", *rows]))
    with pytest.raises(InputError, match=column):
        read_curve(path, ColumnChoice(flux=column))
