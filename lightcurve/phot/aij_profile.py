"""AstroImageJ's FWHM: from radial profiles in rings one pixel wide."""

from __future__ import annotations

import numpy as np

PROFILE_GROWTH, PROFILE_TRIES, PROFILE_CUTOFF, PROFILE_MARGIN = 10, 10, 0.01, 5


def profile_fwhm_aij(
    image: np.ndarray, centre: np.ndarray, radius: float, sky: np.ndarray
) -> np.ndarray:
    """Full width at half maximum from radial profiles in rings one pixel wide.

    The profile must fall below 0.01 of its maximum farther out, at least 5 rings from its end;
    it is extended by 10 px up to ten times until it does.

    image : (ny, nx) array; upside down.
    centre : (2, n) float array.
    radius : where the first profile ends, pixels.
    sky : (n,) float array; ADU per pixel.
    Returns (n,) float array: pixels; NaN where the profile never falls so far.
    """
    fwhm = np.full(centre.shape[1], np.nan)
    for star in range(centre.shape[1]):
        for k in range(PROFILE_TRIES):
            reach = radius + k * PROFILE_GROWTH
            mean_radius, light = _profile(image, centre[:, star], reach, sky[star])
            width, falls = _half_maximum(mean_radius, light)
            if falls:
                fwhm[star] = width
                break
    return fwhm


def _profile(
    image: np.ndarray, centre: np.ndarray, reach: float, sky: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean radius and normalised light of each ring; NaN where it is empty."""
    first, end = np.trunc(centre + 0.5 - reach), np.trunc(centre + 0.5 + reach)
    first = np.maximum(first.astype(int), 0)
    end = np.maximum(np.minimum(end.astype(int), image.shape[::-1]), first)
    box = image[first[1] : end[1], first[0] : end[0]].astype(float)
    u, v = np.arange(first[0], end[0]) - centre[0], np.arange(first[1], end[1]) - centre[1]
    distance = np.hypot(u, v[:, None])
    rings = int(reach)
    use = (distance < rings) & np.isfinite(box)
    ring = distance[use].astype(int)
    count = np.bincount(ring, minlength=rings)
    count = np.where(count > 0, count, np.nan)
    light = np.bincount(ring, weights=box[use], minlength=rings) / count - sky
    mean_radius = np.bincount(ring, weights=distance[use], minlength=rings) / count
    top = np.max(light, where=np.isfinite(light), initial=-np.inf)
    return mean_radius, light / top if top > 0 else np.full(rings, np.nan)


def _half_maximum(radius: np.ndarray, light: np.ndarray) -> tuple[float, bool]:
    """Width where the profile first passes one half, and whether it falls to nothing farther out.

    A step down that the next two rings both undo does not count.
    """
    n = len(light)
    padded = np.append(light, [np.nan, np.nan])
    passes = (light[:-1] > 0.5) & (light[1:] <= 0.5)
    undone = (padded[2 : n + 1] > light[1:]) & (padded[3 : n + 2] > light[1:])
    at = np.flatnonzero(passes & ~undone)
    if not at.size:
        return float("nan"), False
    k = at[0]
    slope = (light[k + 1] - light[k]) / (radius[k + 1] - radius[k])
    width = 2 * (radius[k] + (0.5 - light[k]) / slope)
    return float(width), bool(np.any(light[k + 2 : n - PROFILE_MARGIN] < PROFILE_CUTOFF))
