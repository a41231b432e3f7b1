"""Services that misbehave, through the real clients: each costs its own columns and says why."""

from __future__ import annotations

import gzip
import os
import re
import time

import numpy as np
import pytest

from lightcurve.catalogs import http_cache
from lightcurve.catalogs.layout import Field
from lightcurve.catalogs.services import query
from lightcurve.core.settings import CatalogSettings
from services_server import MIRRORS
from services_tables import CENTRE

JD = 2457021.7
FIELD = Field(*CENTRE, 0.2, 2014.99, JD, "688")


def settings(server, **changes):
    return CatalogSettings(servers=server.servers, timeout_s=60, **changes)


def ask(server, *names, field=FIELD, **changes):
    catalogs, reports = query(names, field, settings(server, **changes))
    return catalogs, {r.name: r for r in reports}


FAILURES = {
    "500": "HTTP 500",
    "503": "HTTP 503",
    "cut": "broke off",
    "truncated": "not a whole VOTable",
    "nothing": "nothing at all",
    "html": "no table|not a whole VOTable",
    "recorded error": "not currently reachable",
    "renamed": "no column ra .*the service has changed",
    "refused": "reports an error: Parse error",
    "401": "HTTP 401",
    "loop": "sends on and on",
    "entities": "refused",
}


@pytest.mark.parametrize("trouble", FAILURES)
def test_a_failing_service_costs_its_own_columns_and_says_why(services, trouble):
    services.trouble["simbad"] = trouble
    catalogs, reports = ask(services, "simbad", "vsx", "skybot")
    assert set(catalogs) == {"vsx", "skybot"}
    row = reports["simbad"]
    assert row.status == "failed"
    assert re.search(FAILURES[trouble], row.reason), row.reason
    assert len(row.reason) < 300
    assert row.reason.isprintable()


def test_a_slow_or_endless_service_is_left(services):
    for trouble in ("timeout", "trickle"):
        services.trouble["simbad"] = trouble
        begin = time.monotonic()
        _, reports = query(
            ("simbad",), FIELD, CatalogSettings(servers=services.servers, timeout_s=0.5)
        )
        assert reports[0].status == "failed"
        assert time.monotonic() - begin < 20  # it would answer after 30, or never
        assert "in time" in reports[0].reason


def test_a_flood_is_cut_off(services, monkeypatch):
    monkeypatch.setattr(http_cache, "MAX_BYTES", 3_000_000)
    services.trouble["simbad"] = "flood"
    _, reports = ask(services, "simbad")
    assert "more than 3 MB" in reports["simbad"].reason


def test_an_answer_that_points_to_a_file_is_refused(services):
    services.trouble |= dict.fromkeys(MIRRORS, "500") | {"vizier": "points out"}
    _, reports = ask(services, "vsx")
    assert reports["vsx"].status == "failed"
    assert "points to other files" in reports["vsx"].reason


def test_no_network_at_all_leaves_a_row_for_each(services):
    down = dict.fromkeys(services.servers, "http://127.0.0.1:9")
    catalogs, reports = query(
        ("gaia", "simbad", "vsx", "skybot"), FIELD, CatalogSettings(servers=down, timeout_s=2)
    )
    assert catalogs == {}
    assert [r.status for r in reports] == ["failed"] * 4
    assert all("cannot be reached" in r.reason for r in reports)


def test_a_job_that_fails_is_told(services):
    services.trouble["gaia"] = "job fails"
    _, reports = ask(services, "gaia_synthetic")
    assert reports["gaia_synthetic"].status == "failed"
    assert "ERROR" in reports["gaia_synthetic"].reason


def test_a_job_that_waits_is_left(services):
    services.trouble["gaia"] = "job waits"
    impatient = CatalogSettings(servers=services.servers, timeout_s=3)
    _, reports = query(("gaia_synthetic",), FIELD, impatient)
    assert "job not done within 3 s" in reports[0].reason


def test_a_key_that_is_not_accepted_is_told_but_not_shown(services, monkeypatch):
    monkeypatch.setenv("ASTROCOLIBRI_API", "sesame-open")
    services.trouble["colibri"] = "401"
    _, reports = ask(services, "colibri")
    assert reports["colibri"].reason == "does not accept the key in ASTROCOLIBRI_API"


def test_a_wrong_key_is_said_to_be_one_however_the_service_says_it(services, monkeypatch):
    monkeypatch.setenv("ASTROCOLIBRI_API", "sesame-open")
    services.trouble["colibri"] = "wrong key"
    _, reports = ask(services, "colibri")
    assert reports["colibri"].reason == "does not accept the key in ASTROCOLIBRI_API"
    services.trouble["colibri"] = "no events"
    _, reports = ask(services, "colibri")
    assert reports["colibri"].status == "empty"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", "empty"),
        (b"# Flag: 0\n# Ticket: 1\nNo solar system object was found in the requested FOV", "empty"),
        (b"# Flag: -1\n# Ticket: 1\nSkyBoT comet conesearch: MySQL server gone", "failed"),
        (b"<html>down for maintenance</html>", "failed"),
    ],
    ids=["nothing", "none found", "error", "page"],
)
def test_no_asteroid_is_not_a_failure_but_an_error_is(services, monkeypatch, body, status):
    monkeypatch.setattr(services, "skybot", body)
    _, reports = ask(services, "skybot")
    assert reports["skybot"].status == status
    if b"MySQL" in body:
        assert "MySQL" in reports["skybot"].reason


def test_mirrors_are_asked_in_turn(services):
    """By VizieR's own protocol, which gives the same rows as its TAP server."""
    whole = {name: ask(services, name)[0][name] for name in ("panstarrs", "apass", "vsx")}
    services.trouble |= {"vizier": "500", "vizier_cds": "truncated", "vizier_cfa": ""}
    for name, first in whole.items():
        catalogs, reports = ask(services, name, field=Field(*CENTRE, 0.21, 2014.99, JD, "688"))
        assert reports[name].status == "ok"
        assert reports[name].server == services.servers["vizier_cfa"]
        assert "HTTP 500" in reports[name].reason
        again = catalogs[name]
        assert set(first.ids) <= set(again.ids)
        assert again.columns.keys() == first.columns.keys()
        rows = [list(again.ids).index(one) for one in first.ids]
        np.testing.assert_allclose(again.ra_deg[rows], first.ra_deg, atol=1e-9)
    cut, _ = ask(services, "panstarrs", max_rows=40)
    assert np.nanmax(cut["panstarrs"].number("r_mag")) < np.nanmedian(
        whole["panstarrs"].number("r_mag")
    )


def test_an_empty_field_of_a_mirror_is_empty(services):
    services.trouble |= {"vizier": "500", "vizier_cds": "empty"}
    catalogs, reports = ask(services, "apass")
    assert reports["apass"].status == "empty"
    assert catalogs["apass"].columns["v_mag"].unit == "mag"
    assert len(catalogs["apass"]) == 0


def test_a_server_that_did_not_answer_is_not_waited_for_again(services):
    services.trouble |= {"vizier": "timeout", "vizier_cds": ""}
    hurried = CatalogSettings(servers=services.servers, timeout_s=3.0)
    _, (first,) = query(("apass",), FIELD, hurried)
    assert first.status == "ok"
    assert "in time" in first.reason
    _, (second,) = query(("vsx",), FIELD, hurried)
    assert second.status == "ok"
    assert second.server == services.servers["vizier_cds"]
    assert not any(key == "vizier" for key, _ in services.asked[1:])


def test_all_ways_together_keep_the_time(services):
    services.trouble["vizier"] = "timeout"
    begin = time.monotonic()
    _, (report,) = query(
        ("apass",), FIELD, CatalogSettings(servers=services.servers, timeout_s=0.5)
    )
    assert report.status == "failed"
    assert time.monotonic() - begin < 20  # one way alone would take 30


def test_a_memory_that_cannot_be_written_costs_only_the_memory(services, tmp_path):
    (tmp_path / "remembered").mkdir()
    (tmp_path / "remembered" / "answers").write_text("in the way", encoding="utf-8")
    catalogs, reports = ask(services, "vsx")
    assert reports["vsx"].status == "ok"
    assert "answer not remembered (File exists)" in reports["vsx"].reason
    assert len(catalogs["vsx"]) > 0


def test_an_empty_field_is_not_a_failure(services):
    services.trouble["simbad"] = "empty"
    catalogs, reports = ask(services, "simbad")
    assert reports["simbad"].status == "empty"
    assert len(catalogs["simbad"]) == 0
    assert catalogs["simbad"].columns["v_mag"].unit == "mag"


def test_a_column_that_went_away_costs_only_itself(services, monkeypatch):
    apass = services.tables["II/336/apass9"].copy()
    apass.remove_column("r'mag")
    monkeypatch.setitem(services.tables, "II/336/apass9", apass)
    catalogs, reports = ask(services, "apass")
    assert reports["apass"].status == "ok"
    assert "no column r'mag" in reports["apass"].reason
    assert np.isnan(catalogs["apass"].number("r_mag")).all()
    assert np.isfinite(catalogs["apass"].number("v_mag")).sum() > 30


def test_an_answer_is_remembered_with_its_age_and_used_offline(services, tmp_path):
    first, _ = ask(services, "vsx")
    n = len(services.asked)
    again, reports = ask(services, "vsx")
    assert len(services.asked) == n
    assert reports["vsx"].status == "cached"
    assert list(again["vsx"].ids) == list(first["vsx"].ids)
    # A frame of the same night, pointed a little elsewhere, asks nothing new.
    ask(services, "vsx", field=Field(CENTRE[0] + 1e-4, CENTRE[1] - 1e-4, 0.2, 2014.991, JD + 0.1))
    assert len(services.asked) == n
    for path in (tmp_path / "remembered" / "answers").iterdir():
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    _, reports = ask(services, "vsx", "simbad", offline=True)
    assert (reports["vsx"].status, reports["simbad"].status) == ("cached", "skipped")
    assert "40.0 days" in reports["vsx"].reason
    assert len(services.asked) == n
    services.trouble["vizier"] = "503"
    _, reports = ask(services, "vsx")
    assert reports["vsx"].status == "cached"
    assert "HTTP 503; answer of 40.0 days ago used" in reports["vsx"].reason
    services.trouble.clear()
    assert ask(services, "vsx")[1]["vsx"].status == "ok"


def test_a_bad_answer_is_not_remembered_and_a_damaged_memory_is_asked_anew(services, tmp_path):
    services.trouble["vizier"] = "truncated"
    assert ask(services, "vsx")[1]["vsx"].status == "failed"
    assert not (tmp_path / "remembered" / "answers").exists()
    services.trouble.clear()
    ask(services, "vsx")
    (kept,) = (tmp_path / "remembered" / "answers").iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    assert ask(services, "vsx")[1]["vsx"].status == "ok"


def test_too_many_rows_are_told(services):
    _, reports = ask(services, "gaia", max_rows=50)
    assert reports["gaia"].n == 50
    assert "as many as were asked for" in reports["gaia"].reason


def test_a_file_given_by_hand_goes_first(services, shared_data):
    path = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    catalogs, reports = query((), FIELD, settings(services, files=(path, path)))
    assert list(catalogs) == ["file", "file2"]
    assert reports[0].title == path.name
    assert "Gmag as G" in reports[0].reason


def test_a_key_is_not_carried_to_another_server(services, monkeypatch):
    monkeypatch.setenv("ASTROCOLIBRI_API", "sesame-open")
    services.trouble["colibri"] = "moved"
    _, reports = ask(services, "colibri")
    assert reports["colibri"].status == "failed"
    assert "moved to another address" in reports["colibri"].reason
    assert [key for key, _ in services.asked] == ["colibri"]


def test_a_remembered_answer_that_cannot_be_read_is_asked_for_anew(services, tmp_path):
    ask(services, "vsx")
    (kept,) = (tmp_path / "remembered" / "answers").iterdir()
    kept.write_bytes(gzip.compress(b"<VOTABLE>"))
    assert ask(services, "vsx", offline=True)[1]["vsx"].status == "failed"
    assert ask(services, "vsx")[1]["vsx"].status == "ok"
