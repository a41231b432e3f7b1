"""Colour mosaics: patterns as headers have them, and planes with their WCS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.core.data import Colour, Exposure, Frame
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.mosaic import SITES, find_plane, read_mosaic, take_plane


def cards_of(**values):
    return parse_cards(fits.Header(list(values.items())).tostring())


@pytest.mark.parametrize(
    ("cards", "ny", "pattern"),
    [
        ({"BAYERPAT": "GRBG"}, 10, "GRBG"),
        ({"BAYERPAT": "rggb "}, 10, "RGGB"),
        ({"CFAIMAGE": "RGGB"}, 10, "RGGB"),
        ({"COLORTYP": "BGGR"}, 10, "BGGR"),
        # A window that begins one pixel further right, or one row further on.
        ({"BAYERPAT": "RGGB", "XBAYROFF": 1}, 10, "GRBG"),
        ({"BAYERPAT": "RGGB", "YBAYROFF": 1}, 10, "GBRG"),
        ({"BAYERPAT": "RGGB", "XBAYROFF": 1, "YBAYROFF": 1}, 10, "BGGR"),
        # Stored from the bottom: of an even number of rows the last is the pattern's second.
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, 10, "GBRG"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, 11, "RGGB"),
        ({"BAYERPAT": "RGGB", "ROWORDER": "TOP-DOWN"}, 10, "RGGB"),
        ({"CFAIMAGE": "no"}, 10, None),
        ({"COLORTYP": 0}, 10, None),
        ({}, 10, None),
    ],
)
def test_pattern_in_the_order_of_the_file(cards, ny, pattern):
    found, said = read_mosaic(cards_of(**cards), ny)
    assert (found and found[0]) == pattern
    assert not said


def test_a_bottom_up_file_has_its_first_row_last():
    # Painted as it is looked at, then turned over as it is stored.
    seen = np.array([list("RG" * 3), list("GB" * 3)] * 4)
    stored = seen[::-1]
    (pattern, _), _ = read_mosaic(cards_of(BAYERPAT="RGGB", ROWORDER="BOTTOM-UP"), 8)
    assert [stored[row, column] for row, column in SITES] == list(pattern)


def test_an_unknown_pattern_is_told():
    found, said = read_mosaic(cards_of(BAYERPAT="XTRANS"), 10)
    assert found is None
    assert len(said) == 1


def mosaic_frame(pattern="GRBG", shape=(21, 30)):
    level = {"R": 1.0, "G": 2.0, "B": 4.0}
    pixels = np.empty(shape, np.float32)
    for (row, column), letter in zip(SITES, pattern, strict=True):
        pixels[row::2, column::2] = level[letter]
    exposure = Exposure(
        mosaic=pattern, gain_e_per_adu=1.5, read_noise_e=3.0, scale_arcsec=2.0, filter="IRCUT",
        shape=shape,
    )  # fmt: skip
    header = fits.Header([("NAXIS1", shape[1]), ("NAXIS2", shape[0]), ("BAYERPAT", pattern)])
    return Frame(pixels, np.zeros(shape, np.uint8), exposure, header, Path("a.fits"))


@pytest.mark.parametrize(
    ("colour", "value", "n", "band"),
    [
        (Colour.RED, 1.0, 1, "TR"),
        (Colour.GREEN, 2.0, 2, "TG"),
        (Colour.BLUE, 4.0, 1, "TB"),
        (Colour.GREY, 2.25, 4, "CV"),
    ],
)
@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_plane_has_its_colour_alone(colour, value, n, band, pattern):
    frame = mosaic_frame(pattern)
    plane = find_plane(frame.exposure, colour)
    taken = take_plane(frame, plane)
    assert taken.pixels.shape == (10, 15)
    assert np.all(taken.pixels == value)
    exposure = taken.exposure
    assert (exposure.filter, exposure.scale_arcsec, exposure.mosaic) == (band, 4.0, None)
    # n pixels of variance R^2 have a mean whose sum of electrons is n times it: sqrt(n) R.
    assert exposure.gain_e_per_adu == pytest.approx(1.5 * n)
    assert exposure.read_noise_e == pytest.approx(3.0 * np.sqrt(n))
    assert "BAYERPAT" not in taken.header


def test_one_bad_pixel_spoils_the_planes_it_is_in():
    frame = mosaic_frame("GRBG")
    frame.bad[4, 6] = 4  # a green one
    for colour, spoilt in ((Colour.GREEN, 1), (Colour.GREY, 1), (Colour.RED, 0), (Colour.BLUE, 0)):
        taken = take_plane(frame, find_plane(frame.exposure, colour))
        assert np.count_nonzero(taken.bad) == spoilt
        assert taken.bad[2, 3] == 4 * spoilt


@pytest.mark.parametrize("colour", [Colour.RED, Colour.GREEN, Colour.BLUE, Colour.GREY])
@pytest.mark.parametrize("form", ["CD", "CDELT", "SIP"])
def test_the_wcs_of_a_plane_is_that_of_its_pixels(colour, form):
    frame = mosaic_frame("RGGB", (400, 500))
    header = frame.header
    kind = "-SIP" if form == "SIP" else ""
    header.update(CTYPE1=f"RA---TAN{kind}", CTYPE2=f"DEC--TAN{kind}", CRVAL1=30.0, CRVAL2=40.0)
    header.update(CRPIX1=210.3, CRPIX2=170.8)
    if form == "CDELT":
        header.update(CDELT1=-6e-4, CDELT2=6e-4, CROTA2=20.0)
    else:
        header.update(CD1_1=-6e-4, CD1_2=1e-4, CD2_1=1e-4, CD2_2=6e-4)
    if form == "SIP":
        header.update(A_ORDER=3, B_ORDER=2, A_2_0=2e-5, A_1_1=-1e-5, A_0_3=3e-8, B_0_2=1e-5)
    plane = find_plane(frame.exposure, colour)
    taken = take_plane(frame, plane)
    x, y = np.array([3.0, 100.0, 240.5]), np.array([7.0, 190.25, 50.0])
    dx, dy = plane.offset
    there = WCS(header).all_pix2world(2 * x + dx, 2 * y + dy, 0)
    here = WCS(taken.header).all_pix2world(x, y, 0)
    assert np.allclose(there, here, rtol=0, atol=1e-10)


def test_what_is_no_mosaic_has_no_plane():
    assert find_plane(Exposure(), Colour.GREEN) is None
    assert find_plane(Exposure(mosaic="RGGB"), Colour.MOSAIC) is None


def test_a_card_that_is_no_fits_moves_no_plane():
    header = fits.Header.fromstring("CRPIX1  = 400:99:99".ljust(80) + "CRPIX2  = 7.0".ljust(80))
    frame = Frame(
        np.zeros((4, 6), np.float32), np.zeros((4, 6), np.uint8),
        Exposure(shape=(4, 6), mosaic="RGGB"), header, Path("a.fits"),
    )  # fmt: skip
    plane = find_plane(frame.exposure, Colour.RED)
    assert plane is not None
    assert take_plane(frame, plane).pixels.shape == (2, 3)
