"""Overscan, trim and amplifiers: what a raw image becomes before anything is measured on it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.astrometry.wcs import wcs_into_copy
from lightcurve.calib.combine import combine
from lightcurve.core.data import Solution
from lightcurve.core.flags import PixelFlag
from lightcurve.frames.read import read_cards, read_frame

GAINS = (1.4, 1.55, 1.3, 1.48)
NY, NX, SCAN = 120, 160, 24


def drift(n):
    return 400 + 12 * np.sin(np.arange(n) / 60)


def with_overscan(light, rng, *, before=0, after=SCAN, read=3.0, level=None):
    """ADU of an image with columns of overscan before and after it."""
    ny, nx = light.shape
    raw = np.zeros((ny, before + nx + after))
    raw[:, before : before + nx] = light
    raw += (drift(ny) if level is None else level)[:, None] + rng.normal(0, read, raw.shape)
    return np.rint(raw)


def written(path, pixels, **cards):
    header = fits.Header(list(cards.items()))
    header["DATE-OBS"], header["EXPTIME"] = "2024-01-02T03:04:05", 30.0
    fits.writeto(path, pixels.astype(np.uint16), header)
    return path


def test_the_drift_of_the_overscan_is_gone(tmp_path):
    rng = np.random.default_rng(1)
    raw = with_overscan(np.full((NY, NX), 1000.0), rng, before=6, after=SCAN)
    path = written(
        tmp_path / "a.fits", raw,
        BIASSEC=f"[{6 + NX + 3}:{6 + NX + SCAN},1:{NY}]", TRIMSEC=f"[7:{6 + NX},1:{NY}]",
        SATURATE=60000, CRPIX1=80.0, CRPIX2=60.0, CRVAL1=10.0, CRVAL2=20.0,
        CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CD1_1=-3e-4, CD2_2=3e-4,
    )  # fmt: skip
    frame = read_frame(path)
    assert frame.pixels.shape == (NY, NX) == frame.exposure.shape == read_cards(path)[1]
    rows = frame.pixels.mean(axis=1)
    assert np.abs(rows - 1000).max() < 1.5  # 3 ADU over the root of 160 pixels, and of the fit
    assert np.ptp(np.convolve(rows, np.ones(20) / 20, "valid")) < 0.6
    assert frame.exposure.saturation_adu == pytest.approx(60000 - drift(NY).max(), abs=2)
    there = WCS(fits.getheader(path), fix=False).all_pix2world(106.0, 50.0, 0)
    assert np.allclose(
        WCS(frame.header, fix=False).all_pix2world(100.0, 50.0, 0), there, atol=1e-10
    )
    assert "TRIMSEC" not in frame.header


@pytest.mark.parametrize(
    "cards",
    [
        {"BIASSEC": "[170:180,1:120]", "TRIMSEC": "[11:170,1:120]"},  # of before it was trimmed
        {"TRIMSEC": "[1:160,1:120]"},
        {"BIASSEC": "UNKNOWN", "TRIMSEC": "UNKNOWN"},
        {"DATASEC": "[0:10,1:5]"},
    ],
)
def test_sections_of_another_image_are_passed_over(cards, tmp_path):
    pixels = np.random.default_rng(2).integers(400, 500, (NY, NX))
    frame = read_frame(written(tmp_path / "a.fits", pixels, **cards))
    assert np.array_equal(frame.pixels, pixels)


def test_an_overscan_above_the_image_is_fitted_along_the_columns(tmp_path):
    rng = np.random.default_rng(3)
    raw = with_overscan(np.full((NX, NY), 800.0), rng, after=SCAN).T
    path = written(
        tmp_path / "a.fits", raw, BIASSEC=f"[1:{NX},{NY + 1}:{NY + SCAN}]",
        TRIMSEC=f"[1:{NX},1:{NY}]",
    )  # fmt: skip
    columns = read_frame(path).pixels.mean(axis=0)
    assert np.abs(columns - 800).max() < 1.6


def chip(folder, electrons, rng, name="chip.fits"):
    """Write a detector of four amplifiers at its corners, each with its own bias and gain."""
    ny, nx = electrons.shape
    hy, hx = ny // 2, nx // 2
    primary = fits.PrimaryHDU()
    primary.header["DATE-OBS"], primary.header["EXPTIME"] = "2024-01-02T03:04:05", 30.0
    hdus = [primary]
    for k, gain in enumerate(GAINS):
        top, right = divmod(k, 2)
        quarter = electrons[top * hy : (top + 1) * hy, right * hx : (right + 1) * hx]
        turned = quarter[:: -1 if top else 1, :: -1 if right else 1]
        level = 300 + 40 * k + drift(hy) - 400
        raw = with_overscan(turned / gain, rng, level=level)
        x = (right * hx + 1, (right + 1) * hx)
        y = (top * hy + 1, (top + 1) * hy)
        x, y = (x[::-1] if right else x), (y[::-1] if top else y)
        image = fits.ImageHDU(raw.astype(np.uint16), name=f"AMP{k + 1}")
        image.header["DETSEC"] = f"[{x[0]}:{x[1]},{y[0]}:{y[1]}]"
        image.header["DATASEC"] = f"[1:{hx},1:{hy}]"
        image.header["BIASSEC"] = f"[{hx + 3}:{hx + SCAN},1:{hy}]"
        image.header["GAIN"] = (gain, "[e-/ADU]")
        hdus.append(image)
    fits.HDUList(hdus).writeto(folder / name)
    return folder / name


def test_four_amplifiers_are_one_chip_without_steps(tmp_path):
    rng = np.random.default_rng(4)
    y, x = np.mgrid[: 2 * NY, : 2 * NX]
    truth = 30000 * np.exp(-((x - 130) ** 2 + (y - 100) ** 2) / 8e4)
    frame = read_frame(chip(tmp_path, truth, rng))
    gain = frame.exposure.gain_e_per_adu
    assert frame.pixels.shape == truth.shape
    assert gain == pytest.approx(np.mean(GAINS))
    ratio = frame.pixels * gain / truth
    quarters = [np.mean(ratio[a : a + NY, b : b + NX]) for a in (0, NY) for b in (0, NX)]
    assert np.ptp(quarters) < 5e-4
    assert np.mean(quarters) == pytest.approx(1, abs=5e-4)
    assert read_cards(tmp_path / "chip.fits")[1] == truth.shape


def test_full_pixels_of_every_amplifier_are_known(tmp_path):
    """The overscan is off and gains are one: the level at which each clips has moved."""
    truth = np.full((2 * NY, 2 * NX), 5000.0)
    for k, (y, x) in enumerate([(20, 20), (20, NX + 30), (NY + 40, 20), (NY + 40, NX + 30)]):
        truth[y, x] = 64000 * GAINS[k]
    path = chip(tmp_path, truth, np.random.default_rng(7))
    with fits.open(path, mode="update") as hdus:
        hdus[1].header["SATURATE"] = 63000
    frame = read_frame(path)
    assert np.count_nonzero(frame.bad & PixelFlag.SATURATED) == 4


def test_masters_are_made_of_chips_put_together(tmp_path):
    rng = np.random.default_rng(5)
    paths = [chip(tmp_path, np.full((2 * NY, 2 * NX), 5000.0), rng, f"f{k}.fits") for k in range(4)]
    made = combine(paths)
    assert made.image.shape == (2 * NY, 2 * NX)
    assert np.ptp([made.image[a::NY].mean() for a in range(3)]) < 2


def test_amplifiers_that_leave_a_gap_are_not_joined(tmp_path):
    path = chip(tmp_path, np.full((2 * NY, 2 * NX), 5000.0), np.random.default_rng(6))
    with fits.open(path, mode="update") as hdus:
        hdus[2].header["DETSEC"] = f"[{4 * NX}:{3 * NX + 1},1:{NY}]"
    frame = read_frame(path)
    assert frame.pixels.shape == (NY, NX)  # the first amplifier alone, as before


@pytest.mark.parametrize("gap", [0, 12])
def test_chips_with_a_gap_between_them_are_one_frame(gap, tmp_path):
    """Without a value where no pixel is; what is there is in its place."""
    path = chip(tmp_path, np.full((2 * NY, 2 * NX), 5000.0), np.random.default_rng(6))
    with fits.open(path, mode="update") as hdus:
        for k in (2, 4):
            y = hdus[k].header["DETSEC"].split(",")[1]
            hdus[k].header["DETSEC"] = f"[{2 * NX + gap}:{NX + gap + 1},{y}"
    frame = read_frame(path)
    assert frame.pixels.shape == (2 * NY, 2 * NX + gap) == read_cards(path)[1]
    between = slice(NX, NX + gap)
    assert np.isnan(frame.pixels[:, between]).all()
    assert (frame.bad[:, between] != 0).all()
    rest = np.delete(frame.pixels, between, axis=1)
    assert np.isfinite(rest).all()
    assert np.median(rest) * frame.exposure.gain_e_per_adu == pytest.approx(5000, rel=1e-3)


@pytest.mark.parametrize("first", [1, 2, 3, 4])
@pytest.mark.parametrize("words", ["CD1_1 CD2_2", "CDELT1 CDELT2"])
def test_the_wcs_of_the_first_amplifier_becomes_that_of_the_chip(first, words, tmp_path):
    path = chip(tmp_path, np.full((2 * NY, 2 * NX), 5000.0), np.random.default_rng(6))
    with fits.open(path) as hdus:
        order = [hdus[0], hdus[first], *(hdus[k] for k in range(1, 5) if k != first)]
        header = order[1].header
        header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0})
        header.update(zip(words.split(), (-3e-4, 3e-4), strict=True))
        header.update({"CRPIX1": 40.0, "CRPIX2": 70.0})
        raw = WCS(header, fix=False)
        fits.HDUList(order).writeto(tmp_path / "turned.fits")
    frame = read_frame(tmp_path / "turned.fits")
    top, right = divmod(first - 1, 2)
    x, y = 25.0, 31.0  # of the raw image
    there = raw.all_pix2world(x, y, 0)
    on_chip = (2 * NX - 1 - x if right else x, 2 * NY - 1 - y if top else y)
    whole = WCS(frame.header, fix=False).all_pix2world(*on_chip, 0)
    assert np.allclose(whole, there, atol=1e-9)


def solution_of(shape):
    header = fits.Header({"NAXIS": 2, "NAXIS1": shape[1], "NAXIS2": shape[0]})
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0})
    header.update({"CD1_1": -3e-4, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 3e-4})
    header.update({"CRPIX1": 90.0, "CRPIX2": 70.0})
    return Solution(WCS(header), "local", 9, 0.1, 1.08, 0.0, 1)


@pytest.mark.parametrize("kind", ["trimmed", "amplifiers"])
def test_a_wcs_found_on_the_frame_comes_back_from_its_copy(kind, tmp_path):
    """A copy has the raw pixels: read again, the WCS is where it was found."""
    rng = np.random.default_rng(9)
    if kind == "trimmed":
        raw = with_overscan(np.full((NY, NX), 1000.0), rng, before=6, after=SCAN)
        path = written(tmp_path / "a.fits", raw, TRIMSEC=f"[7:{6 + NX},3:{NY}]")
    else:
        path = chip(tmp_path, np.full((2 * NY, 2 * NX), 5000.0), rng)
        with fits.open(path) as hdus:
            order = [hdus[k] for k in (0, 4, 1, 2, 3)]  # the first is mirrored in both
            fits.HDUList(order).writeto(tmp_path / "turned.fits")
        path = tmp_path / "turned.fits"
    solution = solution_of(read_frame(path).pixels.shape)
    again = read_frame(wcs_into_copy(path, tmp_path / "copy.fits", solution))
    there = WCS(again.header, fix=False).all_pix2world([[5.0, 8.0], [120.0, 90.0]], 0)
    expected = solution.wcs.all_pix2world([[5.0, 8.0], [120.0, 90.0]], 0)
    assert np.allclose(there, expected, atol=1e-9)


def test_the_observatory_s_four_amplifiers(shared_data):
    frame = read_frame(
        shared_data / "odd-fits/neoexchange/mef_raw_test_frame.fits", need_time=False
    )
    assert frame.pixels.shape == (1024, 1024)
    assert frame.exposure.gain_e_per_adu == pytest.approx(6.295)
    step = np.median(frame.pixels[400:510], axis=0) - np.median(frame.pixels[514:624], axis=0)
    noise = np.median(frame.pixels)
    assert abs(np.median(step)) < 0.1 * noise
