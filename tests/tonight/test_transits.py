"""Nights to come against astropy's own machinery, and at places where nights are odd."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lightcurve.catalogs.known_planets import the_table
from lightcurve.core import times
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Planet, Site
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.location import parse_site
from lightcurve.tonight import places
from lightcurve.tonight.places import find_evening, find_planets
from lightcurve.tonight.precision import Noise, Promise, by_photons
from lightcurve.tonight.sky import NightSky, evening_of, look_up
from lightcurve.tonight.transits import Chance, Limits, Planets, find_chances
from lightcurve.transit.ephemeris import transit_duration

SITE = Site(31.9633, -111.6, 2120.0)
DAY = jd_from_iso("2019-11-30") + 0.5
BRIGHT = Promise((Noise(12.0, (1e-6, 0.0, 1e-7)),), 1.0, "told")
PLANET = Planet(
    name="Truth b", ra_deg=48.0, dec_deg=25.0, period_days=3.2, t0_bjd_tdb=2458818.7 - 1000 * 3.2,
    rp_over_rs=0.12, a_over_rs=8.0, inclination_deg=87.5, eccentricity=0.3, omega_deg=40.0,
    g_mag=12.0, errors={"t0_bjd_tdb": 3e-4, "period_days": 1e-6},
)  # fmt: skip


def chances(
    planet: Planet = PLANET, night: NightSky | None = None, **limits: float
) -> tuple[Chance, ...]:
    return find_chances(Planets((planet,)), night or look_up(DAY, SITE), Limits(**limits), BRIGHT)


def seen_by_astropy(one: Chance) -> dict[str, float]:
    """UTC of mid-transit, altitude then, and the share of the transit seen."""
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
    from astropy.time import Time

    where = EarthLocation(lat=31.9633 * u.deg, lon=-111.6 * u.deg, height=2120 * u.m)
    star = SkyCoord(PLANET.ra_deg * u.deg, PLANET.dec_deg * u.deg)
    half = transit_duration(PLANET) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moments = Time(one.mid + np.linspace(-half, half, 41), format="jd", scale="utc")
        moments.location = where
        late = moments.light_travel_time(star, ephemeris="builtin")
        bjd = (moments.tdb + late).jd
        frame = AltAz(obstime=moments, location=where)
        high, sun = star.transform_to(frame).alt.deg, get_sun(moments).transform_to(frame).alt.deg
    return {
        "utc": float(np.interp(PLANET.t0_bjd_tdb + 1000 * 3.2, bjd, moments.jd)),
        "altitude": float(high[20]),
        "share": float(np.mean((high >= 30) & (sun <= -12))),
    }


def test_a_transit_is_seen_as_astropy_says() -> None:
    (one,) = chances()
    truth = seen_by_astropy(one)
    assert one.epoch == 1000
    assert abs(one.mid - truth["utc"]) < 0.05 / 86400
    assert abs(one.mid - one.mid_bjd_tdb) > 3 / 1440  # light is not at the Sun at once
    assert one.altitudes_deg[1] == pytest.approx(truth["altitude"], abs=0.03)
    assert one.share == pytest.approx(truth["share"], abs=0.03)
    assert one.egress - one.ingress == pytest.approx(transit_duration(PLANET), abs=1e-6)
    assert one.mid_err_days == pytest.approx(np.hypot(3e-4, 1e-3))
    assert not one.unsure


def test_the_meridian_is_where_the_star_is_highest() -> None:
    for sign in (-1, 1):  # north and south of the zenith, and of the equator
        site = replace(SITE, latitude_deg=sign * 31.9633)
        (one,) = chances(replace(PLANET, dec_deg=sign * 25.0), look_up(DAY, site))
        grid = one.mid + np.linspace(-0.2, 0.2, 4001)
        best = grid[np.argmax(times.altitude_deg(grid, 48.0, sign * 25.0, site))]
        inside = one.first <= best <= one.last
        assert inside
        assert abs(one.flip - best) < 20 / 86400
        assert one.flip_minute == pytest.approx(1440 * (best - one.first), abs=0.5)


def test_a_circumpolar_star_crosses_the_meridian_below_the_pole_too() -> None:
    lower = times.utc_from_bjd(2458818.7, PLANET.ra_deg, 85.0, SITE)
    turn = times.hour_angle_deg(float(lower), PLANET.ra_deg, 85.0, SITE)
    planet = replace(PLANET, dec_deg=85.0, ra_deg=(PLANET.ra_deg + turn + 178) % 360)
    (one,) = chances(planet, altitude_deg=20.0)
    assert np.isfinite(one.flip)
    assert one.altitudes_deg[1] < SITE.latitude_deg  # below the pole


def test_limits_leave_out_and_shares_add_up() -> None:
    (whole,) = chances()
    assert whole.share == whole.ingress_share == whole.egress_share == 1.0
    assert whole.before_min == pytest.approx(45, abs=1)
    top = max(whole.altitudes_deg)
    (part,) = chances(altitude_deg=top - 4, share=0.1)
    assert 0.1 <= part.share < 1
    assert part.first > whole.first or part.last < whole.last
    assert part.depth_err_percent > whole.depth_err_percent
    assert not chances(altitude_deg=90.0)
    assert not chances(depth_percent=1.5)
    assert not chances(faintest=11.9)
    assert not chances(replace(PLANET, g_mag=None), faintest=20.0)
    (unknown,) = chances(replace(PLANET, g_mag=None))
    assert np.isnan(unknown.score)
    assert 0 < whole.moon_deg < 180
    (down,) = chances(moon_deg=180.0)  # what is left of it when the Moon has set
    assert np.isnan(down.moon_deg)
    assert down.last - down.first < whole.last - whole.first


def test_a_grazing_transit_is_shallow() -> None:
    cosine = 1.08 * (1 + 0.3 * np.sin(np.radians(40))) / (1 - 0.3**2) / 8
    grazing = replace(PLANET, inclination_deg=float(np.degrees(np.arccos(cosine))))
    (one,) = chances(grazing)
    assert 0 < one.depth_percent < 0.2 * 100 * 0.12**2
    assert one.mid_time_err_min > chances()[0].mid_time_err_min


def test_a_time_that_is_not_known_to_the_night_is_marked() -> None:
    (late,) = chances(replace(PLANET, errors={"period_days": 4e-4}))
    assert late.unsure
    assert late.mid_err_days == pytest.approx(0.4)
    (none,) = chances(replace(PLANET, errors={}))
    assert none.unsure
    assert np.isnan(none.mid_err_days)


def test_every_transit_belongs_to_one_night() -> None:
    quick = replace(PLANET, period_days=0.31, t0_bjd_tdb=2458818.7)
    found = [
        one.epoch
        for k in range(5)
        for one in chances(quick, look_up(DAY + k, SITE), altitude_deg=-5, sun_deg=90, share=0.0)
    ]
    assert len(found) == len(set(found))
    assert found == sorted(found)


def test_polar_nights_and_days() -> None:
    summer, winter = (look_up(jd_from_iso(f"2026-{month}-21") + 0.5, Site(80.0, 16.0))
                      for month in ("06", "12"))  # fmt: skip
    assert summer.dark(-12) == ()
    assert winter.dark(-12) == ((winter.first, winter.last),)
    assert not chances(replace(PLANET, dec_deg=80.0, period_days=0.5), summer)
    assert chances(replace(PLANET, dec_deg=80.0, period_days=0.5), winter)


def test_dusk_is_where_the_sun_is_so_low() -> None:
    night = look_up(DAY, SITE)
    ((dusk, dawn),) = night.dark(-12)
    assert times.sun_altitude_deg(np.array([dusk, dawn]), SITE) == pytest.approx(-12, abs=0.01)
    assert night.first < dusk < dawn < night.last


def test_evenings_across_the_date_line() -> None:
    # 08:00 UTC is 20:00 in Fiji, the same date; east of the line it is 20:00 of the day before.
    moment = datetime(2026, 12, 21, 8, tzinfo=UTC)
    west, east = Site(-17.7, 178.0), Site(-17.7, -178.0)
    assert look_up(find_evening(None, west, moment), west).evening == "2026-12-21"
    assert look_up(find_evening(None, east, moment), east).evening == "2026-12-20"
    for site in (west, east):  # and after midnight it is still the same night
        later = find_evening(None, site, moment + timedelta(hours=9))
        assert later == find_evening(None, site, moment)
        assert look_up(later, site).first <= moment.timestamp() / 86400 + 2440587.5
    assert evening_of(DAY + 0.1, Site(0.0, 0.0)) == DAY


@pytest.mark.parametrize("date", ["2026-13-01", "tomorrow", "1850-01-01", "30/11/2026"])
def test_no_date_is_refused(date: str) -> None:
    with pytest.raises(InputError):
        look_up(find_evening(date, SITE), SITE)


def test_the_moon_agrees_with_astropy() -> None:
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, get_body
    from astropy.time import Time

    night = look_up(DAY, SITE)
    where = EarthLocation(lat=31.9633 * u.deg, lon=-111.6 * u.deg, height=2120 * u.m)
    jd = night.jd[:-1:48] + 0.001
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moment = Time(jd, format="jd", scale="utc")
        body = get_body("moon", moment, where, ephemeris="builtin")
        high = body.transform_to(AltAz(obstime=moment, location=where)).alt.deg
    place, altitude = night.moon_at(jd)
    star = unit_vectors(body.ra.deg, body.dec.deg)
    apart = np.degrees(np.arccos(np.clip(np.sum(place * star, axis=-1), -1, 1)))
    assert apart.max() < 0.02
    assert altitude == pytest.approx(high, abs=0.02)


def test_all_known_planets_of_a_night() -> None:
    known, _ = find_planets(())
    found = find_chances(Planets(known), look_up(DAY, SITE), Limits(), by_photons(Settings(), SITE))
    assert len(found) > 20
    assert all(one.share >= 0.5 and one.first < one.last for one in found)
    some = find_planets(("hat-p-32b", "WASP-12"))[0]
    assert {planet.name for planet in some} == {"HAT-P-32 b", "WASP-12 b"}


def test_a_known_planet_with_values_that_cannot_be_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = the_table()
    wrong = replace(table.planets["wasp12b"], values={"name": "WASP-12 b", "period_days": -1.0})
    planets = {"hatp32b": table.planets["hatp32b"], "wasp12b": wrong}
    monkeypatch.setattr(places, "the_table", lambda: replace(table, planets=planets))
    assert [planet.name for planet in find_planets(())[0]] == ["HAT-P-32 b"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("kitt peak", (31.963333, -111.6, 2120)),
        ("31.5,-110.9", (31.5, -110.9, 0)),
        ("31 30 00 S, 110 54 00 W, 1200", (-31.5, -110.9, 1200)),
        ("10,350", (10, -10, 0)),
    ],
)
def test_sites(text: str, place: tuple[float, float, float]) -> None:
    site = parse_site(text)
    assert (site.latitude_deg, site.longitude_deg, site.height_m) == pytest.approx(place)


@pytest.mark.parametrize("text", ["", "Nowhere", "91,0", "1", "1,2,3,4", "nan,0"])
def test_no_site_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_site(text)
