"""Names become coordinates through the real client, against a server on loopback."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lightcurve.catalogs import sesame as resolve
from lightcurve.catalogs.http_cache import recall, remember
from lightcurve.catalogs.sesame import resolve_name
from lightcurve.cli import app
from lightcurve.core import http
from lightcurve.core.data import Motion
from lightcurve.core.errors import CatalogError

ANSWER = "# HAT-P-32\n%J 31.04276 +46.68785 = 02 04 10.26 +46 41 16.2\n%C.0 *\n"


@pytest.fixture
def sesame(httpserver, monkeypatch, tmp_path):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(resolve, "SERVER", httpserver.url_for("").rstrip("/"))
    monkeypatch.setattr(http, "FIRST_WAIT_S", 0.01)
    return httpserver


def test_a_name_is_asked_once_and_remembered(sesame):
    sesame.expect_oneshot_request("/A", query_string="HAT-P-32").respond_with_data(ANSWER)
    ra, dec, source, motion = resolve_name("HAT-P-32")
    assert (ra, dec) == (31.04276, 46.68785)
    assert source == "Sesame for HAT-P-32"
    sesame.clear()
    assert resolve_name("HAT-P-32") == (ra, dec, "Sesame, remembered for HAT-P-32", None)
    assert motion is None


def test_its_motion_is_told_and_remembered(sesame):
    answer = ANSWER + "%P -801.55 10362.39 [0.03 0.04 90] A 2020yCat\n%X 546.98 [0.04] A 2020yCat\n"
    sesame.expect_oneshot_request("/A").respond_with_data(answer)
    for _ in range(2):
        assert resolve_name("Barnard")[3] == Motion(-801.55, 10362.39, 546.98, 2000.0)


def test_an_unknown_name_says_what_to_do(sesame):
    sesame.expect_request("/A").respond_with_data("# nothing\n#!SIMBAD: No known object\n")
    with pytest.raises(CatalogError, match=r"does not know .*--ra and --dec"):
        resolve_name("No Such Star")


def test_a_service_that_is_down_says_what_to_do(sesame):
    sesame.expect_request("/A").respond_with_data("oops", status=503)
    with pytest.raises(CatalogError, match=r"HAT-P-32.*--ra and --dec"):
        resolve_name("HAT-P-32")


@pytest.mark.parametrize("command", ["run", "plan", "measure", "fit"])
def test_offline_asks_nobody_for_a_name(command, sesame, tmp_path):
    (tmp_path / "curve.csv").write_text("BJD_TDB,flux\n2460000.5,1\n2460000.6,1\n")
    where = tmp_path / "curve.csv" if command == "fit" else tmp_path
    out = [] if command == "plan" else ["--out", str(tmp_path / "out")]
    given = [command, str(where), "--target", "Unheard-of-7 b", "--offline", *out]
    result = CliRunner().invoke(app, given)
    assert isinstance(result.exception, CatalogError)
    assert "Sesame: does not remember 'Unheard-of-7 b' and may not be asked: give" in str(
        result.exception
    )
    assert sesame.log == []


def test_a_cache_that_is_no_folder_costs_only_the_memory(sesame, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    sesame.expect_request("/A").respond_with_data(ANSWER)
    assert resolve_name("HAT-P-32") == (31.04276, 46.68785, "Sesame for HAT-P-32", None)
    assert "HAT-P-32 not remembered: " in caplog.text
    assert "Not a directory; set LIGHTCURVE_CACHE_DIR" in caplog.text
    assert recall("server", "request") is None
    assert remember("server", "request", b"body") == "answer not remembered (Not a directory)"


@pytest.mark.parametrize("content", ['{"HAT-P-32": [31.04', "[1, 2]", '{"HAT-P-32": "there"}'])
def test_a_damaged_memory_is_asked_anew_and_mended(sesame, tmp_path, content):
    (tmp_path / "names.json").write_text(content, encoding="utf-8")
    sesame.expect_oneshot_request("/A", query_string="HAT-P-32").respond_with_data(ANSWER)
    assert resolve_name("HAT-P-32")[:2] == (31.04276, 46.68785)
    assert resolve_name("HAT-P-32")[2] == "Sesame, remembered for HAT-P-32"
