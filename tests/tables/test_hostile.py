"""Whatever a file holds, a reader returns or says in one line what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.aij.read_table import read_aij_table
from lightcurve.aij.settings_files import read_apertures, read_plotcfg, read_radec
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import QUANTITIES
from lightcurve.tables.run_tables import read_lightcurve

READERS = (read_aij_table, read_apertures, read_plotcfg, read_radec, read_lightcurve)
WORDS = st.sampled_from(
    [
        *("Label", "JD_UTC", "BJD_TDB", "J.D.-2400000", "Source-Sky_T1", "Source-Sky_C2", "T1"),
        *("rel_flux_T1_n", "# AIJ_x y", "icrs", "image", "circle(1,2,3)"),
        *(".aperture.radius=", ".multiaperture.xapertures=1,2", ".plot.detrendlabel0_1=A", "="),
        *("1", "2459000.5", "-3e5", "NaN", "", " ", '"', "'", "1e999", "0x1", "inf", "é", "\x0b"),
        ",".join(QUANTITIES.names()),
    ]
)
SEPARATORS = st.sampled_from(["\t", ",", " ", "\n", "\r\n", ";", "#", "=", ":"])


@pytest.mark.parametrize("reader", READERS)
@given(parts=st.lists(st.tuples(WORDS, SEPARATORS), max_size=30))
@settings(max_examples=120)
def test_pieces_of_files_in_any_order(reader, parts, tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("".join(word + separator for word, separator in parts), encoding="utf-8")
    _read(reader, path)


@pytest.mark.parametrize("reader", READERS)
@given(data=st.binary(max_size=200))
@settings(max_examples=80)
def test_any_bytes(reader, data, tmp_path):
    path = tmp_path / "odd.txt"
    path.write_bytes(data)
    _read(reader, path)


def test_a_cell_without_end(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text('a,b\n1,"' + "x" * 200_000)
    for reader in (read_aij_table, read_lightcurve):
        with pytest.raises(InputError, match=r"odd\.txt"):
            reader(path)


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_or_nothing_there(reader, tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="cannot be read"):
            reader(path)


def _read(reader, path):
    message = "odd.txt"
    try:
        reader(path)
    except InputError as error:
        message = str(error)
    assert "odd.txt" in message
    assert "\n" not in message
