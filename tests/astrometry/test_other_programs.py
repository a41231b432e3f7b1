"""What solvers send back: believed only as far as it makes sense."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.astrometry import other_programs
from lightcurve.astrometry.other_programs import read_result
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core.errors import SolveError
from nova_cases import random_stars


@pytest.fixture
def frame() -> SolveRequest:
    return SolveRequest(
        random_stars(20), (500, 650), fits.Header(), Path("x.fits"), scale_arcsec=5.21
    )


@pytest.mark.parametrize("name", ["source-list", "thumbnail-image"])
def test_a_recorded_result_is_read(frame: SolveRequest, shared_data: Path, name: str) -> None:
    folder = shared_data / "services" / "astroquery" / "astrometry_net"
    path = folder / f"wcs-sol-from-{name}-index-5200.fit"
    header = fits.getheader(path)
    shape = header["IMAGEH"], header["IMAGEW"]
    request = replace(frame, shape=shape, scale_arcsec=None)
    wcs = read_result(path.read_bytes(), request)
    del header["NAXIS"]
    corners = np.array([[0, 0], [shape[1], 0], [0, shape[0]], [shape[1], shape[0]]], dtype=float)
    np.testing.assert_allclose(
        wcs.all_pix2world(corners, 0), WCS(header).all_pix2world(corners, 0), rtol=1e-12
    )


def good_cards() -> dict:
    cards = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "IMAGEW": 650, "IMAGEH": 500}
    cards |= {"CRVAL1": 31.0, "CRVAL2": 46.7, "CRPIX1": 325.5, "CRPIX2": 250.5}
    cards |= {"CD1_1": 0.00143, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.00143}
    return cards | {"A_ORDER": 2, "A_2_0": 1e-7, "B_ORDER": 2, "B_0_2": 1e-7}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN"}, "neither TAN nor TAN-SIP"),
        ({"CTYPE1": "RA---TAN"}, "neither TAN nor TAN-SIP"),
        ({"CD1_1": 0.0}, "singular"),
        ({"IMAGEW": 1300, "IMAGEH": 1000}, "of a frame of 1300 x 1000 pixels"),
        ({"CD1_1": 0.0143, "CD2_2": 0.0143}, "arcsec/px, the frame 5.21"),
        ({"A_ORDER": 10**9}, "A_ORDER is '1000000000', not 0 to 9"),
        ({"A_ORDER": "two"}, "cannot be read"),
        ({"CRVAL1": "here"}, "cannot be read"),
    ],
)
def test_a_wcs_that_makes_no_sense(frame: SolveRequest, changes: dict, words: str) -> None:
    good = fits.Header(good_cards())
    assert read_result(good.tostring().encode(), frame).sip is not None
    with pytest.raises(SolveError, match=words):
        read_result(fits.Header(good_cards() | changes).tostring().encode(), frame)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\x00" * 3000, b"SIMPLE  =", b"CTYPE1  = '" * 300], ids=range(5)
)
def test_a_wcs_that_is_none(frame: SolveRequest, body: bytes) -> None:
    with pytest.raises(SolveError, match="its WCS cannot be read"):
        read_result(body, frame)


@given(
    changes=st.dictionaries(
        st.sampled_from([*good_cards(), "AP_ORDER", "NAXIS", "CPDIS1", "PV1_1", "LONPOLE"]),
        st.floats() | st.integers() | st.sampled_from(["TAN", "RA---TAN", "deg", "", "x" * 60]),
        max_size=4,
    ),
    cut=st.integers(0, 2880),
)
def test_no_wcs_does_more_than_fail(changes: dict, cut: int) -> None:
    header = fits.Header(good_cards())
    for name, value in changes.items():
        with suppress(ValueError):  # no NaN goes into a header
            header[name] = value
    stars = random_stars(20)
    request = SolveRequest(stars, (500, 650), fits.Header(), Path("x.fits"), scale_arcsec=5.0)
    body = header.tostring().encode()
    for sent in (body, body[:cut], body[cut:]):
        with suppress(SolveError):
            read_result(sent, request)


@given(body=st.binary(max_size=6000) | st.binary(max_size=200).map(lambda b: TABLE[:5000] + b))
def test_no_list_of_matches_does_more_than_fail(body: bytes) -> None:
    with suppress(SolveError):
        sky = other_programs._read_matches(body)
        assert sky.shape[1] == 2


def good_table() -> bytes:
    file = io.BytesIO()
    values = np.arange(10.0)
    columns = [fits.Column(name, "D", array=values) for name in ("index_ra", "index_dec")]
    fits.BinTableHDU.from_columns(columns).writeto(file)
    return file.getvalue()


TABLE = good_table()
