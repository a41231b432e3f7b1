"""Masters are made once, and made again as soon as anything they hang on changes."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.library import Library
from lightcurve.core.data import Masters, Severity
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night import masters
from lightcurve.night.lights import choose_lights
from sim import tiny_night


@pytest.fixture
def night(tmp_path: Path) -> Path:
    tiny_night(tmp_path / "night", n_frames=2, n_bias=3, n_dark=3, n_flat=3)
    return tmp_path / "night"


def made(night: Path, out: Path, **calibration: object) -> tuple[Masters, str]:
    settings = make_settings({"calibration": calibration})
    inventory = take_inventory(night, settings)
    return masters.make_masters(inventory, choose_lights(inventory), settings, out)


def test_an_earlier_run_serves(night: Path, tmp_path: Path, monkeypatch) -> None:
    first, digest = made(night, tmp_path / "m")
    monkeypatch.setattr(Library, "build", None)  # whoever calls it fails
    again, same = made(night, tmp_path / "m")
    assert same == digest
    for entry in fields(Masters):
        a, b = getattr(first, entry.name), getattr(again, entry.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, entry.name


@pytest.mark.parametrize("change", ["settings", "file", "one more", "damage", "interrupted"])
def test_any_change_makes_them_anew(night: Path, tmp_path: Path, change: str, monkeypatch) -> None:
    out = tmp_path / "m"
    made(night, out)
    built = []
    build = Library.build
    monkeypatch.setattr(Library, "build", lambda *a, **k: built.append(1) or build(*a, **k))
    settings = {}
    if change == "settings":
        settings = {"clip_sigma": 4.0}
    elif change == "file":
        os.utime(night / "bias_0001.fits", ns=(1, 1))
    elif change == "one more":
        (night / "bias_0009.fits").write_bytes((night / "bias_0001.fits").read_bytes())
    elif change == "damage":
        path = out / "master_flat.fits"
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        (out / masters.MADE_OF).unlink()  # killed before the last master was written
    made(night, out, **settings)
    assert built == [1]


@pytest.mark.parametrize(
    ("n_done", "severity"), [(0, None), (1, Severity.WARNING), (2, Severity.INFO)]
)
def test_light_frames_that_came_calibrated_are_told(
    night: Path, tmp_path: Path, n_done: int, severity: Severity | None
) -> None:
    for path in sorted(night.glob("light_*.fits"))[:n_done]:
        fits.setval(path, "CALSTAT", value="BDF")
    notes = [note for note in made(night, tmp_path / "m")[0].notes if "before" in str(note)]
    assert [note.severity for note in notes] == ([severity] if severity else [])
    assert all(f"{n_done} of 2" in str(note) for note in notes)


@pytest.mark.parametrize(("warmer", "anew"), [(0.2, False), (8.0, True)])
def test_a_sensor_that_swings_by_tenths_needs_none_anew(
    tmp_path: Path, warmer: float, anew: bool
) -> None:
    lights, _ = tiny_night(tmp_path / "night", n_frames=3, n_bias=3)
    digests = set()
    for change in (0.0, warmer):
        for path in lights[1:]:
            fits.setval(path, "CCD-TEMP", value=-20.0 + change)
        found = made(tmp_path / "night", tmp_path / "m", warm_from_lights=False)
        digests.add(found[1])
    assert len(digests) == 1 + anew
