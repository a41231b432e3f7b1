"""What a camera is like, by its own frames: gain, read noise, and the level at which it clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import CalibrationError
from lightcurve.core.robust import MAD_TO_SIGMA, median_error, medians

__all__ = ["clip_level"]

BLOCK = 32
MIN_BLOCKS = 4
WHOLE = 0.5  # of a block's pixels: what is left has its variance to a tenth
_CLIP_SIGMA = 5.0
MIN_PILED_UP = 3
# Of one frame alone: pixels at its highest value, in how many places, times those of lower values.
ALONE_PIXELS = 5
ALONE_PLACES = 3
ALONE_TIMES = 3.0
FLAT_TOP = 5  # pixels side by side that share it: photons alone would tell them apart
LOWER_VALUES = 5
# The highest numbers that converters of 8 to 16 bits give, counted from the lowest bit or, as many
# cameras write them, shifted to the top of 16 bits; and that of signed integers.
RANGE_TOPS = frozenset(
    {32767, *(((1 << bits) - 1) << shift for bits in range(8, 17) for shift in (0, 16 - bits))}
)


@dataclass(frozen=True, slots=True)
class CameraNoise:
    """What pairs of flats and biases say of a camera.

    gain_e_per_adu, gain_err : electrons per ADU and its standard error.
    read_noise_e, read_noise_err : electrons and its standard error.
    """

    gain_e_per_adu: float
    gain_err: float
    read_noise_e: float
    read_noise_err: float
    n_blocks: int  # blocks of pixels that took part


def measure_noise(
    flat_pair: tuple[np.ndarray, np.ndarray],
    bias_pair: tuple[np.ndarray, np.ndarray],
    *,
    saturation_adu: float | None = None,
) -> CameraNoise:
    """Measure gain and read noise by the photon-transfer method.

    The difference of two flats has lost the fixed pattern and keeps the noise. With signals S1 and
    S2 above bias and k = S1 / S2, the variance of F1 - k F2 is S1 (1 + k) / g + (1 + k^2) R^2,
    where R^2 in ADU is half the variance of the difference of two biases; for k = 1 this is
    Janesick's (2001) gain = (F1 + F2 - B1 - B2) / (var(F1 - F2) - var(B1 - B2)). It is worked out
    in small blocks, over which illumination is constant enough, and the median taken; blocks that
    reach saturation in a flat are left out. Raises CalibrationError when fewer than four are
    usable, or the flats are no noisier than the biases.
    """
    f1, f2, b1, b2 = (blocks(image) for image in (*flat_pair, *bias_pair))
    if not f1.shape == f2.shape == b1.shape == b2.shape:
        msg = "gain and read noise: the two flats and two biases must be of one size"
        raise CalibrationError(msg)
    whole = np.isfinite(f1 + f2).mean(axis=1) >= WHOLE
    f1, f2, b1, b2 = (one[whole] for one in (f1, f2, b1, b2))
    bias_level = (_medians(b1) + _medians(b2)) / 2
    s1, s2 = (np.nanmean(f, axis=1) - bias_level for f in (f1, f2))
    bias_variance = variance_of(b1 - b2)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = s1 / s2
        noise = variance_of(f1 - k[:, None] * f2) - (1 + k**2) * bias_variance / 2
        gain = s1 * (1 + k) / noise
    top = np.maximum(np.nanmax(f1, axis=1), np.nanmax(f2, axis=1))
    use = np.isfinite(gain) & (s1 > 0) & (s2 > 0)
    if saturation_adu is not None:
        use &= top < saturation_adu
    if use.sum() < MIN_BLOCKS or not np.median(noise[use]) > 0:
        msg = (
            f"gain cannot be measured: {int(use.sum())} of {use.size} blocks of the flats are "
            "usable (exposed above bias, below saturation, noisier than the biases)"
        )
        raise CalibrationError(msg)
    gain, gain_err = _median_and_error(gain[use])
    read, read_err = _median_and_error(np.sqrt(bias_variance[use] / 2))
    # The two errors are independent: one is of the flats, the other of the biases.
    relative = np.hypot(gain_err / gain, read_err / read if read > 0 else 0.0)
    return CameraNoise(gain, gain_err, gain * read, gain * read * relative, int(use.sum()))


def blocks(image: np.ndarray) -> np.ndarray:
    """Cut an image into whole square blocks, shape (n_blocks, BLOCK * BLOCK)."""
    ny, nx = (size // BLOCK for size in image.shape)
    cut = np.asarray(image, dtype=float)[: ny * BLOCK, : nx * BLOCK]
    return cut.reshape(ny, BLOCK, nx, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)


def variance_of(values: np.ndarray) -> np.ndarray:
    """Variance of each row, without what a cosmic ray or a hot pixel adds.

    The robust scatter sets the limits only: on whole numbers it is too coarse to be the answer.
    """
    deviation = values - _medians(values)[:, None]
    scatter = np.maximum(MAD_TO_SIGMA * _medians(np.abs(deviation)), 1.0)
    kept = np.where(np.abs(deviation) <= _CLIP_SIGMA * scatter[:, None], deviation, np.nan)
    return np.nanvar(kept, axis=1, ddof=1)


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of each row of what is no NaN."""
    whole = np.isfinite(values).all()
    return medians(values) if whole else np.nanmedian(values, axis=1)


def _median_and_error(values: np.ndarray) -> tuple[float, float]:
    """Median, and its standard error."""
    center = float(np.median(values))
    return center, median_error(values)


def clip_level(images: Sequence[np.ndarray]) -> float | None:
    """Find the value, ADU, at which pixels pile up because the converter or the well is full.

    Stars have one brightest pixel each; only clipping makes many pixels share the very highest
    value of an image, and makes it the same value in image after image. In one image alone, they
    must be more, in several stars or the flat top of one, and many more than those of the next
    lower values. One pixel is enough at the highest number that the converter has: nothing can be
    above that.
    images: (ny, nx) arrays of raw frames, ADU. Returns None when they show no clipping.
    """
    level = max((float(np.nanmax(image)) for image in images), default=0.0)
    if level in RANGE_TOPS:
        return level
    if len(images) == 1:
        return _level_alone(images[0])
    piled_up = [np.count_nonzero(image == level) for image in images]
    enough = sum(count >= MIN_PILED_UP for count in piled_up)
    return level if enough >= 2 and enough * 2 >= len(images) else None


def _level_alone(image: np.ndarray) -> float | None:
    from scipy.ndimage import label

    level = float(np.nanmax(image))
    full = image == level
    if np.count_nonzero(full) < ALONE_PIXELS:
        return None
    places, n_places = label(full, np.ones((3, 3)))
    flat_top = np.bincount(places[full]).max()
    # The median value and above: sorting the whole frame is not needed to know its upper end.
    lower = image[(image < level) & (image > np.nanmedian(image))]
    counts = np.unique(lower, return_counts=True)[1][-LOWER_VALUES:]
    stands_out = counts.size and np.count_nonzero(full) > ALONE_TIMES * counts.max()
    several = n_places >= ALONE_PLACES or flat_top >= FLAT_TOP
    return level if several and stands_out else None
