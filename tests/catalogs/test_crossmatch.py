"""Cross-match and proper motion against brute force and astropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.catalogs.crossmatch import SIGMAS, crossmatch
from lightcurve.catalogs.layout import Catalog, Field, julian_years, within
from lightcurve.catalogs.motion import moved
from lightcurve.core.coordinates import unit_vectors


def apart_arcsec(a, b):
    """Angles between two lists of positions, by the haversine formula."""
    ra1, dec1 = (np.radians(x)[:, None] for x in a)
    ra2, dec2 = (np.radians(x)[None, :] for x in b)
    h = np.sin((dec2 - dec1) / 2) ** 2
    h = h + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(h))) * 3600


@pytest.mark.parametrize("centre", [(0.0, 0.0), (359.9999, 89.998), (123.0, -45.0)], ids=str)
def test_all_pairs_within_the_errors_are_kept_and_no_other(centre):
    rng = np.random.default_rng(4)

    def scatter(n):
        radius, angle = rng.uniform(0, 60, n) / 3600, rng.uniform(0, 2 * np.pi, n)
        dec = np.clip(centre[1] + radius * np.sin(angle), -90, 90)
        return (centre[0] + radius * np.cos(angle) / np.cos(np.radians(dec))) % 360, dec

    a, b = scatter(80), scatter(120)
    error_a, error_b = rng.uniform(0.05, 0.8, 80), rng.uniform(0.0, 3.0, 120)
    found = crossmatch((*a, error_a), (*b, error_b), max_radius_arcsec=8.0)
    truth = apart_arcsec(a, b)
    sigma = np.hypot(error_a[:, None], error_b[None, :])
    allowed = truth <= np.clip(SIGMAS * sigma, 0.3, 8.0)
    pairs = np.zeros_like(allowed)
    pairs[found.source, found.row] = True
    assert np.array_equal(pairs, allowed)
    np.testing.assert_allclose(
        found.separation_arcsec, truth[found.source, found.row], rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        found.sigmas, found.separation_arcsec / sigma[found.source, found.row]
    )
    masked = np.where(allowed, truth, np.inf)
    for s in np.unique(found.source):
        mine = found.source == s
        assert np.all(np.diff(found.separation_arcsec[mine]) >= 0)
        assert found.row[mine & found.nearest].tolist() == [np.argmin(masked[s])]
    mutual = {(s, r) for s, r in zip(*np.nonzero(allowed), strict=True)}
    mutual = {p for p in mutual if masked[p] == masked[p[0]].min() == masked[:, p[1]].min()}
    got = set(zip(found.source[found.mutual], found.row[found.mutual], strict=True))
    assert {(int(s), int(r)) for s, r in got} == {(int(s), int(r)) for s, r in mutual}


def test_true_counterparts_are_lost_once_in_a_thousand():
    rng = np.random.default_rng(8)
    n = 40_000
    ra, dec = np.linspace(10, 350, n), np.full(n, 20.0)
    off = rng.normal(0, 0.5, (2, n)) / 3600
    seen = (ra + off[0] / np.cos(np.radians(dec)), dec + off[1], 0.3)
    found = crossmatch(seen, (ra, dec, 0.4))
    lost = n - np.sum(found.source == found.row)
    assert 20 < lost < 65  # 40 expected, Poisson
    assert np.median(found.sigmas) == pytest.approx(np.sqrt(2 * np.log(2)), abs=0.02)


def test_stars_without_a_position_match_nothing():
    nan = np.array([np.nan, 1.0])
    found = crossmatch((nan, nan, 1.0), (np.array([1.0, np.nan]), np.array([1.0, 2.0]), 1.0))
    assert (found.source.tolist(), found.row.tolist()) == ([1], [0])
    nothing = crossmatch((nan[:0], nan[:0], 1.0), (nan, nan, 1.0))
    assert len(nothing) == 0


@settings(max_examples=50)
@given(
    st.floats(0, 359.99),
    st.floats(-89.99, 89.99),
    st.floats(-11000, 11000),
    st.floats(-11000, 11000),
    st.floats(-50, 50),
)
def test_motion_goes_along_a_great_circle(ra, dec, pm_ra, pm_dec, years):
    args = (np.array([x]) for x in (ra, dec, pm_ra, pm_dec))
    ra0, dec0, mu_ra, mu_dec = args
    ra1, dec1 = moved(ra0, dec0, mu_ra, mu_dec, years)
    # In space the star moves by a tangent; on the sky by its arc tangent.
    path = np.hypot(pm_ra, pm_dec) * abs(years) / 1000
    truth = np.degrees(np.arctan(np.radians(path / 3600))) * 3600
    assert apart_arcsec((ra0, dec0), (ra1, dec1))[0, 0] == pytest.approx(truth, abs=1e-6)
    assert 0 <= ra1[0] < 360


def test_motion_agrees_with_astropy_at_the_pole():
    from astropy import units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    star = SkyCoord(
        ra=37.95 * u.deg,
        dec=89.9999 * u.deg,
        pm_ra_cosdec=5000 * u.mas / u.yr,
        pm_dec=-3000 * u.mas / u.yr,
        distance=100 * u.pc,
        obstime=Time(2016.0, format="jyear"),
    )
    truth = star.apply_space_motion(Time(1991.25, format="jyear"))
    mine = moved(*(np.array([x]) for x in (37.95, 89.9999, 5000.0, -3000.0)), -24.75)
    apart = apart_arcsec(mine, (np.array([truth.ra.deg]), np.array([truth.dec.deg])))[0, 0]
    assert apart < 0.001


def test_epochs_are_years_or_dates():
    values = np.array([2016.0, 1991.25, 57388.5, 2457389.0, np.nan, -5.0])
    years = julian_years(values)
    np.testing.assert_allclose(years, [2016.0, 1991.25, 2016.0, 2000.0, 2000.0, 2000.0], atol=0.002)


def test_the_field_is_a_cone_at_the_pole_and_across_zero_hours():
    ra, dec = np.array([359.99, 0.05, 90.0, 180.0]), np.array([0.0, 0.0, 89.95, 89.85])
    blank = np.full(4, "", dtype="U1")
    everything = Catalog("x", "x", blank, ra, dec, np.ones(4), 2000.0)
    assert within(everything, Field(0.0, 0.0, 0.1, 2000.0)).ra_deg.tolist() == [359.99, 0.05]
    assert within(everything, Field(200.0, 90.0, 0.1, 2000.0)).ra_deg.tolist() == [90.0]
    assert len(within(everything, Field(200.0, 90.0, 180.0, 2000.0))) == 4
    assert np.allclose(np.linalg.norm(unit_vectors(ra, dec), axis=1), 1)
