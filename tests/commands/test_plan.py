"""`lightcurve plan` tells what would be done, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from typed import WHERE, run


def test_plan_writes_nothing(night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = json.loads(run("plan", night, *WHERE, "--json"))
    assert len(said["lights"]) == 6
    values = {row["name"]: row for row in said["values"]}
    assert set(values) > {"target", "time", "gain", "scale"}
    assert values["scale"]["unit"] == "arcsec/px"
    assert isinstance(values["scale"]["value"], float)
    assert len(values["target"]["value"]) == 2
    assert said["stars"][0]["role"] == "target"
    assert not list(tmp_path.iterdir())


def test_plan_fits_a_screen_and_says_what_to_expect_and_what_is_missing(night: Path) -> None:
    shown = run("plan", night, *WHERE).splitlines()
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 200
    said = json.loads(run("plan", night, *WHERE, "--seed", "7", "--json"))
    assert said["transit"] is None
    assert 0 < said["precision"]["target"] < said["precision"]["point"] < 0.1
    assert "planet" in {row["what"] for row in said["missing"]}
    assert not {"bias frames", "dark frames", "flat frames"} & {
        row["what"] for row in said["missing"]
    }
    changed = {row["setting"]: row["source"] for row in said["settings"]}
    assert changed["seed"] == "option --seed"
    assert len(run("plan", night, *WHERE, "--all").splitlines()) > 40
