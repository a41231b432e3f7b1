"""New, gone and variable stars put into an image, and found in what a template leaves of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dithered import stars_image
from lightcurve.core.data import FrameStatus
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.stack.difference import Difference, find_changes, subtract
from lightcurve.stack.kernel import fit_kernel, read_star
from lightcurve.stack.subtract import Kind, subtract_template

SHAPE = (210, 220)
SKY, READ = 300.0, 5.0
IN_APERTURE = 1 - np.exp(-0.5 * (1.3 * 2.3548) ** 2)  # of a Gaussian within 1.3 FWHM


@dataclass(frozen=True)
class Case:
    """What was put in: x, y, flux of new stars (negative: gone), and what came of it."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    found: Difference


def case(fwhm: float, template_fwhm: float, *, scale: float = 1.0, seed: int = 1) -> Case:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(5, SHAPE[1] - 5, 90), rng.uniform(5, SHAPE[0] - 5, 90)
    light = np.exp(rng.uniform(np.log(300), np.log(8e4), 90))
    places = np.column_stack([rng.uniform(25, n - 25, 400) for n in SHAPE[::-1]])
    # Away from bright stars, whose own noise and light lead a peak astray.
    apart = np.hypot(*(places[:, None] - np.column_stack([x, y])[light > 3000]).T).min(axis=0)
    new_x, new_y = places[apart > 8][:16].T
    flux = np.exp(rng.uniform(np.log(1500), np.log(9000), 16)) * np.where(np.arange(16) < 12, 1, -1)
    up, down = flux > 0, flux < 0
    here = stars_image(
        SHAPE, np.r_[x, new_x[up]], np.r_[y, new_y[up]], np.r_[light, flux[up]], fwhm
    )
    image = rng.poisson(here * scale + SKY) + rng.normal(0, READ, SHAPE) - SKY
    # Deeper twenty times, a little off, and with what is gone from the image.
    there = stars_image(
        SHAPE, np.r_[x, new_x[down]] + 0.4, np.r_[y, new_y[down]] - 0.3,
        np.r_[light, -flux[down]], template_fwhm,
    )  # fmt: skip
    of_template = np.maximum(there, 0) / 20 + SKY / 20
    template = there + rng.normal(0, np.sqrt(of_template))
    order = np.argsort(-light)[:40]
    found = subtract(
        image, np.maximum(image, 0) + SKY + READ**2, template, of_template,
        (x[order], y[order]), (fwhm, template_fwhm),
    )  # fmt: skip
    return Case(new_x, new_y, flux * scale, found)


@pytest.mark.parametrize(
    ("fwhm", "template_fwhm", "scale"), [(3.2, 2.6, 1.0), (2.6, 3.2, 1.0), (3.0, 3.0, 0.6)]
)
def test_changes_are_found_with_their_light_and_nothing_else(fwhm, template_fwhm, scale):
    truth = case(fwhm, template_fwhm, scale=scale)
    changes = find_changes(truth.found, 5.0, 1.3 * truth.found.fwhm)
    good = [one for one in changes if not one.reason]
    pulls = []
    for one in good:
        k = int(np.argmin(np.hypot(truth.x - one.x, truth.y - one.y)))
        off = np.hypot(truth.x[k] - one.x, truth.y[k] - one.y)
        assert off < 0.5 * truth.found.fwhm  # none was not put in
        assert np.sign(one.snr) == np.sign(truth.flux[k])
        pulls.append((one.flux - truth.flux[k] * IN_APERTURE) / one.flux_err)
    assert len(good) >= 14
    assert abs(np.mean(pulls)) < 0.8
    assert 0.5 < np.std(pulls) < 1.6


def test_the_kernel_has_the_scale_and_blank_sky_one_sigma():
    truth = case(3.4, 2.6, scale=0.7)
    middle = truth.found.kernel.at(SHAPE[1] / 2, SHAPE[0] / 2)
    assert middle.sum() == pytest.approx(0.7, rel=0.01)
    v, u = np.indices(middle.shape) - len(middle) // 2
    # The template was moved by (0.4, -0.3): the kernel moves it back.
    assert (middle * u).sum() / middle.sum() == pytest.approx(-0.4, abs=0.05)
    assert (middle * v).sum() / middle.sum() == pytest.approx(0.3, abs=0.05)
    v, u = np.indices(SHAPE)
    blank = np.min(np.hypot(u[..., None] - truth.x, v[..., None] - truth.y), axis=2) > 9
    assert 0.85 < np.nanstd(truth.found.score[blank][1000:-1000].clip(-4, 4)) < 1.15


def test_too_few_stars_match_nothing():
    with pytest.raises(InputError):
        fit_kernel([], 3, SHAPE)


def test_the_story_of_a_frame_and_its_template(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(4)
    x, y = rng.uniform(10, 170, 40), rng.uniform(10, 150, 40)
    light = np.exp(rng.uniform(np.log(2e3), np.log(1e5), 40))

    def write(name: str, stars: tuple[np.ndarray, ...], turn: float, fwhm: float, depth: float):
        made = WCS(naxis=2)
        made.wcs.ctype, made.wcs.crval = ["RA---TAN", "DEC--TAN"], [210.0, 54.0]
        made.wcs.crpix = [91.0, 81.0]
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        made.wcs.cd = np.array([[-c, s], [s, c]]) / 3600  # turned, and the stars with it
        u, v = stars[0] - 90, stars[1] - 80
        here = 90 + c * u + s * v, 80 - s * u + c * v
        pixels = stars_image((160, 180), *here, stars[2], fwhm)
        pixels = pixels + rng.normal(0, np.sqrt((pixels + SKY) / depth)) + SKY
        header = made.to_header()
        header["DATE-OBS"], header["EXPTIME"] = "2026-03-05T03:00:00", 60.0
        header["EGAIN"], header["RDNOISE"], header["IMAGETYP"] = 1.0, 0.0, "Light"
        fits.writeto(tmp_path / name, pixels.astype(np.float32), header)
        return made

    new = np.array([60.3]), np.array([120.8]), np.array([6000.0])
    wcs = write("frame.fits", tuple(map(np.append, (x, y, light), new)), 0.0, 3.2, 1.0)
    write("template.fits", (x, y, light), 7.0, 2.8, 20.0)
    write("blank.fits", tuple(one[:0] for one in (x, y, light)), 0.0, 3.0, 1.0)
    write("empty.fits", (x, y, light), 0.0, 3.0, 1.0)
    with fits.open(tmp_path / "empty.fits", mode="update") as hdus:
        hdus[0].data[:] = np.nan
    settings = make_settings({"catalogs": {"offline": True}, "solve": {"solvers": ["header"]}})
    # Its noise is no star that the two could be matched by.
    (row,) = subtract_template(
        [tmp_path / "frame.fits"], tmp_path / "blank.fits", settings, tmp_path / "none"
    )
    assert row["status"] == FrameStatus.FAILED
    (row,) = subtract_template(
        [tmp_path / "frame.fits"], tmp_path / "empty.fits", settings, tmp_path / "none"
    )
    assert "no pixel of the template" in row["reason"]
    (row,) = subtract_template(
        [tmp_path / "frame.fits"], tmp_path / "template.fits", settings, tmp_path / "out"
    )
    assert not row["reason"]
    (only,) = [one for one in row["found"] if not one["reason"]]
    assert only["kind"] == Kind.NEW
    ra, dec = wcs.all_pix2world(60.3, 120.8, 0)
    assert only["ra_deg"] == pytest.approx(float(ra), abs=0.2 / 3600)
    assert only["dec_deg"] == pytest.approx(float(dec), abs=0.2 / 3600)
    assert (tmp_path / "out" / "frame.difference.png").stat().st_size > 10_000
    with fits.open(tmp_path / "out" / "frame.difference.fits") as written:
        assert [hdu.name for hdu in written[1:]] == ["ERR", "SCORE"]


def test_stars_that_differ_by_what_the_flat_field_leaves_are_not_claimed():
    rng = np.random.default_rng(7)
    x, y = rng.uniform(12, SHAPE[1] - 12, 60), rng.uniform(12, SHAPE[0] - 12, 60)
    light = np.exp(rng.uniform(np.log(3e3), np.log(2e5), 60))
    here = stars_image(SHAPE, x, y, light * rng.normal(1, 0.05, 60), 3.2)
    there = stars_image(SHAPE, x, y, light, 2.8)
    image = rng.poisson(here + SKY) - SKY
    template = there + rng.normal(0, np.sqrt((there + SKY) / 20))
    order = np.argsort(-light)
    found = subtract(
        image, np.maximum(image, 0) + SKY, template, (there + SKY) / 20, (x[order], y[order]),
        (3.2, 2.8),
    )  # fmt: skip
    assert found.left == pytest.approx(0.05, rel=0.4)
    assert not [one for one in find_changes(found, 5.0, 4.0) if not one.reason]


def test_a_line_and_a_glow_are_no_stars():
    rng = np.random.default_rng(8)
    x, y = rng.uniform(12, SHAPE[1] - 12, 50), rng.uniform(12, SHAPE[0] - 12, 50)
    light = np.exp(rng.uniform(np.log(3e3), np.log(5e4), 50))
    there = stars_image(SHAPE, x, y, light, 3.0)
    v, u = np.indices(SHAPE)
    trail = 60 * np.exp(-0.5 * ((v - 0.3 * u - 80) / 1.4) ** 2)
    glow = 90 * np.exp(-0.5 * np.hypot(u - 170, v - 40) ** 2 / 3.2**2)
    image = rng.poisson(there + trail + glow + SKY) - SKY
    order = np.argsort(-light)
    found = subtract(
        image, np.maximum(image, 0) + SKY, there + rng.normal(0, 4, SHAPE), np.full(SHAPE, 16.0),
        (x[order], y[order]), (3.0, 3.0),
    )  # fmt: skip
    changes = find_changes(found, 5.0, 4.0)
    assert len(changes) > 10
    assert not [one for one in changes if not one.reason]


def test_a_kernel_that_changes_as_a_parabola_over_the_field_is_told_so():
    rng = np.random.default_rng(9)
    side = 9
    stars = []
    for _ in range(70):
        x, y = rng.uniform(20, 180, 2)
        u, v = 2 * x / 199 - 1, 2 * y / 199 - 1
        template = stars_image((200, 200), [x], [y], [2e4], 2.2)
        image = stars_image((200, 200), [x], [y], [2e4], 2.8 + 0.9 * (u * u + v * v))
        image = image + rng.normal(0, 5, image.shape) + 40  # a sky that nobody took off
        star = read_star(template, image, np.full(image.shape, 25.0) + image, (x, y), side, 4)
        assert star is not None
        stars.append(star)
    kernel, used = fit_kernel(stars, 4, (200, 200))
    assert len(kernel.planes) == 6
    assert used.mean() > 0.9
    assert kernel.at(100, 100).sum() == pytest.approx(1, abs=0.01)
    assert kernel.at(20, 20).sum() == pytest.approx(1, abs=0.02)


def test_hot_pixels_are_told_in_a_frame_that_is_smoothed_to_its_template_and_stars_are_kept():
    rng = np.random.default_rng(10)
    x, y = rng.uniform(12, SHAPE[1] - 12, 50), rng.uniform(12, SHAPE[0] - 12, 50)
    light = np.exp(rng.uniform(np.log(3e3), np.log(5e4), 50))
    places = np.array([(i, j) for i in range(15, 210, 15) for j in range(15, 200, 15)])
    apart = np.hypot(*(places[:, None] - np.column_stack([x, y])).T).min(axis=0)
    hot, new = np.array_split(rng.permutation(places[apart > 9])[:40], 2)
    new = new + rng.uniform(-0.5, 0.5, new.shape)
    there = stars_image(SHAPE, x, y, light, 2.4)
    here = stars_image(SHAPE, *np.r_[np.column_stack([x, y]), new].T, np.r_[light, [700] * 20], 1.8)
    here[hot[:, 1], hot[:, 0]] += 250  # as many sigma as the stars
    image = rng.poisson(here + SKY) - SKY
    order = np.argsort(-light)
    found = subtract(
        image, np.maximum(image, 0) + SKY, there + rng.normal(0, 4, SHAPE), np.full(SHAPE, 16.0),
        (x[order], y[order]), (1.8, 2.4),
    )  # fmt: skip
    good = np.array([(one.x, one.y) for one in find_changes(found, 5.0, 3.0) if not one.reason])
    off = [np.hypot(*(good[:, None] - known).T).min(axis=1) for known in (hot, new)]
    assert (off[0] < 1.5).sum() <= 2
    assert (off[1] < 1.5).sum() >= 16


def test_a_hole_where_the_template_has_nothing_is_no_star_that_is_gone():
    rng = np.random.default_rng(11)
    x, y = rng.uniform(12, SHAPE[1] - 12, 50), rng.uniform(12, SHAPE[0] - 12, 50)
    light = np.exp(rng.uniform(np.log(3e3), np.log(5e4), 50))
    there = stars_image(SHAPE, x, y, light, 3.0)
    gone = stars_image(SHAPE, [160.2], [100.4], [4000.0], 3.0)
    hole = stars_image(SHAPE, [60.3], [100.6], [4000.0], 3.0)
    image = rng.poisson(there + SKY) - SKY - hole
    order = np.argsort(-light)
    found = subtract(
        image, np.maximum(image, 0) + SKY, there + gone + rng.normal(0, 4, SHAPE),
        np.full(SHAPE, 16.0), (x[order], y[order]), (3.0, 3.0),
    )  # fmt: skip
    changes = find_changes(found, 5.0, 4.0)
    (only,) = [one for one in changes if not one.reason]
    assert np.hypot(only.x - 160.2, only.y - 100.4) < 1
    assert [one for one in changes if np.hypot(one.x - 60.3, one.y - 100.6) < 1]


def test_an_image_less_itself_shows_nothing():
    rng = np.random.default_rng(12)
    x, y = rng.uniform(12, SHAPE[1] - 12, 50), rng.uniform(12, SHAPE[0] - 12, 50)
    light = np.exp(rng.uniform(np.log(3e3), np.log(5e4), 50))
    image = rng.poisson(stars_image(SHAPE, x, y, light, 2.6) + SKY) - SKY
    order, noise = np.argsort(-light), np.maximum(image, 0) + SKY
    found = subtract(image, noise, image, noise, (x[order], y[order]), (2.6, 2.6))
    assert not find_changes(found, 5.0, 4.0)
