"""`lightcurve calib`: frames of another kind are refused, and numbers can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import FrameError, InputError

SHAPE = (128, 160)
LEVELS = {"bias": (1000.0, 5.0), "dark": (1000.0, 5.0), "flat": (30000.0, 140.0)}


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stdout
    return result.stdout


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
