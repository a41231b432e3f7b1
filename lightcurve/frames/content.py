"""What a frame was taken for, by its pixels: only where keyword and name say nothing."""

from __future__ import annotations

import numpy as np

from lightcurve.robust import robust_scatter

SHORTEST_S = 1e-3  # no shutter and no lamp gives an image in less
STARS = 5
STAR_SIGMA = 8.0
BRIGHT_LEVEL = 0.15  # of the full scale
EVEN = 0.1  # scatter of a flat's blocks about its gradient, relative
BLOCK_PX = 16


def kind_by_content(
    pixels: np.ndarray, exposure_s: float | None, full_scale_adu: float
) -> tuple[str, str]:
    """Look at a frame: exposure, stars, level and evenness.

    pixels: (ny, nx) float32 array, ADU; NaN is left out; full_scale_adu: highest value the camera
    writes.
    Returns kind, reason: ``"bias"`` without exposure, ``"light"`` with stars, ``"flat"`` bright and
    even, ``"dark"`` faint and starless; ``"unknown"`` for none of them.
    """
    if exposure_s is not None and exposure_s <= SHORTEST_S:
        return "bias", f"content: {exposure_s:g} s exposed"
    if min(pixels.shape) < 2 * BLOCK_PX or not np.isfinite(pixels).any():
        return "unknown", "content: too small or empty"
    level, noise, stars = _look(pixels)
    if level > BRIGHT_LEVEL * full_scale_adu and noise < EVEN * level:
        return "flat", f"content: even at {level:.0f} ADU"
    if stars >= STARS:
        return "light", f"content: {stars} stars"
    if level < BRIGHT_LEVEL * full_scale_adu:
        return "dark", f"content: no stars, {level:.0f} ADU"
    return "unknown", f"content: {stars} stars, uneven at {level:.0f} ADU"


def _look(pixels: np.ndarray) -> tuple[float, float, int]:
    """Level, noise of a pixel, and number of extended peaks of a frame.

    A hot pixel stands alone; a star is bright in its neighbours, too: each pixel is replaced by
    the second highest of its 2 x 2 square, which no lone pixel survives.
    """
    level = float(np.nanmedian(pixels))
    noise = robust_scatter(pixels, about=level)
    image = np.nan_to_num(pixels, nan=level)
    corners = np.stack([image[:-1, :-1], image[1:, :-1], image[:-1, 1:], image[1:, 1:]])
    second = np.partition(corners, 2, axis=0)[2]
    ny, nx = (n // BLOCK_PX * BLOCK_PX for n in second.shape)
    blocks = second[:ny, :nx].reshape(ny // BLOCK_PX, BLOCK_PX, nx // BLOCK_PX, BLOCK_PX)
    peaks = blocks.max(axis=(1, 3))
    # Against the median block: a gradient lifts them all.
    local = np.median(blocks, axis=(1, 3))
    return level, noise, int(np.sum(peaks - local > STAR_SIGMA * max(noise, 1e-6)))
