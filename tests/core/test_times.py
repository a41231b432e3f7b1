"""Times against astropy's own machinery, the calendar of the standard library, and AstroImageJ."""

from __future__ import annotations

import csv
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.core import dates, times
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Site
from lightcurve.core.times import only_julian_dates
from lightcurve.frames.clocks import check_cadence

SITE = Site(31.68, -110.88, 1268.0)
RA, DEC = 31.0428, 46.6878


@given(st.dates(date(1950, 1, 1), date(2149, 12, 31)))
def test_julian_day_counts_days(day: date) -> None:
    assert dates.jd_from_iso(day.isoformat()) == day.toordinal() + 1721424.5


@given(st.floats(-14000, 50000), st.integers(-14 * 4, 14 * 4))
def test_offset_is_applied(days: float, quarters: int) -> None:
    sign, minutes = "-" if quarters < 0 else "+", abs(quarters) * 15
    noon = datetime(2000, 1, 1, 12, tzinfo=UTC)
    moment = (noon + timedelta(days=days)).replace(tzinfo=None)
    text = f"{moment.isoformat(timespec='milliseconds')}{sign}{minutes // 60:02d}{minutes % 60:02d}"
    expected = days - quarters / 96
    assert dates.jd_from_iso(text) == pytest.approx(expected + 2451545.0, abs=2e-8)


def test_text_of_a_date_round_trips() -> None:
    assert dates.iso_from_jd(dates.jd_from_iso("2017-12-20T01:33:43.317")) == (
        "2017-12-20T01:33:43.317"
    )


@pytest.mark.parametrize(
    ("text", "unit", "offset"),
    [
        ("2017-12-19T18:33:43.317-0700", 0.001, -7.0),
        ("2017-12-19T18:33:43Z", 1.0, 0.0),
        ("2017-12-19 18:33", 60.0, None),
        ("2017-12-19", 86400.0, None),
        ("19/12/17", 86400.0, None),
        ("2017-12-19T18:33:43.3+05:30", 0.1, 5.5),
    ],
)
def test_precision_and_offset_are_read(text: str, unit: float, offset: float | None) -> None:
    read = dates.parse_calendar(text)
    assert read.unit_s == pytest.approx(unit)
    assert read.offset_hours == offset
    assert read.jd // 1 in {2458106, 2458107}


@pytest.mark.parametrize(
    "text", ["2017-02-29", "2017-13-01", "2017-01-01T25:00:00", "x", "", "20171219", "12:00:00"]
)
def test_no_date_is_refused(text: str) -> None:
    assert dates.parse_calendar(text) is None
    with pytest.raises(ValueError, match="is not a date"):
        dates.jd_from_iso(text)


@pytest.fixture(scope="module")
def astropy_truth() -> dict[str, np.ndarray]:
    """Astropy's light travel times and altitudes, over years and over the sky."""
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    jd = 2455000.5 + np.linspace(0, 4000, 40) * 1.0007
    place = EarthLocation.from_geodetic(SITE.longitude_deg, SITE.latitude_deg, SITE.height_m)
    with iers.conf.set_temp("auto_download", False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moments = Time(jd, format="jd", scale="utc", location=place)
        star = SkyCoord(RA * u.deg, DEC * u.deg)
        bary = moments.light_travel_time(star, "barycentric", ephemeris="builtin")
        helio = moments.light_travel_time(star, "heliocentric", ephemeris="builtin")
        altitude = star.transform_to(AltAz(obstime=moments, location=place)).alt.deg
        return {
            "jd": jd,
            "bjd": (moments.tdb + bary).jd,
            "hjd": (moments + helio).jd,
            "altitude": altitude,
        }


def test_bjd_and_hjd_agree_with_astropy(astropy_truth: dict[str, np.ndarray]) -> None:
    jd = astropy_truth["jd"]
    bjd, hjd = times.bjd_tdb(jd, RA, DEC, SITE), times.hjd_utc(jd, RA, DEC, SITE)
    assert np.abs(bjd - astropy_truth["bjd"]).max() * 86400 < 1e-4  # a double resolves 4e-5 s
    assert np.abs(hjd - astropy_truth["hjd"]).max() * 86400 < 1e-4
    centre = times.bjd_tdb(jd, RA, DEC, None)
    assert 1e-3 < np.abs(centre - bjd).max() * 86400 < 0.0213


def test_altitude_agrees_with_astropy(astropy_truth: dict[str, np.ndarray]) -> None:
    found = times.altitude_deg(astropy_truth["jd"], RA, DEC, SITE)
    assert np.abs(found - astropy_truth["altitude"]).max() * 3600 < 40  # aberration and UT1


def test_utc_and_the_zenith_are_found_from_the_other_side(
    astropy_truth: dict[str, np.ndarray],
) -> None:
    jd, n = astropy_truth["jd"], len(astropy_truth["jd"])
    many = times.utc_from_bjd(astropy_truth["bjd"], np.full(n, RA), np.full(n, DEC), SITE)
    assert np.abs(many - jd).max() * 86400 < 1e-4
    assert times.utc_from_bjd(astropy_truth["bjd"][3], RA, DEC, SITE) == pytest.approx(
        jd[3], abs=1e-9
    )
    day = jd[7] + np.linspace(-0.5, 0.5, 9)
    sine = times.zenith(day, SITE) @ unit_vectors(RA, DEC)
    assert np.abs(np.degrees(np.arcsin(sine)) - times.altitude_deg(day, RA, DEC, SITE)).max() < 5e-4
    turn = times.hour_angle_deg(float(jd[7]), RA, DEC, SITE)
    apart = turn - (times.sidereal_deg(jd[7], SITE) - RA)  # precession of some years
    assert abs((apart + 180) % 360 - 180) < 0.5


def test_leap_seconds() -> None:
    jd = np.array([dates.jd_from_iso(d) for d in ("2016-12-31", "2017-01-01", "2060-01-01")])
    assert times.tt_minus_utc_s(jd).tolist() == [68.184, 69.184, 69.184]


def test_airmass_is_one_overhead_and_missing_below() -> None:
    jd = 2458107.5 + np.linspace(0, 1, 1441)
    overhead = times.airmass(jd, 100.0, SITE.latitude_deg, SITE)
    assert np.nanmin(overhead) == pytest.approx(1.0, abs=1e-4)
    below = times.altitude_deg(jd, 100.0, SITE.latitude_deg, SITE) < 0
    assert np.array_equal(np.isnan(overhead), below)
    assert np.isnan(times.airmass(jd, RA, DEC, None)).all()
    moderate = (overhead < 2) & ~below
    altitude = np.radians(times.altitude_deg(jd, 100.0, SITE.latitude_deg, SITE)[moderate])
    assert np.abs(overhead[moderate] - 1 / np.sin(altitude)).max() < 0.01  # plane-parallel air


def test_far_future_and_nan_give_no_warning() -> None:
    jd = np.array([dates.jd_from_iso("2055-06-01"), np.nan])
    for answer in (times.bjd_tdb(jd, RA, DEC, SITE), times.airmass(jd, 10.0, 80.0, SITE)):
        assert np.isfinite(answer[0])
        assert np.isnan(answer[1])


def test_against_astroimagej(shared_data: Path) -> None:
    with (shared_data / "hatp32-aij" / "hatp32_aij_with_times.csv").open() as file:
        rows = list(csv.DictReader(file))
    jd, bjd, air = (
        np.array([float(row[name]) for row in rows]) for name in ("JD_UTC", "BJD_TDB", "AIRMASS")
    )
    seconds = (times.bjd_tdb(jd, RA, DEC, SITE) - bjd) * 86400
    assert np.abs(seconds - 0.13).max() < 0.05  # what its offline formula is known to be off by
    assert np.abs(times.airmass(jd, RA, DEC, SITE) - air).max() < 0.01


def test_cadence() -> None:
    jd = 2458107.5 + np.arange(4) * 100 / 86400
    names = ["a1", "a2", "a9", "a10"]
    assert check_cadence(jd, [60.0] * 4, names) == ()
    assert check_cadence(jd[::-1], [60.0] * 4, names)[0].startswith(
        "frames earlier than the one before them by name: 3"
    )
    assert "overlap" in check_cadence(jd, [150.0] * 4, names)[0]
    assert "same time" in check_cadence(jd[[0, 1, 1, 3]], [60.0] * 4, names)[0]
    assert check_cadence([], [], []) == ()
    with pytest.raises(ValueError, match="differ"):
        check_cadence(jd, [60.0], names)


def test_now_is_a_date() -> None:
    assert dates.EARLIEST_JD < dates.jd_from_iso(datetime.now(UTC).isoformat()) < dates.LATEST_JD


def test_only_dates_of_observations_are_kept() -> None:
    given = np.array([2458107.5, 58107.0, 1107.6, 1e300, -1.0, 0.0, np.nan, np.inf])
    assert np.flatnonzero(np.isfinite(only_julian_dates(given))).tolist() == [0]
