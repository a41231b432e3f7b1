"""What the doctor finds: keys, cache, index files, servers; and never a key itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightcurve.cli import main
from lightcurve.core.settings import Settings, make_settings
from lightcurve.setup import doctor
from lightcurve.setup.doctor import Finding, Part, State, examine
from services_server import ServicesServer

NOT_THERE = "http://127.0.0.1:9/tap"


def by_name(found: list[Finding], part: Part) -> dict[str, Finding]:
    return {one.name: one for one in found if one.part is part}


@pytest.fixture
def here(services: ServicesServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Every server on loopback, but for one that is down."""
    monkeypatch.setattr(doctor, "SESAME", f"{services.url}/sesame")
    monkeypatch.setattr(doctor, "SERIES", {})
    others = ("horizons", "exoclock", "exoplanet-archive")
    asked = services.servers | dict.fromkeys(others, f"{services.url}/colibri")
    return make_settings(
        {
            "catalogs": {"servers": asked | {"gaia": NOT_THERE}},
            "solve": {"server": f"{services.url}/colibri", "plain_http": True},
        }
    )


def test_keys_are_told_to_be_there_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    before = by_name(examine(Settings(), online=False), Part.CONFIGURED)
    assert before["key of Astro-COLIBRI"].state is State.ABSENT
    assert "ASTROCOLIBRI_API" in before["key of Astro-COLIBRI"].advice
    monkeypatch.setenv("ASTROCOLIBRI_API", "sesame-open")
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", "sesame-open")
    found = examine(Settings(), online=False)
    keys = [one for one in found if one.name.startswith("key of")]
    assert [one.state for one in keys] == [State.OK] * 2
    assert "sesame" not in str(found)


def test_each_trouble_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    cache = by_name(examine(Settings(), online=False), Part.CONFIGURED)["cache"]
    assert cache.state is State.TROUBLE
    assert "LIGHTCURVE_CACHE_DIR" in cache.advice
    broken = tmp_path / "index-1.fits"
    broken.write_text("no index")
    settings = make_settings({"solve": {"index": [str(broken)]}})
    index = by_name(examine(settings, online=False), Part.INDEXED)["index files"]
    assert index.state is State.TROUBLE
    for one in examine(Settings(), online=False):
        assert one.state is State.OK or one.advice, one


def test_index_files_are_counted_with_their_scales(shared_data: Path) -> None:
    path = shared_data / "index-tycho2-hatp32.fits"
    settings = make_settings({"solve": {"index": [str(path)]}})
    index = by_name(examine(settings, online=False), Part.INDEXED)["index files"]
    assert index.state is State.OK
    assert index.told.startswith("1, ")


def test_a_package_that_is_too_old_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy>=999",
        "no-such-thing>=1",
        'rawpy>=999; extra == "raw"',
        'sphinx; extra == "docs"',
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: wanted)
    found = by_name(examine(Settings(), online=False), Part.INSTALLED)
    assert found["numpy"].state is found["no-such-thing"].state is State.TROUBLE
    assert found["rawpy"].state is State.ABSENT
    assert "pip install" in found["numpy"].advice
    assert "sphinx" not in found


def test_servers_are_asked_only_online(here: Settings, services: ServicesServer) -> None:
    assert not by_name(examine(here, online=False), Part.REACHABLE)
    assert not services.asked
    services.trouble |= {"skybot": "500", "vizier_cfa": "", "vizier": "503"}
    found = by_name(examine(here, online=True), Part.REACHABLE)
    down = {name for name, one in found.items() if one.state is State.TROUBLE}
    assert down == {"vizier", "vizier_cds", "vizier_nao", "gaia", "mast", "skybot"}
    assert "cannot be reached" in found["gaia"].told
    assert "HTTP 500" in found["skybot"].told
    assert found["simbad"].state is State.OK


def test_the_command_says_it_as_json_and_by_its_status(
    here: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lightcurve", "doctor", "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    told = json.loads(capsys.readouterr().out)
    assert bool(stop.value.code) is not told["ok"]
    assert {one["part"] for one in told["findings"]} == {"installed", "configured", "indexed"}
    assert set(told["findings"][0]) == {"part", "name", "state", "told", "advice"}
