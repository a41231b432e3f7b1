"""The header's own WCS: absurd ones refused, those of other systems converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.astrometry.header_wcs import solve_header
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import to_icrs
from lightcurve.core.data import Solution
from lightcurve.core.errors import SolveError
from lightcurve.core.settings import SolveSettings
from nova_cases import random_stars

SHAPE = (500, 650)
TURNED = {"CD1_1": -0.0012, "CD1_2": 0.0007, "CD2_1": 0.0007, "CD2_2": 0.0012}
SIP = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}


def cards_of(**changes: object) -> fits.Header:
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 31.2, "CRVAL2": 46.7}
    return fits.Header(cards | {"CRPIX1": 325.5, "CRPIX2": 250.5} | TURNED | changes)


def solved(
    cards: fits.Header, settings: SolveSettings | None = None, **known: float | None
) -> Solution:
    known = {"ra_deg": 31.3, "dec_deg": 46.8, "scale_arcsec": 5.0} | known
    request = SolveRequest(random_stars(20), SHAPE, cards, Path("x.fits"), **known)
    return solve_header(request, settings or SolveSettings())


def test_a_sound_header_is_taken() -> None:
    found = solved(cards_of())
    assert (found.solver, found.n_matched) == ("header", 0)
    np.testing.assert_allclose(found.wcs.all_pix2world(324.5, 249.5, 0), (31.2, 46.7))
    mild = {"A_ORDER": 2, "A_2_0": 1e-5, "B_ORDER": 2, "B_0_2": -1e-5}
    assert solved(cards_of(**SIP, **mild)).wcs.sip is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CRPIX1": 1e300}, "beyond any sense"),
        ({"CRPIX1": 1e8}, "arcsec/px, which no camera has"),
        ({"CD1_1": 1.0, "CD2_2": 1.0}, "arcsec/px, which no camera has"),
        ({"CRVAL1": "abc"}, "CRVAL1 is 'abc', no number"),
        ({"CRVAL2": True}, "CRVAL2 is 'True', no number"),
        ({"CRPIX2": "250.5"}, "CRPIX2 is '250.5', no number"),
        ({"CD2_1": "x"}, "CD2_1 is 'x', no number"),
        ({"CRVAL1": None}, "CRVAL1 is"),
        ({"CTYPE2": 0.5}, "CTYPE2 is '0.5', no text"),
        (SIP | {"A_ORDER": 9, "B_ORDER": 9, "A_9_0": 1e10}, "is distorted by"),
        (SIP | {"A_ORDER": 9, "B_ORDER": 9, "B_0_9": 1e-10}, "is distorted by"),
        (SIP | {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": "1e-5"}, "A_2_0 is '1e-5', no number"),
    ],
    ids=range(12),
)
def test_an_absurd_header_is_refused(changes: dict, words: str) -> None:
    with pytest.raises(SolveError, match=words):
        solved(cards_of(**changes))


def test_a_place_is_needed() -> None:
    cards = cards_of()
    del cards["CRVAL2"]
    with pytest.raises(SolveError, match="CRVAL2 is missing"):
        solved(cards)


def test_what_no_star_confirms_must_not_contradict_the_rest_of_the_header() -> None:
    with pytest.raises(SolveError, match=r"5 arcsec/px, the rest of it says 15"):
        solved(cards_of(), scale_arcsec=15.0)
    with pytest.raises(SolveError, match=r"at 31.200 \+46.700, 16.7 deg from 31.300 \+30.000"):
        solved(cards_of(), dec_deg=30.0)
    # Across 0 h, and round the pole.
    assert solved(cards_of(CRVAL1=359.9), ra_deg=0.1)
    assert solved(cards_of(CRVAL2=89.9), ra_deg=211.2, dec_deg=89.9)
    # Nothing known, or not to be believed.
    assert solved(cards_of(), ra_deg=None, scale_arcsec=None)
    assert solved(cards_of(), SolveSettings(blind=True), dec_deg=-30.0)


def test_a_reference_that_was_never_set_is_no_solution() -> None:
    with pytest.raises(SolveError, match="never set"):
        solved(cards_of(**ORIGIN), ra_deg=None)
    # Where stars are there, it is a place like others.
    stars, cards = random_stars(60), cards_of(**ORIGIN)
    sky = WCS(cards).all_pix2world(np.column_stack([stars.x, stars.y]), 0)
    request = SolveRequest(stars, SHAPE, cards, Path("x.fits"), catalog=sky)
    assert solve_header(request, SolveSettings()).n_matched > 50


def test_stars_outweigh_what_else_the_header_says() -> None:
    stars, cards = random_stars(60), cards_of()
    sky = WCS(cards).all_pix2world(np.column_stack([stars.x, stars.y]), 0)
    request = SolveRequest(stars, SHAPE, cards, Path("x.fits"), 200.0, -30.0, 15.0, catalog=sky)
    assert solve_header(request, SolveSettings()).n_matched > 50


@pytest.mark.parametrize(("n_given", "n_index", "right"), [(300, 6, "given"), (8, 60, "index")])
def test_the_list_with_more_stars_decides(
    n_given: int, n_index: int, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    stars, cards = random_stars(60), cards_of()
    there = WCS(cards).all_pix2world(np.column_stack([stars.x, stars.y]), 0)

    def listed(n: int, name: str) -> np.ndarray:
        elsewhere = WCS(cards).all_pix2world(rng.uniform(0, SHAPE[::-1], (n, 2)), 0)
        return np.vstack([there, elsewhere])[:n] if name == right else elsewhere

    given, index = listed(n_given, "given"), listed(n_index, "index")
    monkeypatch.setattr("lightcurve.astrometry.header_wcs.index_stars", lambda *_: index)
    monkeypatch.setattr("lightcurve.astrometry.header_wcs.find_index_files", lambda **_: ())
    request = SolveRequest(stars, SHAPE, cards, Path("x.fits"), catalog=given)
    assert solve_header(request, SolveSettings()).n_matched > 50


def test_few_stars_of_a_list_that_are_elsewhere_refute_nothing() -> None:
    stars, cards = random_stars(60), cards_of()
    some = np.random.default_rng(3).uniform(0, SHAPE[::-1], (15, 2))
    sky = WCS(cards).all_pix2world(some, 0)
    request = SolveRequest(stars, SHAPE, cards, Path("x.fits"), catalog=sky)
    assert solve_header(request, SolveSettings(index=())).n_matched == 0
    # More of them do.
    more = np.random.default_rng(4).uniform(0, SHAPE[::-1], (60, 2))
    request = replace(request, catalog=WCS(cards).all_pix2world(more, 0))
    with pytest.raises(SolveError, match="may be chance"):
        solve_header(request, SolveSettings())


# The north pole of the Galaxy by the IAU of 1958, in B1950; ESA's Hipparcos catalogue has it at
# 192.85948 +27.12825 in ICRS. The galactic centre of that system is at 266.40500 -28.93617.
POLE = {"CRVAL1": 192.25, "CRVAL2": 27.4}
ORIGIN = {"CRVAL1": 0.0, "CRVAL2": 0.0}
GALACTIC = {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"} | ORIGIN
# As SCAMP writes it: a third-order distortion of a pixel in the corners.
TPV = {"PV1_1": 1.0, "PV2_1": 1.0, "PV1_7": 0.005, "PV2_7": 0.005}


@pytest.mark.parametrize(
    ("changes", "ra", "dec"),
    [
        (POLE | {"RADESYS": "FK4", "EQUINOX": 1950.0}, 192.85948, 27.12825),
        (POLE | {"EQUINOX": 1950.0}, 192.85948, 27.12825),
        (GALACTIC, 266.40500, -28.93617),
        ({"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"} | ORIGIN, 266.40500, -28.93617),
        ({"CTYPE1": "RA---ZEA", "CTYPE2": "DEC--ZEA"}, 31.2, 46.7),
        ({"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"} | TPV, 31.2, 46.7),
    ],
    ids=["FK4", "old equinox", "galactic", "galactic CAR", "equal areas", "TPV"],
)
def test_other_systems_are_converted(changes: dict, ra: float, dec: float) -> None:
    cards = cards_of(**changes)
    found = solved(cards, ra_deg=ra, dec_deg=dec)
    assert "converted from" in found.detail
    assert found.wcs.wcs.radesys == "ICRS"
    np.testing.assert_allclose(found.wcs.all_pix2world(324.5, 249.5, 0), (ra, dec), atol=1e-4)
    assert found.scale_arcsec == pytest.approx(3600 * np.hypot(0.0012, 0.0007), rel=1e-3)
    # All over the frame, by each place's own transformation.
    xy = np.random.default_rng(1).uniform(0, SHAPE[::-1], (50, 2))
    places = SkyCoord(found.wcs.all_pix2world(xy, 0), unit="deg")
    assert places.separation(WCS(cards).pixel_to_world(*xy.T).icrs).arcsec.max() < 0.01


def test_precession_is_undone() -> None:
    # The equinox moves by 50.29 arcsec a year along the ecliptic; that this moves too makes 2
    # arcsec in 50 years.
    cards = cards_of(CRVAL1=0.0, CRVAL2=0.0, RADESYS="FK5", EQUINOX=2050.0)
    wcs, remark = to_icrs(WCS(cards), SHAPE)
    assert remark == "converted from RA---TAN FK5 2050"
    moved, tilt = -50.29 * 50 / 3600, np.radians(23.4393)
    place = (360 + moved * np.cos(tilt), moved * np.sin(tilt))
    np.testing.assert_allclose(wcs.all_pix2world(324.5, 249.5, 0), place, rtol=0, atol=1e-3)


def test_axes_the_other_way_round_are_put_right() -> None:
    cards = cards_of(CTYPE1="DEC--TAN", CTYPE2="RA---TAN", CRVAL1=46.7, CRVAL2=31.2)
    found = solved(cards)
    np.testing.assert_allclose(found.wcs.all_pix2world(324.5, 249.5, 0), (31.2, 46.7))


@pytest.mark.parametrize(
    "changes",
    [
        {"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"},
        {"RADESYS": "GAPPT"},
    ],
    ids=["ecliptic", "apparent"],
)
def test_what_is_not_converted_is_refused(changes: dict) -> None:
    with pytest.raises(SolveError, match="the header's WCS is not converted to RA and Dec of 2000"):
        solved(cards_of(**changes))
