"""What else of a header agrees with a value, and contradictions between its keywords."""

from __future__ import annotations

import re
from pathlib import Path

import astropy.units as u
import pytest
from astropy.coordinates import FK4, FK5, SkyCoord
from astropy.time import Time

from headers import exposure, text_of
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import Settings
from lightcurve.frames.agreement import Word, other_words
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.dialects import OBSERVATORIES, observatory_of
from lightcurve.frames.headers import normalise
from lightcurve.frames.read import read_cards, read_frame


def words(cards: dict) -> dict[str, tuple[Word, ...]]:
    read = parse_cards(text_of(cards))
    seen, _ = normalise(read, path="x.fits", shape=(10, 20))
    return other_words(read, seen, Path("x.fits"), Settings())


def verdicts(cards: dict, name: str) -> dict[str, bool | None]:
    return {word.keyword: word.agrees for word in words(cards).get(name, ())}


@pytest.mark.parametrize(
    ("cards", "name", "expected"),
    [
        ({"EXPOSURE": 60.05}, "exposure_s", {"EXPOSURE": True}),
        ({"EXPOSURE": 64.0}, "exposure_s", {"EXPOSURE": False}),
        ({"EXPOSURE": (60000, "[ms]")}, "exposure_s", {"EXPOSURE": True}),
        ({"EGAIN": 1.5, "GAIN": (1.51, "e-/ADU")}, "gain_e_per_adu", {"GAIN": True}),
        ({"EGAIN": 1.5, "GAIN": (0.667, "ADU/e-")}, "gain_e_per_adu", {"GAIN": True}),
        ({"EGAIN": 1.5, "GAIN": (2.5, "e-/ADU")}, "gain_e_per_adu", {"GAIN": False}),
        ({"EGAIN": 1.5, "GAIN": 120}, "gain_e_per_adu", {"GAIN": None}),
        ({"GAIN": 120}, "gain_e_per_adu", {"GAIN": None}),
        ({"FILTER": "V", "INSFILTE": "Johnson V"}, "filter", {"INSFILTE": True}),
        ({"FILTER": "V", "INSFILTE": "Rc"}, "filter", {"INSFILTE": False}),
        ({"FILTER": "V", "FILTER1": "air"}, "filter", {"FILTER1": None}),
        ({"FILTER": "V", "FILTER1": "open1-6"}, "filter", {"FILTER1": None}),
        ({"PIXSCALE": 1.0, "FOCALLEN": 1000, "XPIXSZ": 4.85}, "scale_arcsec",
         {"FOCALLEN, XPIXSZ": True}),
        ({"PIXSCALE": 2.0, "FOCALLEN": 1000, "XPIXSZ": 4.85}, "scale_arcsec",
         {"FOCALLEN, XPIXSZ": False}),
        ({"CCD-TEMP": -19.9, "SET-TEMP": -20}, "temperature_c", {"SET-TEMP": True}),
        ({"XBINNING": 2, "YBINNING": 2, "CCDSUM": "2 2"}, "binning", {"CCDSUM": True}),
        ({"XBINNING": 2, "YBINNING": 2, "CCDSUM": "1 1"}, "binning", {"CCDSUM": False}),
        ({"RA": 31.0, "DEC": 46.7, "OBJCTRA": "02 04 10", "OBJCTDEC": "+46 41 16"}, "ra_deg",
         {"OBJCTRA, OBJCTDEC": True}),
        ({"RA": 131.0, "DEC": 46.7, "OBJCTRA": "02 04 10", "OBJCTDEC": "+46 41 16"}, "ra_deg",
         {"OBJCTRA, OBJCTDEC": False}),
        ({"INSTRUME": "ZWO", "DETECTOR": "IMX571"}, "camera", {"DETECTOR": None}),
        ({"DATE-AVG": "2017-12-20T01:34:13.317"}, "start_jd_utc", {"DATE-AVG": True}),
        ({"DATE-LOC": "2017-12-19T18:33:43"}, "start_jd_utc", {"DATE-LOC": None}),
    ],
)  # fmt: skip
def test_each_other_keyword(cards: dict, name: str, expected: dict) -> None:
    assert verdicts(cards, name) == expected


def test_what_a_header_says_of_the_sky_overhead() -> None:
    # At Greenwich sidereal time was 5.898 h at 0h UTC of that day, so 7.47 h at 01:34.
    cards = {"SITELAT": 51.5, "SITELONG": (0.0, "east"), "LST": "07:28:00"}
    assert verdicts(cards, "site") == {"LST": True}
    assert verdicts({**cards, "LST": "09:28:00"}, "site") == {"LST": False}


def test_a_real_header_whose_sidereal_time_is_of_local_time(hatp32: list[Path]) -> None:
    path = hatp32[0]
    seen = read_frame(path).exposure
    told = other_words(read_cards(path)[0], seen, path, Settings())
    assert {w.keyword: w.agrees for w in told["site"]} == {
        "OBSERVAT": True, "TELALT": True, "HA": True, "LST-OBS": False,
    }  # fmt: skip
    assert {w.keyword: w.agrees for w in told["start_jd_utc"]} == {
        "DATE-OBS": True, "DATE-END": True, "MJD-OBS": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cards", "ra", "doubtful"),
    [
        ({"RA": 2.0695, "DEC": 46.69}, 2.0695, True),
        ({"RA": 2.0695, "DEC": 46.69, "OBJCTRA": "02 04 10", "OBJCTDEC": "+46 41"}, 31.0425, False),
        ({"RA": 2.0695, "DEC": 46.69, "OBJRA": 31.0, "OBJDEC": 46.7}, 31.0425, False),
        ({"RA": 2.0695, "DEC": 46.69, "OBJRA": "00:08:17", "OBJDEC": "46:41"}, 2.0695, False),
        ({"RA": 2.0695, "DEC": 46.69, "CTYPE1": "RA---TAN", "CRVAL1": 31.1, "CRVAL2": 46.5},
         31.0425, False),
        ({"RA": 2.0695, "DEC": 46.69, "LST": "03:04:10", "HA": "01:00:00"}, 31.0425, False),
        ({"RA": 2.0695, "DEC": 46.69, "LST": "01:08:17", "HA": 1.0}, 2.0695, False),
        ({"RA": (2.0695, "[deg]"), "DEC": 46.69}, 2.0695, False),
        ({"RA": 182.0, "DEC": 46.69}, 182.0, False),
    ],
)  # fmt: skip
def test_hours_as_a_bare_number(cards: dict, ra: float, doubtful: bool) -> None:
    seen = exposure(cards)
    assert seen.ra_deg == pytest.approx(ra, abs=1e-4)
    assert ("ra_deg" in seen.guessed) == doubtful
    assert any("--blind" in line for line in seen.warnings) == doubtful
    readings = [place[0] for place in seen.places]
    assert readings == pytest.approx([ra, 15 * ra] if doubtful else [ra], abs=2e-3)


@pytest.mark.parametrize(
    ("cards", "frame"),
    [
        ({"EQUINOX": 2015.58}, FK5(equinox="J2015.58")),
        ({"EPOCH": "J2024.3"}, FK5(equinox="J2024.3")),
        ({"EQUINOX": 1950.0}, FK4(equinox="B1950")),
        ({"EQUINOX": "JNOW"}, FK5(equinox=Time("2017-12-20T01:34:13"))),
        ({"RADESYS": "APPT"}, FK5(equinox=Time("2017-12-20T01:34:13"))),
        ({"EQUINOX": 2000.0}, None),
        ({"EQUINOX": 2015.58, "RADESYS": "ICRS"}, None),
        ({"EQUINOX": "?"}, None),
        ({"EQUINOX": 0.0}, None),
    ],
)
def test_a_pointing_of_date_is_precessed(cards: dict, frame: object) -> None:
    seen = exposure({"RA": "18:05:37.0", "DEC": "-43:49:57", **cards})
    ra, dec = 271.4041667, -43.8325
    truth = SkyCoord(ra * u.deg, dec * u.deg, frame="icrs" if frame is None else frame).icrs
    got = SkyCoord(seen.ra_deg * u.deg, seen.dec_deg * u.deg)
    assert got.separation(truth).arcsec < 1.5  # the E-terms of FK4 are left out
    assert ("precessed" in seen.sources["ra_deg"]) == (frame is not None)


def test_a_pointing_that_says_j2000_is_not_precessed() -> None:
    seen = exposure({"OBJCTRA": ("18 05 37", "[hms J2000]"), "OBJCTDEC": "-43 49 57",
                     "EQUINOX": 2015.58})  # fmt: skip
    assert seen.ra_deg == pytest.approx(271.4041667, abs=1e-5)


@pytest.mark.parametrize(
    ("cards", "exposure_s"),
    [
        ({"EXPTIME": 60.0, "EXPOSURE": 30.0, "DATE-END": "2017-12-20T01:34:44.5"}, 60.0),
        ({"EXPTIME": 60.0, "EXPOSURE": 30.0, "DATE-END": "2017-12-20T01:34:14.5"}, 30.0),
        ({"EXPTIME": 60.0, "EXPOSURE": 66.0}, 60.0),  # 3 s of mid-time: told, no more
        ({"EXPTIME": 60.0, "EXPOSURE": 60000.0}, 60.0),
        ({"EXPTIME": 60000.0, "EXPOSURE": 60.0}, 60.0),
        ({"EXPTIME": 10.0, "EXPOSURE": 100.0, "NCOMBINE": 10}, 10.0),
    ],
)
def test_two_exposures(cards: dict, exposure_s: float) -> None:
    assert exposure(cards).exposure_s == exposure_s


def test_two_exposures_that_nothing_settles_stop_and_ask() -> None:
    cards = {"EXPTIME": 60.0, "EXPOSURE": 30.0}
    with pytest.raises(HeaderError, match="--exposure"):
        exposure(cards)
    assert exposure(cards, time={"exposure_s": 30.0}).exposure_s == 30.0
    assert exposure({**cards, "IMAGETYP": "dark"}).kind == "dark"


@pytest.mark.parametrize(
    ("cards", "band", "told"),
    [
        ({"FILTER": "V", "INSFILTE": "Rc"}, "V", True),
        ({"FILTER": "V", "INSFILTE": "Johnson V"}, "V", False),
        ({"FILTER1": "Air", "FILTER2": "V"}, "V", False),
        ({"FILTER1": "V", "FILTER2": "ND3"}, "V", False),
    ],
)
def test_two_filters(cards: dict, band: str, told: bool) -> None:
    seen = exposure(cards)
    assert (seen.filter, len(seen.warnings)) == (band, int(told))


def test_two_pointings_far_apart_are_told() -> None:
    cards = {"RA": 131.0, "DEC": 46.7, "OBJCTRA": "02 04 10", "OBJCTDEC": "+46 41 16"}
    assert any("apart" in line for line in exposure(cards).warnings)
    assert exposure({**cards, "RA": 31.5}).warnings == ()


def test_one_wrong_word_of_several_does_not_hide_a_longitude() -> None:
    # A real header: its sidereal time of that frame is 24 h less what it should be.
    cards = {
        "DATE-OBS": "2019-05-03T09:17:48", "RA": "16 41 41.00", "DEC": "+36 27 35.0",
        "LAT-OBS": 32.78028, "LONG-OBS": (-105.82028, "[deg +E WGS84] Geodetic longitude"),
        "ST": "07 01 30.95", "HA": "00 16 48.05", "OBJCTALT": "84.9528",
    }  # fmt: skip
    seen = exposure(cards)
    assert seen.site.longitude_deg == pytest.approx(-105.82028)
    assert any("ST contradicts" in line for line in seen.warnings)
    assert exposure({**cards, "ST": "16 58 29.05"}).warnings == ()


@pytest.mark.parametrize(
    ("cards", "place"),
    [
        ({"OBSERVAT": "Kitt Peak"}, (31.9633, -111.6, 2120)),
        ({"SITENAME": "SIDING-SPRING OBSERVATORY"}, (-31.2734, 149.0612, 1149)),
        ({"OBSERVAT": "CTIO", "SITELAT": -30.17, "SITELONG": -70.80}, (-30.17, -70.8, 2215)),
        ({"OBSERVAT": "CTIO", "LATITUDE": -30.17, "LONGITUD": 70.80}, (-30.17, -70.8, 2215)),
        ({"OBSERVAT": "SSO", "LATITUDE": -31.27, "LONGITUD": 149.06}, None),
        ({"OBSERVAT": "my garden"}, None),
        ({"OBSERVAT": "Kitt"}, None),
    ],
)
def test_an_observatory_by_its_name(cards: dict, place: tuple[float, float, float] | None) -> None:
    site = exposure(cards).site
    if place is None:
        assert site is None
        return
    assert (site.latitude_deg, site.longitude_deg) == pytest.approx(place[:2], abs=1e-3)
    assert site.height_m == place[2]


def test_observatories_are_where_they_can_be() -> None:
    names = [re.sub(r"\W", "", name.lower()) for o in OBSERVATORIES.sites for name in o.names]
    assert len(names) == len(set(names))
    for one in OBSERVATORIES.sites:
        latitude, longitude, height = one.place
        assert abs(latitude) < 60
        assert abs(longitude) <= 180
        assert 0 < height < 5000
    # Of each side of Greenwich and of the equator, one that is known to be there.
    kitt, salt = observatory_of("KPNO"), observatory_of("Sutherland")
    assert kitt.place[:2] == pytest.approx((31.96, -111.6), abs=0.05)
    assert salt.place[:2] == pytest.approx((-32.38, 20.81), abs=0.05)


def test_a_name_is_held_against_the_site() -> None:
    here = {"SITELAT": 31.96, "SITELONG": -111.6, "OBSERVAT": "KPNO"}
    assert verdicts(here, "site") == {"OBSERVAT": True}
    assert verdicts({**here, "OBSERVAT": "CTIO"}, "site") == {"OBSERVAT": False}


def test_the_exposures_of_a_plane_and_of_its_cube_do_not_contradict() -> None:
    cards = {
        "NAXIS": 3,
        "NAXIS1": 20,
        "NAXIS2": 10,
        "NAXIS3": 50,
        "EXPTIME": 2.0,
        "EXPOSURE": 100.0,
    }
    seen, _ = normalise(
        parse_cards(text_of({**cards, "CADENCE": 2.1})), path=Path("cube.fits[3]"), shape=(10, 20)
    )
    assert seen.exposure_s == 2.0
    assert seen.mid_jd_utc is not None
