"""Gain and read noise by the sky of light frames, and those of a header held against the frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lightcurve.calib.gain import BLOCK, WHOLE, CameraNoise, blocks, variance_of
from lightcurve.core.data import Exposure
from lightcurve.core.errors import CalibrationError
from lightcurve.core.robust import robust_scatter

__all__ = ["gain_of_lights", "gains_agree"]

SURE_SIGMA = 3.5  # by chance in one of 2,000
SPREAD = 0.1  # of the variance of well filled pixels is lost to their neighbours (brighter-fatter)
NOMINAL = 0.2  # read noise is given to a digit, for another rate or another camera of the kind
# Passes until no row lies off; rows that a line needs, so that none of them is a lever; the error,
# relative, of a gain that still tells electrons from a converter's setting.
ROUNDS, FEWEST, TELLS = 8, 30, 0.2
MIDDLE_ROWS = 512
CLIP_SIGMA = 5.0
BOX = 5  # pixels: about a star's width
LIT_SIGMA = 3.5  # of the means of boxes: by chance in one of 4,000
LEAST_SKY = 0.5  # of the pixels: between more stars no sky is without light


def contradiction(noise: CameraNoise, light: Exposure, *, dark_current: bool) -> str:
    """Tell which of a header's gain and read noise are not those of the frames; empty for none.

    dark_current: the read noise is of dark frames, and may be more for their current.
    """
    told, gain, err = [], light.gain_e_per_adu, noise.gain_err
    if gain is not None and "gain_e_per_adu" not in light.guessed:
        found = noise.gain_e_per_adu
        if not gains_agree(gain, found, err):
            source = light.sources.get("gain_e_per_adu", "given")
            told.append(f"gain {gain:.4g} e-/ADU ({source}) is {found:.4g} +- {err:.2g}")
    if light.read_noise_e is not None:
        found, err = noise.read_noise_e, noise.read_noise_err
        rounded = np.hypot(light.read_noise_e, noise.gain_e_per_adu / np.sqrt(12))
        allowed = max(SURE_SIGMA * err, NOMINAL * found)
        if found < rounded - allowed or (found > rounded + allowed and not dark_current):
            source = light.sources.get("read_noise_e", "given")
            text = f"read noise {light.read_noise_e:.4g} e- ({source}) is {found:.4g} +- {err:.2g}"
            told.append(text)
    return f"{' and '.join(told)}; --gain and --read-noise settle it" if told else ""


def gains_agree(given: float, found: float, err: float) -> bool:
    """Tell whether a gain can be the one that was measured, electrons per ADU both."""
    return abs(given - found) <= max(SURE_SIGMA * err, SPREAD * found)


def gain_of_lights(images: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """Measure the gain by how the noise of the sky grows with its level: no bias is needed.

    Variances of blocks of the differences of two light frames, and their levels, lie on a line of
    slope 1 / gain, whatever the pedestal.

    Parameters
    ----------
    images : sequence of (ny, nx) arrays
        Raw light frames, ADU; those that follow one another make a pair.

    Returns
    -------
    (float, float) or None
        Gain and its error, e-/ADU; None where the level does not change enough to tell it to 20 %.
    """
    level, variance = [np.empty(0)], [np.empty(0)]
    for first, second in pairwise(images):
        if first.shape != second.shape or min(first.shape) < 2 * BLOCK:
            continue
        try:
            a, b = map(blocks, sky_of_pair(_middle(first), _middle(second)))
        except CalibrationError:
            continue
        whole = np.isfinite(a + b).mean(axis=1) >= WHOLE
        level.append((np.nanmean(a[whole], axis=1) + np.nanmean(b[whole], axis=1)) / 2)
        variance.append(variance_of(a[whole] - b[whole]) / 2)
    x, y = np.concatenate(level), np.concatenate(variance)
    for _ in range(ROUNDS):
        if len(x) < FEWEST or not np.ptp(x) > 0:
            return None
        (slope, start), cov = np.polyfit(x - x.mean(), y, 1, cov=True)
        off = y - start - slope * (x - x.mean())
        near = np.abs(off) <= SURE_SIGMA * robust_scatter(off)
        if near.all():
            break
        x, y = x[near], y[near]
    err = float(np.sqrt(cov[0, 0]))
    return (1 / slope, err / slope**2) if slope > 0 and err < TELLS * slope else None


def _middle(image: np.ndarray) -> np.ndarray:
    top = max((len(image) - MIDDLE_ROWS) // 2, 0)
    return image[top : top + MIDDLE_ROWS]


def sky_of_pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave of two light frames the sky: NaN at hot pixels and stars, with their wings, of either.

    Light is looked for in the means of small boxes, which are less noisy than pixels; frames that
    drifted against each other show their stars twice.

    first, second : (ny, nx) arrays of one size, ADU. Returns two (ny, nx) float arrays. Raises
    CalibrationError where more than half is lit.
    """
    from scipy.ndimage import maximum_filter, median_filter, uniform_filter

    lit, hot = np.zeros(first.shape, bool), np.zeros(first.shape, bool)
    for image in (first, second):
        filled = np.nan_to_num(image, nan=float(np.nanmedian(image))).astype(float)
        around = median_filter(filled, size=3)
        spike = filled - around > CLIP_SIGMA * robust_scatter(filled - around)
        smooth = uniform_filter(np.where(spike, around, filled), BOX)
        coarse = median_filter(smooth[::BOX, ::BOX], size=BLOCK // BOX)
        level = np.kron(coarse, np.ones((BOX, BOX)))[: image.shape[0], : image.shape[1]]
        lit |= smooth - level > LIT_SIGMA * robust_scatter(smooth - level)
        hot |= spike
    dark = ~(maximum_filter(lit, size=2 * BOX + 1) | hot)
    if dark.mean() < LEAST_SKY:
        msg = f"gain cannot be measured: stars leave {100 * dark.mean():.0f} % of the sky"
        raise CalibrationError(msg)
    return np.where(dark, first, np.nan), np.where(dark, second, np.nan)
