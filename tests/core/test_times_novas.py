"""BJD_TDB against NOVAS of the US Naval Observatory with the ephemeris JPL DE405.

NOVAS is another code, in C, and DE405 another ephemeris than the one our times rest on.
"""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import Site
from lightcurve.core.times import bjd_tdb, tt_minus_utc_s

MISSING = "not installed (pip install '.[oracle]' needs a C compiler): no second code for the times"
novas = pytest.importorskip("novas.compat", reason=f"novas is {MISSING}")
eph_manager = pytest.importorskip("novas.compat.eph_manager", reason=f"novas is {MISSING}")
pytest.importorskip("novas_de405", reason=f"novas-de405 is {MISSING}")

AU_LIGHT_S = 499.004783836
DAY_S = 86400.0
UT1_MINUS_UTC_S = 0.0  # under 0.9 s, which turns the observer by 0.4 km: 1.4 microseconds


@pytest.fixture(scope="module")
def ephemeris():
    first, last, number = eph_manager.ephem_open()
    assert number == 405
    yield first, last
    eph_manager.ephem_close()


def _novas_bjd(jd_utc: float, ra_deg: float, dec_deg: float, site: Site | None) -> float:
    """Light-travel time of a star at infinite distance, and TDB by NOVAS' own series."""
    jd_tt = jd_utc + float(tt_minus_utc_s(jd_utc)) / DAY_S
    _, seconds = novas.tdb2tt(jd_tt)
    jd_tdb = jd_tt + seconds / DAY_S
    earth = novas.make_object(0, 3, "Earth", None)
    place, _ = novas.ephemeris((np.floor(jd_tdb), jd_tdb % 1), earth, 0, 0)
    place = np.array(place)
    if site is not None:
        observer = novas.make_observer_on_surface(
            site.latitude_deg, site.longitude_deg, site.height_m, 10.0, 1010.0
        )
        delta_t = (jd_tt - jd_utc) * DAY_S - UT1_MINUS_UTC_S
        offset, _ = novas.geo_posvel(jd_tt, delta_t, observer, 0)
        place = place + np.array(offset)
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    star = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return jd_tdb + float(place @ star) * AU_LIGHT_S / DAY_S


SITES = [None, Site(31.68, -110.88, 1268.0), Site(-29.26, -70.73, 2400.0)]
STARS = [(31.0428, 46.6878), (250.0, -23.0), (100.0, 85.0), (0.0, 0.0)]


@pytest.mark.parametrize("site", SITES, ids=["geocentre", "Arizona", "La Silla"])
@pytest.mark.parametrize(("ra", "dec"), STARS)
def test_bjd_agrees_with_novas_to_5_ms(ephemeris, site, ra, dec):
    rng = np.random.default_rng(5)
    moments = 2451545.0 + np.sort(rng.uniform(0, 10000, 40))  # 2000 to 2027
    ours = bjd_tdb(moments, ra, dec, site)
    theirs = np.array([_novas_bjd(float(jd), ra, dec, site) for jd in moments])
    off_ms = (ours - theirs) * DAY_S * 1000
    assert np.abs(off_ms).max() < 5.0
    # Nothing that would be off by so little is hidden in the tolerance.
    assert np.median(np.abs(off_ms)) < 1.0
