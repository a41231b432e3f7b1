"""Cosmic rays: planted ones are marked, stars are not, and no pixel is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.calib.bad_pixels import mark_cosmic_rays
from lightcurve.core.data import Exposure, Frame
from lightcurve.core.flags import PixelFlag


def test_hits_are_marked_and_stars_spared():
    rng = np.random.default_rng(1)
    y, x = np.indices((200, 200))
    scene = np.full((200, 200), 300.0)
    stars = rng.uniform(20, 180, (15, 2))
    for cy, cx in stars:
        scene += 4000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2.0**2))
    pixels = rng.poisson(scene * 1.5) / 1.5 + rng.normal(0, 5, scene.shape)
    hits = np.argwhere(scene < 305)[rng.choice(np.count_nonzero(scene < 305), 30, replace=False)]
    pixels[tuple(hits.T)] += 2000
    pixels[5, 5] = np.nan
    bad = np.zeros(pixels.shape, np.uint8)
    bad[5, 5] = PixelFlag.NOT_FINITE
    frame = Frame(pixels.astype(np.float32), bad, Exposure(), fits.Header(), Path("a.fits"))
    marked = mark_cosmic_rays(frame, gain_e_per_adu=1.5, read_noise_e=7.5)
    found = (marked.bad & PixelFlag.COSMIC_RAY) != 0
    assert found[tuple(hits.T)].mean() > 0.95
    for cy, cx in stars:
        assert not found[round(cy), round(cx)]
    assert marked.pixels is frame.pixels
    assert marked.bad[5, 5] & PixelFlag.NOT_FINITE
    assert not frame.bad[0].any()
