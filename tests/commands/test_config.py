"""`lightcurve config`: the settings printed, and those of other programs brought over."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from lightcurve.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["lightcurve", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code


def test_all_settings_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "config", "--gain", "1.5")
    assert tomllib.loads(capsys.readouterr().out)["camera"]["gain_e_per_adu"] == 1.5


def test_import_writes_only_where_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "config.txt"
    theirs.write_text("Main Directory: /a night\nTarget Name: WASP-12\nTarget Radius: 9\n")
    run(monkeypatch, "config", "import", str(theirs), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == []
    assert [p.name for p in tmp_path.iterdir()] == ["config.txt"]
    run(monkeypatch, "config", "import", str(theirs), "--out", str(tmp_path / "out"), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["commands"] == [f"lightcurve run '/a night' --config {tmp_path}/out/settings.toml"]
    held = tomllib.loads((tmp_path / "out" / "settings.toml").read_text())
    assert held == {"target": {"name": "WASP-12"}, "apertures": {"radii": [9.0]}}
