"""AstroImageJ's sums over circles, and their errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lightcurve.phot.noise import NoiseModel, flux_error, pixel_variance_model
from lightcurve.phot.overlap import circle_overlap
from lightcurve.phot.squares import Squares, squares_about

MIN_PEAK_WEIGHT = 0.01


def sum_aperture(
    image: np.ndarray,
    centre: tuple[np.ndarray, np.ndarray],
    radius: float,
    planes: np.ndarray,
    *,
    exact: bool = True,
) -> dict[str, np.ndarray]:
    """Sum circles of one radius above a sky.

    image : (ny, nx) array.
    centre : tuple of (n,) float arrays; x, y, pixels.
    planes : (n, 3) float array; see `lightcurve.phot.aij_sky.sky_planes`.
    exact : see `AijRecipe`.
    Returns dict of str to (n,) float array: ``flux``, ``area``, ``peak`` and the mean ``sky`` under
        the circle.
    """
    square = squares_about(image, centre, radius)
    weight = _aperture_weights(square, radius, exact=exact)
    return _sums(square, weight, planes, exact=exact)


def source_error(
    sums: Mapping[str, np.ndarray], n_sky: np.ndarray, noise: NoiseModel
) -> np.ndarray:
    """Form AstroImageJ's Source_Error.

    sums : mapping of str to (n,) float array; of `sum_aperture`.
    n_sky : (n,) float array; pixels that gave the sky; 0 where there was none, whose error is then
        left out.
    Returns (n,) float array: ADU.
    """
    known = np.where(n_sky > 0, n_sky, np.inf)
    variance = pixel_variance_model(sums["sky"], noise)
    return flux_error(sums["flux"], sums["area"], variance, known, noise.gain_e_per_adu)


def _aperture_weights(square: Squares, radius: float, *, exact: bool) -> np.ndarray:
    """Weigh the pixels of an aperture.

    radius : pixels.
    exact : area inside the circle; otherwise 1 where the pixel's centre is nearer than the radius.
    Returns (n, m, m) float array: 0 where there is no pixel.
    """
    if exact:
        weight = circle_overlap(*square.edges(), radius)
    else:
        weight = (square.distance_squared() < radius**2).astype(float)
    return np.where(np.isfinite(square.values), weight, 0.0)


def _sums(
    square: Squares, weight: np.ndarray, planes: np.ndarray, *, exact: bool
) -> dict[str, np.ndarray]:
    """Source-Sky, its area, peak and the mean sky under it."""
    raw = np.nan_to_num(square.values)
    area = weight.sum(axis=(1, 2))
    sky_sum = (weight * square.plane(planes)).sum(axis=(1, 2))
    flux = (weight * raw).sum(axis=(1, 2)) - sky_sum
    touched = weight > (MIN_PEAK_WEIGHT if exact else 0)
    peak = np.where(touched, raw, -np.inf).max(axis=(1, 2))
    level = np.any(planes[:, 1:], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sky = np.where(level, sky_sum / area, planes[:, 0])
    return {
        "flux": np.where(area > 0, flux, np.nan),
        "area": area,
        "peak": np.where(np.isfinite(peak), peak, np.nan),
        "sky": sky,
    }
