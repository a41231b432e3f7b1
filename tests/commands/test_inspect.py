"""`lightcurve inspect` shows values as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.commands.inspect import count_alike
from lightcurve.core.errors import InputError
from typed import run

HEADER = {
    "IMAGETYP": "Light Frame", "DATE-OBS": "2020-03-01T02:00:00", "EXPTIME": 30.0,
    "SITELAT": -30.17, "SITELONG": 289.2, "SITEELEV": 2200.0, "XBINNING": 2, "YBINNING": 2,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fits.writeto(tmp_path / "a.fits", np.ones((30, 40), np.int16), fits.Header(HEADER))
    (tmp_path / "notes.txt").write_text("clear")
    return tmp_path


def test_a_file(folder: Path) -> None:
    said = {r["name"]: r["value"] for r in json.loads(run("inspect", folder / "a.fits", "--json"))}
    assert said["site"] == pytest.approx([-30.17, -70.8, 2200])
    assert said["binning"] == [2, 2]
    assert said["width_x_height"] == [40, 30]
    assert said["mid_utc"] == "2020-03-01T02:00:15.000"
    # 1 March 2020, 0 h UTC, is JD 2458909.5.
    assert said["mid_jd_utc"] == pytest.approx(2458909.5 + 7215 / 86400, abs=1e-6)
    assert said["exposure_s"] == 30
    assert "30.17 S, 70.8 W, 2200 m" in run("inspect", folder / "a.fits")


def test_nothing_of_the_program_shows(folder: Path) -> None:
    for words in ([folder], [folder, "--all"], [folder / "a.fits"]):
        shown = run("inspect", *words)
        assert not any(word in shown for word in ("None", "Site(", "(2, 2)", "(30, 40)"))


def test_unknown_is_null_for_machines(folder: Path) -> None:
    rows = {row["file"]: row for row in json.loads(run("inspect", folder, "--json"))}
    assert rows["notes.txt"]["exposure_s"] is None
    assert rows["a.fits"]["exposure_s"] == 30


def test_a_folder_is_a_line_a_file_with_what_matters(folder: Path) -> None:
    shown = run("inspect", folder, "--all").splitlines()
    (frame,) = [line for line in shown if "a.fits" in line]
    cells = [cell.strip() for cell in frame.split("│")[1:-1]]
    assert cells[1] == "light"
    assert "40x30" in cells
    assert "2020-03-01T02:00:15.000" in cells
    (other,) = [line for line in shown if "notes.txt" in line]
    assert other.split("│")[-2].strip() == "not a FITS file"


def test_a_folder_is_summed_up_first_and_has_no_empty_columns(folder: Path) -> None:
    later = {**HEADER, "DATE-OBS": "2020-03-01T03:00:00"}
    fits.writeto(folder / "b.fits", np.ones((30, 40), np.int16), fits.Header(later))
    shown = run("inspect", folder, "--all").splitlines()
    table = next(k for k, line in enumerate(shown) if line.startswith("┏"))
    said = shown[:table]
    assert "2 x light, 30 s" in said
    assert (
        "lights from 2020-03-01T02:00:15.000 to 2020-03-01T03:00:15.000 UTC, mid-exposure" in said
    )
    assert "no bias, no dark, no flat" in said
    assert "2 of 2 lights without filter" in said
    assert "exposure_s" in shown[table + 1]
    assert "temperature_c" not in shown[table + 1]


def test_a_path_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        run("inspect", tmp_path / "nothing.fits")


def test_inspecting_a_folder_and_a_file(night: Path) -> None:
    rows = json.loads(run("inspect", night, "--json"))
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "light": 6, "bias": 9, "dark": 7, "flat": 9, "other": 2,
    }  # fmt: skip
    values = {
        row["name"]: row for row in json.loads(run("inspect", night / "light_0001.fits", "--json"))
    }
    assert (values["gain_e_per_adu"]["value"], values["gain_e_per_adu"]["unit"]) == (1.5, "e-/ADU")
    assert "GAIN" in values["gain_e_per_adu"]["source"]


def test_a_frame_without_time_can_be_looked_at(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "a.fits", np.zeros((30, 40), np.int16))
    rows = json.loads(run("inspect", tmp_path / "a.fits", "--json"))
    assert any(row["name"] == "warning" and "no time" in row["value"] for row in rows)


def test_the_profile_of_the_camera_is_shown_with_why(tmp_path: Path) -> None:
    header = fits.Header({"INSTRUME": "Seestar S30", "IMAGETYP": "Light", "EXPTIME": 10.0})
    header["DATE-OBS"] = "2025-03-01T02:00:00"
    fits.writeto(tmp_path / "a.fits", np.zeros((30, 40), np.int16), header)
    rows = {row["name"]: row for row in json.loads(run("inspect", tmp_path / "a.fits", "--json"))}
    assert rows["profile"]["value"] == "seestar-s30"
    assert "Seestar S30" in rows["profile"]["source"]
    assert rows["telescope_diameter_m"]["source"] == "camera profile seestar-s30"
    assert "camera profile seestar-s30: 1" in run("inspect", tmp_path).splitlines()
    none = json.loads(run("inspect", tmp_path / "a.fits", "--camera", "none", "--json"))
    assert "profile" not in {row["name"] for row in none}


def test_a_night_of_many_files_fits_a_screen_and_says_which_transit(shared_data: Path) -> None:
    shown = run("inspect", shared_data / "hatp32").splitlines()
    assert len(shown) <= 12
    assert max(map(len, shown)) <= 200
    assert any("HAT-P-32 b: all of it covered" in line for line in shown)
    assert any("142 x light by file name" in line for line in shown)


def test_reasons_that_differ_in_their_numbers_alone_are_one_line():
    lone = "dark: too warm"
    stars = [f"light by content: {n} stars" for n in (887, 950, 960)]
    assert count_alike([lone, *stars]) == [(f"{stars[0]}, and the like", 3), (lone, 1)]
    assert count_alike([lone, lone]) == [(lone, 2)]
