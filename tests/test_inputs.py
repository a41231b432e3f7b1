"""Rows of docs/inputs.md that cost little: each is what the page says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import read_toml
from lightcurve.frames.inventory import take_inventory
from lightcurve.tables.columns import DESCRIPTION
from lightcurve.tables.light_curves import read_curve

PAGE = Path(__file__).parents[1] / "docs" / "inputs.md"


def test_files_that_are_no_frames_cost_themselves_alone(tmp_path) -> None:
    good = tmp_path / "light_1.fits"
    header = fits.Header({"DATE-OBS": "2021-03-10T20:00:00", "EXPTIME": 30.0, "IMAGETYP": "LIGHT"})
    fits.PrimaryHDU(np.ones((60, 60), dtype="f4"), header).writeto(good)
    raw = good.read_bytes()
    (tmp_path / "cut.fits").write_bytes(raw[:3000])
    (tmp_path / "no_end.fits").write_bytes(raw[:80] * 3)
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("no frame at all")
    entries = {entry.name: entry for entry in take_inventory(tmp_path).entries}
    assert len(entries) == 5
    assert [name for name, entry in entries.items() if entry.status == "ok"] == ["light_1.fits"]
    assert all(entry.reason for name, entry in entries.items() if name != "light_1.fits")


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03" * 99, b"only words\n"])
def test_what_is_no_table_is_refused(content, tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv"):
        read_curve(path)


def test_a_table_of_a_newer_layout_is_refused(tmp_path) -> None:
    path = tmp_path / "lightcurve.csv"
    path.write_text("file,jd_utc,rel_flux,rel_flux_err,flags\na,2459000.5,1,0.1,0\n")
    entry = {"url": path.name, "dc:conformsTo": "lightcurve.csv 99.0"}
    (tmp_path / DESCRIPTION).write_text(json.dumps({"tables": [entry]}))
    with pytest.raises(InputError, match="newer"):
        read_curve(path)


@pytest.mark.parametrize("content", [b"a = [", b"\xff\xfe\x00a", b"a = 1\na = 2\n"])
def test_broken_toml_is_refused(content, tmp_path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(LightcurveError, match=r"settings\.toml"):
        read_toml(path, "settings", max_bytes=1000)
    with pytest.raises(LightcurveError):
        read_toml(tmp_path, "settings", max_bytes=1000)
    path.write_bytes(b"#" * 2000)
    with pytest.raises(LightcurveError):
        read_toml(path, "settings", max_bytes=1000)


def test_each_row_says_what_comes_of_it() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    assert all(len([c for c in row.strip("|").split("|") if c.strip()]) == 2 for row in rows)
