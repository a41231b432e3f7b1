"""Images resampled, in colour and without continuum, of stars whose light is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from matplotlib.image import imread
from typer.testing import CliRunner

from dithered import stars_image
from lightcurve.cli import app
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import OWN_CARD
from lightcurve.stack.onto import resample_images, write_composite, write_line

SETTINGS = Settings()
SHAPE = (160, 180)
RNG = np.random.default_rng(5)
N = 40
X, Y = RNG.uniform(12, 165, N), RNG.uniform(12, 145, N)
LIGHT = np.exp(RNG.uniform(np.log(4e3), np.log(2e5), N))


def wcs(scale: float = 1.0, turn_deg: float = 0.0, middle: tuple[float, float] = (90, 80)) -> WCS:
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval, made.wcs.crpix = [210.0, 54.0], np.array(middle) + 1
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    made.wcs.cd = scale / 3600 * np.array([[-1.0, 0], [0, 1]]) @ np.array([[c, -s], [s, c]])
    return made


def write(
    path: Path,
    flux: np.ndarray,
    *,
    place: WCS | None = None,
    shape: tuple[int, int] = SHAPE,
    fwhm: float = 3.0,
    extra: np.ndarray | float = 0.0,
    sky: float = 200.0,
    seed: int = 1,
) -> Path:
    """Write stars of the common field as a camera with this WCS sees them; noise of 3 ADU."""
    place = place or wcs()
    x, y = place.all_world2pix(*wcs().all_pix2world(X, Y, 0), 0)
    pixels = stars_image(shape, x, y, flux, fwhm) + sky + extra
    pixels += np.random.default_rng(seed).normal(0, 3, shape)
    header = place.to_header()
    header["GAIN"], header["EXPTIME"], header["FILTER"] = 1.0, 60.0, "R"
    fits.writeto(path, pixels.astype(np.float32), header, overwrite=True)
    return path


def summed(pixels: np.ndarray, x: float, y: float, radius: float, sky: float) -> float:
    v, u = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    inside = np.hypot(u - x, v - y) < radius
    return float((pixels[inside] - sky).sum())


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6])
def test_light_is_kept_where_the_sky_puts_it(scale, tmp_path):
    onto = write(tmp_path / "onto.fits", LIGHT)
    other = wcs(scale, 33.0, (100, 110))
    image = write(tmp_path / "a.fits", LIGHT, place=other, shape=(220, 230), fwhm=3.0 / scale)
    ((_, reason),) = resample_images([image], onto, SETTINGS, tmp_path / "out")
    assert not reason
    with fits.open(tmp_path / "out" / "a.fits") as found:
        pixels = found[0].data
        again = WCS(found[0].header)
    assert pixels.shape == SHAPE
    assert np.allclose(again.all_pix2world(5, 6, 0), wcs().all_pix2world(5, 6, 0), atol=1e-8)
    apart = np.hypot(X[:, None] - X, Y[:, None] - Y) + 1e3 * np.eye(N)
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    whole = np.isfinite(pixels)
    level = 200.0 / scale**2
    tried = 0
    for k in np.flatnonzero((apart.min(axis=1) > 16) & (LIGHT > 2e4)):
        if whole[np.hypot(u - X[k], v - Y[k]) < 9].all():
            assert summed(pixels, X[k], Y[k], 7, level) == pytest.approx(LIGHT[k], rel=0.01)
            tried += 1
    assert tried >= 3


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6, 2.5])
def test_the_noise_that_pixels_share_is_told(scale, tmp_path):
    """Of a sum: the frame's own over its area; of a pixel: what the image scatters by."""
    onto = write(tmp_path / "onto.fits", 0 * LIGHT)
    image = write(
        tmp_path / "a.fits", 0 * LIGHT, place=wcs(scale, 33.0, (200, 210)), shape=(420, 430)
    )
    resample_images([image, onto], onto, SETTINGS, tmp_path / "out")
    pixels, header = fits.getdata(tmp_path / "out" / "a.fits", header=True)
    truth = max(3 / scale / np.nanstd(pixels), 1.0)  # what is sampled coarsely shares none
    assert header["NOISECOR"] == pytest.approx(truth, rel=0.03)
    assert "NOISECOR" not in fits.getheader(tmp_path / "out" / "onto.fits")


def test_what_lies_elsewhere_costs_itself_alone(tmp_path):
    onto = write(tmp_path / "onto.fits", LIGHT)
    far = write(tmp_path / "far.fits", LIGHT)
    fits.setval(far, "CRVAL1", value=10.0)
    bare = tmp_path / "bare.fits"
    fits.writeto(bare, np.ones((50, 50), np.float32))
    behind = write(tmp_path / "behind.fits", LIGHT)  # of the other half of the sky
    fits.setval(behind, "CRVAL1", value=30.0)
    fits.setval(behind, "CRVAL2", value=-54.0)
    rows = resample_images([far, behind, bare, onto], onto, SETTINGS, tmp_path / "out")
    assert [bool(reason) for _, reason in rows] == [True, True, True, False]
    same = fits.getdata(tmp_path / "out" / "onto.fits")
    assert np.array_equal(same, fits.getdata(onto))  # nothing was resampled


def test_images_of_one_name_are_all_kept(tmp_path):
    onto = write(tmp_path / "onto.fits", LIGHT)
    for night in "ab":
        (tmp_path / night).mkdir()
        write(tmp_path / night / "r.fits", LIGHT, seed=ord(night))
    images = [tmp_path / night / "r.fits" for night in "ab"]
    resample_images(images, onto, SETTINGS, tmp_path / "out")
    made = sorted((tmp_path / "out").iterdir())
    assert len(made) == 2
    for one, other in zip(images, made, strict=True):
        assert OWN_CARD in fits.getheader(other)  # no raw frame of a night
        assert np.array_equal(fits.getdata(one), fits.getdata(other))


def test_no_image_is_written_over(tmp_path):
    onto = write(tmp_path / "onto.fits", LIGHT)
    before = onto.read_bytes()
    ((_, reason),) = resample_images([onto], onto, SETTINGS, tmp_path)
    assert reason
    for work in (write_line, lambda a, b, s, o: write_composite((a, b, b), s, o)):
        with pytest.raises(InputError):
            work(onto, onto, SETTINGS, onto)
    assert onto.read_bytes() == before


def test_the_mean_star_is_white_and_a_red_one_is_red(tmp_path):
    red = LIGHT.copy()
    odd = int(np.argsort(LIGHT)[N // 2])
    red[odd] *= 4
    files = [
        write(tmp_path / "r.fits", 0.5 * red, seed=1),
        write(tmp_path / "g.fits", LIGHT, place=wcs(1.0, 20.0), shape=(200, 210), seed=2),
        write(tmp_path / "b.fits", 3 * LIGHT, sky=900.0, seed=3),
    ]
    write_composite(files, SETTINGS, tmp_path / "c.png")
    picture = imread(tmp_path / "c.png")[::-1, :, :3]
    assert picture.shape == (*SHAPE, 3)
    colours = np.array([picture[round(y), round(x)] for x, y in zip(X, Y, strict=True)])
    plain = (colours.max(axis=1) < 0.98) & (colours.min(axis=1) > 0.3) & (np.arange(N) != odd)
    assert plain.sum() >= 5
    assert np.abs(colours[plain] - colours[plain].mean(axis=1, keepdims=True)).max() < 0.12
    assert colours[odd, 0] > colours[odd, 1] + 0.05
    assert colours[odd, 0] > colours[odd, 2] + 0.05


def test_the_line_is_left_and_the_stars_are_gone(tmp_path):
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    nebula = 40 * np.exp(-0.5 * (np.hypot(u - 60, v - 90) / 9) ** 2)
    line = write(tmp_path / "ha.fits", 0.2 * LIGHT, extra=nebula, fwhm=3.4, seed=1)
    broad = write(tmp_path / "r.fits", LIGHT, fwhm=2.8, seed=2)
    told = write_line(line, broad, SETTINGS, tmp_path / "out.fits")
    assert float(told.split()[4]) == pytest.approx(0.2, abs=4 * float(told.split()[6].strip(",")))
    rest = fits.getdata(tmp_path / "out.fits")
    far = np.hypot(u - 60, v - 90) > 40
    stars = np.any([np.hypot(u - x, v - y) < 6 for x, y in zip(X, Y, strict=True)], axis=0)
    rest = rest - np.median(rest[far & ~stars])  # the nebula's wings are in its sky
    assert abs(rest[far & stars].sum()) < 0.01 * 0.2 * LIGHT.sum()
    assert rest[np.hypot(u - 60, v - 90) < 27].sum() == pytest.approx(nebula.sum(), rel=0.04)


def test_too_few_stars_tell_no_scale(tmp_path):
    flux = np.where(np.arange(N) < 2, LIGHT, 0)
    one, other = (write(tmp_path / f"{k}.fits", flux, seed=k) for k in (1, 2))
    with pytest.raises(InputError):
        write_line(one, other, SETTINGS, tmp_path / "out.fits")
    told = write_line(one, other, SETTINGS, tmp_path / "out.fits", scale=1.0)
    assert told
    assert abs(fits.getdata(tmp_path / "out.fits").mean()) < 0.2


@pytest.mark.parametrize("wrong", [-1.0, 0.0, np.nan, np.inf])
def test_numbers_that_make_no_picture_are_refused(wrong, tmp_path):
    image = write(tmp_path / "one.fits", LIGHT)
    with pytest.raises(InputError):
        write_composite((image,) * 3, SETTINGS, tmp_path / "c.png", balance=(1.0, wrong, 1.0))
    with pytest.raises(InputError):
        write_line(image, image, SETTINGS, tmp_path / "l.fits", scale=wrong or -1.0)
    assert list(tmp_path.iterdir()) == [image]


def test_without_a_place_nothing_is_done(tmp_path):
    bare = tmp_path / "bare.fits"
    fits.writeto(bare, np.ones((50, 50), np.float32))
    with pytest.raises(FrameError):
        write_composite((bare, bare, bare), SETTINGS, tmp_path / "c.png")


@pytest.mark.parametrize("verb", ["resample", "composite", "continuum"])
def test_the_commands(verb, tmp_path):
    one, other = (write(tmp_path / f"{k}.fits", LIGHT, seed=k) for k in (1, 2))
    given = {
        "resample": [str(one), "--onto", str(other), "--out", str(tmp_path / "out")],
        "composite": [str(one), str(other), str(one), "--out", str(tmp_path / "c.png")],
        "continuum": [str(one), str(other), "--out", str(tmp_path / "l.fits")],
    }
    answer = CliRunner().invoke(app, [verb, *given[verb]])
    assert answer.exit_code == 0, answer.output
