"""WCS: fits, composition with a registration, refinement, and the files they are written to."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, Sip
from hypothesis import given, settings
from hypothesis import strategies as st

from dng import write_dng
from lightcurve.astrometry.refine import refine_wcs
from lightcurve.astrometry.transform import apply
from lightcurve.astrometry.wcs import (
    describe_wcs,
    fit_wcs,
    middle_deg,
    tangent_wcs,
    wcs_from_registration,
    wcs_into_copy,
    write_wcs_sidecar,
)
from lightcurve.core.data import Detections, Registration, Solution
from lightcurve.core.errors import FrameError, InputError
from lightcurve.frames.read import is_image_name, read_frame
from sim import sidecar_wcs

SHAPE = (500, 650)


def make_wcs(*, rotation: float = 30.0, parity: int = 1, sip: bool = False) -> WCS:
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    cd = np.array([[-parity * c, s], [parity * s, c]]) * 5.16 / 3600
    wcs = tangent_wcs(np.array([31.04, 46.69]), np.array([300.0, 260.0]), cd, sip=sip)
    if sip:
        a, b, none = np.zeros((3, 4, 4))
        a[2, 0], a[1, 2], b[1, 1], b[0, 3] = 2e-5, 4e-9, -3e-5, -6e-9
        wcs.sip = Sip(a, b, none, none, wcs.wcs.crpix)
    return wcs


def stars_at(xy: np.ndarray) -> Detections:
    one = np.ones(len(xy))
    return Detections(xy[:, 0], xy[:, 1], one[::-1], one, one, 0.0, 1.0)


def grid(n: int = 9) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 649, n), np.linspace(0, 499, n))
    return np.column_stack([x.ravel(), y.ravel()])


def separation_px(wcs: WCS, other: WCS, xy: np.ndarray, where: np.ndarray | None = None) -> float:
    one = SkyCoord(*wcs.all_pix2world(*xy.T, 0), unit="deg")
    two = SkyCoord(*other.all_pix2world(*(xy if where is None else where).T, 0), unit="deg")
    return float(one.separation(two).arcsec.max() / 5.16)


def test_the_middle_is_that_of_the_pixels_and_not_of_the_axes_swapped() -> None:
    ny, nx = SHAPE
    middle = np.array([(nx - 1) / 2, (ny - 1) / 2])
    wcs = tangent_wcs(np.array([31.04, 46.69]), middle, np.diag([-1e-3, 1e-3]))
    assert np.allclose(middle_deg(wcs, SHAPE), (31.04, 46.69), rtol=0, atol=1e-10)


@pytest.mark.parametrize("rotation", [0.0, 30.0, -120.0, 179.0])
@pytest.mark.parametrize("parity", [1, -1])
def test_a_wcs_is_described_as_it_was_made(rotation: float, parity: int) -> None:
    scale, angle, side = describe_wcs(make_wcs(rotation=rotation, parity=parity), SHAPE)
    assert scale == pytest.approx(5.16, rel=2e-5)
    assert angle == pytest.approx(rotation, abs=0.1)  # north turns with RA across the field
    assert side == parity


@pytest.mark.parametrize("sip", [False, True])
def test_a_fit_recovers_the_wcs(sip: bool) -> None:
    truth, xy = make_wcs(sip=sip), grid()
    sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
    found = fit_wcs(xy, sky, sky[0], np.array([300.0, 260.0]), order=3 if sip else 1)
    assert separation_px(truth, found, xy) < 1e-6
    back = np.column_stack(found.all_world2pix(*sky.T, 0))
    assert np.abs(back - xy).max() < 1e-3


@pytest.mark.parametrize("sip", [False, True])
@settings(max_examples=40)
@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.96, 1.04),
    mirrored=st.booleans(),
    dx=st.floats(-400, 400),
    dy=st.floats(-400, 400),
)
def test_a_registered_frame_has_the_same_sky(
    sip: bool, angle: float, scale: float, mirrored: bool, dx: float, dy: float
) -> None:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    sign = -1 if mirrored else 1
    matrix = np.array([[c, -sign * s, dx], [s, sign * c, dy]])
    reference = make_wcs(sip=sip)
    registration = Registration(matrix, 20, 0.1, angle, scale, mirrored, 1e-9)
    wcs = wcs_from_registration(reference, registration)
    assert separation_px(reference, wcs, grid(), apply(matrix, grid())) < 0.01


def test_a_check_tells_a_right_wcs_from_a_wrong_one() -> None:
    rng = np.random.default_rng(1)
    wcs, xy = make_wcs(), rng.uniform(0, [650, 500], (60, 2))
    sky = np.column_stack(wcs.all_pix2world(*xy.T, 0))
    seen = stars_at(
        np.vstack([xy[:40] + rng.normal(0, 0.2, (40, 2)), rng.uniform(0, 500, (40, 2))])
    )
    right = refine_wcs(wcs, seen, SHAPE, sky).check
    assert right.passed
    assert right.n_matched >= 38
    assert right.rms_px < 0.7
    stranger = np.column_stack(wcs.all_pix2world(*rng.uniform(0, [650, 500], (60, 2)).T, 0))
    wrong = refine_wcs(wcs, seen, SHAPE, stranger)
    assert wrong.check.possible
    assert wrong.check.refuted
    assert wrong.wcs is wcs
    few = refine_wcs(wcs, seen, SHAPE, sky[:5]).check
    assert not few.possible
    assert not few.passed
    assert refine_wcs(wcs, seen, SHAPE, sky[:0]).check.n_matched == 0


def test_a_wcs_that_is_turned_is_put_right() -> None:
    rng = np.random.default_rng(1)
    wcs, xy = make_wcs(), rng.uniform(0, [650, 500], (60, 2))
    sky = np.column_stack(wcs.all_pix2world(*xy.T, 0))
    seen = stars_at(xy + rng.normal(0, 0.2, xy.shape))
    found = refine_wcs(make_wcs(rotation=31.5), seen, SHAPE, sky)
    assert found.check.passed
    assert separation_px(wcs, found.wcs, grid()) < 0.5
    seen = replace(seen, flux=np.arange(60.0, 0, -1))
    # Brightest first: anything about the frame, mirrored or upside down.
    for other in (make_wcs(rotation=-140.0), make_wcs(parity=-1)):
        found = refine_wcs(other, seen, SHAPE, sky, ordered=True)
        assert found.check.passed
        assert separation_px(wcs, found.wcs, grid()) < 0.5


@pytest.mark.parametrize(("n", "order"), [(12, 1), (300, 3)])
def test_refinement_chooses_its_order_and_recovers_distortion(n: int, order: int) -> None:
    rng = np.random.default_rng(n)
    truth = make_wcs(sip=True)
    xy = rng.uniform(0, [650, 500], (n, 2))
    sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
    seen = stars_at(xy + rng.normal(0, 0.1, xy.shape))
    coarse = fit_wcs(xy, sky, sky[0], np.array([324.5, 249.5]))
    refined = refine_wcs(coarse, seen, SHAPE, sky)
    if order == 1:
        assert refined.order <= 1
    else:
        assert refined.order in {2, 3}
        assert separation_px(truth, refined.wcs, xy) < 0.15
        assert refined.ra_rms_arcsec == pytest.approx(0.1 * 5.16, rel=0.2)


@pytest.mark.parametrize(("n", "found"), [(25, False), (150, True)])
def test_the_distortion_of_a_lens_is_recovered_from_stars_enough(n: int, found: bool) -> None:
    # Along the radius and with its third power: 1.5 px in the corners, nothing of second order.
    rng = np.random.default_rng(n)
    truth = make_wcs(sip=True)
    a, b, none = np.zeros((3, 4, 4))
    a[3, 0] = a[1, 2] = b[0, 3] = b[2, 1] = 2.3e-8
    truth.sip = Sip(a, b, none, none, truth.wcs.crpix)
    xy = rng.uniform(0, [650, 500], (n, 2))
    sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
    coarse = fit_wcs(xy, sky, sky[0], np.array([324.5, 249.5]))
    refined = refine_wcs(coarse, stars_at(xy + rng.normal(0, 0.15, xy.shape)), SHAPE, sky)
    assert (refined.order == 3) == found
    if found:
        assert separation_px(truth, refined.wcs, grid()) < 0.5
    else:
        assert separation_px(truth, refined.wcs, grid()) < 1.5


@pytest.mark.parametrize("seed", range(12))
def test_refinement_is_never_worse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = make_wcs(sip=bool(seed % 2))
    xy = rng.uniform(0, [650, 500], (int(rng.integers(3, 90)), 2))
    sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
    seen = stars_at(np.vstack([xy + rng.normal(0, 0.3, xy.shape), rng.uniform(0, 500, (30, 2))]))
    refined = refine_wcs(truth, seen, SHAPE, sky)
    if refined.order:
        assert refined.check.n_matched >= 0.9 * len(xy)
        assert refined.check.rms_px <= 0.3 * np.sqrt(2) * 1.2
    # And the truth is not left behind: what noise of 0.3 px can do to a fit, no more.
    assert separation_px(truth, refined.wcs, grid()) < 1.5


@pytest.mark.parametrize("n", [6, 9, 14, 25])
def test_few_stars_do_not_undo_a_distortion_that_is_known(n: int) -> None:
    # The distortion is 2 px in the corners, where there may be no star.
    for seed in range(8):
        rng = np.random.default_rng(100 * n + seed)
        truth = make_wcs(sip=True, rotation=float(rng.uniform(-180, 180)))
        xy = rng.uniform(0, [650, 500], (n, 2))
        sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
        coarse = truth.deepcopy()
        coarse.wcs.crpix = truth.wcs.crpix + rng.normal(0, 0.7, 2)
        seen = stars_at(xy + rng.normal(0, 0.1, xy.shape))
        refined = refine_wcs(coarse, seen, SHAPE, sky)
        before = separation_px(truth, coarse, grid())
        assert separation_px(truth, refined.wcs, grid()) < max(before, 1.0)
        assert refined.check.rms_px < 0.3


def test_another_projection_is_refined_as_well() -> None:
    rng = np.random.default_rng(3)
    truth = make_wcs()
    truth.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    truth.wcs.set()
    xy = rng.uniform(0, [650, 500], (60, 2))
    sky = np.column_stack(truth.all_pix2world(*xy.T, 0))
    coarse = truth.deepcopy()
    coarse.wcs.crpix = truth.wcs.crpix + np.array([0.8, -0.5])
    refined = refine_wcs(coarse, stars_at(xy + rng.normal(0, 0.05, xy.shape)), SHAPE, sky)
    assert separation_px(truth, refined.wcs, grid()) < 0.15


@pytest.fixture(params=[False, True], ids=["tan", "sip"])
def solution(request: pytest.FixtureRequest) -> Solution:
    wcs = make_wcs(sip=request.param)
    return Solution(wcs, "local", 41, 0.98, *describe_wcs(wcs, SHAPE), "x", (0.5, 0.8))


def test_a_copy_of_a_cameras_raw_file_is_fits(tmp_path: Path, solution: Solution) -> None:
    pytest.importorskip("rawpy", reason="the extra `raw` is not installed")
    mosaic = np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint32).reshape(SHAPE).astype(np.uint16)
    write_dng(tmp_path / "frame.dng", mosaic)
    copy = wcs_into_copy(tmp_path / "frame.dng", tmp_path / "copy.fits", solution)
    np.testing.assert_array_equal(fits.getdata(copy), mosaic)
    assert separation_px(solution.wcs, WCS(fits.getheader(copy)), grid()) < 1e-6


def test_a_copy_of_a_frame_with_cards_twice(tmp_path: Path, solution: Solution) -> None:
    frame, cards = tmp_path / "frame.fits", fits.Header({"CRPIX1": 5.0})
    for _ in range(3):
        cards.append(("B_0_2", 1e-7))
    fits.writeto(frame, np.zeros(SHAPE, np.int16), cards)
    copy = wcs_into_copy(frame, tmp_path / "copy.fits", solution)
    assert separation_px(solution.wcs, WCS(fits.getheader(copy)), grid()) < 1e-6


def test_a_packed_frame_whose_end_is_broken_is_refused_at_once(
    tmp_path: Path, solution: Solution
) -> None:
    fits.writeto(tmp_path / "frame.fits", np.zeros(SHAPE, np.int16))
    packed = gzip.compress((tmp_path / "frame.fits").read_bytes())
    (tmp_path / "packed.fits").write_bytes(packed[:-4] + bytes(4))  # says another length
    with pytest.raises(FrameError):
        wcs_into_copy(tmp_path / "packed.fits", tmp_path / "copy.fits", solution)


def test_a_sidecar_round_trips(tmp_path: Path, solution: Solution) -> None:
    path = write_wcs_sidecar(tmp_path / "sub" / "frame.wcs", solution, SHAPE)
    assert separation_px(solution.wcs, sidecar_wcs(path), grid()) < 1e-6
    with fits.open(path) as hdus:
        assert len(hdus) == 1
        assert hdus[0].data.size == 0
        header = hdus[0].header
    # What wcsinfo and DS9 go by.
    assert {"CRVAL1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"} <= set(header)
    assert "PC1_1" not in header
    assert header["CTYPE1"].startswith("RA---TAN")
    assert (header["IMAGEW"], header["IMAGEH"], header["RADISP"]) == (650, 500, 0.5)
    assert ("A_ORDER" in header) == (solution.wcs.sip is not None)


def test_a_copy_has_the_wcs_and_the_same_pixels(tmp_path: Path, solution: Solution) -> None:
    pixels = np.arange(650 * 500, dtype=np.uint16).reshape(SHAPE)
    frame = fits.PrimaryHDU(pixels)
    frame.header.update(CTYPE1="RA---SIN", CROTA2=3.0, CDELT1=1.0, PV1_1=2.0, OBJECT="WASP-1")
    frame.header["DATE-OBS"] = "2017-12-20T01:02:03"
    frame.header["MJD-OBS"] = 58107.04309028
    frame.writeto(tmp_path / "frame.fits")
    before = (tmp_path / "frame.fits").read_bytes()
    copy = wcs_into_copy(tmp_path / "frame.fits", tmp_path / "out" / "copy.fits", solution)
    assert (tmp_path / "frame.fits").read_bytes() == before
    with fits.open(copy) as hdus:
        assert np.array_equal(hdus[0].data, pixels)
        header = hdus[0].header
        assert not {"CROTA2", "CDELT1", "PV1_1"} & set(header)
        assert header["OBJECT"] == "WASP-1"
        assert header["DATE-OBS"] == "2017-12-20T01:02:03"
        assert separation_px(solution.wcs, WCS(header), grid()) < 1e-6
    with pytest.raises(InputError, match="replace the frame itself"):
        wcs_into_copy(copy, copy, solution)
    with pytest.raises(FrameError, match=r"none.fits: cannot be read"):
        wcs_into_copy(tmp_path / "none.fits", tmp_path / "x.fits", solution)


def test_any_frame_that_can_be_read_can_be_copied(
    shared_data: Path, tmp_path: Path, solution: Solution
) -> None:
    copied = 0
    for path in sorted((shared_data / "odd-fits").rglob("*")):
        if not (path.is_file() and is_image_name(path)):
            continue
        before = path.read_bytes()
        out = tmp_path / f"{copied}.fits{'.fz' if path.suffix == '.fz' else ''}"
        try:
            frame = read_frame(path, need_time=False)
        except FrameError:
            with pytest.raises(FrameError):
                wcs_into_copy(path, out, solution)
            assert not out.exists()
        else:
            again = read_frame(wcs_into_copy(path, out, solution), need_time=False)
            assert np.array_equal(frame.pixels, again.pixels, equal_nan=True)
            assert again.header["CRVAL1"] == pytest.approx(solution.wcs.wcs.crval[0])
            assert again.header["WCSSOLV"] == "local"
            copied += 1
        assert path.read_bytes() == before
        assert not list(tmp_path.glob("*.part"))
    assert copied > 20


def test_a_cube_keeps_its_planes_and_colours_first_are_refused(
    tmp_path: Path, solution: Solution
) -> None:
    fits.writeto(tmp_path / "cube.fits", np.zeros((3, *SHAPE), dtype=np.int16))
    copy = wcs_into_copy(tmp_path / "cube.fits", tmp_path / "copy.fits", solution)
    assert fits.getdata(copy).shape == (3, *SHAPE)
    fits.writeto(tmp_path / "colours.fits", np.zeros((*SHAPE, 3), dtype=np.int16))
    with pytest.raises(FrameError, match="colours on the first axis"):
        wcs_into_copy(tmp_path / "colours.fits", tmp_path / "out.fits", solution)
