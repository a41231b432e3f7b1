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
