"""Calibration frames of other nights: those of the camera and setup, nearest in date, and told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.library import Library
from lightcurve.core.data import FrameKind
from lightcurve.core.errors import CalibrationError, LightcurveError
from lightcurve.core.settings import make_settings
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.headers import normalise
from tests.commands.test_setups import SHAPE, take
from typed import run


def exposure(path: Path):
    text = fits.getheader(path).tostring()
    return normalise(parse_cards(text), path=path, shape=SHAPE)[0]


def chosen(light: Path, kind: str, **folders: Path) -> tuple[set[str], list]:
    """Folders of what a library gives for a frame, and what it says."""
    given = {name: [folder] for name, folder in folders.items()}
    library = Library(make_settings({"calibration": given}))
    groups, notes = library.choose(exposure(light), {})
    return {path.parent.name for path, _ in groups[FrameKind(kind)]}, notes


@pytest.fixture
def light(tmp_path: Path) -> Path:
    return take(tmp_path / "night", "light", 1, **{"DATE-OBS": "2024-01-10T22:00:00"})[0]


def shelf(root: Path, name: str, kind: str, date: str, n: int = 3, **cards) -> Path:
    take(root / name, kind, n, **{"DATE-OBS": f"{date}T20:00:00"} | cards)
    return root


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_the_nearest_in_date_of_what_suits_is_taken(light: Path, kind: str, tmp_path: Path) -> None:
    root = tmp_path / "library"
    shelf(root, "old", kind, "2023-12-01")
    shelf(root, "near", kind, "2024-01-07")
    shelf(root, "later", kind, "2024-01-15")
    shelf(root, "other", kind, "2024-01-10", INSTRUME="Cam Two")
    for way in ({"masters": root}, {kind: root}):
        folders, notes = chosen(light, kind, **way)
        assert folders == {"near"}
        (note,) = [note for note in notes if note.subject == kind]
        assert "2024-01-07" in note.text
        assert "3 days before" in note.text
        assert "3 that suit" in note.text


def test_frames_of_the_night_are_nearest_unless_a_folder_is_named(
    light: Path, tmp_path: Path
) -> None:
    root = shelf(tmp_path / "library", "near", "bias", "2024-01-10")
    own = take(tmp_path / "night", "bias", 3, **{"DATE-OBS": None})
    groups = {FrameKind.BIAS: [(path, exposure(path)) for path in own]}
    for name, folder in (("masters", "night"), ("bias", "near")):
        library = Library(make_settings({"calibration": {name: [root]}}))
        found, _ = library.choose(exposure(light), groups)
        assert {path.parent.name for path, _ in found[FrameKind.BIAS]} == {folder}


def test_darks_of_the_exposure_come_before_nearer_ones(light: Path, tmp_path: Path) -> None:
    root = shelf(tmp_path / "library", "same", "dark", "2023-11-01")
    shelf(root, "longer", "dark", "2024-01-09", EXPTIME=300.0)
    assert chosen(light, "dark", masters=root)[0] == {"same"}


@pytest.mark.parametrize("dates", [("2024-01-05", "2024-01-05"), (None, None)])
def test_two_masters_of_one_date_are_ambiguous(light: Path, dates, tmp_path: Path) -> None:
    root = tmp_path / "library"
    for name, date in zip("ab", dates, strict=True):
        told = {"DATE-OBS": date, "NCOMBINE": 20}
        take(root / name, "bias", 1, **told)
    with pytest.raises(
        CalibrationError, match=r"bias_000\.fits of \S+a, .*bias_000\.fits of \S+b,"
    ):
        chosen(light, "bias", masters=root)


@pytest.mark.parametrize("undated", ["a", "c"])
def test_what_has_no_date_comes_last(light: Path, undated: str, tmp_path: Path) -> None:
    root = shelf(tmp_path / "library", "b", "bias", "2023-12-01")
    take(root / undated, "bias", 1, **{"DATE-OBS": None, "NCOMBINE": 20})
    assert chosen(light, "bias", masters=root)[0] == {"b"}


def test_nothing_that_suits_is_told_in_one_line(light: Path, tmp_path: Path) -> None:
    root = shelf(tmp_path / "library", "one", "flat", "2024-01-10", FILTER="B")
    with pytest.raises(CalibrationError, match="flat: filter is B, that of the light frames V"):
        chosen(light, "flat", masters=root)
    (path,) = take(tmp_path / "loose", "flat", 1)
    assert chosen(light, "flat", flat=path)[0] == {"loose"}
    with pytest.raises(CalibrationError, match="no dark frames in it"):
        chosen(light, "dark", dark=root)


def test_a_library_of_masters_calibrates_a_night_as_its_raw_frames_do(tmp_path: Path) -> None:
    night, raw = tmp_path / "night", tmp_path / "raw"
    take(night, "light", 2)
    for kind in ("bias", "dark", "flat"):
        take(raw, kind, 5)
    shutil.copytree(night, raw, dirs_exist_ok=True)
    run("calibrate", raw, "--out", tmp_path / "a")
    run("calibrate", night, "--out", tmp_path / "b", "--masters", tmp_path / "a" / "masters")
    run("calibrate", night, "--out", tmp_path / "c", "--masters", raw)
    frames = [sorted((tmp_path / name).glob("*_cal.fits")) for name in "abc"]
    assert [len(some) for some in frames] == [2, 2, 2]
    for first, *others in zip(*frames, strict=True):
        for other in others:
            np.testing.assert_array_equal(fits.getdata(first), fits.getdata(other))
            np.testing.assert_array_equal(fits.getdata(first, 1), fits.getdata(other, 1))


@pytest.mark.parametrize("kind", ["bias", "flat"])
def test_masters_of_others_are_held_to_the_setup_too(kind: str, tmp_path: Path) -> None:
    night = tmp_path / "night"
    (light,) = take(night, "light", 1)
    take(tmp_path / "library", kind, 1, NCOMBINE=20, INSTRUME="Cam Two")
    with pytest.raises(LightcurveError, match=f"{kind}: camera is Cam Two"):
        run("calibrate", night, "--out", tmp_path / "out", "--masters", tmp_path / "library")
    said = run(
        "image", light, "--masters", tmp_path / "library", "--offline", "--out", tmp_path / "i",
        "--json", status=1,
    )  # fmt: skip
    assert f"{kind}: camera is Cam Two" in said
