"""Planets by name against a server on loopback that speaks TAP."""

from __future__ import annotations

import json

import pytest

from lightcurve.catalogs.exoplanet_archive import find_planet, planet_values, regular_name
from lightcurve.core.data import Motion
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings, TargetSettings
from lightcurve.setup.target import find_target
from lightcurve.transit.ephemeris import make_planet
from planets_server import serve_archive

ROW = {
    "pl_name": "HAT-P-32 b", "ra": 31.04276, "dec": 46.687848,
    "pl_tranmid_systemref": "BJD-TDB", "pl_orbsmax": 0.0343, "pl_radj": 1.789, "st_rad": 1.219,
    "pl_orbper": 2.150008, "pl_orbpererr1": 1e-6, "pl_orbpererr2": -1e-6,
    "pl_tranmid": 2454420.44637, "pl_tranmiderr1": 9e-5, "pl_tranmiderr2": -9e-5,
    "pl_ratror": 0.1508, "pl_ratdor": 6.05, "pl_ratdorerr1": 0.03, "pl_ratdorerr2": -0.04,
    "pl_orbincl": 88.9, "pl_orbeccen": None, "pl_orblper": None,
    "st_teff": 6207.0, "st_logg": 4.33, "st_met": -0.04,
}  # fmt: skip


@pytest.fixture
def archive(httpserver, monkeypatch, tmp_path):
    """A TAP server that keeps the questions; `rows` is what it answers."""
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    serve_archive(httpserver, [ROW])
    address = httpserver.url_for("/TAP")
    httpserver.settings = CatalogSettings(servers={"exoplanet-archive": address}, timeout_s=60)
    return httpserver


@pytest.mark.parametrize(
    ("name", "regular"),
    [
        ("HAT-P-32 b", "HAT-P-32 B"), ("hat-p-32b", "HAT-P-32 B"), (" 51  Peg b", "51 PEG B"),
        ("HAT-P-32", None), ("Feb", None), ("HAT-P-32 B", None), ("", None), ("b", None),
    ],
)  # fmt: skip
def test_names_of_planets(name, regular):
    assert regular_name(name) == regular


def test_a_planet_is_asked_once_and_remembered(archive):
    values = find_planet("hat-p-32b", archive.settings)
    planet = make_planet(values, "archive")
    assert (planet.name, planet.period_days, planet.t0_bjd_tdb) == (
        "HAT-P-32 b", 2.150008, 2454420.44637,
    )  # fmt: skip
    assert planet.errors["a_over_rs"] == pytest.approx(0.035)
    assert planet.eccentricity == 0
    assert planet.source.startswith("NASA Exoplanet Archive, asked 20")
    assert len(archive.asked) == 1
    assert "upper(pl_name)='HAT-P-32 B'" in archive.asked[0]
    assert "pscomppars" in archive.asked[0]
    assert find_planet("HAT-P-32 b", archive.settings) == values
    assert len(archive.asked) == 1
    offline = CatalogSettings(offline=True)
    assert find_planet("HAT-P-32 b", offline) == values


def test_quotes_stay_inside_the_question(archive):
    archive.rows = []
    assert find_planet("x' or '1'='1 b", archive.settings) is None
    assert "upper(pl_name)='X'' OR ''1''=''1 B'" in archive.asked[0]


def test_an_unknown_planet_is_none_and_a_star_is_not_asked_for(archive):
    archive.rows = []
    assert find_planet("No Such Star b", archive.settings) is None
    assert find_planet("HAT-P-32", archive.settings) is None
    assert len(archive.asked) == 1


def test_what_it_lacks_is_worked_out_of_what_it_has():
    bare = {**ROW, "pl_ratror": None, "pl_ratdor": None, "pl_tranmid_systemref": "HJD"}
    values = planet_values(bare, "archive")
    planet = make_planet(values, "archive")
    assert planet.rp_over_rs == pytest.approx(0.1508, rel=0.01)
    assert planet.a_over_rs == pytest.approx(6.05, rel=0.01)
    assert any("radius_jupiter and radius_sun" in note.text for note in planet.notes)
    assert "epoch in HJD time" in values["source"]
    assert values["t0_bjd_tdb_err"] > 69 / 86400
    row = {**bare, "pl_orbincl": None, "pl_trandur": 3.12, "pl_orbsmax": None, "pl_radj": None}
    candidate = make_planet(planet_values({**row, "pl_trandep": 2.2}, "archive"), "archive")
    assert candidate.free == ("a_over_rs", "impact_parameter")
    assert candidate.rp_over_rs == pytest.approx(0.1508, rel=0.1)
    # Values of many papers do not all go into one planet.
    assert "duration_hours" not in planet_values({**ROW, "pl_trandur": 3.12}, "archive")
    with pytest.raises(CatalogError, match="lacks rp_over_rs, a_over_rs"):
        planet_values({**row, "pl_trandur": None}, "archive")


def test_a_planet_without_an_epoch_says_so():
    with pytest.raises(CatalogError, match=r"lacks t0_bjd_tdb of HAT-P-32 b: give --planet"):
        planet_values({**ROW, "pl_tranmid": None}, "archive")


def test_a_service_that_is_down_is_told(archive):
    archive.clear()
    archive.expect_request("/TAP/sync").respond_with_data("sorry", status=500)
    with pytest.raises(CatalogError, match="NASA Exoplanet Archive"):
        find_planet("HAT-P-32 b", archive.settings)


def test_an_old_answer_serves_when_the_service_is_down(archive, tmp_path):
    find_planet("HAT-P-32 b", archive.settings)
    path = tmp_path / "planets.json"
    content = json.loads(path.read_text())
    content["HAT-P-32 B"]["asked"] = "2020-01-01"
    path.write_text(json.dumps(content))
    archive.clear()
    archive.expect_request("/TAP/sync").respond_with_data("sorry", status=500)
    values = find_planet("HAT-P-32 b", archive.settings)
    assert values["source"].startswith("NASA Exoplanet Archive, asked 2020-01-01 (")


def test_no_network_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    dead = CatalogSettings(servers={"exoplanet-archive": "http://127.0.0.1:1/TAP"}, timeout_s=2)
    with pytest.raises(CatalogError, match="cannot be reached"):
        find_planet("HAT-P-32 b", dead)
    with pytest.raises(CatalogError, match="--planet FILE"):
        find_planet("HAT-P-32 b", CatalogSettings(offline=True))


def test_a_target_that_is_a_planet_brings_its_ephemeris(archive):
    target = find_target(TargetSettings(name="HAT-P-32 b"), archive.settings)
    assert target.planet is not None
    assert target.planet.a_over_rs == 6.05
    assert (target.ra_deg, target.dec_deg) == (31.04276, 46.687848)


def test_the_motion_of_its_star_comes_along(archive):
    archive.rows = [{**ROW, "sy_pmra": 580.2, "sy_pmdec": -749.8, "sy_plx": 68.3}]
    target = find_target(TargetSettings(name="HAT-P-32 b"), archive.settings)
    assert target.motion == Motion(580.2, -749.8, 68.3, 2015.5)
    assert "epoch 2015.5" in target.source
    assert "sy_pmra" in archive.asked[0]


def test_a_target_goes_on_without_the_archive(archive, caplog):
    archive.clear()
    archive.expect_request("/TAP/sync").respond_with_data("sorry", status=503)
    given = TargetSettings(name="Unheard-of-7 b", ra="02:04:10.278", dec="+46:41:16.21")
    with caplog.at_level("WARNING", logger="lightcurve"):
        target = find_target(given, archive.settings)
    assert target.planet is None
    assert "NASA Exoplanet Archive" in caplog.text


def test_a_planet_that_the_program_knows_needs_no_archive(archive):
    archive.clear()
    archive.expect_request("/TAP/sync").respond_with_data("sorry", status=503)
    for name in ("HAT-P-32 b", "HAT-P-32"):
        planet = find_target(TargetSettings(name=name), archive.settings).planet
        assert planet is not None
        assert planet.name == "HAT-P-32 b"
        assert planet.period_days == pytest.approx(2.150008, abs=1e-6)


def test_a_cache_of_no_use_costs_only_the_memory(archive, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "file"))
    values = find_planet("HAT-P-32 b", archive.settings)
    assert make_planet(values, "archive").period_days == 2.150008
    assert "HAT-P-32 B not remembered" in caplog.text
