"""The stages of the main job as commands: each on a simulated night whose truth is known."""

from __future__ import annotations

import csv
import json
import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.night.calibrate import calibrate_folder
from sim import tiny_night

GAIN, READ_NOISE, BIAS, DARK_E_S = 1.5, 8.0, 1000.0, 0.05  # of the simulated camera
WHERE = ["--target", "Tiny-1", "--ra", "20.0", "--dec", "30.0"]


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    tiny_night(
        folder, n_frames=6, shape=(200, 240), n_stars=40, header_wcs=True, n_bias=9, n_dark=7,
        n_flat=9,
    )  # fmt: skip
    return folder


def files(night: Path, kind: str) -> list[Path]:
    return sorted(night.glob(f"{kind}_*.fits"))


@pytest.fixture(scope="module")
def masters(night: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("masters")
    paths = {kind: folder / f"{kind}.fits" for kind in ("bias", "dark", "flat", "bad")}
    run("calib", "bias", *files(night, "bias"), "--out", paths["bias"])
    run("calib", "dark", *files(night, "dark"), "--out", paths["dark"], "--bias", paths["bias"])
    run(
        "calib", "flat", *files(night, "flat"), "--out", paths["flat"], "--bias", paths["bias"],
        "--dark", paths["dark"],
    )  # fmt: skip
    run("calib", "badpix", "--out", paths["bad"], "--dark", paths["dark"], "--flat", paths["flat"])
    return paths


def test_masters_have_the_levels_put_in(night: Path, masters: dict[str, Path]) -> None:
    assert np.median(fits.getdata(masters["bias"])) == pytest.approx(BIAS, abs=1.5)
    seconds = fits.getheader(files(night, "dark")[0])["EXPTIME"]
    expected = DARK_E_S * seconds / GAIN
    assert np.median(fits.getdata(masters["dark"])) == pytest.approx(expected, abs=0.7)
    flat = fits.getdata(masters["flat"])
    assert np.nanmean(flat) == pytest.approx(1.0, abs=2e-3)
    middle, corner = flat[90:110, 110:130].mean(), flat[:12, :12].mean()
    assert 0.85 < corner / middle < 0.95  # 12 % of vignetting in the corner
    assert "bias_0001.fits" in repr(fits.getheader(masters["bias"]))


def test_bad_pixels_are_the_hot_ones(night: Path, masters: dict[str, Path]) -> None:
    """Hot is whose shot noise is 5 times a dark's, bias and all 50 ADU^2: 1250 ADU at gain 1."""
    bad = fits.getdata(masters["bad"]) != 0
    dark = fits.getdata(masters["dark"])
    assert bad[dark > 1600].all()
    assert not bad[dark < 900].any()
    assert 0.1e-3 < bad.mean() < 3e-3


def test_gain_and_read_noise_are_measured(night: Path) -> None:
    bias, flat = files(night, "bias"), files(night, "flat")
    said = run("calib", "noise", "--bias", *bias[:2], "--flat", *flat[:2], "--json")
    found = {name: result["value"] for name, result in json.loads(said).items()}
    assert abs(found["gain_e_per_adu"] - GAIN) < 4 * found["gain_err"] < 0.5
    assert abs(found["read_noise_e"] - READ_NOISE) < 4 * found["read_noise_err"] < 2


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


def test_measuring_gives_the_whole_cube(night: Path, tmp_path: Path) -> None:
    told = json.loads(run("measure", night, *WHERE, "--out", tmp_path, "--json"))
    said = {name: result["value"] for name, result in told.items()}
    assert said["frames_measured"] == said["frames_tried"] == 6
    with Path(said["table"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * said["stars"] * said["radii"]
    target = [row for row in rows if row["star"] == "T1" and row["radius"] == rows[-1]["radius"]]
    x = np.array([float(row["x"]) for row in target])
    with (night / "truth.csv").open(newline="") as file:
        true_x = np.array([float(row["target_x"]) for row in csv.DictReader(file)])
    assert np.abs(x - true_x).max() < 0.2


def test_inspecting_a_folder_and_a_file(night: Path) -> None:
    rows = json.loads(run("inspect", night, "--json"))
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "light": 6, "bias": 9, "dark": 7, "flat": 9, "other": 2,
    }  # fmt: skip
    values = {
        row["name"]: row for row in json.loads(run("inspect", night / "light_0001.fits", "--json"))
    }
    assert (values["gain_e_per_adu"]["value"], values["gain_e_per_adu"]["unit"]) == (GAIN, "e-/ADU")
    assert "GAIN" in values["gain_e_per_adu"]["source"]


def test_a_frame_without_time_can_be_looked_at(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "a.fits", np.zeros((30, 40), np.int16))
    rows = json.loads(run("inspect", tmp_path / "a.fits", "--json"))
    assert any(row["name"] == "warning" and "no time" in row["value"] for row in rows)


def test_simulating_to_order(tmp_path: Path) -> None:
    order = ["--frames", 2, "--size", 120, 90, "--bias", 1, "--dark", 0, "--flat", 0, "--json"]
    said = json.loads(run("simulate", tmp_path / "a", *order))
    assert said["light_frames"] == {"value": 2, "unit": ""}
    assert said["depth_percent"] == {"value": 0.0, "unit": "%"}
    assert fits.getdata(tmp_path / "a" / "light_0001.fits").shape == (90, 120)
    run("simulate", tmp_path / "b", *order)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with pytest.raises(InputError, match="--cadence"):
        run("simulate", tmp_path / "c", "--cadence", 5, "--exposure", 60)


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
