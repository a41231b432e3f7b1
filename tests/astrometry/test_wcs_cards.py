"""Cards of a WCS are known, once each, and sound before a library reads them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.astrometry.wcs_cards import wcs_of
from lightcurve.core.errors import SolveError, Why

GOOD = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 20.0, "CRVAL2": 30.0, "CRPIX1": 50.0,
    "CRPIX2": 50.0, "CD1_1": -3.1234567890123e-4, "CD2_2": 3e-4,
}  # fmt: skip


def places(header: fits.Header) -> np.ndarray:
    return np.array(wcs_of(header).all_pix2world([[0.0, 0.0], [90.0, 10.0]], 0))


@pytest.mark.parametrize(
    "more",
    [
        {"WCSAXES": 65536},
        {"WCSAXES": 3, "CTYPE3": "FREQ", "CRVAL3": 1.0, "NAXIS": 3, "NAXIS3": 9},
        {"MJDREF": "abc"},
        {"NAXIS": "many"},
        {"CTYPE1A": 7, "CRPIX1A": 1e300, "WCSAXESA": 40000},
        {"PS1_999": "x", "PV99_99": 1.0, "DP1": "EXTVER: 1.0", "TELAPSE": "x" * 60},
        {"EQUINOX": "J2000.0", "RADESYS": ""},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_no_part_of_a_wcs_does_not_touch_it(more: dict) -> None:
    np.testing.assert_array_equal(places(fits.Header(GOOD | more)), places(fits.Header(GOOD)))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"CTYPE1": 5}, Why.ABSURD_WCS),
        ({"CTYPE1": ""}, Why.NO_WCS),
        ({"CRPIX1": int("9" * 30)}, Why.ABSURD_WCS),
        ({"CRVAL2": int("-" + "9" * 30)}, Why.ABSURD_WCS),
        ({"EQUINOX": "soon"}, Why.ABSURD_WCS),
        ({"A_ORDER": 65536}, Why.ABSURD_WCS),
        ({"A_ORDER": "2"}, Why.ABSURD_WCS),
        ({"LONPOLE": int("9" * 30)}, Why.ABSURD_WCS),
        ({"CPDIS1": "LOOKUP"}, Why.ABSURD_WCS),
        ({"CTYPE1": "RA---TAB", "CTYPE2": "DEC--TAB"}, Why.ABSURD_WCS),
        ({"CD1_1": 0.0}, Why.ABSURD_WCS),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_absurd_is_refused(more: dict, why: Why) -> None:
    with pytest.raises(SolveError) as caught:
        wcs_of(fits.Header(GOOD | more))
    assert caught.value.why == why


def test_a_card_may_be_there_twice_if_it_says_the_same() -> None:
    once, again = fits.Header(GOOD), fits.Header(GOOD)
    for _ in range(50):
        again.append(("CRPIX1", 50.0))
    np.testing.assert_array_equal(places(again), places(once))
    again.append(("CRPIX1", 51.0))
    with pytest.raises(SolveError, match="CRPIX1 is there twice"):
        wcs_of(again)


def test_a_card_that_is_no_fits_is_refused() -> None:
    text = fits.Header(GOOD).tostring(endcard=False, padding=False)
    text += "CRVAL2  = 30.0.0 ' / what".ljust(80)
    with pytest.raises(SolveError):
        wcs_of(fits.Header.fromstring(text))


def test_a_sound_wcs_is_read_as_it_was() -> None:
    sip = {"A_ORDER": 2, "A_2_0": 1.234567890123456e-6, "B_ORDER": 2, "B_1_1": -1e-6}
    kinds = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "EQUINOX": 1950.0}
    header = fits.Header(GOOD | kinds | sip)
    ours, theirs = wcs_of(header), WCS(header)
    pixels = np.random.default_rng(1).uniform(0, 100, (20, 2))
    np.testing.assert_array_equal(ours.all_pix2world(pixels, 0), theirs.all_pix2world(pixels, 0))
    assert ours.wcs.radesys == theirs.wcs.radesys
    tpv = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.01, "PV2_1": 0.99, "PV1_7": 1.0}
    header = fits.Header(GOOD | tpv)
    np.testing.assert_array_equal(
        wcs_of(header).all_pix2world(pixels, 0), WCS(header).all_pix2world(pixels, 0)
    )
