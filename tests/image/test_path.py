"""Which service tells the path of an object: the one that is named, else the first that knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core import http
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import make_settings
from lightcurve.image.path import Wanted, find_track


@pytest.fixture
def asked(httpserver, monkeypatch, tmp_path, shared_data: Path):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    recorded = shared_data / "services" / "astroquery" / "imcce" / "skybot_query.vot"
    httpserver.expect_request("/jpl").respond_with_data("No matches found.\n")
    httpserver.expect_request("/imcce").respond_with_data(recorded.read_bytes())
    servers = {"horizons": httpserver.url_for("/jpl"), "skybot": httpserver.url_for("/imcce")}
    settings = make_settings({"catalogs": {"servers": servers, "timeout_s": 5}})
    header = fits.Header()
    header["DATE-OBS"], header["EXPTIME"] = "2024-01-01T02:00:00", 60.0
    header["RA"], header["DEC"] = "05:25:06", "+04:31:00"
    fits.writeto(tmp_path / "frame.fits", np.zeros((20, 20), np.float32), header)
    return httpserver, settings, [tmp_path / "frame.fits"]


def hosts(server) -> set[str]:
    return {request.path for request, _ in server.log}


def test_skybot_is_asked_where_horizons_does_not_know(asked):
    server, settings, paths = asked
    track = find_track(paths, settings, Wanted("523748"))
    assert hosts(server) == {"/jpl", "/imcce"}
    assert track.name == "523748"
    assert "SkyBoT" in track.source


def test_the_service_named_is_asked_alone(asked):
    server, settings, paths = asked
    find_track(paths, settings, Wanted.typed("523748", [], "skybot"))
    assert hosts(server) == {"/imcce"}
    with pytest.raises(CatalogError):
        find_track(paths, settings, Wanted.typed("523748", [], "horizons"))
    with pytest.raises(InputError):
        Wanted.typed("523748", [], "aavso")


def test_what_no_service_knows_is_told_of_all(asked):
    _, settings, paths = asked
    with pytest.raises(CatalogError, match=r"matches.*SkyBoT"):
        find_track(paths, settings, Wanted("99999999"))
