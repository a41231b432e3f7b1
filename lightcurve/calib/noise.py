"""Gain and read noise from pairs of flats and biases (photon transfer)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.errors import CalibrationError
from lightcurve.robust import MAD_TO_SIGMA, robust_scatter

BLOCK = 32
MIN_BLOCKS = 4
_CLIP_SIGMA = 5.0


@dataclass(frozen=True, slots=True)
class CameraNoise:
    """What pairs of flats and biases say of a camera.

    Attributes
    ----------
    gain_e_per_adu, gain_err : float
        Electrons per ADU and its standard error.
    read_noise_e, read_noise_err : float
        Electrons and its standard error.
    n_blocks : int
        Blocks of pixels that took part.
    """

    gain_e_per_adu: float
    gain_err: float
    read_noise_e: float
    read_noise_err: float
    n_blocks: int


def measure_noise(
    flat_pair: tuple[np.ndarray, np.ndarray],
    bias_pair: tuple[np.ndarray, np.ndarray],
    *,
    saturation_adu: float | None = None,
    block: int = BLOCK,
) -> CameraNoise:
    """Measure gain and read noise by the photon-transfer method.

    The difference of two flats has lost the fixed pattern and keeps the noise. With signals S1 and
    S2 above bias and k = S1 / S2, the variance of F1 - k F2 is S1 (1 + k) / g + (1 + k^2) R^2,
    where R^2 in ADU is half the variance of the difference of two biases; for k = 1 this is
    Janesick's (2001) gain = (F1 + F2 - B1 - B2) / (var(F1 - F2) - var(B1 - B2)). It is worked out
    in small blocks, over which illumination is constant enough, and the median taken.

    Parameters
    ----------
    flat_pair, bias_pair : pair of (ny, nx) arrays
        Raw exposures, ADU, all of one size.
    saturation_adu : float, optional
        Blocks that reach it in a flat are left out.
    block : int
        Pixels on a side.

    Raises
    ------
    CalibrationError
        When fewer than four blocks are usable, or the flats are no noisier than the biases.
    """
    f1, f2, b1, b2 = (_blocks(image, block) for image in (*flat_pair, *bias_pair))
    if not f1.shape == f2.shape == b1.shape == b2.shape:
        msg = "gain and read noise: the two flats and two biases must be of one size"
        raise CalibrationError(msg)
    bias_level = (np.nanmedian(b1, axis=1) + np.nanmedian(b2, axis=1)) / 2
    s1, s2 = (np.nanmean(f, axis=1) - bias_level for f in (f1, f2))
    bias_variance = _variance(b1 - b2)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = s1 / s2
        noise = _variance(f1 - k[:, None] * f2) - (1 + k**2) * bias_variance / 2
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


def _blocks(image: np.ndarray, block: int) -> np.ndarray:
    """Cut an image into whole square blocks, shape (n_blocks, block * block)."""
    ny, nx = (size // block for size in image.shape)
    cut = np.asarray(image, dtype=float)[: ny * block, : nx * block]
    return cut.reshape(ny, block, nx, block).swapaxes(1, 2).reshape(-1, block * block)


def _variance(values: np.ndarray) -> np.ndarray:
    """Variance of each row, without what a cosmic ray or a hot pixel adds.

    The robust scatter sets the limits only: on whole numbers it is too coarse to be the answer.
    """
    deviation = values - np.nanmedian(values, axis=1, keepdims=True)
    scatter = np.maximum(MAD_TO_SIGMA * np.nanmedian(np.abs(deviation), axis=1), 1.0)
    kept = np.where(np.abs(deviation) <= _CLIP_SIGMA * scatter[:, None], deviation, np.nan)
    return np.nanvar(kept, axis=1, ddof=1)


def _median_and_error(values: np.ndarray) -> tuple[float, float]:
    """Median, and its standard error: 1.2533 (the square root of pi / 2) sigma / sqrt(n)."""
    center = float(np.median(values))
    return center, 1.2533 * robust_scatter(values) / np.sqrt(values.size)
