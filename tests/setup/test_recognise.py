"""A target told by frames alone: by OBJECT, or by the planet in the field that transits then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lightcurve.core.data import Exposure
from lightcurve.core.errors import InputError
from lightcurve.setup.target import recognise_target

# HAT-P-32 b by Wang et al. (2019, AJ 157, 82), whose transit this is.
MID = 2455867.402743 + 1042 * 2.1500082
PLACE = (31.04, 46.69)
ELSEWHERE = (200.0, -10.0)


def night(
    name: str | None, place: tuple[float, float] | None, middle: float = MID
) -> list[Exposure]:
    frame = Exposure(object_name=name, shape=(500, 650), scale_arcsec=5.2, exposure_s=60.0)
    if place:
        frame = replace(frame, ra_deg=place[0], dec_deg=place[1])
    return [replace(frame, mid_jd_utc=middle + k / 24) for k in (-2, -1, 0, 1, 2)]


@pytest.mark.parametrize("name", ["HAT-P-32", "HATP-32", "hat-p-32b"])
@pytest.mark.parametrize("place", [PLACE, None])
@pytest.mark.parametrize("middle", [MID, MID + 1.0])
def test_by_its_name(name: str, place: tuple[float, float] | None, middle: float) -> None:
    target = recognise_target(night(name, place, middle))
    assert target.planet is not None
    assert target.planet.name == "HAT-P-32 b"
    assert target.ra_deg == pytest.approx(31.0428, abs=1e-3)


@pytest.mark.parametrize("name", [None, "field 7"])
def test_by_the_field_and_its_transit(name: str | None) -> None:
    target = recognise_target(night(name, PLACE))
    assert target.planet is not None
    assert target.planet.name == "HAT-P-32 b"


def test_a_planet_in_the_field_without_a_transit_is_only_named() -> None:
    with pytest.raises(InputError, match="HAT-P-32 b"):
        recognise_target(night("field 7", PLACE, MID + 1.0))


def test_a_name_that_the_headers_do_not_point_at_is_not_believed() -> None:
    with pytest.raises(InputError, match="which star"):
        recognise_target(night("HAT-P-32", ELSEWHERE))


def test_nothing_known_asks() -> None:
    with pytest.raises(InputError, match="which star"):
        recognise_target(night("M 13", (250.4, 36.46)))
    with pytest.raises(InputError, match="which star"):
        recognise_target(night(None, None))


def test_of_several_planets_the_one_that_transits() -> None:
    # TRAPPIST-1 b and d: at an epoch of b, with no transit of another then.
    target = recognise_target(night("TRAPPIST-1 b", None))
    assert target.planet is not None
    assert target.planet.name == "TRAPPIST-1 b"
    with pytest.raises(InputError, match="TRAPPIST-1 b"):
        recognise_target([replace(e, mid_jd_utc=None) for e in night("TRAPPIST-1", None)])
