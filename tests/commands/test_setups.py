"""Calibration frames of another setup: every way to calibrate stops, and says in a line in what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import CalibrationError, LightcurveError
from typed import WHERE, run

SHAPE = (96, 112)
CARDS = {
    "INSTRUME": "Cam One", "TELESCOP": "T1", "SERIALNO": "A7", "XBINNING": 1, "YBINNING": 1,
    "GAIN": 100, "OFFSET": 30, "READOUTM": "High", "CCD-TEMP": -10.0, "FILTER": "V",
}  # fmt: skip
SECONDS = {"bias": 0.0, "dark": 60.0, "flat": 5.0, "light": 60.0}
LEVEL = {"bias": 1000, "dark": 1020, "flat": 30000, "light": 1300}


def take(folder: Path, kind: str, n: int, shape: tuple[int, int] = SHAPE, **cards) -> list[Path]:
    """Write frames in plain numpy; cards replace those of the camera, None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(n):
        rng = np.random.default_rng([len(kind), k])
        pixels = rng.normal(LEVEL[kind], 6 + LEVEL[kind] ** 0.5 * (kind == "flat"), shape)
        if kind == "light":
            y, x = np.indices(shape)
            for sx, sy in np.random.default_rng(3).uniform(10, 85, (12, 2)):
                pixels += 4000 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / 4)
        told = CARDS | {"IMAGETYP": kind, "EXPTIME": SECONDS[kind], "OBJECT": kind}
        told |= {"DATE-OBS": f"2024-01-02T22:{k:02d}:00"} | cards
        path = folder / f"{kind}_{len(list(folder.glob('*.fits'))):03d}.fits"
        header = fits.Header({key: value for key, value in told.items() if value is not None})
        fits.writeto(path, np.rint(pixels).astype(np.uint16), header)
        paths.append(path)
    return paths


@dataclass(frozen=True)
class Axis:
    """What may differ, in which kind of frame, and the word that has to be said."""

    kind: str
    word: str
    cards: dict
    shape: tuple[int, int] = SHAPE


AXES = {
    f"{axis.word} of {axis.kind}": axis
    for axis in (
        *(Axis(kind, "camera", {"INSTRUME": "Cam Two"}) for kind in ("bias", "dark", "flat")),
        *(Axis(kind, "serial number", {"SERIALNO": "B9"}) for kind in ("bias", "dark", "flat")),
        *(Axis(kind, "gain", {"GAIN": 200}) for kind in ("bias", "dark", "flat")),
        *(Axis(kind, "offset", {"OFFSET": 50}) for kind in ("bias", "dark", "flat")),
        *(Axis(kind, "readout mode", {"READOUTM": "Low"}) for kind in ("bias", "dark", "flat")),
        *(
            Axis(kind, "binning", {"XBINNING": 2, "YBINNING": 2})
            for kind in ("bias", "dark", "flat")
        ),
        *(Axis(kind, "size", {}, (48, 56)) for kind in ("bias", "dark", "flat")),
        Axis("dark", "temperature", {"CCD-TEMP": 5.0}),
        Axis("dark", "exposure", {"EXPTIME": 30.0}),
        Axis("flat", "filter", {"FILTER": "B"}),
        Axis("flat", "telescope", {"TELESCOP": "T2"}),
    )
}
# Read in a frame's level; the bias is off a master flat, whatever its camera was set to.
IN_THE_LEVEL = {"gain", "offset", "readout mode"}


@pytest.fixture(params=AXES)
def axis(request: pytest.FixtureRequest) -> Axis:
    return AXES[request.param]


@pytest.mark.parametrize("verb", ["run", "calibrate"])
def test_a_folder_mixed_wrongly_stops_with_one_line(axis: Axis, verb: str, tmp_path: Path) -> None:
    night = tmp_path / "night"
    take(night, "light", 6)
    take(night, axis.kind, 3, axis.shape, **axis.cards)
    more = [*WHERE, "--offline"] if verb == "run" else []
    with pytest.raises(CalibrationError) as stopped:
        run(verb, night, "--out", tmp_path / "out", *more)
    told = str(stopped.value)
    assert "\n" not in told
    assert axis.kind in told
    assert "frames are 30 s" in told if axis.word == "exposure" else f"{axis.word} is" in told


def test_a_master_is_of_one_setup(axis: Axis, tmp_path: Path) -> None:
    frames = take(tmp_path, axis.kind, 3) + take(tmp_path, axis.kind, 2, axis.shape, **axis.cards)
    with pytest.raises(LightcurveError) as stopped:
        run("calib", axis.kind, *frames, "--out", tmp_path / "out" / "m.fits")
    told = str(stopped.value)
    assert "\n" not in told
    assert axis.word in told
    assert all(frames[k].name in told for k in (0, 3))
    assert not (tmp_path / "out").exists()


def test_an_image_refuses_masters_of_another_setup(axis: Axis, tmp_path: Path) -> None:
    if axis.kind == "flat" and axis.word in IN_THE_LEVEL:
        pytest.skip("the bias is off a master flat")
    (light,) = take(tmp_path / "night", "light", 1)
    frames = take(tmp_path / "raw", axis.kind, 3, axis.shape, **axis.cards)
    masters = tmp_path / "masters"
    run("calib", axis.kind, *frames, "--out", masters / f"master_{axis.kind}.fits")
    said = run(
        "image", light, "--masters", masters, "--offline", "--out", tmp_path / "out", "--json",
        status=1,
    )  # fmt: skip
    assert "failed" in said
    assert "exposed 60 s, the dark 30 s" in said if axis.word == "exposure" else axis.word in said


@pytest.mark.parametrize("kind", ["dark", "flat"])
def test_masters_taken_off_are_of_the_same_setup(kind: str, tmp_path: Path) -> None:
    bias = tmp_path / "bias.fits"
    run("calib", "bias", *take(tmp_path / "a", "bias", 3, GAIN=200), "--out", bias)
    frames = take(tmp_path / "b", kind, 3)
    with pytest.raises(
        CalibrationError, match=rf"bias: gain is 200, that of the {kind} frames 100"
    ):
        run("calib", kind, *frames, "--bias", bias, "--out", tmp_path / "m.fits")


def test_calibration_frames_that_only_agree_with_silence_are_not_mixed(tmp_path: Path) -> None:
    """The light does not say its filter: flats of two cannot both be right."""
    night = tmp_path / "night"
    take(night, "light", 3, FILTER=None)
    take(night, "flat", 3)
    take(night, "flat", 3, FILTER="B")
    with pytest.raises(CalibrationError, match="filter is B, V, that of the light frames is not"):
        run("calibrate", night, "--out", tmp_path / "out")


def test_names_are_compared_as_people_read_them(tmp_path: Path) -> None:
    night = tmp_path / "night"
    take(night, "light", 2)
    take(night, "flat", 3, INSTRUME="CAM-ONE", TELESCOP="t1")
    assert "2 of 2" in run("calibrate", night, "--out", tmp_path / "out")


def test_a_master_says_what_it_is_of(tmp_path: Path) -> None:
    run("calib", "flat", *take(tmp_path, "flat", 3), "--out", tmp_path / "m.fits")
    header = fits.getheader(tmp_path / "m.fits")
    assert {key: header[key] for key in CARDS} == CARDS
    assert header["EXPTIME"] == 5
    assert header["DATE-OBS"].startswith("2024-01-02T22:00:00")
