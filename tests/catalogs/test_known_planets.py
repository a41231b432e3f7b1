"""The planets that come with the package, against the tables that they were made of."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lightcurve.catalogs.known_planets import planet_named, planets_near, planets_of_star
from lightcurve.transit.ephemeris import make_planet

SHARED = Path(__file__).parents[3] / "shared" / "data" / "planets"


@pytest.mark.parametrize("name", ["HAT-P-32 b", "HAT-P-32b", "hatp32 b", "HATP-32b"])
def test_names_are_found_however_they_are_spelt(name: str) -> None:
    found = planet_named(name)
    assert found is not None
    assert (found.name, found.star) == ("HAT-P-32 b", "HAT-P-32")


def test_a_star_has_all_its_planets_and_another_name_none() -> None:
    assert [p.name[-1] for p in planets_of_star("TRAPPIST-1")] == list("bcdefgh")
    assert [p.name for p in planets_of_star("TRAPPIST-1 e")] == ["TRAPPIST-1 e"]
    for name in ("M 13", "", "b", "HAT-P-3299"):
        assert planets_of_star(name) == ()


def test_a_place_on_the_sky_finds_its_planets() -> None:
    assert [p.name for p in planets_near(31.2, 46.6, 0.5)] == ["HAT-P-32 b"]
    assert planets_near(31.2, 46.6, 0.01) == ()
    # The circle goes on beyond right ascension 0.
    edge = next(p for p in planets_near(0.0, 0.0, 180.0) if p.ra_deg > 359.5)
    assert edge in planets_near(edge.ra_deg - 359.9, edge.dec_deg, 0.6)


def test_every_planet_makes_a_planet_file() -> None:
    for known in planets_near(0.0, 0.0, 180.0):
        planet = make_planet(known.values, known.name)
        assert 2.4e6 < planet.t0_bjd_tdb < 2.5e6


@pytest.mark.skipif(not SHARED.is_dir(), reason="the tables are not beside the project")
def test_values_are_those_of_the_tables() -> None:
    """An epoch is ExoClock's where it has the planet; in no other scale than TDB without doubt."""

    def rows(pattern: str) -> dict[str, dict[str, str]]:
        (path,) = SHARED.glob(pattern)
        with path.open(newline="") as file:
            return {r["planet_name"].replace(" ", ""): r for r in csv.DictReader(file)}

    nasa, exoclock = rows("nasa_*.csv"), rows("exoclock_*.csv")
    checked = 0
    for key, row in list(nasa.items())[::37]:
        known = planet_named(row["planet_name"])
        if known is None:
            assert "" in (row["a_rs"], row["inclination_deg"])
            continue
        values, of = known.values, exoclock.get(key, row)
        assert values["period_days"] == pytest.approx(float(of["period_days"]), rel=1e-8)
        assert values["t0_bjd_tdb"] == pytest.approx(float(of["t0_bjd_tdb"]), abs=1e-6)
        assert values["rp_over_rs"] == pytest.approx(float(row["rp_rs"]), rel=1e-3)
        assert values["ra"] == pytest.approx(float(row["ra_deg"]), abs=1e-5)
        if "TDB" not in of["time_reference"]:
            assert values["t0_bjd_tdb_err"] >= 69 / 86400
        checked += 1
    assert checked > 100
