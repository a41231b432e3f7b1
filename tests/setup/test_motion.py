"""A star that moves is looked for where it stands on the night."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import GCRS, SkyCoord
from astropy.time import Time

from lightcurve.catalogs.motion import place_at
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Motion, Planet
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.core.times import bjd_tdb
from lightcurve.night.demo import write_planet
from lightcurve.night.measure_table import measure_folder
from lightcurve.night.nights import plan_nights
from lightcurve.night.scene import Scene
from lightcurve.setup.target import Target, at_night
from lightcurve.transit.ephemeris import make_planet, read_planet
from lightcurve.transit.fit_values import planet_values
from sim import tiny_night

PLANET = Planet(
    name="Swift-1 b", ra_deg=20.0, dec_deg=30.0, period_days=1.3, t0_bjd_tdb=2460586.65,
    rp_over_rs=0.1, a_over_rs=8.0, inclination_deg=88.5,
)  # fmt: skip


@pytest.mark.parametrize("jd", [2451545.0, 2459125.3, 2460740.9])
@pytest.mark.parametrize("dec", [4.7, -71.0])
def test_places_are_those_of_astropy(jd: float, dec: float) -> None:
    """GCRS without aberration and light bending is what a WCS of catalogued stars is tied to."""
    motion = Motion(-801.6, 10362.4, 546.98, 2000.0)
    star = SkyCoord(
        ra=269.45 * u.deg, dec=dec * u.deg, pm_ra_cosdec=motion.pm_ra_mas_yr * u.mas / u.yr,
        pm_dec=motion.pm_dec_mas_yr * u.mas / u.yr, distance=1000 / motion.parallax_mas * u.pc,
        radial_velocity=0 * u.km / u.s, obstime=Time(2000.0, format="jyear"),
    )  # fmt: skip
    moment = Time(jd, format="jd", scale="utc")
    moved = star.apply_space_motion(moment)
    # The same direction with and without parallax: aberration cancels to a few mas.
    near = moved.transform_to(GCRS(obstime=moment))
    far = SkyCoord(moved.ra, moved.dec).transform_to(GCRS(obstime=moment))
    ra, dec_now = place_at(269.45, dec, motion, jd)
    squeeze = np.cos(np.radians(dec))
    east = (ra - moved.ra.deg) * squeeze, (near.ra.deg - far.ra.deg) * squeeze
    north = dec_now - moved.dec.deg, near.dec.deg - far.dec.deg
    for ours, theirs in (east, north):
        assert 3.6e6 * ours == pytest.approx(3.6e6 * theirs, abs=3)


def test_what_does_not_move_stays() -> None:
    target = Target("X", 20.0, 30.0, "options --ra and --dec", PLANET)
    assert at_night(target, [2458850.0]) is target
    moving = replace(target, motion=Motion(100.0, 0.0))
    assert at_night(moving, [None, float("nan")]) is moving
    assert place_at(20.0, 30.0, None, 2458850.0) == (20.0, 30.0)


def test_planet_files_tell_motion() -> None:
    values = planet_values(PLANET)
    star = {"pm_ra_mas_yr": 3, "pm_dec_mas_yr": -4.5, "parallax_mas": 7.1, "epoch_year": 2016}
    planet = make_planet({**values, "star": star}, "file")
    assert planet.motion == Motion(3.0, -4.5, 7.1, 2016.0)
    assert make_planet(planet_values(planet), "file").motion == planet.motion
    del star["epoch_year"]
    assert make_planet({**values, **star}, "file").motion.epoch_year == 2000.0
    assert make_planet(values, "file").motion is None
    for wrong in (
        {"pm_ra_mas_yr": 3},
        {**star, "parallax_mas": -1},
        {**star, "pm_dec_mas_yr": 1e5},
    ):
        with pytest.raises(InputError, match=r"pm_|parallax"):
            make_planet({**values, **wrong}, "file")


def planned(folder: Path, settings: Settings) -> Scene:
    [plan] = plan_nights(folder, settings)[1]
    return plan.made.scene


def test_a_fast_star_is_found_twenty_years_on(tmp_path: Path) -> None:
    """5 arcsec a year for 20 years: 104 arcsec, 86 px, from where the file has it."""
    start = 2459125.62
    tiny_night(
        tmp_path / "night", n_frames=4, shape=(300, 330), n_stars=40, header_wcs=True,
        start_jd_utc=start,
    )  # fmt: skip
    path = write_planet(tmp_path / "planet.toml", PLANET)
    at_j2000 = make_settings({"target": {"planet_file": path}})
    assert planned(tmp_path / "night", at_j2000).recipe.plan.target_detected
    # The star stands at 20, +30 on the night: 20 years ago it was elsewhere.
    years = (start - 2451545.0) / 365.25
    ra = 20.0 - 3.0 * years / 3600 / np.cos(np.radians(30.0))
    dec = 30.0 + 4.0 * years / 3600
    then = replace(PLANET, ra_deg=ra, dec_deg=dec)
    path = write_planet(tmp_path / "moving.toml", then)
    assert not planned(
        tmp_path / "night", make_settings({"target": {"planet_file": path}})
    ).recipe.plan.target_detected
    more = "pm_ra_mas_yr = 3000\npm_dec_mas_yr = -4000\nparallax_mas = 200\n"
    path.write_text(path.read_text() + more)
    assert read_planet(path).motion == Motion(3000.0, -4000.0, 200.0)
    settings = make_settings({"target": {"planet_file": path}})
    scene = planned(tmp_path / "night", settings)
    assert scene.recipe.plan.target_detected
    told = next(value for value in scene.values if value.name == "target")
    assert "arcsec by proper motion and parallax from epoch 2000.0 to 2020.8" in told.source
    assert degrees_apart(told.value, (20.0, 30.0)) < 1 / 3600
    found = measure_folder(tmp_path / "night", settings, tmp_path / "run").measurements
    expected = bjd_tdb(found.jd_utc, 20.0, 30.0, found.site)
    np.testing.assert_allclose(found.bjd_tdb, expected, rtol=0, atol=0.01 / 86400)
