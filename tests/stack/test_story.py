"""Frames of a known field become a stack: deep as it can be, its light, errors and marks true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import median_filter

from dithered import Dithered, Truth, render, stars_image
from lightcurve.astrometry.wcs import tangent_wcs
from lightcurve.core.data import Combine
from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import Settings, make_settings
from lightcurve.frames.read import read_frame
from lightcurve.setup.camera import settle_camera
from lightcurve.stack.check import Check, Verdict
from lightcurve.stack.story import Stack, stack_folder

BASE = {"catalogs": {"offline": True}, "solve": {"solvers": ["header"]}}


def settings_of(**stack: object) -> Settings:
    return make_settings({**BASE, "stack": stack})


def stack_of(folder: Path, out: Path, **stack: object) -> Stack:
    (one,) = stack_folder(folder, settings_of(**stack), out, catalog=False)
    assert one.made is not None
    return one.made


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth, Dithered]:
    folder = tmp_path_factory.mktemp("dithered")
    spec = Dithered(spoilt={5: {"transparency": 0.2}, 8: {"fwhm": 6.0}})
    return folder, render(folder, spec), spec


@pytest.fixture(scope="module")
def stack(night: tuple, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return stack_of(night[0], tmp_path_factory.mktemp("stack"))


def test_frames_left_out(stack: Stack) -> None:
    assert set(stack.left_out) == {"light_005.fits", "light_008.fits"}
    assert "transparency" in stack.left_out["light_005.fits"]
    assert "FWHM" in stack.left_out["light_008.fits"]


def test_light_is_that_of_the_field(stack: Stack, night: tuple) -> None:
    """Against the field rendered on the stack's own grid: no hit, no trail, no loss of light."""
    _, truth, _ = night
    reference = stack.ready.aligned.reference
    name = stack.ready.aligned.members[reference].path
    wcs, own = WCS(fits.getheader(stack.path), fix=False), WCS(fits.getheader(name), fix=False)
    index = int(name.stem.split("_")[1])
    matrix, clear = truth.matrices[index], truth.transparency[index]
    here = matrix[:, :2] @ np.stack([truth.x, truth.y]) + matrix[:, 2:]
    x, y = wcs.all_world2pix(*own.all_pix2world(*here, 0), 0)
    ny, nx = stack.stacked.light.shape
    kept = (x > 25) & (x < nx - 25) & (y > 25) & (y < ny - 25)
    v, u = np.mgrid[0:ny, 0:nx]
    shares = []
    for px, py, flux in zip(x[kept], y[kept], truth.flux[kept] * clear, strict=True):
        apart = np.hypot(x - px, y - py)
        if np.sort(apart)[1] < 11 or flux < 8e3:
            continue
        circle = np.hypot(u - px, v - py) < 5
        shares.append(stack.stacked.light[circle].sum() / flux)
    assert len(shares) > 8
    assert np.median(shares) == pytest.approx(1, abs=0.01)  # what circle and sky leave
    assert np.std(shares) < 0.01
    # No pixel between stars is far off: neither the trail nor a hit is left.
    stars = stars_image((ny, nx), x, y, truth.flux, 3.0)
    smooth = median_filter(
        np.where((stars < 1) & (stack.stacked.bad == 0), stack.stacked.light, 0), 21
    )
    pulls = ((stack.stacked.light - smooth) / stack.stacked.error)[
        (stars < 1) & (stack.stacked.count > 7)
    ]
    assert np.abs(pulls).max() < 6
    assert np.std(pulls) == pytest.approx(1, abs=0.08)  # sky under a hundred stars, too


def test_blur_is_seen_beside_the_same_stars(stack: Stack, night: tuple, tmp_path, monkeypatch):
    """Frames laid beside their places by a Gaussian of a pixel widen the stars as it says."""
    from lightcurve.stack import story

    def blur(made: Stack) -> Check:
        return next(one for one in made.checks if one.name == "PSF")

    assert blur(stack).value == pytest.approx(1, abs=0.04)
    places, shifts = story.map_grid, iter([(1, 1), (-1, 1), (1, -1), (-1, -1)] * 3)

    def shaken(to_frame, shape):
        dx, dy = next(shifts)
        return places(lambda u, v: to_frame(u + dx, v + dy), shape)

    monkeypatch.setattr(story, "map_grid", shaken)
    wide = blur(stack_of(night[0], tmp_path, combine="mean"))
    assert wide.verdict is Verdict.FAILED
    assert wide.value == pytest.approx(np.hypot(2.9, 2.355) / 2.9, abs=0.1)


def test_errors_are_those_of_halves(stack: Stack) -> None:
    assert stack.stacked.pull == pytest.approx(1, abs=0.05)
    assert 1.05 < stack.stacked.sums < 1.25
    assert all(check.verdict is not Verdict.FAILED for check in stack.checks)


def test_what_frames_do_not_allow_is_poor_and_what_is_wrong_fails() -> None:
    assert Check.of("a", 2.0, "{}", high=1.0, beyond=Verdict.POOR).verdict is Verdict.POOR
    assert Check.of("a", 2.0, "{}", high=1.0).verdict is Verdict.FAILED
    assert Check.of("a", 1.0, "{}", 0.5, 1.0).verdict is Verdict.PASSED
    assert Check.of("a", np.nan, "{}", high=1.0).verdict is Verdict.UNKNOWN


def test_file_is_read_back_with_its_marks(stack: Stack) -> None:
    frame = read_frame(stack.path)
    assert frame.exposure.exposure_s == 60.0
    assert frame.exposure.gain_e_per_adu == pytest.approx(stack.stacked.gain_e_per_adu)
    assert frame.exposure.mid_jd_utc == pytest.approx(stack.stacked.mid_jd_utc, abs=1e-6)
    assert len(frame.exposure.warnings) == 1  # CALSTAT: nothing is done again
    assert (frame.bad == stack.stacked.bad).all()
    with fits.open(stack.path) as hdus:
        assert [hdu.name for hdu in hdus] == ["SCI", "MASK", "ERR", "EXPOSURE", "COUNT"]
        assert hdus[0].header["NFILES"] == 10
        assert hdus[0].header["EXPTOT"] == 600.0
        assert hdus["EXPOSURE"].data.max() == 600.0
        told = "".join(hdus[0].header["HISTORY"])
        assert all(f"check {check.name}: " in told for check in stack.checks)
        gaps = (hdus["MASK"].data & PixelFlag.NOT_FINITE) != 0
        assert (np.isnan(hdus[0].data) == gaps).all()
    # Ten frames like these have about ten times the gain of one.
    assert frame.exposure.gain_e_per_adu == pytest.approx(20, rel=0.2)


def test_the_noise_that_pixels_share_is_read_of_the_header(stack: Stack) -> None:
    camera = settle_camera([read_frame(stack.path)], None, settings_of())
    assert camera.noise.of_sums == pytest.approx(stack.stacked.sums, abs=1e-3)
    assert any("NOISECOR" in value.source for value in camera.values)


def test_pixels_alone(night: tuple, tmp_path: Path) -> None:
    """Without any place on the sky the stars do, and what needs the sky is refused."""
    folder = tmp_path / "bare"
    truth = render(folder, Dithered(n_frames=5, wcs=False, trail=None), seed=3)
    made = stack_of(folder, tmp_path / "out", combine="median")
    assert made.ready.aligned.solution is None
    assert made.stacked.grid.wcs is None
    assert not made.left_out
    assert "ALGNFAIL" in fits.getheader(made.path)
    assert len(truth.fwhm) == 5
    with pytest.raises(InputError, match="--north-up"):
        stack_of(folder, tmp_path / "north", north_up=True)


def test_north_up_size_and_scale(night: tuple, tmp_path: Path) -> None:
    made = stack_of(
        night[0], tmp_path, north_up=True, size=[90, 70], center="150.0,20.0", scale_arcsec=2.4,
        combine=Combine.MEAN,
    )  # fmt: skip
    assert made.stacked.light.shape == (70, 90)
    wcs = WCS(fits.getheader(made.path), fix=False)
    ra, dec = wcs.all_pix2world([44.5, 44.5], [34.5, 44.5], 0)
    assert dec[1] - dec[0] == pytest.approx(10 * 2.4 / 3600, rel=1e-3)
    assert ra[1] == pytest.approx(ra[0], abs=1e-6)
    assert (ra[0], dec[0]) == pytest.approx((150.0, 20.0), abs=2.4 / 3600)


def test_frames_without_a_star_are_refused_though_they_have_a_wcs(tmp_path: Path) -> None:
    place = tangent_wcs(np.array([150.0, 20.0]), np.array([40.0, 40.0]), np.diag([-1, 1]) / 3600)
    header = place.to_header()
    header["EXPTIME"], header["IMAGETYP"], header["OBJECT"] = 60.0, "Light", "Blank"
    for k in range(2):
        header["DATE-OBS"] = f"2026-03-05T03:0{k}:00"
        sky = np.random.default_rng(k).normal(300, 5, (80, 80))
        fits.writeto(tmp_path / f"{k}.fits", sky.astype(np.float32), header)
    with pytest.raises(InputError):
        stack_folder(tmp_path, settings_of(), tmp_path / "out", catalog=False)


def test_a_mistake_of_the_program_costs_its_own_frame(tmp_path: Path, monkeypatch) -> None:
    from lightcurve.stack import take

    render(tmp_path / "night", Dithered(n_frames=4, cosmics=0, trail=None))
    right = take.read_frame

    def wrong(path: Path, **given):
        if path.name == "light_002.fits":
            raise ZeroDivisionError
        return right(path, **given)

    monkeypatch.setattr(take, "read_frame", wrong)
    made = stack_of(tmp_path / "night", tmp_path / "out")
    assert set(made.left_out) == {"light_002.fits"}
    assert "ZeroDivisionError" in made.left_out["light_002.fits"]
    assert "Traceback" in (tmp_path / "out" / "run.log").read_text()
