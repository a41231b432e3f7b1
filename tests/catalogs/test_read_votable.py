"""Whatever a server sends becomes a catalogue of clean values or one error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.catalogs import colibri, gaia, skybot
from lightcurve.catalogs.layout import Field
from lightcurve.catalogs.read_votable import MAX_TEXT, clean, numbers, read_votable, texts
from lightcurve.catalogs.services import SERVICES, snapped
from lightcurve.core.errors import CatalogError
from services_server import to_votable

FIELD = Field(10.0, 20.0, 1.0, 2020.0, 2458849.5)
GOOD = to_votable(
    Table(
        {
            "Source": [1, 2],
            "RA_ICRS": [10.0, 10.1],
            "DE_ICRS": [20.0, 20.1],
            "Gmag": [12.0, 13.0],
            "VarFlag": ["VARIABLE", "x"],
        }
    ),
    style="tabledata",
)


def read_gaia(body):
    return gaia.SERVICE.routes[0].read(body, FIELD)


@settings(max_examples=150)
@given(st.integers(0, len(GOOD)), st.integers(0, 60), st.binary(max_size=30))
def test_a_damaged_answer_is_read_or_refused(start, length, patch):
    body = GOOD[:start] + patch + GOOD[start + length :]
    try:
        catalog = read_gaia(body)
    except CatalogError:
        return
    assert np.isfinite(catalog.ra_deg).all()
    assert (np.abs(catalog.dec_deg) <= 90).all()
    assert all(str(i).isprintable() for i in catalog.ids)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["voevents", "ra", "dec", "err", "type"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=150)
@given(JSON)
def test_any_json_is_events_or_refused(answer):
    body = json.dumps(answer).encode()
    try:
        catalog = colibri.SERVICE.routes[0].read(body, FIELD)
    except CatalogError:
        return
    assert np.isfinite(catalog.ra_deg).all()


def test_nested_json_does_not_exhaust_the_stack():
    with pytest.raises(CatalogError, match="not a list of events"):
        colibri.SERVICE.routes[0].read(b"[" * 100_000, FIELD)


@given(st.text(max_size=1000))
def test_clean_text_is_one_short_printable_line(text):
    made = clean(text)
    assert len(made) <= MAX_TEXT
    assert made.isprintable() or made == ""
    assert clean(made) == made


def test_control_characters_and_direction_marks_go():
    assert clean("AT\x1b[31m 2014\u202e\u2066zz\r\nX") == "AT [31m 2014 zz X"


def test_strings_of_numbers_and_masks_become_numbers():
    table = Table(
        {
            "s": ["1.5", "nan", "inf", "x"],
            "i": MaskedColumn([1, 2, 3, 4], mask=[False, True, False, False]),
            "f": [1.0, np.inf, -np.inf, np.nan],
            "two": np.ones((4, 2)),
        }
    )
    nan = np.nan
    np.testing.assert_array_equal(numbers(table, "s"), [1.5, nan, nan, nan])
    np.testing.assert_array_equal(numbers(table, "i"), [1, nan, 3, 4])
    np.testing.assert_array_equal(numbers(table, "f"), [1, nan, nan, nan])
    with pytest.raises(ValueError, match="dimensions"):
        numbers(table, "two")
    assert texts(table, "i").tolist() == ["1", "", "3", "4"]


def test_a_column_in_another_unit_is_converted_and_one_of_another_kind_is_not_used():
    table = Table({"RA_ICRS": [10.0], "DE_ICRS": [20.0], "pmRA": [1.0], "pmDE": [0.5]})
    table["pmRA"].unit = table["pmDE"].unit = "arcsec / yr"
    table["Gmag"] = [12.0]
    table["Gmag"].unit = "Jy"
    catalog = read_gaia(to_votable(table))
    assert catalog.number("pm_ra")[0] == pytest.approx(1000.0)
    assert (catalog.dec_deg[0] - 20) * 3600 == pytest.approx(0.5 * 4, abs=1e-4)
    assert np.isnan(catalog.number("g_mag")).all()
    assert any("unit is Jy, not mag" in note for note in catalog.notes)


def test_rows_without_a_position_are_left_out():
    table = Table({"RA_ICRS": [10.0, np.nan, 11.0], "DE_ICRS": [20.0, 20.0, 95.0]})
    assert len(read_gaia(to_votable(table))) == 1


def test_rows_that_the_server_left_out_are_told():
    table = Table({"RA_ICRS": [10.0], "DE_ICRS": [20.0]})
    notes = read_gaia(to_votable(table, overflow=True)).notes
    assert any("left rows out" in note for note in notes)


def test_recorded_answers_of_the_services_are_read(shared_data):
    recorded = shared_data / "services" / "astroquery"
    body = (recorded / "gaia" / "1710099405832VAL-result.vot").read_bytes()
    everywhere = Field(0.0, 0.0, 180.0, 2016.0)
    esa = gaia.SERVICE.routes[1].read(body, everywhere)
    assert set(esa.ids) == {"4583627001381815936", "5348723816842275584"}
    assert np.isfinite(esa.number("g_mag")).all()
    assert (esa.number("g_mag") > 2).all()
    # All but the errors of the magnitudes, which the question works out.
    assert sorted(esa.notes) == [f"no column {b}_mag_err" for b in ("bp", "g", "rp")]
    for name in ("viz.xml", "kang2010.xml"):
        assert len(read_votable((recorded / "vizier" / name).read_bytes(), "VizieR"))
    with pytest.raises(CatalogError, match="not currently reachable"):
        read_votable((recorded / "vizier" / "no_server_error.xml").read_bytes(), "VizieR")


def test_simbad_has_every_column_that_is_asked_for(shared_data):
    recorded = shared_data / "services" / "astroquery" / "simbad"
    table = read_votable((recorded / "simbad_basic_columns.xml").read_bytes(), "SIMBAD")
    known = set(table["column_name"])
    request = SERVICES.get("simbad").routes[0].request(FIELD, 10)
    asked = {w.strip(",)").removeprefix("b.") for w in request.split() if w.startswith("b.")}
    assert asked - {"oid"} <= known
    links = read_votable((recorded / "simbad_linked_to_basic.xml").read_bytes(), "SIMBAD")
    assert ("allfluxes", "oidref") in {(r[0], r[1]) for r in links}


def test_an_angle_that_is_none_is_told():
    table = Table({"Name": ["x"], "RA": ["soon"], "DEC": ["+01 02 03"]})
    with pytest.raises(CatalogError, match="column RA is not an angle"):
        skybot.SERVICE.routes[0].read(to_votable(table, style="tabledata"), FIELD)
    with pytest.raises(CatalogError, match="no columns RA and DEC"):
        skybot.SERVICE.routes[0].read(GOOD, FIELD)


@settings(max_examples=200)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0.001, 3))
def test_the_wider_field_holds_the_one_asked_for(ra, dec, radius):
    asked = Field(ra, dec, radius, 2020.0)
    wide = snapped(asked)
    ra1, dec1, ra2, dec2 = np.radians([ra, dec, wide.ra_deg, wide.dec_deg])
    h = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    assert np.degrees(2 * np.arcsin(np.sqrt(h))) + radius <= wide.radius_deg + 1e-9
    assert wide.radius_deg < radius + 0.04
