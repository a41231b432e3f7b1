"""Files are written whole or not at all; what cannot be read is told in plain words, by name."""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry.wcs import tangent_wcs, wcs_into_copy, write_wcs_sidecar
from lightcurve.calib.bad_pixel_map import read_user_map
from lightcurve.calib.master_files import read_masters, write_master
from lightcurve.calib.reduce import write_frame
from lightcurve.core.data import Exposure, Solution
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import read_text, read_toml, write_whole
from lightcurve.core.settings import make_settings, read_settings
from lightcurve.core.table_text import read_text as read_table_text
from lightcurve.frames.manifest import read_manifest
from lightcurve.image.write import write_fits, write_zip
from lightcurve.simulate.sky import read_star_list
from lightcurve.transit.ephemeris import read_planet

READERS = {
    "settings": read_settings,
    "planet": read_planet,
    "manifest": read_manifest,
    "stars": read_star_list,
    "bad pixels": lambda path: read_user_map(path, (10, 10)),
    "master": lambda path: read_masters([path]),
}


@pytest.mark.parametrize("what", READERS)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, what: str) -> None:
    with pytest.raises(LightcurveError) as refused:
        READERS[what](tmp_path / "nofile.x")
    assert "nofile.x" in str(refused.value)
    assert "No such file or directory" in str(refused.value)
    assert "Errno" not in str(refused.value)


def test_a_file_of_another_sort_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match=r"photo\.jpg: cannot be read as it: it is not UTF-8"):
        read_text(path, "it")
    path.write_text("a = = 2")
    with pytest.raises(InputError, match=r"photo\.jpg: cannot be read as it: .*line 1"):
        read_toml(path, "it")
    with pytest.raises(InputError, match="over 6 bytes"):
        read_toml(path, "it", max_bytes=6)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """Windows' Notepad writes one."""
    (tmp_path / "s.toml").write_text("seed = 5\n", encoding="utf-8-sig")
    assert read_settings(tmp_path / "s.toml").seed == 5


@pytest.mark.parametrize(
    ("values", "said"),
    [({"annulus": (20.0, 10.0)}, "got 20 10"), ({"radii": (3.0, -1.0)}, "got 3 -1")],
    ids=["annulus", "radii"],
)
def test_a_wrong_section_is_told_once(values: dict, said: str) -> None:
    with pytest.raises(InputError) as refused:
        make_settings({"apertures": values})
    assert str(refused.value).count("got") == 1
    assert str(refused.value).endswith(said)


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def fail(file: object) -> None:
        file.write(b"half of the n")
        file.flush()
        assert path.read_bytes() == b"old"
        raise ValueError

    for shared in (False, True):
        with pytest.raises(ValueError):  # noqa: PT011
            write_whole(path, fail, shared=shared)
        assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]
    assert write_whole(path, lambda file: file.write(b"new")) == path
    assert path.read_bytes() == b"new"
    # As any file that is made here: others may read it where the user wants them to.
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_two_writers_of_a_shared_file_do_not_mix(tmp_path: Path) -> None:
    path, both = tmp_path / "names.json", threading.Barrier(2)

    def write(letter: bytes) -> None:
        def halves(file: object) -> None:
            file.write(letter * 50_000)
            file.flush()
            both.wait(600)  # now both files are half written
            file.write(letter * 50_000)

        write_whole(path, halves, shared=True)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in {b"a" * 100_000, b"b" * 100_000}
    assert [p.name for p in tmp_path.iterdir()] == ["names.json"]


@dataclass
class Calibrated:
    """As much of a frame as writing one needs."""

    pixels: np.ndarray = field(default_factory=lambda: np.ones((4, 5), np.float32))
    bad: np.ndarray = field(default_factory=lambda: np.zeros((4, 5), np.uint8))
    header: fits.Header = field(default_factory=fits.Header)
    exposure: Exposure = field(default_factory=Exposure)
    history: tuple[str, ...] = ()


def _solution() -> Solution:
    wcs = tangent_wcs(np.array([20.0, 30.0]), np.array([2.0, 2.0]), np.diag([-1e-3, 1e-3]))
    return Solution(wcs, "local", 9, 0.1, 3.6, 0.0, 1)


def _copy(path: Path) -> Path:
    frame = path.parent.parent / "frame.fits"
    fits.writeto(frame, np.ones((4, 5), np.int16), overwrite=True)
    return wcs_into_copy(frame, path, _solution())


WRITERS = {
    "calibrated frame": lambda path: write_frame(path, Calibrated()),
    "master": lambda path: write_master(path, np.ones((4, 5), np.float32), kind="bias"),
    "sidecar": lambda path: write_wcs_sidecar(path, _solution(), (4, 5)),
    "copy with WCS": _copy,
    "map": lambda path: write_fits(path, {"A": np.ones((4, 5))}),
    "zip": lambda path: write_zip(path, path.parent, []),
}


@pytest.mark.parametrize("what", WRITERS)
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "out"
    taken = folder / "taken.fits"  # a folder where the file should be: only the last step fails
    taken.mkdir(parents=True)
    with pytest.raises(InputError, match=r"taken\.fits: cannot be written: Is a directory"):
        WRITERS[what](taken)
    assert list(folder.iterdir()) == [taken]
    taken.rmdir()
    WRITERS[what](taken)
    assert list(folder.iterdir()) == [taken]
    assert taken.stat().st_size > 0


def test_a_pipe_is_read_to_its_end_and_remembered(tmp_path: Path) -> None:
    """As <(a program) is: it comes once, and settings are read more than once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("w") as file:
            for k in range(3):
                file.write(f"a{k} = {k}\n")
                file.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_toml(pipe, "settings") == {"a0": 0, "a1": 1, "a2": 2}
    writer.join()
    assert read_toml(pipe, "settings") == {"a0": 0, "a1": 1, "a2": 2}


def test_a_pipe_that_nobody_writes_to_is_no_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lightcurve.core.files.STREAM_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: .*within 0\.1 s"):
        read_text(tmp_path / "pipe", "settings")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
@pytest.mark.parametrize("read", [read_text, read_table_text])
def test_a_device_without_end_is_read_to_the_limit(device: str, read) -> None:
    with pytest.raises(InputError, match=r"over 0\.1 MB"):
        read(device, what="settings", max_bytes=100_000)


def test_neither_a_folder_nor_a_large_hole_is_a_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        read_text(tmp_path, "settings")
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(InputError, match="over 1 MB"):
        read_text(hole, "settings")


def test_nothing_is_an_empty_text() -> None:
    assert read_text("/dev/null", "settings") == ""
