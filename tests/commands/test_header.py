"""`lightcurve header`: shown first, written into copies on demand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError
from typed import run

CARDS = {"OBJECT": "Vega", "DATE-OBS": "2020-03-01T02:00:00", "EXPTIME": 30.0, "FILTER": "V"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.fits", "b.fits"):
        fits.writeto(tmp_path / name, np.ones((30, 40), np.int16), fits.Header(CARDS))
    return tmp_path


def test_show(folder: Path) -> None:
    rows = json.loads(run("header", "show", folder / "a.fits", "--json"))
    assert {row["keyword"]: row["value"] for row in rows}["EXPTIME"] == "30.0"
    rows = json.loads(run("header", "show", folder / "a.fits", "date*", "FILTER", "--json"))
    assert [row["keyword"] for row in rows] == ["DATE-OBS", "FILTER"]
    assert "Vega" in run("header", "show", folder / "a.fits")


def test_a_card_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(InputError, match=r"EXPTIM.*did you mean EXPTIME"):
        run("header", "show", folder / "a.fits", "FILTER", "EXPTIM")


@pytest.mark.parametrize("given", ["--target", "--planet"])
def test_the_place_of_a_planet_or_of_coordinates_is_written(folder: Path, given: str) -> None:
    planet = folder / "planet.toml"
    planet.write_text(
        'name = "X b"\nra = "10:00:00"\ndec = "-20:00:00"\n'
        "period_days = 2.0\nt0_bjd_tdb = 2459000.0\nrp_over_rs = 0.1\na_over_rs = 8.0\n"
        "inclination_deg = 88.0\n"
    )
    value = planet if given == "--planet" else "10:00:00,-20:00:00"
    (told,) = json.loads(run("header", "fix", folder / "a.fits", given, value, "--json"))
    changes = {one["keyword"]: one["new"] for one in told["changes"]}
    assert (changes["OBJCTRA"], changes["OBJCTDEC"]) == ("10 00 00.00", "-20 00 00.0")
    assert (changes["RA"], changes["DEC"]) == (150.0, -20.0)
    assert "OBJECT" not in changes


def test_nothing_is_written_unless_it_is_asked_for(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    told = json.loads(run("header", "set", folder, "--key", "OBJECT=WASP-12", "--json"))
    assert [one["changes"] for one in told] == 2 * [
        [{"keyword": "OBJECT", "old": "Vega", "new": "WASP-12", "why": "given"}]
    ]
    assert "WASP-12" in run("header", "set", folder, "--key", "OBJECT=WASP-12")
    assert "JD_UTC" in run("header", "fix", folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_copies(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("header", "set", folder / "a.fits", "--key", "OBJECT=WASP-12", "--out", out, "--write")
    assert fits.getheader(out / "a.fits")["OBJECT"] == "WASP-12"
    options = ("--exposure", 31, "--latitude", 10, "--longitude", 20, "--ra", 150, "--dec", "-20")
    told = json.loads(
        run("header", "fix", folder / "b.fits", *options, "--out", out, "--write", "--json")
    )
    header = fits.getheader(out / "b.fits")
    assert told[0]["copy"] == str(out / "b.fits")
    assert (header["EXPTIME"], header["SITELONG"]) == (31.0, 20.0)
    assert header["OBJCTRA"] == "10 00 00.00"
    assert fits.getheader(folder / "b.fits")["EXPTIME"] == 30.0


def test_where_to_must_be_said(folder: Path) -> None:
    with pytest.raises(InputError, match="--out"):
        run("header", "set", folder, "--key", "OBJECT=X", "--write")
    with pytest.raises(InputError, match="--out"):
        run("header", "set", folder, "--key", "OBJECT=X", "--write", "--out", folder)
