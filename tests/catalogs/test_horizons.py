"""Ephemerides through the real client, against a server on loopback that speaks as JPL's."""

from __future__ import annotations

import numpy as np
import pytest
from werkzeug import Response

from lightcurve.catalogs.horizons import ask_horizons
from lightcurve.core import http
from lightcurve.core.data import Site
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

HEAD = """API VERSION: 1.2
*******************************************************************************
Target body name: {title}               {{source: JPL#48}}
*******************************************************************************
 Date__(UT)__HR:MN, Date_________JDUT, , ,R.A.___(ICRF), DEC____(ICRF),
*******************************************************************************
$$SOE
"""
SPAN = (2460310.52, 2460310.61)


def answer(title: str, start: str, step_min: int = 10, n: int = 20) -> str:
    jd = 2460310.5 + np.arange(n) * step_min / 1440
    rows = [f" {start}, {t:.9f}, ,m, {10 + 2 * (t - 2460310.5):.9f}, {-5.25:.9f}," for t in jd]
    head = HEAD.format(title=title).replace("R.A.___(ICRF)", "R.A._(ICRF)")
    return head.replace("DEC____(ICRF)", "DEC_(ICRF)") + "\n".join(rows) + "\n$$EOE\n"


@pytest.fixture
def horizons(httpserver, monkeypatch, tmp_path):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    settings = CatalogSettings(servers={"horizons": httpserver.url_for("/api")}, timeout_s=5)
    return httpserver, settings


def test_places_are_read_and_remembered(horizons):
    server, settings = horizons
    server.expect_oneshot_request("/api").respond_with_data(answer("1 Ceres (A801 AA)", "x"))
    site = Site(40.0, -110.0, 2000.0)
    for _ in range(2):  # the second from memory
        found = ask_horizons("Ceres", SPAN, settings, site=site)
        assert found.name == "1"
        assert found.title == "1 Ceres (A801 AA)"
        assert found.ra_deg == pytest.approx(10 + 2 * (found.jd_utc - 2460310.5), abs=1e-8)
        assert found.dec_deg == pytest.approx(-5.25)
    asked = server.log[0][0].args
    assert "Ceres" in asked["COMMAND"]
    assert asked["SITE_COORD"].strip("'\"") == "-110.0,40.0,2.0"
    assert asked["REF_SYSTEM"] == "ICRF"
    assert asked["STEP_SIZE"].strip('"') == "10m"
    offline = settings.model_copy(update={"offline": True})
    assert ask_horizons("Ceres", SPAN, offline, site=site).name == "1"


@pytest.mark.parametrize(
    ("title", "name"),
    [("(2004 MN4)", "2004 MN4"), ("99942 Apophis (2004 MN4)", "99942"), ("2P/Encke", "2P"),
     ("C/2023 A3 (Tsuchinshan-ATLAS)", "C/2023 A3"), ("Moon", "Moon")],
)  # fmt: skip
def test_it_is_called_as_the_center_calls_it(title, name, horizons):
    server, settings = horizons
    server.expect_request("/api").respond_with_data(answer(title, "x"))
    assert ask_horizons(title, SPAN, settings, mpc_code="G96").name == name


@pytest.mark.parametrize(
    "body",
    ["Multiple major-bodies match string X*\n", "No matches found.\n", "",
     "$$SOE\nnot,a,table\n$$EOE",
     answer("1 Ceres", "x").replace("-5.25", "n.a."), answer("1 Ceres", "x", step_min=0)],
)  # fmt: skip
def test_no_places(body, horizons):
    server, settings = horizons
    server.expect_request("/api").respond_with_data(body)
    with pytest.raises(CatalogError):
        ask_horizons("X", SPAN, settings)


def test_offline_nobody_is_asked(horizons):
    server, settings = horizons
    with pytest.raises(CatalogError, match="--at"):
        ask_horizons("X", SPAN, settings.model_copy(update={"offline": True}))
    assert server.log == []


def test_months_are_asked_a_night_at_a_time(horizons):
    server, settings = horizons
    server.expect_request("/api").respond_with_handler(
        lambda request: Response(answer_at(request.args["START_TIME"].strip("\"'")))
    )
    times = [2460310.6, 2460310.7, 2460311.6, 2460400.6, 2460400.9]
    found = ask_horizons("Ceres", times, settings, mpc_code="G96")
    assert len(server.log) == 3
    assert (np.diff(found.jd_utc) > 0).all()
    for time in times:
        assert np.abs(found.jd_utc - time).min() < 11 / 1440
    assert found.ra_deg == pytest.approx(10 + 2 * (found.jd_utc - 2460310.5), abs=1e-6)


def answer_at(start: str) -> str:
    first = jd_from_iso(start.replace(" ", "T"))
    jd = first + np.arange(60) * 10 / 1440
    rows = [f" x, {t:.9f}, ,m, {10 + 2 * (t - 2460310.5):.9f}, {-5.25:.9f}," for t in jd]
    head = HEAD.format(title="1 Ceres").replace("R.A.___(ICRF)", "R.A._(ICRF)")
    return head.replace("DEC____(ICRF)", "DEC_(ICRF)") + "\n".join(rows) + "\n$$EOE\n"
