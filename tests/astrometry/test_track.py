"""Paths on the sky against a great circle and against astropy's own separation and offset."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from lightcurve.astrometry.track import Track
from lightcurve.core.errors import InputError


@pytest.mark.parametrize("start", [(0.1, 10.0), (359.99, -60.0), (120.0, 89.99), (10.0, 0.0)])
def test_two_places_make_a_great_circle(start):
    one = SkyCoord(*start, unit="deg")
    ends = [one, one.directional_offset_by(70 * u.deg, 0.5 * u.deg)]
    track = Track(
        np.array([2460000.0, 2460000.25]), *(np.array([getattr(e, c).deg for e in ends])
        for c in ("ra", "dec")), "x", "test",
    )  # fmt: skip
    for share in (-0.3, 0.0, 0.4, 1.0, 1.5):
        want = one.directional_offset_by(70 * u.deg, 0.5 * share * u.deg)
        ra, dec = track.at(2460000.0 + 0.25 * share)
        assert SkyCoord(ra, dec, unit="deg").separation(want).arcsec[0] < 1e-3
    assert track.rate_arcsec_s(2460000.1) == pytest.approx(1800 / 21600, rel=1e-4)


def test_a_curved_path_is_kept_to_a_milliarcsecond():
    """An observer's own motion bends a near object's path by arc minutes in a night."""

    def place(days):
        hour = 2 * np.pi * days
        return 30 + 2 * days + 0.02 * np.cos(hour), 12 + days + 0.02 * np.sin(hour)

    nodes = np.arange(0, 0.3, 10 / 1440)
    track = Track(2460000.5 + nodes, *place(nodes), "x", "test")
    when = np.linspace(nodes[0], nodes[-1], 501)
    ra, dec = track.at(2460000.5 + when)
    want = SkyCoord(*place(when), unit="deg")
    assert SkyCoord(ra, dec, unit="deg").separation(want).mas.max() < 1


@pytest.mark.parametrize("days", [[0.0], [0.0, 0.0], [1.0, 0.0]])
def test_no_path(days):
    n = len(days)
    with pytest.raises(InputError):
        Track(2460000.0 + np.array(days), np.zeros(n), np.zeros(n), "x", "test")
