"""Magnitudes for every filter: formulae against real stars measured in both systems, and cuts."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.catalogs.bands import (
    RECIPES,
    Recipe,
    bands_of,
    colour,
    magnitudes,
    recipe_for,
    sources_for,
    standard_filter,
)
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.catalogs.layout import Catalog, Column
from lightcurve.catalogs.services import SERVICES
from lightcurve.catalogs.standard_stars import Cuts, unfit
from lightcurve.frames.kinds import normalise_filter


def make(name="gaia", n=4, **columns):
    """A catalogue of stars 1 arc minute apart."""
    n = len(next(iter(columns.values()))) if columns else n
    made = {k: Column(np.asarray(v, dtype=None)) for k, v in columns.items()}
    ids = np.array([str(i) for i in range(n)])
    ra = np.arange(n) / 60
    return Catalog(name, name, ids, ra, np.zeros(n), np.ones(n), 2016.0, made)


def recipe(band, first):
    return next(r for r in RECIPES[band] if r.first == first)


@pytest.fixture
def refcat(shared_data):
    return read_file(shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv")


@pytest.fixture
def apass(shared_data):
    return read_file(shared_data / "ey-uma" / "all_apass_ey_uma.ecsv")


@pytest.mark.parametrize("band", ["V", "Rc", "Ic"])
def test_gaia_and_pan_starrs_tell_the_same_magnitude(refcat, band):
    columns = bands_of(refcat)
    first = {"V": "r_ps1", "Rc": "r_ps1", "Ic": "i_ps1"}[band]
    from_ps1, ps1_err = magnitudes(refcat, recipe(band, first), columns)
    from_gaia, gaia_err = magnitudes(refcat, recipe(band, "G"), columns)
    bright = refcat.number("gaia_g_mag") < 17
    difference = (from_ps1 - from_gaia)[bright]
    error = np.hypot(ps1_err, gaia_err)[bright]
    assert np.isfinite(difference).sum() > 60
    assert abs(np.nanmedian(difference)) < 0.03
    assert np.nanmedian(np.abs(difference) / error) < 1.0


@pytest.mark.parametrize(("band", "column"), [("gp", "g"), ("rp", "r"), ("ip", "i")])
def test_sloan_magnitudes_of_gaia_are_those_of_apass(refcat, apass, band, column):
    pairs = crossmatch((apass.ra_deg, apass.dec_deg, 0.5), (refcat.ra_deg, refcat.dec_deg, 0.1))
    mag, _ = magnitudes(refcat, recipe(band, "G"), bands_of(refcat))
    a, b = pairs.source[pairs.mutual], pairs.row[pairs.mutual]
    difference = (apass.number(f"sdss_{column}_mag")[a] - mag[b])[apass.number("jkc_v_mag")[a] < 15]
    # APASS is good to a few hundredths from field to field.
    assert np.isfinite(difference).sum() >= 15
    assert abs(np.nanmedian(difference)) < 0.06


def test_johnson_b_and_v_of_pan_starrs_are_those_of_apass(refcat, apass):
    pairs = crossmatch((apass.ra_deg, apass.dec_deg, 0.5), (refcat.ra_deg, refcat.dec_deg, 0.1))
    a, b = pairs.source[pairs.mutual], pairs.row[pairs.mutual]
    bright = apass.number("jkc_v_mag")[a] < 15
    for band, first, scatter in (("B", "g_ps1", 0.05), ("V", "r_ps1", 0.03)):
        mag, _ = magnitudes(refcat, recipe(band, first), bands_of(refcat))
        difference = (apass.number(f"jkc_{band.lower()}_mag")[a] - mag[b])[bright]
        assert abs(np.nanmedian(difference)) < 0.06
        spread = 1.4826 * np.nanmedian(np.abs(difference - np.nanmedian(difference)))
        assert spread < scatter


def test_errors_are_carried_through_the_formula():
    rng = np.random.default_rng(3)
    n = 200_000
    made = Recipe("x", "b", ("a", "b"), (0.1, 0.5, -0.2), scatter_mag=0.0)
    errors = (0.03, 0.02)
    noisy = make(
        "file",
        a=15.5 + rng.normal(0, errors[0], n),
        b=15.0 + rng.normal(0, errors[1], n),
        a_err=np.full(n, errors[0]),
        b_err=np.full(n, errors[1]),
    )
    mag, error = magnitudes(noisy, made, {"a": "a", "b": "b"})
    assert np.median(mag) == pytest.approx(15.0 + 0.1 + 0.25 - 0.05, abs=1e-3)
    assert np.median(error) == pytest.approx(np.std(mag), rel=0.02)


def test_a_colour_outside_the_formula_gives_no_magnitude():
    red = make(g_mag=[15.0, 15.0], bp_mag=[15.5, 19.0], rp_mag=[14.5, 13.0])
    mag, error = magnitudes(red, recipe("V", "G"), SERVICES.get("gaia").bands)
    assert np.isfinite(mag).tolist() == np.isfinite(error).tolist() == [True, False]


@pytest.mark.parametrize(
    ("written", "band"),
    [
        ("V", "V"),
        ("Johnson B", "B"),
        ("R", "Rc"),
        ("r'", "rp"),
        ("sdss z", "zp"),
        ("Clear", "G"),
        ("Lum", "G"),
        ("green", "V"),
        ("Ha", "rp"),
        ("OIII", "gp"),
        ("Ks", "K"),
    ],
)
def test_every_usual_filter_is_tied_to_a_band(written, band):
    assert standard_filter(normalise_filter(written))[0] == band


def test_an_unknown_filter_is_tied_to_no_band():
    for name in ("XYZ", None):
        band, told = standard_filter(name)
        assert band is None
        assert told


def offset_and_scatter(values):
    values = values[np.isfinite(values)]
    assert len(values) >= 15
    return np.median(values), 1.4826 * np.median(np.abs(values - np.median(values)))


@pytest.mark.parametrize("band", ["J", "H", "K"])
def test_the_near_infrared_of_gaia_is_that_of_2mass(refcat, band):
    mag, _ = magnitudes(refcat, recipe(band, "G"), bands_of(refcat))
    bright = refcat.number("gaia_g_mag") < 16
    difference = (mag - refcat.number(f"twomass_{band.lower()}_mag"))[bright]
    offset, scatter = offset_and_scatter(difference)
    assert abs(offset) < 0.08
    assert scatter < 0.12


@pytest.mark.parametrize(
    ("band", "needs"),
    [
        ("G", ("g_sdss", "i_sdss")),
        ("G", ("V", "B")),
        ("Rc", ("r_sdss", "i_sdss")),
        ("Ic", ("r_sdss", "i_sdss")),
        ("gp", ("V", "B")),
        ("rp", ("V", "B")),
    ],
)
def test_formulae_between_bvri_and_the_sdss_agree_with_gaia_s(refcat, apass, band, needs):
    """Both surveys' magnitudes of the same stars, one made by a formula, the other of Gaia's."""
    pairs = crossmatch((apass.ra_deg, apass.dec_deg, 0.5), (refcat.ra_deg, refcat.dec_deg, 0.1))
    a, b = pairs.source[pairs.mutual], pairs.row[pairs.mutual]
    made = next(r for r in RECIPES[band] if set(r.needs()) == set(needs))
    mag, _ = magnitudes(apass, made, bands_of(apass))
    truth, _ = magnitudes(refcat, recipe(band, "G"), bands_of(refcat))
    bright = apass.number("jkc_v_mag")[a] < 15.5
    offset, scatter = offset_and_scatter((mag[a] - truth[b])[bright])
    # APASS is good to a few hundredths from field to field.
    assert abs(offset) < 0.1
    assert scatter < 0.07


def test_bands_of_tycho_are_johnson_s():
    """HD 209458 and HAT-P-32: V of the literature, 7.65 and 11.29."""
    stars = make("file", bt=[8.399, 11.856], vt=[7.703, 11.352])
    v, _ = magnitudes(stars, recipe("V", "VT"), {"BT": "bt", "VT": "vt"})
    np.testing.assert_allclose(v, [7.65, 11.29], atol=0.03)


def test_another_band_says_that_it_is_one():
    vt = recipe_for("V", {"VT": "vt"})
    assert vt.near
    assert vt.scatter_mag > 0
    assert not recipe_for("V", {"VT": "vt", "BT": "bt"}).near
    assert recipe_for("zp", {"B": "b", "V": "v", "g_sdss": "g"}) is None


def test_the_hemisphere_chooses_the_survey():
    assert sources_for(standard_filter("rp")[0], 30.0)[0] == "panstarrs"
    assert sources_for(standard_filter("rp")[0], -50.0)[0] == "skymapper"
    assert "panstarrs" not in sources_for(standard_filter("rp")[0], -50.0)
    assert "skymapper" not in sources_for(standard_filter("rp")[0], 50.0)
    assert sources_for(standard_filter("up")[0], -50.0)[0] == "skymapper"
    assert sources_for(standard_filter("V")[0], 10.0)[:2] == ("gaia_synthetic", "apass")
    assert sources_for(standard_filter("CV")[0], -70.0)[0] == "gaia"
    assert sources_for(standard_filter("J")[0], 0.0) == ("twomass", "gaia")
    for band in RECIPES:
        for dec in (-60.0, 60.0):
            for name in sources_for(band, dec):
                assert recipe_for(band, SERVICES.get(name).bands) is not None


def test_standards_are_kept_and_the_others_have_a_reason():
    nan = np.nan
    catalog = make(
        g_mag=[15.0, 15.0, 15.0, nan, 15.0, 15.0],
        ruwe=[1.0, 1.9, 1.0, 1.0, nan, 1.0],
        variable=np.array(["", "", "VARIABLE", "", "", ""]),
        c_star=[0.0, 0.0, 0.0, 0.0, 0.0, 0.2],
    )
    mag = catalog.number("g_mag")
    colours = np.array([0.8, 0.8, 0.8, 0.8, nan, 0.8])
    reasons = unfit(catalog, mag, np.full(6, 0.01), colours)
    assert reasons.tolist() == [
        "",
        "likely double (RUWE)",
        "variable",
        "no magnitude",
        "",
        "blended or extended (BP, RP excess)",
    ]
    assert set(unfit(catalog, mag, np.full(6, 0.2), colours)[[0, 4]]) == {"error too large"}
    assert set(unfit(catalog, mag, np.zeros(6), colours + 4)[[0]]) == {"colour"}


def test_light_of_neighbours_is_counted():
    ra = np.array([0.0, 5.0, 100.0, 105.0, 200.0]) / 3600
    mag = np.array([14.0, 20.0, 14.0, 15.0, 14.0])
    stars = Catalog("x", "x", np.full(5, ""), ra, np.zeros(5), np.ones(5), 2000.0)
    flat = np.zeros(5)
    reasons = unfit(stars, mag, flat, flat)
    # A neighbour 6 magnitudes fainter holds 0.4 % of the light; but not the other way about.
    assert reasons.tolist() == ["", "neighbours", "neighbours", "neighbours", ""]
    assert set(unfit(stars, mag, flat, flat, Cuts(neighbour_arcsec=0))) == {""}


def test_galaxies_are_told_by_what_each_survey_has():
    mag = np.full(2, 15.0)
    for columns in (
        {"class": [6.0, 3.0]},
        {"star_likeness": [0.98, 0.02]},
        {"r_mag": [15.0, 15.4], "r_kron_mag": [15.0, 15.0]},
    ):
        stars = make("sdss", **columns)
        assert unfit(stars, mag, 0 * mag, 0 * mag).tolist() == ["", "galaxy"]


def test_stars_saturated_in_a_survey_are_no_standards():
    mag = np.array([13.0, 15.0])
    reasons = unfit(make("panstarrs", r_mag=mag), mag, np.zeros(2), np.zeros(2))
    assert reasons.tolist() == ["saturated in the survey", ""]


def test_a_colour_is_found_where_there_are_two_bands(refcat):
    values, name = colour(refcat, bands_of(refcat))
    assert name == "BP-RP"
    assert np.nanmedian(values) == pytest.approx(1.5, abs=0.5)
    nothing, name = colour(make(g_mag=[15.0]), {"G": "g_mag"})
    assert name == ""
    assert np.isnan(nothing).all()
