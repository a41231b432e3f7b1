"""`lightcurve calibrate`: frames are flat, keep their names, and replace no raw one."""

from __future__ import annotations

import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.night.calibrate import calibrate_folder
from sim import tiny_night
from typed import files, run

BIAS = 1000.0


def test_calibrated_frames_are_flat(tmp_path: Path) -> None:
    """Of a sky without stars the corner is darker than the middle; calibrated it is not."""
    tiny_night(
        tmp_path / "night", n_frames=2, shape=(200, 240), n_stars=1, mag_range=(24.0, 25.0),
        target_mag=24.0, n_bias=9, n_dark=7, n_flat=9,
    )  # fmt: skip
    said = run("calibrate", tmp_path / "night", "--out", tmp_path)
    assert "2 of 2" in said
    frames = sorted(tmp_path.glob("light_*_cal.fits"))
    assert len(frames) == 2
    raw = fits.getdata(tmp_path / "night" / "light_0001.fits").astype(float) - BIAS
    clean = fits.getdata(frames[0])
    middle, corner = (slice(80, 120), slice(100, 140)), (slice(0, 25), slice(0, 25))
    ratio = [np.median(image[corner]) / np.median(image[middle]) for image in (raw, clean)]
    assert ratio[0] < 0.94
    assert ratio[1] == pytest.approx(1, abs=0.015)
    with fits.open(frames[0]) as hdus:
        assert hdus[0].header["BUNIT"].lower() == "adu"
        assert "master flat" in str(hdus[0].header["HISTORY"])
        assert hdus[1].data.dtype == np.uint8


def test_frames_with_dots_in_their_names_stay_apart(night: Path, tmp_path: Path) -> None:
    """A camera numbers its frames NAME.DATE.NUMBER.fits: each becomes a file of its own."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in (*files(night, "bias"), *files(night, "dark"), *files(night, "flat")):
        (raw / path.name).symlink_to(path)
    lights = files(night, "light")[:3]
    for k, path in enumerate(lights):
        (raw / f"kp.20210101.{k:03d}.fits").symlink_to(path)
    said = run("calibrate", raw, "--out", tmp_path / "out")
    assert "3 of 3" in said
    made = sorted((tmp_path / "out").glob("*_cal.fits"))
    assert [p.name for p in made] == [f"kp.20210101.{k:03d}_cal.fits" for k in range(3)]
    times = [fits.getheader(path)["DATE-OBS"] for path in made]
    assert times == [fits.getheader(path)["DATE-OBS"] for path in lights]


def test_a_calibrated_frame_replaces_no_raw_one(night: Path, tmp_path: Path) -> None:
    for path in (*files(night, "bias"), *files(night, "light")[:2]):
        shutil.copy(path, tmp_path / path.name)
    other = tmp_path / "light_0001_cal.fits"
    (tmp_path / "light_0002.fits").rename(other)
    before = other.read_bytes()
    with pytest.raises(InputError, match=r"light_0001_cal\.fits: .* another --out"):
        run("calibrate", tmp_path, "--out", tmp_path)
    assert other.read_bytes() == before


def test_a_full_disk_fails_the_frame_and_not_the_rest(night: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: masters fit, calibrated frames not."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in (*files(night, "bias"), *files(night, "light")[:2]):
        (folder / path.name).symlink_to(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (220_000, hard))
    try:
        rows = calibrate_folder(folder, Settings(), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [row["status"] for row in rows] == ["failed", "failed"]
    for row in rows:
        assert re.search(r"_cal\.fits: cannot be written: .*is the disk full", row["reason"])
    assert (tmp_path / "out" / "masters" / "master_bias.fits").exists()
    assert not list((tmp_path / "out").rglob("*_cal.fits"))
    assert not list((tmp_path / "out").rglob("*.part"))


def test_nothing_to_calibrate_with(night: Path, tmp_path: Path) -> None:
    lights = tmp_path / "lights"
    lights.mkdir()
    for path in files(night, "light"):
        (lights / path.name).symlink_to(path)
    with pytest.raises(InputError, match="no bias, dark or flat"):
        run("calibrate", lights, "--out", tmp_path / "out")
