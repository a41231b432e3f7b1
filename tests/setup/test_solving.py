"""Frames whose stars are no points: solved as they are seen, before any server is asked."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.signal import fftconvolve
from typer.testing import CliRunner

from lightcurve.astrometry.chain import SOLVERS, Solver, solve
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import wcs_header
from lightcurve.cli import app
from lightcurve.core.data import Detections, Frame, Solution
from lightcurve.core.errors import InputError, SolveError, UnsolvedError
from lightcurve.core.settings import Settings, SolveSettings, make_settings
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from lightcurve.setup.solving import request_for, solve_frame, submission_file
from lightcurve.simulate.render import render_stars

pytest.importorskip("astrometry")
TARGET = (31.042825, 46.687836)


def defocused(path: Path, radius: int) -> Frame:
    """A real frame, its stars drawn out to discs."""
    frame = read_frame(path, need_time=False)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    kernel = (np.hypot(x, y) <= radius).astype(float)
    noise = np.random.default_rng(0).normal(0, 3, frame.pixels.shape)
    sky = np.median(frame.pixels)
    pixels = fftconvolve(frame.pixels - sky, kernel / kernel.sum(), mode="same") + sky + noise
    return replace(frame, pixels=pixels.astype(np.float32))


def request_of(frame: Frame, stars: Detections | None = None) -> SolveRequest:
    stars = detect(frame.pixels) if stars is None else stars
    return SolveRequest(stars, frame.pixels.shape, frame.header, frame.path, *TARGET, 5.21)


@pytest.fixture
def settings(shared_data: Path) -> SolveSettings:
    index = shared_data / "index-tycho2-hatp32.fits"
    return SolveSettings(index=(index,), solvers=("header", "local", "nova"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SolveRequest]:
    """What a server was asked; it knows nothing."""
    requests: list[SolveRequest] = []

    def server(request: SolveRequest, _settings: SolveSettings) -> Solution:
        requests.append(request)
        raise SolveError("the server knows nothing")

    monkeypatch.setitem(SOLVERS.entries, "nova", replace(SOLVERS.get("nova"), solve=server))
    return requests


@pytest.mark.parametrize("radius", [5, 12, 15])
def test_a_defocused_frame_is_solved(
    radius: int, hatp32: list[Path], settings: SolveSettings, asked: list[SolveRequest]
) -> None:
    frame = defocused(hatp32[0], radius)
    found = solve_frame(request_of(frame), settings)
    x, y = found.wcs.all_world2pix(*TARGET, 0)
    assert np.hypot(x - 422.96, y - 286.1) < 2
    assert found.scale_arcsec == pytest.approx(5.164, rel=0.005)
    assert not asked


def test_a_good_frame_is_solved_as_it_is(
    hatp32: list[Path], settings: SolveSettings, asked: list[SolveRequest]
) -> None:
    frame = read_frame(hatp32[0])
    assert solve_frame(request_of(frame), settings).n_matched > 20
    assert not asked


def test_a_server_is_asked_once_and_last(
    hatp32: list[Path], settings: SolveSettings, asked: list[SolveRequest]
) -> None:
    frame = read_frame(hatp32[0])
    # Stars of no sky.
    rng = np.random.default_rng(1)
    light = render_stars(frame.pixels.shape, *rng.uniform(20, 480, (2, 40)), np.full(40, 9e3), 3.0)
    pixels = light + rng.normal(300, 9, frame.pixels.shape)
    frame = replace(frame, pixels=pixels.astype(np.float32))
    request = request_of(frame)
    with pytest.raises(UnsolvedError) as caught:
        solve_frame(request, settings)
    assert asked == [request]
    assert [part.split(":")[0] for part in caught.value.reason.split("; ")] == [
        "header", "local", "nova",
    ]  # fmt: skip


def test_a_header_that_nothing_confirms_is_the_last_resort(
    hatp32: list[Path], settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = read_frame(hatp32[0])
    request = request_of(frame)
    right = solve_frame(request, settings)
    wrong = replace(right, wcs=right.wcs.deepcopy())
    wrong.wcs.wcs.crval += 0.1
    request = replace(request, header=wcs_header(wrong, request.shape))
    bare = settings.model_copy(update={"index": ()})
    nova = replace(SOLVERS.get("nova"), solve=lambda *_: replace(right, solver="nova"))
    monkeypatch.setitem(SOLVERS.entries, "nova", nova)
    assert solve_frame(request, bare).solver == "nova"
    for solvers in (("header", "local"), ("header",)):
        found = solve_frame(request, bare.model_copy(update={"solvers": solvers}))
        assert (found.solver, found.n_matched) == ("header", 0)
        # Why no other solver took its place is kept.
        assert ("; local: " in found.detail) == ("local" in solvers)
    # With known stars it is refuted at once.
    assert solve_frame(request, settings).solver == "local"


def test_a_solver_that_failed_keeps_no_frame_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: SolveRequest, settings: SolveSettings) -> Solution:
        raise SolveError("no", n_detected=len(request.stars))

    answer = Solution.__new__(Solution)
    monkeypatch.setitem(SOLVERS.entries, "local", replace(SOLVERS.get("local"), solve=refuse))
    monkeypatch.setitem(
        SOLVERS.entries, "nova", replace(SOLVERS.get("nova"), solve=lambda *_: answer)
    )
    none = np.zeros(0)
    stars = Detections(none, none, none, none, none, 0.0, 1.0)

    def attempt() -> weakref.ref:
        pixels = np.zeros((50, 60), np.float32)
        request = SolveRequest(stars, pixels.shape, fits.Header(), Path("a.fits"))
        wanted = SolveSettings(solvers=("local", "nova"))
        assert solve(request, wanted) is answer
        return weakref.ref(pixels)

    gc.disable()  # it looks for rings of objects only after many were made, however large
    try:
        assert attempt()() is None
    finally:
        gc.enable()


def test_named_first_a_server_is_asked_first(
    hatp32: list[Path], settings: SolveSettings, asked: list[SolveRequest]
) -> None:
    frame = read_frame(hatp32[0])
    first = settings.model_copy(update={"solvers": ("nova", "local")})
    assert solve_frame(request_of(frame), first).solver == "local"
    assert len(asked) == 1


def test_too_few_stars_are_told(hatp32: list[Path], settings: SolveSettings) -> None:
    frame = read_frame(hatp32[0])
    all_of_them = detect(frame.pixels)
    names = ("x", "y", "flux", "peak", "fwhm")
    few = Detections(*(getattr(all_of_them, name)[:3] for name in names), 0.0, 1.0)
    own = settings.model_copy(update={"solvers": ("local",)})
    with pytest.raises(UnsolvedError) as caught:
        solve_frame(request_of(frame, few), own)
    assert caught.value.n_detected == 3


def test_what_the_solvers_are_given(hatp32: list[Path]) -> None:
    """What is given goes before the header; where a submission is kept hangs on the file alone."""
    frame = read_frame(hatp32[0], need_time=False)
    exposure = replace(frame.exposure, ra_deg=31.0, dec_deg=46.0, scale_arcsec=5.0)
    frame, stars = replace(frame, exposure=exposure), detect(frame.pixels)
    plain = request_for(frame, stars, Settings(), None)
    assert (plain.ra_deg, plain.dec_deg, plain.scale_arcsec) == (31.0, 46.0, 5.0)
    assert plain.shape == frame.pixels.shape
    assert plain.stars is stars
    assert plain.state_file == submission_file(frame.path) != submission_file(hatp32[1])
    given = request_for(frame, stars, make_settings({"solve": {"scale_arcsec": 6.0}}), TARGET)
    assert (given.ra_deg, given.dec_deg, given.scale_arcsec) == (*TARGET, 6.0)
    assert plain.catalog is None
    # What else its header says of the scale: IM_SCALE.
    assert plain.other_scales == pytest.approx((5.21,), abs=0.01)


def test_a_catalogue_given_by_hand_takes_part(hatp32: list[Path], tmp_path: Path) -> None:
    frame = read_frame(hatp32[0], need_time=False)
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_text("ra,dec,rmag\n31.0,46.0,9.0\n")
    large.write_text("ra,dec,rmag\n31.0,46.7,12.1\n31.1,46.6,10.2\n31.2,46.5,11.3\n")
    settings = make_settings({"catalogs": {"files": [str(small), str(large)]}})
    given = request_for(frame, detect(frame.pixels), settings, None)
    # The longer one, its brightest first.
    np.testing.assert_allclose(given.catalog[:, 0], [31.1, 31.2, 31.0])


def test_a_solver_is_registered_once_and_known_everywhere(
    hatp32: list[Path], settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = read_frame(hatp32[0])
    right = solve_frame(request_of(frame), settings)
    answer = replace(right, solver="dummy")
    dummy = Solver("dummy", "knows the answer", "By heart.", lambda *_: answer)
    monkeypatch.setattr(SOLVERS, "entries", dict(SOLVERS.entries))
    SOLVERS.register(dummy)
    assert Settings().solve.solvers[-1] == "dummy"
    named = make_settings({"solve": {"solvers": ["dummy"]}, "catalogs": {"offline": True}})
    assert solve_frame(request_of(frame), named.solve).solver == "dummy"
    assert dummy.in_markdown == "| `dummy` | knows the answer. By heart. |"
    shown = CliRunner().invoke(app, ["solve", "--help"], env={"COLUMNS": "200"}).stdout
    assert "or dummy (knows the answer)" in shown
    # One that asks a server is left out where none may be asked.
    monkeypatch.setitem(SOLVERS.entries, "dummy", replace(dummy, asks_a_server=True))
    assert "dummy" not in make_settings({"catalogs": {"offline": True}}).solve.solvers
    with pytest.raises(InputError, match="--offline forbids"):
        make_settings({"solve": {"solvers": ["dummy"]}, "catalogs": {"offline": True}})


def test_a_solver_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"one of header, .*; did you mean nova.*, got 'nvoa'"):
        make_settings({"solve": {"solvers": ["nvoa"]}})
