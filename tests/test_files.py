"""Small text files: what cannot be read is told in plain words, with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightcurve.calib.badpix import read_user_map
from lightcurve.calib.store import read_masters
from lightcurve.config import make_settings, read_settings
from lightcurve.errors import InputError, LightcurveError
from lightcurve.files import read_text, read_toml
from lightcurve.frames.manifest import read_manifest
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
