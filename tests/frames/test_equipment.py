"""The user's own equipment fills in what headers leave out, and never what they say."""

from __future__ import annotations

import pytest

from headers import exposure
from lightcurve.core.settings import EquipmentSettings, make_settings

MINE = EquipmentSettings(
    camera_name="ASI 1600",
    telescope_name="Newton",
    camera={"gain_e_per_adu": 0.8, "telescope_diameter_m": 0.2},
    site={"latitude_deg": 48.1, "longitude_deg": 11.6, "height_m": 520.0, "name": "Home"},
)


def read(cards: dict, **settings: object):
    return exposure({"IMAGETYP": "Light", **cards}, equipment=MINE, **settings)


def test_what_no_header_says_is_the_users_own() -> None:
    seen = read({})
    assert (seen.gain_e_per_adu, seen.telescope_diameter_m) == (0.8, 0.2)
    place = (seen.site.latitude_deg, seen.site.longitude_deg, seen.site.height_m)
    assert place == pytest.approx((48.1, 11.6, 520.0))
    assert seen.site.name == "Home"
    assert seen.profile is None
    assert "equipment" in seen.sources["gain_e_per_adu"]
    assert "equipment" in seen.sources["site"]


def test_a_header_goes_before() -> None:
    seen = read({"EGAIN": 1.7, "SITELAT": -30.17, "SITELONG": 289.2, "APTDIA": 400.0})
    assert (seen.gain_e_per_adu, seen.telescope_diameter_m) == (1.7, 0.4)
    assert seen.site.latitude_deg == -30.17
    assert seen.site.height_m == 0.0
    assert seen.site.name == ""


def test_an_option_goes_before_both() -> None:
    settings = make_settings({"camera": {"gain_e_per_adu": 3.0}})
    assert read({"EGAIN": 1.7}, camera=settings.camera).gain_e_per_adu == 3.0
    assert read({}, camera=settings.camera).gain_e_per_adu == 3.0


@pytest.mark.parametrize("other", [{"INSTRUME": "ST-7"}, {"TELESCOP": "Refractor"}])
def test_frames_of_another_camera_or_telescope_are_left_alone(other: dict) -> None:
    seen = read(other)
    assert (seen.gain_e_per_adu, seen.site) == (None, None)


def test_names_are_the_same_in_any_case_and_spacing() -> None:
    assert read({"INSTRUME": "asi-1600", "TELESCOP": "NEWTON"}).gain_e_per_adu == 0.8


def test_a_place_that_the_header_names_or_half_tells_is_not_mixed_with_the_users() -> None:
    named = read({"OBSERVAT": "Whipple Observatory"})
    assert named.site.latitude_deg == pytest.approx(31.68, abs=0.01)
    assert named.site.height_m > 1000
    assert read({"SITELAT": -30.17}).site is None
    half = read({"SITELAT": 48.1})
    assert half.site.longitude_deg == pytest.approx(11.6)


def test_it_goes_before_the_profile_of_the_camera() -> None:
    seen = exposure(
        {"IMAGETYP": "Light", "INSTRUME": "Seestar S50"},
        equipment=EquipmentSettings(camera={"gain_e_per_adu": 0.5}),
    )
    assert seen.profile == "seestar-s50"
    assert seen.gain_e_per_adu == 0.5
    assert seen.telescope_diameter_m == 0.05
    assert "seestar" in seen.sources["telescope_diameter_m"]
    assert "equipment" in seen.sources["gain_e_per_adu"]
