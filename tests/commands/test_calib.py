"""`lightcurve calib`: frames of another kind are refused, and numbers can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import FrameError, InputError
from typed import files, run

SHAPE = (128, 160)
LEVELS = {"bias": (1000.0, 5.0), "dark": (1000.0, 5.0), "flat": (30000.0, 140.0)}


def frame(path: Path, kind: str | None, seconds: float | None = 0.0, seed: int = 0) -> Path:
    """Write a frame of noise; `kind` is what the header says."""
    level, noise = LEVELS.get(kind or "bias", LEVELS["bias"])
    pixels = np.random.default_rng(seed).normal(level, noise, SHAPE).astype(np.uint16)
    header = fits.Header({"IMAGETYP": kind} if kind else {})
    if seconds is not None:
        header["EXPTIME"] = seconds
    fits.writeto(path, pixels, header)
    return path


@pytest.mark.parametrize(
    ("wanted", "said"), [("bias", "light"), ("bias", "dark"), ("dark", "flat"), ("flat", "light")]
)
def test_a_frame_of_another_kind_is_named_and_refused(tmp_path, wanted, said):
    right = frame(tmp_path / "a.fits", wanted, 10.0)
    wrong = frame(tmp_path / "b.fits", said, 10.0)
    with pytest.raises(FrameError, match=rf"b\.fits.*header says {said}.*{wanted} frame"):
        run("calib", wanted, right, wrong, "--out", tmp_path / "m.fits")
    assert not (tmp_path / "m.fits").exists()


def test_noise_needs_the_right_kinds_too(tmp_path):
    bias = [frame(tmp_path / f"b{k}.fits", "bias", seed=k) for k in (0, 1)]
    light = [frame(tmp_path / f"l{k}.fits", "light", 1.0, seed=k) for k in (2, 3)]
    with pytest.raises(FrameError, match=r"l2\.fits.*light"):
        run("calib", "noise", "--bias", *bias, "--flat", *light)


def test_a_header_that_does_not_say_is_believed(tmp_path):
    """The user names the kind; a folder called `lights` does not speak against it."""
    (tmp_path / "lights").mkdir()
    paths = [frame(tmp_path / "lights" / f"x{k}.fits", None, seed=k) for k in range(3)]
    said = json.loads(run("calib", "bias", *paths, "--out", tmp_path / "m.fits", "--json"))
    assert said["median"]["value"] == pytest.approx(1000, abs=1)
    assert said["median"]["unit"] == "ADU"


def test_dark_flats_are_darks(tmp_path):
    paths = [frame(tmp_path / f"x{k}.fits", "DARKFLAT", 3.0, seed=k) for k in range(3)]
    assert "dark" in run("calib", "dark", *paths, "--out", tmp_path / "m.fits")


def test_mixed_exposures_name_their_files(tmp_path):
    paths = [frame(tmp_path / f"d{k}.fits", "dark", 60.0) for k in range(4)]
    paths.append(frame(tmp_path / "short.fits", "dark", 30.0))
    paths.append(frame(tmp_path / "nothing.fits", "dark", None))
    with pytest.raises(InputError) as refused:
        run("calib", "dark", *paths, "--out", tmp_path / "m.fits")
    assert str(refused.value).endswith(
        "60 s in d0.fits, d1.fits, d2.fits and 1 more; 30 s in short.fits; "
        "not known in nothing.fits"
    )


def test_the_table_is_rounded_and_json_is_not(tmp_path):
    paths = [frame(tmp_path / f"b{k}.fits", "bias", seed=k) for k in range(5)]
    exact = json.loads(run("calib", "bias", *paths, "--out", tmp_path / "m.fits", "--json"))
    scatter = exact["pixel_scatter"]["value"]
    shown = run("calib", "bias", *paths, "--out", tmp_path / "m.fits")
    assert f"{scatter:.4g} " in shown
    assert str(scatter) not in shown
    assert len(str(scatter)) > 8


GAIN, READ_NOISE, BIAS, DARK_E_S = 1.5, 8.0, 1000.0, 0.05  # of the simulated camera


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
