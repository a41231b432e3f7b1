"""What camera AstroImageJ was told of, read back from the errors it gave."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.noise import QUANTISATION_VARIANCE, NoiseModel

MIN_ERRORS = 3


def noise_from_errors(
    error: np.ndarray, flux: np.ndarray, sky: np.ndarray, area: np.ndarray, n_sky: np.ndarray
) -> NoiseModel | None:
    """Solve the error formula for gain and read noise.

    With ``k = n_pix (1 + n_pix / n_sky)`` the formula is linear in ``1/g`` and in the variance c
    of dark current and read noise: ``error^2 - 0.289^2 k = (F + k B) / g + k c``. Dark current and
    read noise cannot be told apart: all of c is given as read noise.

    error, flux, sky, area, n_sky: ADU, ADU per pixel and pixels; rows with NaN do not count.
    None where fewer than 3 errors are known, or no positive gain explains them.
    """
    use = np.isfinite(error) & (error > 0) & np.isfinite(flux) & np.isfinite(sky)
    if use.sum() < MIN_ERRORS:
        return None
    error, flux, sky, area, n_sky = (v[use] for v in (error, flux, sky, area, n_sky))
    spread = area * (1 + np.where(n_sky > 0, area / np.maximum(n_sky, 1), 0.0))
    light = np.maximum(flux, 0) + spread * np.maximum(sky, 0)
    weight = 1 / error**2
    left = np.stack([light * weight, spread * weight], axis=1)
    right = (error**2 - QUANTISATION_VARIANCE * spread) * weight
    inverse_gain, variance = np.linalg.lstsq(left, right, rcond=None)[0]
    if not inverse_gain > 0:
        return None
    gain = float(1 / inverse_gain)
    return NoiseModel(gain, gain * float(np.sqrt(max(variance, 0.0))), 0.0)
