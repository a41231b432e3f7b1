"""The threshold of detection is the signal to noise that is told, whatever the noise is like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lightcurve.phot.background import measure_background
from lightcurve.phot.finder import as_filtered, find_sources, negative

FWHM = 3.0
SIGMA = FWHM / 2.3548
SHAPE = (600, 500)


def noise(seed: int, shared_px: float = 0.0) -> np.ndarray:
    """Noise of 5 ADU on a sky of 1000, shared by neighbours as a Gaussian of that width has it."""
    white = np.random.default_rng(seed).standard_normal(SHAPE)
    if shared_px:
        white = gaussian_filter(white, shared_px, mode="wrap") * 2 * np.sqrt(np.pi) * shared_px
    return (1000 + 5 * white).astype(np.float32)


def with_stars(pixels: np.ndarray, snr: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add Gaussian stars of such a signal to white noise of 5 ADU, without photon noise."""
    rng = np.random.default_rng(8)
    x, y = (g.ravel() for g in np.meshgrid(np.arange(25, 480, 30.0), np.arange(25, 580, 30.0)))
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, y.size)
    flux = snr * 5 * np.sqrt(4 * np.pi) * SIGMA
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    out = pixels.astype(float)
    for x0, y0 in zip(x, y, strict=True):
        part = np.s_[int(y0) - 9 : int(y0) + 10, int(x0) - 9 : int(x0) + 10]
        square = (u[part] - x0) ** 2 + (v[part] - y0) ** 2
        out[part] += flux / (2 * np.pi * SIGMA**2) * np.exp(-0.5 * square / SIGMA**2)
    return out.astype(np.float32), x, y


def seen(pixels: np.ndarray, threshold: float = 5.0, gain: float = np.inf):
    """Measure the sky and find what is there."""
    bad = np.zeros(pixels.shape, np.uint8)
    background = as_filtered(pixels, bad, measure_background(pixels, bad), FWHM)
    found = find_sources(
        pixels, bad, background, FWHM, threshold_sigma=threshold, gain_e_per_adu=gain
    )
    return found, background


@pytest.mark.parametrize("shared_px", [0.0, 0.6, 1.0, 2.0])
def test_noise_that_pixels_share_is_told_and_is_no_source(shared_px: float) -> None:
    found, background = seen(noise(3, shared_px))
    # White noise of a pixel falls to 1 / (2 sqrt(pi) f); shared noise of width s by less.
    wide = np.hypot(shared_px, SIGMA)
    expected = 2 * np.sqrt(np.pi) * shared_px * SIGMA / wide if shared_px else 1.0
    assert np.median(background.rms) == pytest.approx(5 * expected, rel=0.04)
    # Of 300,000 pixels some 5,000 are independent: beyond 5 sigma there is hardly one.
    assert len(found) <= 1


def test_signal_to_noise_is_that_of_the_best_filter_and_the_threshold_is_in_it() -> None:
    for threshold in (5.0, 9.0):
        pixels, x, y = with_stars(noise(4), 9.0)
        found, _ = seen(pixels, threshold)
        assert found.snr.min() >= threshold
        near = np.hypot(found.x[:, None] - x, found.y[:, None] - y).min(axis=1)
        assert (near > 2).sum() <= 1
    found, _ = seen(pixels)
    assert len(found) > 0.99 * len(x)
    # A maximum of the noise is taken: as much as 1 / snr too high.
    assert np.median(found.snr) == pytest.approx(9.0, abs=0.3)
    assert np.std(found.snr) == pytest.approx(1.0, abs=0.15)
    flux = 9 * 5 * np.sqrt(4 * np.pi) * SIGMA
    assert np.median(found.flux) == pytest.approx(flux, rel=0.03)


def test_photons_of_a_source_are_part_of_its_noise() -> None:
    pixels, x, _ = with_stars(noise(5), 400.0)
    found, _ = seen(pixels, gain=2.0)
    assert len(found) == len(x)
    # sum g^3 / (sum g sum g^2) of a Gaussian is 1 / (3 pi s^2) over 1 / (4 pi s^2).
    flux = 400 * 5 * np.sqrt(4 * np.pi) * SIGMA
    variance = flux / 2 * 4 / 3 + (flux / 400) ** 2
    assert np.median(found.snr) == pytest.approx(flux / np.sqrt(variance), rel=0.02)


def test_the_negative_of_a_frame_has_its_noise_and_none_of_its_stars() -> None:
    pixels, x, _ = with_stars(noise(6), 30.0)
    bad = np.zeros(pixels.shape, np.uint8)
    background = as_filtered(pixels, bad, measure_background(pixels, bad), FWHM)
    turned = negative(pixels, background)
    at = {
        name: len(find_sources(image, bad, background, FWHM, threshold_sigma=3.0))
        for name, image in (("frame", pixels), ("turned", turned))
    }
    assert at["turned"] > 50
    # A peak of the noise on the wings of a star is no source of its own.
    assert 0.5 * at["turned"] < at["frame"] - len(x) < 1.2 * at["turned"]


def test_noise_beyond_all_measure_has_no_place_outside_of_the_frame() -> None:
    """As of bytes that are no pixels: values of any size, up to the largest that is read."""
    values = np.frombuffer(np.random.default_rng(5).bytes(120 * 160 * 8), ">f8").reshape(120, 160)
    with np.errstate(all="ignore"):
        pixels = np.where(np.abs(values) <= 1e15, values, np.nan).astype(np.float32)
        bad = (~np.isfinite(pixels)).astype(np.uint8)
        background = as_filtered(pixels, bad, measure_background(pixels, bad), FWHM)
        found = find_sources(pixels, bad, background, FWHM)
    assert ((found.x > -0.5) & (found.x < 159.5) & (found.y > -0.5) & (found.y < 119.5)).all()
