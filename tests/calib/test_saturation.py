"""The clipping level is found where there is clipping, and nowhere else."""

from __future__ import annotations

import numpy as np

from lightcurve.calib.gain import clip_level


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
    assert clip_level([field(4095, n=2)]) is None  # two stars may be twins
    assert clip_level([np.full((20, 20), 7.0)]) is None


def test_the_few_steps_of_a_faint_sky_are_no_clipping():
    faint = np.random.default_rng(5).poisson(0.5, (300, 300)).astype(np.float32)
    assert clip_level([faint]) is None


def test_one_real_frame_clips_at_12_bits(hatp32):
    from astropy.io import fits

    assert clip_level([fits.getdata(hatp32[0])]) == 4095
