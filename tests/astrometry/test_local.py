"""Solving on this machine: real frames, made-up skies, index files, and every way to fail."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.astrometry import local
from lightcurve.astrometry.chain import solve
from lightcurve.astrometry.header_wcs import solve_header
from lightcurve.astrometry.index import (
    _stars_within,
    coverage,
    find_index_files,
    index_stars,
    wanted_sizes,
)
from lightcurve.astrometry.local import _hints, solve_local
from lightcurve.astrometry.register import make_reference, register
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.transform import apply
from lightcurve.astrometry.wcs import wcs_header
from lightcurve.core.data import Detections
from lightcurve.core.errors import InputError, SolveError
from lightcurve.core.settings import SolveSettings
from lightcurve.phot.detect import detect

TARGET = (31.042825, 46.687836)
pytest.importorskip("astrometry")


def request_of(path: Path, **changes: object) -> SolveRequest:
    pixels, header = fits.getdata(path, header=True)
    stars = detect(pixels.astype(np.float32), saturation_adu=4095)
    request = SolveRequest(stars, pixels.shape, header, path, *TARGET, 5.21)
    return replace(request, **changes)


@pytest.fixture
def index(shared_data: Path) -> Path:
    return shared_data / "index-tycho2-hatp32.fits"


@pytest.fixture
def frame(hatp32: list[Path]) -> SolveRequest:
    return request_of(hatp32[0])


def test_a_real_frame_is_solved_to_where_the_target_is(frame: SolveRequest, index: Path) -> None:
    solution = solve_local(frame, SolveSettings(index=(index,)))
    assert solution.scale_arcsec == pytest.approx(5.164, abs=0.005)
    assert solution.n_matched > 30
    assert solution.rms_arcsec < 2
    x, y = solution.wcs.all_world2pix(*TARGET, 0)
    # Known from another solver and AstroImageJ's centroid; one pixel off would be plain.
    assert np.hypot(x - 422.96, y - 286.1) < 0.25
    assert "log odds" in solution.detail
    assert solution.residuals_arcsec is not None


@pytest.mark.parametrize(
    "known",
    [
        {"scale_arcsec": 6.2},
        {"scale_arcsec": 4.0},
        {"scale_arcsec": None},
        {"ra_deg": None, "dec_deg": None},
        {"ra_deg": None, "dec_deg": None, "scale_arcsec": None},
    ],
)
def test_hints_may_be_poor_or_absent(frame: SolveRequest, index: Path, known: dict) -> None:
    solution = solve_local(replace(frame, **known), SolveSettings(index=(index,)))
    assert solution.scale_arcsec == pytest.approx(5.164, abs=0.005)


def test_registered_positions_agree_with_solved_ones(hatp32: list[Path], index: Path) -> None:
    frames = [request_of(path) for path in hatp32]
    settings = SolveSettings(index=(index,))
    solved = np.array(
        [solve_local(frame, settings).wcs.all_world2pix(*TARGET, 0) for frame in frames],
        dtype=float,
    )
    middle = len(frames) // 2
    first = frames[middle].stars
    pattern = make_reference(first.x, first.y, first.flux, frames[middle].shape)
    off = []
    for request, place in zip(frames, solved, strict=True):
        stars = request.stars
        registration = register(stars.x, stars.y, stars.flux, pattern)
        off.append(np.hypot(*(apply(registration.matrix, solved[middle][None])[0] - place)))
    assert len(off) == 142
    assert np.median(off) < 0.2
    assert max(off) < 0.6


def test_the_index_says_what_it_covers(index: Path) -> None:
    (row,) = coverage([index])
    assert (row.low_arcmin, row.high_arcmin) == pytest.approx((16, 22), rel=0.01)
    assert row.n_stars == 858
    assert (row.healpix, row.nside) == (-1, 0)
    low, high = wanted_sizes((500, 650), 5.16, 5.16)
    assert (low, high) == pytest.approx((4.3, 70.5), rel=0.01)
    assert row.fits(low, high)
    assert not row.fits(0.1, 10)


def test_the_stars_of_an_index_are_those_it_was_made_of(shared_data: Path, index: Path) -> None:
    table = fits.getdata(shared_data / "tycho2-hatp32.fits")
    truth = np.column_stack([table["RA"], table["DEC"]]).astype(float)
    found = index_stars([index], *TARGET, 3.0)
    assert len(found) == len(truth)
    nearest = np.abs(found[:, None] - truth[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-4
    near = index_stars([index], *TARGET, 0.3)
    assert 5 < len(near) < len(found) / 10


def test_frames_of_a_night_that_drifts_read_an_index_once(index: Path) -> None:
    _stars_within.cache_clear()
    for k in range(20):
        index_stars([index], TARGET[0] + 2e-4 * k, TARGET[1] + 2e-4 * k, 0.3)
    assert _stars_within.cache_info().misses <= 3  # where it crosses from one cell to another


def test_index_files_are_found_where_they_may_be(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "4100").mkdir(parents=True)
    link = tmp_path / "a" / "4100" / "index-4110.fits"
    link.symlink_to(index)
    assert find_index_files([tmp_path / "a"]) == (link,)
    assert find_index_files(settings=SolveSettings(index=(link,))) == (link,)
    assert find_index_files() == ()
    monkeypatch.setenv("ASTROMETRY_NET_DATA_DIR", str(tmp_path / "a"))
    assert find_index_files() == (link,)
    with pytest.raises(InputError, match="no such file or folder"):
        find_index_files([tmp_path / "none"])
    with pytest.raises(InputError, match=r"holds no index"):
        find_index_files(
            [tmp_path / "a" / ".." / "a" / "4100" / ".." / ".." / "b"]
            if (tmp_path / "b").mkdir()
            else [tmp_path / "b"]
        )


def test_no_index_at_all_says_what_to_do(
    frame: SolveRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightcurve.astrometry.index.SYSTEM_PLACES", (Path("/nowhere"),))
    with pytest.raises(SolveError, match="no index files: give --index"):
        solve_local(frame, SolveSettings())


def test_an_index_of_another_scale_is_named(frame: SolveRequest, index: Path) -> None:
    with pytest.raises(SolveError, match=r"index-tycho2-hatp32.fits 16-22'") as caught:
        solve_local(replace(frame, scale_arcsec=0.3), SolveSettings(index=(index,)))
    assert caught.value.n_detected == len(frame.stars)


def test_a_file_that_is_no_index_is_named(frame: SolveRequest, tmp_path: Path) -> None:
    bad = tmp_path / "index-bad.fits"
    bad.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"index-bad.fits: not an Astrometry.net index"):
        solve_local(frame, SolveSettings(index=(bad,)))
    fits.PrimaryHDU().writeto(tmp_path / "index-plain.fits")
    with pytest.raises(InputError, match=r"index-plain\.fits"):
        solve_local(frame, SolveSettings(index=(tmp_path / "index-plain.fits",)))


def test_a_broken_file_that_was_not_asked_for_is_left_out(
    frame: SolveRequest,
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ASTROMETRY_NET_DATA_DIR", str(tmp_path))
    (tmp_path / "index-good.fits").symlink_to(index)
    (tmp_path / "index-cut.fits").write_bytes(index.read_bytes()[:100_800])
    (tmp_path / "index-bad.fits").write_bytes(b"nothing")
    assert solve_local(frame, SolveSettings()).n_matched > 30
    assert "index-cut.fits" in caplog.text
    assert "index-bad.fits" in caplog.text


def random_stars(n: int, seed: int = 3) -> Detections:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 650, n), rng.uniform(0, 500, n)
    one = np.ones(n)
    return Detections(x, y, one, one, one, 0.0, 1.0)


@pytest.mark.parametrize("seen_from_behind", [True, False])
def test_only_the_parity_asked_for_is_found(
    frame: SolveRequest, index: Path, seen_from_behind: bool
) -> None:
    # These frames have east and west exchanged; counted from the other side they have not.
    if not seen_from_behind:
        x = frame.shape[1] - 1 - frame.stars.x
        frame = replace(frame, stars=replace(frame.stars, x=x))
    right, wrong = ("mirrored", "sky") if seen_from_behind else ("sky", "mirrored")
    for parity in ("either", right):
        found = solve_local(frame, SolveSettings(index=(index,), parity=parity))
        assert found.parity == (-1 if seen_from_behind else 1)
    with pytest.raises(SolveError, match="no match"):
        solve_local(frame, SolveSettings(index=(index,), parity=wrong))


def test_stars_of_no_sky_do_not_solve(frame: SolveRequest, index: Path) -> None:
    with pytest.raises(SolveError) as caught:
        solve_local(replace(frame, stars=random_stars(60)), SolveSettings(index=(index,)))
    assert caught.value.n_detected == 60


def test_hardly_any_stars_do_not_solve(frame: SolveRequest, index: Path) -> None:
    for n in (0, 3):
        with pytest.raises(SolveError) as caught:
            solve_local(replace(frame, stars=random_stars(n)), SolveSettings(index=(index,)))
        assert caught.value.n_detected == n


def test_time_is_limited(frame: SolveRequest, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    forever = Event()

    class Slow:
        def solve(self, *_args: object) -> None:
            forever.wait()

    engines = []

    @lru_cache(maxsize=1)
    def slow(_files: object) -> Slow:
        engines.append(Slow())
        return engines[-1]

    monkeypatch.setattr(local, "_engine", slow)
    for _ in range(2):
        with pytest.raises(SolveError, match="time is up"):
            solve_local(frame, SolveSettings(index=(index,), timeout_s=0.2))
    forever.set()
    assert len(engines) == 2  # one that still solves is not given a second frame


def test_without_the_engine_the_chain_goes_on(
    frame: SolveRequest, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "astrometry", None)
    with pytest.raises(SolveError, match=r"header: .*; local: .*not installed"):
        solve(frame, SolveSettings(index=(index,), solvers=("header", "local")))


def with_header(frame: SolveRequest, wcs: WCS) -> SolveRequest:
    scene = solve_local(frame, SolveSettings(index=(frame.path.parents[1] / INDEX,)))
    header = wcs_header(replace(scene, wcs=wcs), frame.shape)
    return replace(frame, header=header)


INDEX = "index-tycho2-hatp32.fits"


def test_a_right_header_is_believed_and_a_wrong_one_is_not(
    frame: SolveRequest, index: Path
) -> None:
    settings = SolveSettings(index=(index,))
    truth = solve_local(frame, settings)
    request = with_header(frame, truth.wcs)
    found = solve(request, settings)
    assert found.solver == "header"
    assert found.n_matched == truth.n_matched
    wrong = truth.wcs.deepcopy()
    wrong.wcs.crval += 0.1
    request = with_header(frame, wrong)
    with pytest.raises(SolveError, match="may be chance"):
        solve_header(request, settings)
    assert solve(request, settings).solver == "local"


def test_a_header_with_nothing_to_check_it_by_says_so(frame: SolveRequest, index: Path) -> None:
    request = with_header(frame, solve_local(frame, SolveSettings(index=(index,))).wcs)
    found = solve_header(request, SolveSettings())
    assert found.n_matched == 0


def test_all_that_the_header_says_of_the_scale_is_tried_before_any_scale(
    frame: SolveRequest, index: Path
) -> None:
    poor = replace(frame, scale_arcsec=1.0, other_scales=(1.1, 5.2))
    hints = _hints(poor, SolveSettings())
    tried = [(size.lower_arcsec_per_pixel, size.upper_arcsec_per_pixel) for size, _ in hints]
    assert tried[0] == pytest.approx((1 / 1.2, 1.2))
    assert tried[1] == pytest.approx((5.2 / 1.2, 5.2 * 1.2))
    assert len(tried) == 5
    found = solve_local(poor, SolveSettings(index=(index,)))
    assert found.scale_arcsec == pytest.approx(5.164, abs=0.01)
    # What is given overrules all of it.
    assert len(_hints(poor, SolveSettings(scale_arcsec=1.0))) == 3


def test_a_header_is_checked_against_a_catalogue_given(
    frame: SolveRequest, index: Path, shared_data: Path
) -> None:
    table = fits.getdata(shared_data / "tycho2-hatp32.fits")
    sky = np.column_stack([table["RA"], table["DEC"]]).astype(float)
    request = with_header(frame, solve_local(frame, SolveSettings(index=(index,))).wcs)
    assert solve_header(replace(request, catalog=sky), SolveSettings()).n_matched > 30
    # Off by 24 px it is put right.
    moved = solve_header(replace(request, catalog=sky + np.array([0.05, 0.0])), SolveSettings())
    assert moved.n_matched > 30
    apart = moved.wcs.wcs.crval - solve_header(request, SolveSettings()).wcs.wcs.crval
    np.testing.assert_allclose(apart, [0.05, 0.0], atol=1e-3)
    # Of stars that are elsewhere nothing is right.
    other = np.column_stack([sky[:, 0], np.random.default_rng(1).permutation(sky[:, 1])])
    with pytest.raises(SolveError, match="may be chance"):
        solve_header(replace(request, catalog=other), SolveSettings())


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({}, "no WCS"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "CRVAL1 is missing"),
        (
            {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}
            | dict.fromkeys(("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"), 1.0),
            "not celestial",
        ),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": 0.0, "CD2_2": 0.0}, "header's WCS"),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--QQQ"}, "header's WCS"),
    ],
)
def test_a_broken_header_is_refused(frame: SolveRequest, cards: dict, reason: str) -> None:
    with pytest.raises(SolveError, match=reason):
        solve_header(replace(frame, header=fits.Header(cards)), SolveSettings())


def test_a_header_of_another_scale_is_refused(frame: SolveRequest, index: Path) -> None:
    truth = solve_local(frame, SolveSettings(index=(index,)))
    request = with_header(frame, truth.wcs)
    with pytest.raises(SolveError, match="--scale says 1"):
        solve_header(request, SolveSettings(scale_arcsec=1.0))


def test_the_chain_lists_each_reason(frame: SolveRequest, index: Path) -> None:
    with pytest.raises(SolveError, match=r"header: the header has no WCS; local: no match"):
        solve(
            replace(frame, stars=random_stars(50)),
            SolveSettings(index=(index,), solvers=("header", "local")),
        )
