"""`lightcurve config`: the settings printed, and those of other programs brought over."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from lightcurve.cli import main
from lightcurve.commands.options import merged_settings


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


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own" / "config.toml"
    monkeypatch.setenv("LIGHTCURVE_CONFIG", str(path))
    return path


def fails(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["lightcurve", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1


def test_init_writes_all_settings_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "config", "init")
    assert tomllib.loads(Path("lightcurve.toml").read_text())["camera"] == {}
    fails(monkeypatch, "config", "init")
    assert "--force" in capsys.readouterr().err
    run(monkeypatch, "config", "init", "--force")
    run(monkeypatch, "config", "--config", "lightcurve.toml")


def test_the_own_file_is_read_from_a_night_and_holds_for_all_runs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own_file: Path,
    night: Path,
    tmp_path: Path,
) -> None:
    run(monkeypatch, "config", "init", "--user", "--from", str(night), "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(own_file)
    assert found["set"]["equipment.camera.gain_e_per_adu"] == 1.5
    own_file.write_text(own_file.read_text().replace("# max_stars = 150", "max_stars = 77"))
    other = tmp_path / "other.toml"
    other.write_text("seed = 5\n[camera]\ngain_e_per_adu = 2.0\n")
    words = ("--config", str(other), "--seed", "6", "--json")
    run(monkeypatch, "config", "show", *words)
    shown = json.loads(capsys.readouterr().out)["settings"]
    said = {row["setting"]: (row["value"], row["source"]) for row in shown}
    assert said["stars.max_stars"] == ("77", str(own_file))
    assert said["camera.gain_e_per_adu"] == ("2.0", str(other))
    assert said["seed"] == ("6", "option --seed")
    assert set(said) == {*found["set"], "stars.max_stars", "camera.gain_e_per_adu", "seed"}


def test_a_mistake_in_the_own_file_is_told_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_file: Path
) -> None:
    own_file.parent.mkdir()
    own_file.write_text("[stars]\nmax_star = 3\n")
    fails(monkeypatch, "config", "show")
    assert "config.toml, line 2: no setting stars.max_star" in capsys.readouterr().err


def test_user_and_a_file_are_not_both_written(
    monkeypatch: pytest.MonkeyPatch, own_file: Path
) -> None:
    fails(monkeypatch, "config", "init", "x.toml", "--user")
    assert not own_file.exists()


def test_a_finished_run_keeps_its_settings(own_file: Path) -> None:
    own_file.parent.mkdir()
    own_file.write_text("seed = 9\n")
    assert merged_settings(None, {}).seed == 9
    assert merged_settings(None, {}, own_file=False).seed == 1
    assert merged_settings(None, {"seed": 3}).seed == 3
