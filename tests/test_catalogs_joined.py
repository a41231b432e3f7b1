"""Matches of several catalogues, beside the sources and as a list; nothing heavy at import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from services_tables import CENTRE

from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.catalogs.joined import match_list, match_summary, nearest_columns
from lightcurve.catalogs.query import query
from lightcurve.catalogs.service import Catalog, Column, Field
from lightcurve.config import CatalogSettings

DEC = np.zeros(3)
SOURCES = (np.array([10.0, 10.01, 10.02]), DEC, 0.2)
STARS = Catalog(
    "gaia",
    "Gaia DR3",
    np.array(["a", "b", "c"]),
    np.array([10.0, 10.0 + 0.4 / 3600, 10.02]),
    DEC,
    np.full(3, 0.1),
    2020.0,
    {
        "g_mag": Column(np.array([12.0, 13.0, 14.0]), "mag", "Gaia G, Vega"),
        "variable": Column(np.array(["", "VARIABLE", "no"]), "", "Variable"),
    },
)
ODD = Catalog("vsx", "AAVSO VSX", np.array(["V1"]), SOURCES[0][2:], DEC[2:], np.ones(1), 2020.0, {})


def objects(catalog):
    return catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec


def test_the_nearest_stands_beside_its_source_and_all_are_kept():
    matches = {c.name: crossmatch(SOURCES, objects(c)) for c in (STARS, ODD)}
    columns = nearest_columns(STARS, matches["gaia"], 3)
    assert columns["gaia_id"].values.tolist() == ["a", "", "c"]
    assert columns["gaia_matches"].values.tolist() == [2, 0, 1]
    assert columns["gaia_variable"].values.tolist() == ["", "", "no"]
    np.testing.assert_array_equal(columns["gaia_g_mag"].values, [12.0, np.nan, 14.0])
    np.testing.assert_allclose(columns["gaia_separation"].values, [0, np.nan, 0], atol=1e-6)
    assert columns["gaia_g_mag"].unit == "mag"
    assert columns["gaia_separation"].unit == "arcsec"
    rows = match_list({"gaia": STARS, "vsx": ODD}, matches)
    assert rows["source"].values.tolist() == [0, 0, 2, 2]
    assert rows["id"].values[:2].tolist() == ["a", "b"]
    assert set(rows["id"].values[2:]) == {"c", "V1"}
    assert rows["nearest"].values.tolist() == [1, 0, 1, 1]
    assert rows["separation"].values[1] == pytest.approx(0.4, abs=1e-6)
    summary = match_summary({"gaia": STARS, "vsx": ODD}, matches, 3)
    assert summary.tolist() == ["gaia: a", "", "gaia: c; vsx: V1"]


def test_no_match_at_all_gives_empty_columns():
    far = (SOURCES[0] + 50, DEC, 0.1)
    matches = {"gaia": crossmatch(far, objects(STARS))}
    columns = nearest_columns(STARS, matches["gaia"], 3)
    assert columns["gaia_id"].values.tolist() == ["", "", ""]
    assert np.isnan(columns["gaia_g_mag"].values).all()
    assert len(match_list({"gaia": STARS}, matches)["source"].values) == 0
    assert match_summary({"gaia": STARS}, matches, 3).tolist() == ["", "", ""]


def test_real_sources_meet_their_own_stars_in_every_catalogue(services):
    field = Field(*CENTRE, 0.2, 2014.99)
    names = ("gaia", "panstarrs", "twomass", "vsx", "simbad")
    catalogs, _ = query(names, field, CatalogSettings(servers=services.servers, timeout_s=5))
    rng = np.random.default_rng(2)
    gaia = catalogs["gaia"]
    seen = gaia.dec_deg + rng.normal(0, 0.1, len(gaia)) / 3600
    for name in ("panstarrs", "twomass"):
        found = crossmatch((gaia.ra_deg, seen, 0.1), objects(catalogs[name]))
        # Made of the same rows: the k-th star is the k-th, up to what the cone cut.
        assert found.mutual.sum() >= 0.97 * len(gaia)
    found = crossmatch((gaia.ra_deg, seen, 0.1), objects(catalogs["simbad"]))
    assert found.mutual.sum() == len(catalogs["simbad"])


def test_progress_counts_the_services(services):
    told = []

    def count(items, description, total=None):
        for item in items:
            told.append((description, total))
            yield item

    settings = CatalogSettings(servers=services.servers, timeout_s=5)
    query(("vsx", "simbad"), Field(*CENTRE, 0.1, 2015.0), settings, progress=count)
    assert told == [("asking catalogues", 2)] * 2


def test_nothing_heavy_and_no_server_at_import():
    code = (
        "import sys, lightcurve.catalogs.query as q, lightcurve.catalogs.standards\n"
        "for name in q.MODULES: q.load(name)\n"
        "heavy = {'astropy', 'astroquery', 'pyvo', 'requests', 'scipy', 'pandas', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
