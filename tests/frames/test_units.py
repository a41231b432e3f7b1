"""The same photons, whatever unit a program stores them in."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import FrameError
from lightcurve.frames.read import read_frame
from lightcurve.phot.detect import detect
from sim import simulated_stars_image

GAIN, SECONDS = 1.6, 20.0


@pytest.fixture(scope="module")
def counts():
    image = simulated_stars_image(
        np.random.default_rng(2), n_stars=40, gain=GAIN, read_noise=3.0, sky=30.0,
        flux_range=(200, 4e4),
    )  # fmt: skip
    return image.pixels


def stored(path, pixels, **cards):
    told = {"DATE-OBS": "2024-01-02T03:04:05", "EXPTIME": SECONDS, "IMAGETYP": "Light"}
    header = fits.Header()
    header.update(told | {"EGAIN": GAIN} | cards)
    fits.writeto(path, pixels, header)
    return path


FORMS = {
    "adu": (1.0, {"BUNIT": "adu"}, GAIN),
    "no unit": (1.0, {}, GAIN),
    "fractions": (1 / 65535, {}, GAIN),
    "fractions of adu": (1 / 65535, {"BUNIT": "ADU"}, GAIN),
    "electrons": (GAIN, {"BUNIT": "electron"}, 1.0),
    "e-": (GAIN, {"BUNIT": "e-"}, 1.0),
    "e-/s": (GAIN / SECONDS, {"BUNIT": "e-/s"}, 1.0),
    "electrons per second": (GAIN / SECONDS, {"BUNIT": "electron s-1"}, 1.0),
    "adu/s": (1 / SECONDS, {"BUNIT": "adu/s"}, GAIN),
    "adu per pixel": (1.0, {"BUNIT": "DU/PIXEL"}, GAIN),
    "e-/pix": (GAIN, {"BUNIT": "e-/pix"}, 1.0),
    "e-/s/pixel": (GAIN / SECONDS, {"BUNIT": "electron/s/pixel"}, 1.0),
    "e-/pixel/s": (GAIN / SECONDS, {"BUNIT": "e-/pixel/s"}, 1.0),
    "electrons per second and pixel": (GAIN / SECONDS, {"BUNIT": "electron s-1 pix-1"}, 1.0),
    "nanomaggies": (0.005, {"BUNIT": "nanomaggy", "NMGY": 0.005}, GAIN),
}


@pytest.mark.parametrize("form", FORMS)
def test_signal_to_noise_is_that_of_the_photons(form, counts, tmp_path):
    factor, cards, gain = FORMS[form]
    pixels = (counts.astype(float) * factor).astype(np.float32)
    frame = read_frame(stored(tmp_path / "a.fits", pixels, **cards))
    assert frame.exposure.gain_e_per_adu == pytest.approx(gain)
    electrons = frame.pixels * frame.exposure.gain_e_per_adu
    assert np.allclose(electrons, counts * GAIN, rtol=1e-5)


def test_a_rate_without_an_exposure_is_told(counts, tmp_path):
    """Counts of a second they stay, and whoever reads the frame is warned."""
    path = stored(tmp_path / "a.fits", counts.astype(np.float32), BUNIT="adu/s")
    with fits.open(path, mode="update") as hdus:
        del hdus[0].header["EXPTIME"]
    frame = read_frame(path, need_time=False)
    assert np.array_equal(frame.pixels, counts.astype(np.float32))
    assert any("adu/s" in text for text in frame.exposure.warnings)


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-4, 1e3])
def test_the_same_stars_are_found_at_any_scale(scale, counts):
    smooth = counts + np.random.default_rng(1).uniform(-0.5, 0.5, counts.shape)  # no whole numbers
    plain, other = detect(smooth), detect(smooth * scale)
    assert len(plain) >= 30
    assert len(other) == len(plain)
    assert np.allclose(other.x, plain.x, atol=0.01)
    assert other.sky_rms == pytest.approx(scale * plain.sky_rms, rel=0.01)


def test_a_light_frame_of_no_counts_is_refused(counts, tmp_path):
    with pytest.raises(FrameError, match="no count"):
        read_frame(stored(tmp_path / "a.fits", (counts * 1e-12).astype(np.float32)))


def test_counts_of_a_pixel_are_no_unknown_unit(counts, tmp_path):
    frame = read_frame(stored(tmp_path / "a.fits", counts.astype(np.float32), BUNIT="DU/PIXEL"))
    assert not any("BUNIT" in note for note in frame.history)


def test_an_unknown_unit_is_told(counts, tmp_path):
    frame = read_frame(stored(tmp_path / "a.fits", counts * 0.7, BUNIT="Jy/beam"))
    assert any("Jy/beam" in note for note in frame.history)


def test_whole_numbers_are_left_as_they_are(counts, tmp_path):
    frame = read_frame(stored(tmp_path / "a.fits", np.minimum(counts, 1).astype(np.int16)))
    assert frame.pixels.max() == 1
