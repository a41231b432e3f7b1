"""The path of an asteroid out of SkyBoT's recorded answer, whose places follow the time asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from werkzeug import Request, Response

from lightcurve.astrometry.track import Track
from lightcurve.catalogs.ephemeris import stretches
from lightcurve.catalogs.skybot import ask_skybot
from lightcurve.core import http
from lightcurve.core.data import Site
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

NIGHT = 2460310.6
RA, DEC = 81.2747750, 4.5177394  # of 2014 UP224 as recorded
EAST, NORTH = 0.30, -0.11  # degrees a day
FRAMES = [(NIGHT + k / 100, RA, DEC) for k in range(20)]
HERE = b"<vot:TD>05 25 5.8105</vot:TD>\n<vot:TD>+04 31 3.866</vot:TD>"


@pytest.fixture
def skybot(httpserver, monkeypatch, tmp_path, shared_data: Path):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    recorded = shared_data / "services" / "astroquery" / "imcce" / "skybot_query.vot"
    body = recorded.read_bytes()
    assert HERE in body

    def answer(request: Request) -> Response:
        from astropy.coordinates import Angle

        days = float(request.args["-ep"]) - NIGHT
        ra = Angle(RA + EAST * days, "deg").to_string("hour", sep=" ", precision=5)
        dec = Angle(DEC + NORTH * days, "deg").to_string("deg", sep=" ", precision=4)
        there = f"<vot:TD>{ra}</vot:TD>\n<vot:TD>+{dec}</vot:TD>".encode()
        return Response(body.replace(HERE, there), content_type="text/xml")

    httpserver.expect_request("/api").respond_with_handler(answer)
    servers = {"skybot": httpserver.url_for("/api")}
    return httpserver, CatalogSettings(servers=servers, timeout_s=5)


@pytest.mark.parametrize("name", ["523748", "2014 UP224", "(523748) 2014 up224"])
def test_its_places_are_the_path(skybot, name):
    server, settings = skybot
    found = ask_skybot(name, FRAMES, settings, mpc_code="G96")
    assert (found.name, found.title) == ("523748", "2014 UP224")
    asked = server.log[0][0].args
    assert (asked["-loc"], asked["-mime"]) == ("G96", "votable")
    assert float(asked["-ra"]) == pytest.approx(RA)
    track = Track(found.jd_utc, found.ra_deg, found.dec_deg, found.name, found.service)
    when = np.linspace(NIGHT, NIGHT + 0.19, 9)
    ra, dec = track.at(when)
    assert np.abs(ra - RA - EAST * (when - NIGHT)).max() < 0.02 / 3600
    assert np.abs(dec - DEC - NORTH * (when - NIGHT)).max() < 0.02 / 3600
    # What was asked once is not asked again, and is there without a network.
    n = len(server.log)
    offline = settings.model_copy(update={"offline": True})
    assert ask_skybot(name, FRAMES, offline, mpc_code="G96").jd_utc == pytest.approx(found.jd_utc)
    assert len(server.log) == n


def test_a_site_without_a_code_sees_it_by_its_parallax(skybot):
    _, settings = skybot
    centre = ask_skybot("523748", FRAMES, settings)
    site = ask_skybot("523748", FRAMES, settings, site=Site(40.0, -110.0, 2000.0))
    apart = 3600 * np.hypot(site.ra_deg - centre.ra_deg, site.dec_deg - centre.dec_deg)
    assert 0 < apart.max() < 20


def test_what_is_not_there_is_told(skybot):
    _, settings = skybot
    with pytest.raises(CatalogError):
        ask_skybot("523748", [], settings)
    with pytest.raises(CatalogError):
        ask_skybot("99999999", FRAMES, settings)
    with pytest.raises(CatalogError):
        ask_skybot(
            "523748", [(NIGHT + 400, RA, DEC)], settings.model_copy(update={"offline": True})
        )


def test_nights_are_asked_one_by_one():
    assert stretches([5.0, 5.3, 1.0, 1.2]) == [(1.0, 1.2), (5.0, 5.3)]
    assert stretches([7.5]) == [(7.5, 7.5)]
