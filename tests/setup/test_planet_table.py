"""Known planets made anew from servers on loopback, and an old table that outlives bad answers."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from lightcurve.catalogs import known_planets
from lightcurve.catalogs.known_planets import FILE, cached_file, planet_named, the_table
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import CatalogSettings, TargetSettings
from lightcurve.setup import planet_table
from lightcurve.setup.planet_table import find_known, pack, refresh
from lightcurve.setup.target import find_target
from lightcurve.transit.ephemeris import make_planet
from planets_server import in_exoclock, in_the_archive, serve_archive
from typed import run

LATER = 0.125  # days by which the archive's epochs differ from those of the old table here


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A table of some of the planets, as if it came with the package."""
    head, columns, *rows = gzip.decompress(FILE.read_bytes()).decode().splitlines()
    some = [row for row in rows if row.startswith(("HAT-P-32 b", "TRAPPIST-1"))] + rows[::20]
    file = tmp_path / "shipped" / "planets.csv.gz"
    file.parent.mkdir()
    file.write_bytes(gzip.compress("\n".join([head, columns, *some]).encode()))
    monkeypatch.setattr(known_planets, "FILE", file)
    return {name: known.values for name, known in the_table().planets.items()}


@pytest.fixture
def server(
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    shipped: dict[str, dict[str, Any]],
) -> HTTPServer:
    """All planets of the shipped table, and one that is new."""
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    new = {**shipped["hatp32b"], "name": "Unheard-of-1 b", "ra": 10.0, "dec": -20.5}
    known = [*shipped.values(), new]
    rows = [in_the_archive(v | {"t0_bjd_tdb": v["t0_bjd_tdb"] + LATER}) for v in known]
    serve_archive(httpserver, rows)
    of_exoclock = [v for v in known if "ExoClock" in v["source"].split("(")[0]]
    httpserver.clocks = {v["name"]: in_exoclock(v) for v in [*of_exoclock, new]}
    httpserver.expect_request("/planets").respond_with_handler(
        lambda _: Response(json.dumps(httpserver.clocks))
    )
    return httpserver


def settings_of(server: HTTPServer) -> CatalogSettings:
    servers = {
        "exoplanet-archive": server.url_for("/TAP"),
        "exoclock": server.url_for("/planets"),
    }
    return CatalogSettings(servers=servers, timeout_s=60)


def test_a_table_is_made_anew_and_takes_the_place_of_the_old_one(
    server: HTTPServer, shipped: dict[str, dict[str, Any]]
) -> None:
    assert planet_named("Unheard-of-1 b") is None
    table = refresh(settings_of(server))
    assert len(table.planets) == len(shipped) + 1
    assert the_table().planets == table.planets
    assert "tran_flag=1" in server.asked[0]
    new, known = planet_named("Unheard-of-1 b"), planet_named("HAT-P-32 b")
    assert new is not None
    assert known is not None
    assert (new.ra_deg, new.dec_deg) == (10.0, -20.5)
    # The ephemeris is ExoClock's with its errors, the rest the archive's with its own.
    values = known.values
    assert values["t0_bjd_tdb"] == pytest.approx(shipped["hatp32b"]["t0_bjd_tdb"], abs=1e-6)
    assert (values["t0_bjd_tdb_err"], values["period_days_err"]) == (0.0002, 2e-7)
    assert (values["a_over_rs"], values["a_over_rs_err"]) == (
        shipped["hatp32b"]["a_over_rs"],
        0.2,
    )
    assert "refreshed" in values["source"]
    assert table.date in values["source"]
    alone = next(v for v in shipped.values() if "ExoClock" not in v["source"].split("(")[0])
    found = planet_named(alone["name"])
    assert found is not None
    assert found.values["t0_bjd_tdb"] == pytest.approx(alone["t0_bjd_tdb"] + LATER, abs=1e-6)
    for planet in table.planets.values():
        make_planet(planet.values, planet.name)


def test_what_was_refreshed_serves_without_another_question(server: HTTPServer) -> None:
    settings = settings_of(server)
    refresh(settings)
    n_asked = len(server.asked)
    fresh = find_target(TargetSettings(name="HAT-P-32"), settings).planet
    assert fresh is not None
    assert fresh.errors["t0_bjd_tdb"] == 0.0002  # ExoClock's
    assert len(server.asked) == n_asked
    old = settings.model_copy(update={"cache_days": 0.0})
    asked = find_target(TargetSettings(name="HAT-P-32"), old).planet
    assert asked is not None
    assert len(server.asked) == n_asked + 1


def _cut(server: HTTPServer) -> None:
    server.rows = server.rows[: len(server.rows) // 2]


def _other_planets(server: HTTPServer) -> None:
    server.rows = [row | {"pl_orbper": 2 * row["pl_orbper"]} for row in server.rows]


def _nameless(server: HTTPServer) -> None:
    server.rows = [*server.rows, {"ra": 1.0, "dec": 2.0}]


def _no_clocks(server: HTTPServer) -> None:
    server.clocks = {}


def _a_list(server: HTTPServer) -> None:
    server.clocks = ["<html>", 1e400, None]


def _hostile_clocks(server: HTTPServer) -> None:
    server.clocks = {name: {"name": name * 10000, "ra_j2000": {}} for name in server.clocks}


@pytest.mark.parametrize(
    "spoil", [_cut, _other_planets, _nameless, _no_clocks, _a_list, _hostile_clocks]
)
def test_an_answer_that_cannot_be_whole_leaves_the_old_table(server: HTTPServer, spoil) -> None:
    spoil(server)
    with pytest.raises(CatalogError):
        refresh(settings_of(server))
    assert not cached_file().exists()
    assert "shipped" in the_table().origin


@pytest.mark.parametrize("path", ["/TAP/sync", "/planets"])
@pytest.mark.parametrize("body", [b"", b"{", b"<VOTABLE>", b"\x1f\x8b\xff" * 100])
def test_what_is_no_answer_leaves_the_old_table(server: HTTPServer, path: str, body: bytes) -> None:
    server.expect_ordered_request(path).respond_with_data(body)
    with pytest.raises(CatalogError):
        refresh(settings_of(server))
    assert not cached_file().exists()


def test_values_that_cannot_be_are_left_out_and_names_that_cannot_be_shown() -> None:
    good = {
        "name": "A b", "ra": 1.0, "dec": 2.0, "period_days": 3.0, "t0_bjd_tdb": 2458000.5,
        "rp_over_rs": 0.1, "a_over_rs": 8.0, "inclination_deg": 89.0, "source": "x",
    }  # fmt: skip
    for wrong in (
        {"name": "A\x1b[31m b"}, {"name": "A" * 70}, {"ra": 400.0}, {"period_days": -1.0},
        {"rp_over_rs": float("nan")}, {"a_over_rs": None},
    ):  # fmt: skip
        assert pack([good | wrong], [], "of 2026-01-01").decode().count("\n") == 2, wrong
    strange = good | {"name": f"A{'-' * 70} b"}
    assert b"ExoClock" in pack([strange], [good], "of 2026-01-01")
    text = pack([good | {"teff_k": 1e9, "logg": 4.0, "surprise": 7.0}], [], "of 2026-01-01")
    columns = text.decode().splitlines()[1].split(",")
    assert "logg" in columns
    assert not {"teff_k", "surprise"} & {*columns}


def test_a_shape_is_of_one_source() -> None:
    good = {
        "name": "A b", "ra": 1.0, "dec": 2.0, "period_days": 3.0, "t0_bjd_tdb": 2458000.5,
        "rp_over_rs": 0.1, "a_over_rs": 8.0, "inclination_deg": 89.0, "eccentricity": 0.0,
    }  # fmt: skip
    row = {**good, "source": "NASA Exoplanet Archive", "eccentricity": 0.3, "rp_over_rs": 0.2}
    del row["inclination_deg"]
    lines = pack([row], [good | {"a_over_rs": 9.0}], "of 2026-01-01").decode().splitlines()
    (values,) = csv.DictReader(lines[1:])
    assert [values[n] for n in ("rp_over_rs", "a_over_rs", "inclination_deg", "eccentricity")] == [
        "0.2", "9", "89", "0",
    ]  # fmt: skip


def test_a_damaged_or_an_older_table_in_the_cache_does_not_serve(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    body = FILE.read_bytes()
    undated = gzip.compress(b"# NASA Exoplanet Archive, 2099-99-99\nname,ra,dec,source\n")
    for damaged in (undated, b"", body[: len(body) // 2], b"rubbish", body[:50] + body[60:]):
        caplog.clear()
        cached_file().write_bytes(damaged)
        assert "shipped" in the_table().origin
        assert str(cached_file()) in caplog.text
    old = pack([], [], "NASA Exoplanet Archive, 2001-01-01")
    cached_file().write_bytes(gzip.compress(old))
    assert "shipped" in the_table().origin


def test_a_cache_that_cannot_be_written_says_so(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(planet_table, "cached_file", lambda: tmp_path / "file" / "planets.csv.gz")
    with pytest.raises(InputError, match="cannot be kept"):
        refresh(settings_of(server))


def test_planets_are_found_by_name_and_by_place() -> None:
    assert [p.name for p in find_known("hatp32b", None, 1.0)[0]] == ["HAT-P-32 b"]
    near, _ = find_known(None, "02:04:10.278,+46:41:16.21", 0.1)
    assert [p.name for p in near] == ["HAT-P-32 b"]
    assert find_known(None, None, 1.0)[0] == ()
    for wrong in (("nobody", None), ("HAT-P-32 b", "1,2"), (None, "1"), (None, "a,b")):
        with pytest.raises(InputError):
            find_known(*wrong, 1.0)


def test_the_command_shows_and_refreshes(
    server: HTTPServer, tmp_path: Path, shipped: dict[str, dict[str, Any]]
) -> None:
    assert "shipped" in run("planets")
    assert "2456819.856" in run("planets", "HAT-P-32")
    assert json.loads(run("planets", "show", "HAT-P-32 b", "--json"))["planets"] == [
        shipped["hatp32b"]
    ]
    assert len(json.loads(run("planets", "TRAPPIST-1", "--json"))["planets"]) == 7
    assert "no known planet" in run("planets", "--near", "0,-89.9", "--radius", 0.01)
    config = tmp_path / "settings.toml"
    addresses = settings_of(server).servers.items()
    config.write_text("[catalogs.servers]\n" + "\n".join(f'{k} = "{v}"' for k, v in addresses))
    told = json.loads(run("planets", "refresh", "--config", config, "--json"))
    assert told["table"]["planets"] == len(shipped) + 1
    assert "refreshed" in run("planets", "Unheard-of-1")
    with pytest.raises(InputError, match="--offline"):
        run("planets", "refresh", "--offline")


def test_a_misspelt_planet_is_guessed():
    with pytest.raises(InputError, match="did you mean HAT-P-32"):
        find_known("HTA-P-32", None, 1.0)
    with pytest.raises(InputError) as caught:
        find_known("Sirius", None, 1.0)
    assert "did you mean" not in str(caught.value)
