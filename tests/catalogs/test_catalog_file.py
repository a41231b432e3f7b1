"""Catalogues given by hand, in every format and spelling people write."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.catalogs.bands import bands_of, recipe_for, standard_filter
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.layout import Field
from lightcurve.core.errors import InputError

RA, DEC = [31.04276, 31.1, 30.9], [46.68784, 46.7, 46.6]


def gaia_table():
    table = Table(
        {
            "source_id": [328636019723252096, 2, 3],
            "ra": RA * u.deg,
            "dec": DEC * u.deg,
            "ra_error": [0.02, 0.03, 2000.0],
            "dec_error": [0.02, 0.05, 0.02],
            "ref_epoch": [2016.0, 2016.0, 2016.0],
            "pmra": [100.0, 0.0, np.nan],
            "pmdec": [0.0, 50.0, np.nan],
            "phot_g_mean_mag": [11.1, 12.2, 13.3],
            "phot_bp_mean_mag": [11.4, 12.5, 13.6],
            "phot_rp_mean_mag": [10.6, 11.7, 12.8],
            "ruwe": [1.0, 1.5, 1.1],
        }
    )
    for name in ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag"):
        table[name].unit = u.mag
    return table


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ascii.csv", "x.csv"),
        ("ascii.ecsv", "x.ecsv"),
        ("fits", "x.fits"),
        ("votable", "x.vot"),
        ("ascii.tab", "x.dat"),
        ("ascii.basic", "x.txt"),
        ("ascii.commented_header", "x.cat"),
    ],
)
def test_the_format_is_recognised_by_what_is_inside(tmp_path, kind, name):
    path = tmp_path / "catalogue.whatever"
    gaia_table().write(path, format=kind)
    catalog = read_file(path)
    assert catalog.ids[0] == "328636019723252096"
    np.testing.assert_allclose(catalog.ra_deg, RA, rtol=1e-12)
    np.testing.assert_allclose(catalog.number("gaia_g_mag"), [11.1, 12.2, 13.3])
    np.testing.assert_allclose(catalog.number("ruwe"), [1.0, 1.5, 1.1])
    assert set(bands_of(catalog)) == {"G", "BP", "RP"}
    # Gaia's errors are in mas though nobody says so; where the motion is unknown more is allowed.
    moved = read_file(path, Field(31.0, 46.65, 1.0, 2026.0))
    np.testing.assert_allclose(moved.error_arcsec, [0.1, 0.1, np.hypot(2.0, 0.1)])
    east = (moved.ra_deg - catalog.ra_deg) * np.cos(np.radians(DEC)) * 3600
    np.testing.assert_allclose(east, [1.0, 0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose((moved.dec_deg - catalog.dec_deg) * 3600, [0, 0.5, 0], atol=1e-5)


def test_hours_and_semicolons_are_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "\ufeffName;RA;Dec;V;V_err;B\n"
        "HAT-P-32;02:04:10.278;+46:41:16.21;11.44;0.02;11.9\n"
        "south;02 04 10.0;-00 30 00;12.5;;13.1\n",
        encoding="utf-8",
    )
    catalog = read_file(path)
    assert catalog.ids.tolist() == ["HAT-P-32", "south"]
    np.testing.assert_allclose(catalog.ra_deg, [31.042825, 31.0416667], atol=1e-6)
    np.testing.assert_allclose(catalog.dec_deg, [46.6878361, -0.5], atol=1e-6)
    np.testing.assert_allclose(catalog.number("jkc_v_mag"), [11.44, 12.5])
    assert np.isnan(catalog.number("jkc_v_mag_err")[1])
    assert "epoch of the positions not stated: 2000.0 assumed" in catalog.notes


def test_capital_and_small_letters_are_different_bands(shared_data):
    catalog = read_file(shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv")
    truth = Table.read(shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv")
    truth = Table(truth, masked=True, copy=False)
    np.testing.assert_allclose(catalog.number("gaia_g_mag"), truth["Gmag"].filled(np.nan))
    np.testing.assert_allclose(catalog.number("ps1_g_mag"), truth["gmag"].filled(np.nan))
    np.testing.assert_allclose(catalog.number("ps1_g_mag_err"), truth["e_gmag"].filled(np.nan))
    assert "epoch of the positions 2015.5, from the description" in catalog.notes


def test_the_stars_of_tycho_serve_a_clear_frame(shared_data):
    path = shared_data / "tycho2-hatp32.fits"
    catalog = read_file(path, Field(31.04282, 46.68784, 0.6, 2017.97))
    assert 30 < len(catalog) < 858
    # 18 years of unknown motion.
    assert np.allclose(catalog.error_arcsec, np.hypot(0.1, 0.1797))
    recipe = recipe_for(standard_filter("CV")[0], bands_of(catalog))
    assert recipe.standard == "VT (Tycho, Vega)"


def test_flags_are_not_taken_for_magnitudes(shared_data):
    catalog = read_file(shared_data / "ey-uma" / "unclipped_ey_uma_vsx.fits")
    assert bands_of(catalog) == {"given": "mag"}
    assert "jkc_v_mag" not in catalog.columns


def test_whole_numbers_may_be_magnitudes(tmp_path):
    """By a name that says so, or where no flag is so large; a column of small ones is flags."""
    path = tmp_path / "round.csv"
    path.write_text("ra,dec,mag,V,B,R\n1,2,11,12,1,0\n1,3,12,14,0,3\n", encoding="utf-8")
    assert bands_of(read_file(path)) == {"given": "mag", "V": "jkc_v_mag"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("a,b\n1,2\n", "no columns of positions"),
        ("ra,dec\nhere,there\n", "holds no angles"),
        ("<VOTABLE>", "not a whole VOTable"),
        ("SIMPLE  =    T", "cannot be read as a table"),
        ("# %ECSV 1.0\nra dec\n1 2 3\n", "cannot be read as a table"),
    ],
    ids=["empty", "no positions", "words", "votable", "fits", "ecsv"],
)
def test_what_is_not_a_catalogue_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "odd.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_file(path)
    assert str(caught.value).startswith("odd.csv: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        read_file(tmp_path / "none.csv")


def test_a_column_in_hours_is_turned_into_degrees(tmp_path):
    table = Table({"RA": [2.0] * u.hourangle, "DEC": [46.0] * u.deg, "V": [11.5] * u.mag})
    table.write(tmp_path / "x.ecsv")
    assert read_file(tmp_path / "x.ecsv").ra_deg[0] == pytest.approx(30.0)


@pytest.mark.parametrize("names", ["ra,RA,dec,V", "ra,dec,DEC,V", "ra,ra,dec,V", "ra,dec,V,V"])
def test_columns_that_clash_are_refused_unless_they_say_the_same(tmp_path, names):
    path = tmp_path / "x.csv"
    path.write_text(f"{names}\n10.5,11.5,12.5,13.5\n", encoding="utf-8")
    with pytest.raises(InputError, match="other values"):
        read_file(path)
    path.write_text(f"{names}\n10.5,10.5,10.5,10.5\n", encoding="utf-8")
    assert read_file(path).ra_deg.tolist() == [10.5]


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    from lightcurve.catalogs import catalog_file as file

    monkeypatch.setattr(file, "MAX_BYTES", 10)
    (tmp_path / "x.csv").write_text("ra,dec\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="cut it to your field"):
        read_file(tmp_path / "x.csv")


@settings(max_examples=60)
@given(body=st.binary(max_size=400), head=st.sampled_from([b"", b"ra,dec,V\n", b"# %ECSV 1.0\n"]))
def test_any_bytes_are_a_catalogue_or_refused(tmp_path, body, head):
    path = tmp_path / "any"
    path.write_bytes(head + body)
    try:
        catalog = read_file(path)
    except InputError:
        return
    assert np.isfinite(catalog.ra_deg).all()
    assert all(str(i).isprintable() for i in catalog.ids)


@pytest.mark.parametrize("other", ["00:33:20", "33.333", ""])
def test_columns_of_other_places_are_refused(tmp_path, other):
    """Hours beside degrees, as a list of one's own joined to a catalogue's table has them."""
    path = tmp_path / "t.csv"
    path.write_text(f"RAJ2000,DEJ2000,ra,Vmag\n31.0,46.5,{other},11.5\n31.1,46.6,{other},12.5\n")
    if other:
        with pytest.raises(InputError, match="ra and RAJ2000"):
            read_file(path)
    else:  # nothing in it that could be meant
        path.write_text("RAJ2000,DEJ2000,raMean,Vmag\n31.0,46.5,,11.5\n31.1,46.6,,12.5\n")
        np.testing.assert_allclose(read_file(path).ra_deg, [31.0, 31.1])


def test_places_of_two_epochs_are_told_apart_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("RAJ2000,DEJ2000,RA_ICRS,DE_ICRS,Vmag\n31.0,46.5,31.0001,46.5,11.5\n")
    catalog = read_file(path)
    np.testing.assert_allclose(catalog.ra_deg, [31.0001])
    assert any("RA_ICRS" in note and "RAJ2000" in note for note in catalog.notes)
