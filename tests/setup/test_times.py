"""Times that sky and cadence contradict stop the run, with the numbers and what settles it.

The headers are made here, of textbook formulae alone: the Sun and sidereal time of the Astronomical
Almanac's low-precision series, altitude by the spherical triangle, airmass by the secant.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.io.fits import Header

from lightcurve.core.data import FrameKind, FrameStatus
from lightcurve.core.dates import iso_from_jd, jd_from_iso
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.core.times import sidereal_deg, sun_altitude_deg
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.entries import Entry
from lightcurve.frames.headers import normalise
from lightcurve.night.nights import plan_nights
from lightcurve.setup.target import Target
from lightcurve.setup.times import leave_out_impossible, time_fault
from sim import tiny_night

LATITUDE, LONGITUDE = 31.68, -110.88
TARGET = Target("X", 31.04, 46.69, "test")
START = jd_from_iso("2017-12-20T01:40:00")
CADENCE_S = 200.0
NAMED = {"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}}
WANTED = make_settings(NAMED)


def sidereal(jd: float) -> float:
    return (280.46061837 + 360.98564736629 * (jd - 2451545.0) + LONGITUDE) % 360


def altitude(jd: float, ra: float, dec: float) -> float:
    hour, phi, delta = (math.radians(a) for a in (sidereal(jd) - ra, LATITUDE, dec))
    sine = math.sin(phi) * math.sin(delta) + math.cos(phi) * math.cos(delta) * math.cos(hour)
    return math.degrees(math.asin(sine))


def sun_place(jd: float) -> tuple[float, float]:
    """Astronomical Almanac, page C5: RA and Dec to 0.01 deg."""
    n = jd - 2451545.0
    g = math.radians(357.528 + 0.9856003 * n)
    ecliptic = math.radians(280.460 + 0.9856474 * n + 1.915 * math.sin(g) + 0.02 * math.sin(2 * g))
    tilt = math.radians(23.439 - 4e-7 * n)
    ra = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    return math.degrees(ra), math.degrees(math.asin(math.sin(tilt) * math.sin(ecliptic)))


def words(jd: float) -> dict[str, object]:
    """What a mount writes of the sky overhead."""
    up = altitude(jd, TARGET.ra_deg, TARGET.dec_deg)
    hour = (sidereal(jd) - TARGET.ra_deg + 180) % 360 - 180
    return {
        "CENTALT": round(up, 2),
        "AIRMASS": round(1 / math.sin(math.radians(up)), 2),
        "HA": round(hour / 15, 4),
    }


def night(
    *, n: int = 40, ahead_h: float = 0.0, said: tuple[str, ...] = (), cards: dict | None = None,
    odd: dict[int, dict] | None = None, **options: object,
) -> list[Entry]:  # fmt: skip
    """Entries of a night whose clock is ahead of UTC; `said`: words the header has."""
    entries = []
    for k in range(n):
        jd = START + k * CADENCE_S / 86400
        header = {
            "IMAGETYP": "light", "EXPTIME": 60.0, "DATE-OBS": iso_from_jd(jd + ahead_h / 24),
            "SITELAT": LATITUDE, "SITELONG": LONGITUDE, "RA": 31.0, "DEC": 46.8,
            **{keyword: words(jd)[keyword] for keyword in said}, **(cards or {}),
            **(odd or {}).get(k, {}),
        }  # fmt: skip
        text = Header(list(header.items())).tostring(endcard=False, padding=False)
        path = Path(f"f{k:03d}.fits")
        exposure, error = normalise(
            parse_cards(text), path=path, shape=(500, 650), settings=Settings(**options)
        )
        assert error is None
        entry = Entry(
            path=path, name=path.name, kind=FrameKind.LIGHT, exposure=exposure,
            status=FrameStatus.OK,
        )  # fmt: skip
        entries.append(entry)
    return entries


def test_sun_and_sidereal_time_are_those_of_the_almanac() -> None:
    site = night(n=1)[0].exposure.site
    assert site is not None
    for days in (0.0, 0.3, 97.6, 1200.1):
        jd = START + days
        assert sun_altitude_deg(jd, site) == pytest.approx(altitude(jd, *sun_place(jd)), abs=0.03)
        assert sidereal_deg(jd, site) == pytest.approx(sidereal(jd), abs=0.01)


@pytest.mark.parametrize("said", [(), ("AIRMASS",), ("CENTALT", "HA"), ("HA",)])
def test_a_true_night_passes_whole(said: tuple[str, ...]) -> None:
    lights = night(said=said)
    assert leave_out_impossible(lights, TARGET) == (lights, {})


def test_unmarked_local_time_by_day_stops_with_its_offset() -> None:
    with pytest.raises(
        HeaderError, match=r"the Sun stands \d+ deg above.*--utc-offset -7 "
    ) as told:
        leave_out_impossible(night(ahead_h=-7), TARGET)
    assert told.value.keyword == "DATE-OBS"
    settled = night(ahead_h=-7, time={"utc_offset_hours": -7})
    assert leave_out_impossible(settled, TARGET, -7) == (settled, {})


@pytest.mark.parametrize("word", ["AIRMASS", "CENTALT", "HA"])
def test_an_hour_of_summer_time_is_seen_by_the_headers_own_words(word: str) -> None:
    assert leave_out_impossible(night(ahead_h=1), TARGET)[1] == {}  # nothing else can tell
    with pytest.raises(HeaderError, match=rf"{word} says .*--utc-offset 1 \(1 h earlier"):
        leave_out_impossible(night(ahead_h=1, said=(word,)), TARGET)


def test_local_time_that_is_called_utc_is_settled_by_a_correction() -> None:
    cards = {"TIMESYS": "UTC"}
    with pytest.raises(HeaderError, match=r"clock_correction_s = 25200 in \[time\]"):
        leave_out_impossible(night(ahead_h=-7, cards=cards), TARGET)
    settled = night(ahead_h=-7, cards=cards, time={"clock_correction_s": 25200})
    assert leave_out_impossible(settled, TARGET)[1] == {}


def test_offset_given_with_the_wrong_sign() -> None:
    wrong = night(ahead_h=-7, said=("HA",), time={"utc_offset_hours": 7})
    with pytest.raises(HeaderError, match=r"--utc-offset -7 \(14 h later"):
        leave_out_impossible(wrong, TARGET, 7)


def test_longitude_with_the_wrong_sign_is_named() -> None:
    wrong = night(said=("HA",), site={"longitude_deg": -LONGITUDE})
    with pytest.raises(HeaderError, match=r"at 110\.88 E.*--longitude -110\.8800"):
        leave_out_impossible(wrong, TARGET)


def test_a_target_below_the_horizon_stops() -> None:
    far = Target("X", 31.04, -70.0, "test")
    with pytest.raises(HeaderError, match=r"the target is \d+ deg below.*--dec"):
        leave_out_impossible(night(), far)
    assert leave_out_impossible(night(), None)[1] == {}  # where it is not in the frames


def test_a_word_that_stands_still_says_nothing() -> None:
    lights = night(cards={"AIRMASS": 1.2, "ELEVATIO": 20.0, "ALT": 12.0})
    assert leave_out_impossible(lights, TARGET)[1] == {}


def test_one_word_against_others_that_agree_does_not_stop() -> None:
    odd = {k: {"LST-OBS": f"{(k * CADENCE_S / 3600 + 17.0):.4f}"} for k in range(40)}
    assert leave_out_impossible(night(said=("CENTALT", "HA"), odd=odd), TARGET)[1] == {}


def test_one_odd_frame_is_a_row_with_a_reason() -> None:
    lights = night(said=("HA",), odd={7: {"DATE-OBS": "2017-12-20T19:00:00"}})
    kept, left_out = leave_out_impossible(lights, TARGET)
    assert len(kept) == 39
    assert list(left_out) == [Path("f007.fits")]
    assert "the Sun stands" in left_out[Path("f007.fits")]


def test_one_odd_word_leaves_a_frame_out_only_where_it_is_far_off() -> None:
    lights = night(
        said=("HA",), odd={7: {"HA": -3.2}, 9: {"HA": words(START + 0.0208)["HA"] + 0.4}}
    )
    kept, left_out = leave_out_impossible(lights, TARGET)
    assert list(left_out) == [Path("f007.fits")]
    assert "HA says hour angle" in left_out[Path("f007.fits")]
    assert len(kept) == 39


def test_one_frame_is_held_against_the_sky_too() -> None:
    place = TARGET.ra_deg, TARGET.dec_deg
    good, late = night()[3], night(ahead_h=-7.0)[3]
    assert time_fault(good.exposure, *place) == ""
    assert "the Sun stands" in time_fault(late.exposure, *place)
    assert "--utc-offset" in time_fault(late.exposure, *place)
    assert "below the horizon" in time_fault(good.exposure, TARGET.ra_deg, -80.0)


def test_milliseconds_for_seconds_stop_with_the_cadence() -> None:
    with pytest.raises(HeaderError, match=r"60000 s .*every 200 s.*--exposure") as told:
        leave_out_impossible(night(cards={"EXPTIME": 60000}), TARGET)
    assert told.value.keyword == "EXPTIME"
    settled = night(cards={"EXPTIME": 60000}, time={"exposure_s": 60.0})
    assert leave_out_impossible(settled, TARGET)[1] == {}
    assert settled[0].exposure.mid_jd_utc == pytest.approx(START + 30 / 86400, abs=1e-8)
    assert settled[0].exposure.sources["exposure_s"] == "setting time.exposure_s"


def test_a_clock_rounded_to_more_than_the_cadence_is_no_contradiction() -> None:
    odd = {
        k: {"MJD-OBS": round(START + k * 65 / 86400 - 2400000.5, 3), "DATE-OBS": "2017-12-20"}
        for k in range(40)
    }
    lights = night(odd=odd)
    assert leave_out_impossible(lights, TARGET)[1] == {}


def test_a_simulated_night_by_an_unmarked_local_clock(tmp_path: Path) -> None:
    lights, _ = tiny_night(tmp_path / "a", n_frames=12, header_wcs=True)
    local, odd = tmp_path / "local", tmp_path / "odd"
    for k, path in enumerate(lights):
        header, pixels = fits.getheader(path), fits.getdata(path)
        for name in ("TIMESYS", "MJD-OBS", "DATE-END"):
            header.remove(name)
        for folder, late in ((local, True), (odd, k == 5)):
            folder.mkdir(exist_ok=True)
            jd = jd_from_iso(str(header["DATE-OBS"])) - late * 7 / 24
            stamped = header.copy()
            stamped["DATE-OBS"] = iso_from_jd(jd)
            fits.writeto(folder / path.name, pixels, stamped)
    with pytest.raises(HeaderError, match=r"light_0001.fits: .* the Sun .*--utc-offset -7"):
        plan_nights(local, WANTED)
    [scene] = [plan.made.scene for plan in plan_nights(odd, WANTED)[1]]
    assert [path.name for path in scene.unused] == ["light_0006.fits"]
    assert "the Sun" in scene.unused[odd / "light_0006.fits"]
    in_time = make_settings({**NAMED, "time": {"utc_offset_hours": -7}})
    [settled] = [plan.made.scene for plan in plan_nights(local, in_time)[1]]
    assert len(settled.lights) == 12
