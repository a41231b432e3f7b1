"""The equipment of an observer is read from the headers of a night: what is sure, and all agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError
from lightcurve.frames.inventory import take_inventory
from lightcurve.setup.equipment import equipment_of

OWN = {
    "INSTRUME": "ASI1600", "TELESCOP": "Newton", "EGAIN": 0.8, "APTDIA": 200.0, "SITELAT": 48.1,
    "SITELONG": 11.6, "SITEELEV": 520.0, "EXPTIME": 30.0, "IMAGETYP": "Light Frame",
}  # fmt: skip


def night(folder: Path, *several: dict) -> Path:
    for k, cards in enumerate(several):
        header = fits.Header({**cards, "DATE-OBS": f"2020-03-01T02:{k:02d}:00"})
        fits.writeto(folder / f"{k}.fits", np.ones((30, 40), np.int16), header)
    return folder


def test_all_that_headers_tell(tmp_path: Path) -> None:
    found = equipment_of(take_inventory(night(tmp_path, OWN, OWN, {**OWN, "EGAIN": 0.9})))
    assert found == {
        "equipment.camera_name": "ASI1600",
        "equipment.telescope_name": "Newton",
        "equipment.camera.gain_e_per_adu": 0.8,
        "equipment.camera.telescope_diameter_m": 0.2,
        "equipment.site.latitude_deg": 48.1,
        "equipment.site.longitude_deg": 11.6,
        "equipment.site.height_m": 520.0,
    }


def test_no_guess_and_no_profile(tmp_path: Path) -> None:
    seestar = {"INSTRUME": "Seestar S50", "EXPTIME": 10.0, "IMAGETYP": "Light"}
    found = equipment_of(take_inventory(night(tmp_path, seestar)))
    assert found == {"equipment.camera_name": "Seestar S50"}


def test_two_cameras_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 cameras \(ASI1600, ST-7\)"):
        equipment_of(take_inventory(night(tmp_path, OWN, {**OWN, "INSTRUME": "ST-7"})))


def test_headers_that_tell_nothing_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no header"):
        equipment_of(take_inventory(night(tmp_path, {"EXPTIME": 1.0, "IMAGETYP": "Light"})))
