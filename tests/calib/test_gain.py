"""Gain and read noise: recovered within the error that is given with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.calib.gain import clip_level, measure_noise
from lightcurve.core.errors import CalibrationError

SHAPE = (512, 512)


def pairs(gain, read_noise, *, levels=(20000.0, 20000.0), seed=1, shape=SHAPE):
    """Two flats and two biases of a vignetted, patterned camera."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    response = 1 - 0.5 * np.hypot(x - shape[1] / 2, y - shape[0] / 2) / shape[0]
    response = response * rng.normal(1, 0.02, shape)
    pattern = 1000 + 10 * np.sin(x / 5)

    def expose(level):
        electrons = rng.poisson(gain * level * response) + rng.normal(0, read_noise, shape)
        return np.rint(pattern + electrons / gain)

    return tuple(expose(level) for level in levels), (expose(0), expose(0))


@pytest.mark.parametrize(
    ("gain", "read_noise"), [(0.3, 3.0), (1.0, 5.0), (1.6, 9.0), (2.5, 12.0), (10.0, 30.0)]
)
def test_recovered_within_error(gain, read_noise):
    noise = measure_noise(*pairs(gain, read_noise))
    # Rounding to whole ADU adds 1/12 ADU^2 to the read noise; it is noise of the camera's reading.
    expected = np.hypot(read_noise, gain / np.sqrt(12))
    assert abs(noise.gain_e_per_adu - gain) < 4 * noise.gain_err
    assert abs(noise.read_noise_e - expected) < 4 * noise.read_noise_err
    assert noise.gain_err < 0.01 * gain


def test_errors_are_honest():
    pulls = []
    for seed in range(20):
        noise = measure_noise(*pairs(1.5, 8.0, seed=seed, shape=(192, 192)))
        pulls.append((noise.gain_e_per_adu - 1.5) / noise.gain_err)
    assert 0.6 < np.std(pulls) < 1.5
    assert abs(np.mean(pulls)) < 0.8


def test_flats_of_unequal_level():
    noise = measure_noise(*pairs(1.5, 8.0, levels=(12000.0, 24000.0)))
    assert abs(noise.gain_e_per_adu - 1.5) < 4 * noise.gain_err


def test_cosmic_rays_and_hot_pixels_do_not_matter():
    flats, biases = pairs(1.5, 8.0)
    rng = np.random.default_rng(4)
    for image in (*flats, *biases):
        image[rng.integers(0, 512, 300), rng.integers(0, 512, 300)] += 5000
    noise = measure_noise(flats, biases)
    assert noise.gain_e_per_adu == pytest.approx(1.5, rel=0.01)
    assert noise.read_noise_e == pytest.approx(8.0, rel=0.01)


@settings(max_examples=10)
@given(st.floats(0.5, 4))
def test_gain_scales_inversely_with_the_counts(factor):
    flats, biases = pairs(1.5, 8.0, shape=(128, 128))
    one = measure_noise(flats, biases)
    scaled = measure_noise(tuple(f * factor for f in flats), tuple(b * factor for b in biases))
    assert scaled.gain_e_per_adu * factor == pytest.approx(one.gain_e_per_adu, rel=1e-3)
    assert scaled.read_noise_e == pytest.approx(one.read_noise_e, rel=1e-3)


def test_what_cannot_be_measured_is_said():
    flats, biases = pairs(1.5, 8.0, shape=(128, 128))
    with pytest.raises(CalibrationError, match="0 of 16 blocks"):
        measure_noise(flats, biases, saturation_adu=5000)
    with pytest.raises(CalibrationError, match="cannot be measured"):
        measure_noise(biases, biases)
    with pytest.raises(CalibrationError, match="one size"):
        measure_noise(flats, (biases[0][:64], biases[1][:64]))
    with pytest.raises(CalibrationError, match="0 of 0 blocks"):
        measure_noise((flats[0][:8], flats[1][:8]), (biases[0][:8], biases[1][:8]))


def star_images(rng: np.random.Generator, peak: float, full: float, n: int = 4) -> list[np.ndarray]:
    y, x = np.mgrid[:60, :60]
    images = []
    for _ in range(n):
        cx, cy = rng.uniform(20, 40, 2)
        star = peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 3.0**2))
        images.append(np.minimum(np.round(rng.poisson(200 + star)), full).astype(np.float32))
    return images


def test_clipped_stars_give_the_level():
    assert clip_level(star_images(np.random.default_rng(1), 9000, 4095)) == 4095


def test_unclipped_stars_give_none():
    assert clip_level(star_images(np.random.default_rng(2), 2000, 4095)) is None


def test_one_hot_pixel_is_no_clipping():
    images = star_images(np.random.default_rng(3), 1000, 4095)
    for image in images:
        image[5, 5] = 60000
    assert clip_level(images) is None


@pytest.mark.parametrize("top", [4095, 4095 * 16, 16383, 16383 * 4, 32767, 65535])
def test_one_pixel_at_the_top_of_the_range_is_clipped(top):
    images = star_images(np.random.default_rng(5), 100, 1e9)
    assert clip_level(images) is None
    images[2][30, 30] = top
    assert clip_level(images) == top
    assert clip_level(images[2:3]) == top


def test_a_real_bleeding_star_gives_the_level_without_a_header(shared_data):
    from astropy.io import fits

    paths = sorted((shared_data / "nights" / "m13-griz").glob("M13_sdss_r*"))
    assert clip_level([fits.getdata(path) for path in paths]) == 65535


def test_real_frames_clip_at_12_bits(hatp32):
    from astropy.io import fits

    assert clip_level([fits.getdata(path) for path in hatp32[::40]]) == 4095


def field(full: float, peak: float = 9000, n: int = 5) -> np.ndarray:
    """One frame of five stars."""
    return np.hstack(star_images(np.random.default_rng(4), peak, full, n))


def test_one_frame_alone_gives_the_level_of_its_clipped_stars():
    assert clip_level([field(4095)]) == 4095


def test_one_frame_alone_without_clipping_gives_none():
    assert clip_level([field(60000)]) is None
    twins = field(60000)
    twins[5, 5] = twins[5, 40] = twins.max() + 1
    assert clip_level([twins]) is None
    assert clip_level([np.full((20, 20), 7.0)]) is None


def test_the_flat_top_of_one_star_is_enough():
    assert clip_level([field(4000, n=1)]) == 4000


def test_the_few_steps_of_a_faint_sky_are_no_clipping():
    faint = np.random.default_rng(5).poisson(0.5, (300, 300)).astype(np.float32)
    assert clip_level([faint]) is None


def test_one_real_frame_clips_at_12_bits(hatp32):
    from astropy.io import fits

    assert clip_level([fits.getdata(hatp32[0])]) == 4095
