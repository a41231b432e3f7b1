"""Small pictures of a frame, kept beside its numbers: the whole field, and the target with its sky.

They are to be looked at, and cost less than a fiftieth of what measuring the frame does.
"""

from __future__ import annotations

import numpy as np

from lightcurve.core.data import Detections, Picture
from lightcurve.night.binned import shrink

FIELD_SIDE, TARGET_SIDE, REFERENCE_SIDE = 128, 48, 900  # the longest they may be, pixels
MAX_SAMPLE = 100_000
LEAST_RANGE = 1e-3  # of the scale of a picture that is all of one level


def field_picture(pixels: np.ndarray, stars: Detections) -> Picture:
    """Make a picture of a whole frame.

    pixels: (ny, nx) float32 array, ADU; stars: of the frame, for their sky.
    """
    step = -(-max(pixels.shape) // FIELD_SIDE)
    return _picture(_mean(pixels, step), 0, 0, step, stars.sky, stars.sky_rms)


def reference_picture(pixels: np.ndarray) -> Picture:
    """Make the picture of the reference frame, on which the page shows the stars.

    pixels: (ny, nx) float32 array, ADU.
    """
    step = -(-max(pixels.shape) // REFERENCE_SIDE)
    small = _mean(pixels, step)
    thin = max(int(np.sqrt(small.size / MAX_SAMPLE)), 1)
    some = small[::thin, ::thin]
    some = some[np.isfinite(some)]
    low, sky = np.percentile(some, (16, 50)) if some.size else (np.nan, np.nan)
    return _picture(small, 0, 0, step, float(sky), float(sky - low))


def pixels_of(picture: Picture) -> np.ndarray:
    """Give the values of a picture, ADU, (ny, nx), as far as eight bits hold them; NaN for none."""
    scale = picture.low + (picture.pixels.astype(np.float32) - 1) / 254 * (
        picture.high - picture.low
    )
    values = picture.sky + picture.soft * np.sinh(scale)
    return np.where(picture.pixels > 0, values, np.nan)


def target_picture(
    pixels: np.ndarray,
    corner: tuple[int, int],
    place: tuple[float, float],
    outer: float,
    stars: Detections,
) -> Picture | None:
    """Make a picture of the target, which is in its middle; None where it is off the frame.

    pixels: (ny, nx) float32 array, ADU, of the frame or of a part of it, whose first pixel is that
    of the frame at `corner`, column and row.
    place: x, y of the target, pixels of the frame; outer: radius of its sky, pixels.
    stars: of the frame, for their sky.
    """
    if not np.isfinite(place).all():
        return None
    half = int(np.ceil(outer)) + 1
    step = -(-(2 * half + 1) // TARGET_SIDE)
    side = step * -(-(2 * half + 1) // step)
    left, bottom = (round(at - (side - 1) / 2) for at in place)
    square = _window(pixels, left - corner[0], bottom - corner[1], side)
    if np.isnan(square).all():
        return None
    return _picture(_mean(square, step), left, bottom, step, stars.sky, stars.sky_rms)


def _window(pixels: np.ndarray, left: int, bottom: int, side: int) -> np.ndarray:
    """Copy a square of an image; NaN beyond its edges."""
    square = np.full((side, side), np.nan, np.float32)
    part = pixels[max(bottom, 0) : max(bottom + side, 0), max(left, 0) : max(left + side, 0)]
    y, x = max(-bottom, 0), max(-left, 0)
    square[y : y + part.shape[0], x : x + part.shape[1]] = part
    return square


def _mean(pixels: np.ndarray, step: int) -> np.ndarray:
    """Average squares of a side of `step` pixels, leaving out those without a value."""
    if step == 1:
        return pixels
    small = shrink(pixels, step)
    holes = ~np.isfinite(small)
    if holes.any():
        ny, nx = small.shape
        squares = pixels[: ny * step, : nx * step].reshape(ny, step, nx, step).swapaxes(1, 2)[holes]
        good = np.isfinite(squares)
        count = good.sum(axis=(1, 2))
        total = np.where(good, squares, 0).sum(axis=(1, 2), dtype=float)
        small[holes] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return small


def _picture(
    values: np.ndarray, left: int, bottom: int, step: int, sky: float, rms: float
) -> Picture:
    """Bring values into eight bits, by the level and noise of the sky where these are known."""
    sky = sky if np.isfinite(sky) else 0.0
    soft = rms if rms > 0 else 1.0
    scale = np.arcsinh((values - np.float32(sky)) / np.float32(soft))
    known = np.isfinite(scale)
    some = scale if known.all() else scale[known]
    low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    high = max(high, low + LEAST_RANGE)
    grey = 1.5 + 254 * (scale - np.float32(low)) / np.float32(high - low)
    pixels = np.where(known, grey, 0).astype(np.uint8)
    return Picture(pixels, left, bottom, step, sky, soft, low, high)
