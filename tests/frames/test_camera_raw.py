"""Raw files of photographic cameras, written tag by tag, and what a frame makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from dng import write_dng
from lightcurve.calib.combine import open_rows, read_rows
from lightcurve.core.data import Colour, FrameKind
from lightcurve.core.errors import FrameError, HeaderError
from lightcurve.core.settings import Settings, TimeSettings
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.mosaic import find_plane
from lightcurve.frames.read import read_cards, read_frame

pytest.importorskip("rawpy", reason="the extra `raw` is not installed")

MOSAIC = np.random.default_rng(5).integers(600, 16383, (60, 80)).astype(np.uint16)
JD_2026_03_04 = 2461103.5  # midnight at the start of that day, UTC


def test_pixels_and_header_are_those_of_the_camera(tmp_path: Path) -> None:
    path = tmp_path / "light.DNG"
    write_dng(path, MOSAIC, offset="+01:00")
    frame = read_frame(path)
    np.testing.assert_array_equal(frame.pixels, MOSAIC)
    exposure = frame.exposure
    assert exposure.exposure_s == 30
    assert exposure.mosaic == "RGGB"
    assert exposure.saturation_adu == 16383
    assert exposure.camera == "Maker Model 7"
    start = JD_2026_03_04 + (20 * 3600 + 5 * 60 + 6) / 86400  # one hour east of UTC
    assert exposure.start_jd_utc == pytest.approx(start, abs=0.1 / 86400)
    assert read_cards(path)[1] == MOSAIC.shape


def test_a_clock_without_its_offset_is_local_and_asks(tmp_path: Path) -> None:
    path = tmp_path / "light.dng"
    write_dng(path, MOSAIC)
    with pytest.raises(HeaderError, match="utc-offset"):
        read_frame(path)
    settings = Settings(time=TimeSettings(utc_offset_hours=2.0))
    start = JD_2026_03_04 + (19 * 3600 + 5 * 60 + 6) / 86400
    read = read_frame(path, settings=settings).exposure.start_jd_utc
    assert read == pytest.approx(start, abs=0.1 / 86400)


def test_a_plane_is_of_one_colour(tmp_path: Path) -> None:
    path = tmp_path / "light.dng"
    write_dng(path, MOSAIC, offset="+00:00")
    raw = read_frame(path)
    plane = find_plane(raw.exposure, Colour.BLUE)
    assert plane is not None
    assert plane.offset == (1, 1)
    assert plane.shape(raw.pixels.shape) == (30, 40)


def test_rows_for_masters_are_unpacked_once(tmp_path: Path) -> None:
    path = tmp_path / "bias.dng"
    write_dng(path, MOSAIC)
    rows = open_rows(path, tmp_path)
    np.testing.assert_array_equal(read_rows(rows, 10, 20), MOSAIC[10:20])
    assert rows.step == 1


def test_a_folder_of_them(tmp_path: Path) -> None:
    for folder in ("bias", "lights"):
        (tmp_path / folder).mkdir()
    write_dng(tmp_path / "bias" / "IMG_1.DNG", MOSAIC)
    write_dng(tmp_path / "lights" / "IMG_2.DNG", MOSAIC)
    write_dng(tmp_path / "lights" / "IMG_3.DNG", MOSAIC)
    header = fits.Header({"DATE-OBS": "2026-03-04T20:05:06", "EXPTIME": 30.0})
    fits.PrimaryHDU(MOSAIC, header).writeto(tmp_path / "lights" / "IMG_3.fits")
    settings = Settings(time=TimeSettings(utc_offset_hours=1.0))
    entries = {entry.name: entry for entry in take_inventory(tmp_path, settings=settings).entries}
    assert entries["bias/IMG_1.DNG"].kind == FrameKind.BIAS
    assert entries["lights/IMG_2.DNG"].kind == FrameKind.LIGHT
    assert "IMG_3.fits" in entries["lights/IMG_3.DNG"].reason  # not measured twice


@pytest.mark.parametrize("content", [b"", b"II*\0" + bytes(100), b"no camera at all" * 40])
def test_damaged_files_are_said_to_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "light.cr2"
    path.write_bytes(content)
    with pytest.raises(FrameError):
        read_frame(path)


def test_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "light.dng"
    write_dng(path, MOSAIC, offset="+00:00")
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(FrameError):
        read_frame(path)


def test_without_rawpy_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    write_dng(tmp_path / "light.dng", MOSAIC)
    with pytest.raises(FrameError, match=r"lightcurve\[raw\]"):
        read_frame(tmp_path / "light.dng")
