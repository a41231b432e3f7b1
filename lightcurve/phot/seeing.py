"""How wide the stars are, and which apertures follow from it."""

from __future__ import annotations

import numpy as np

LADDER_FWHM = (0.75, 1.0, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3)  # aperture radii
ANNULUS_FWHM = (4.0, 7.0)
MIN_RADIUS, MIN_INNER, MIN_WIDTH = 1.5, 8.0, 6.0


def choose_radii(fwhm: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Choose a ladder of aperture radii and the sky annulus from the seeing.

    Parameters
    ----------
    fwhm : float
        Of the stars, pixels.

    Returns
    -------
    radii : (8,) float array
        From 0.75 to 3.3 FWHM, at least 1.5 px, tenths of pixels.
    annulus : (float, float)
        4 to 7 FWHM, at least 8 px from the star and 6 px wide: whole pixels.
    """
    radii = np.round(np.maximum(np.array(LADDER_FWHM) * fwhm, MIN_RADIUS), 1)
    radii += 0.1 * np.arange(len(radii)) * (np.diff(radii, prepend=0) <= 0)
    inner = float(np.ceil(max(ANNULUS_FWHM[0] * fwhm, MIN_INNER, radii[-1] + 1)))
    outer = float(np.ceil(max(ANNULUS_FWHM[1] * fwhm, inner + MIN_WIDTH)))
    return np.round(radii, 1), (inner, outer)


def binned_profile(
    boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean light in rings one pixel wide.

    Parameters
    ----------
    boxes : (n, m, m) float array
        Sky-subtracted; NaN does not count.
    dx, dy : (n,) float arrays
        Centre of each star from the middle of its box, pixels.

    Returns
    -------
    radius, profile : (n, k) float arrays
        Mean radius and mean light of ring 0 to 1 px, 1 to 2 px ...; NaN where a ring is empty.
    """
    n, m, _ = boxes.shape
    offset = np.arange(m) - m // 2
    x = offset[None, None, :] - np.nan_to_num(dx)[:, None, None]
    y = offset[None, :, None] - np.nan_to_num(dy)[:, None, None]
    distance = np.hypot(x, y)
    n_rings = m // 2
    ring = distance.astype(int)
    use = (ring < n_rings) & np.isfinite(boxes)
    index = (np.arange(n)[:, None, None] * n_rings + ring)[use]
    count = np.bincount(index, minlength=n * n_rings).reshape(n, n_rings)
    light = np.bincount(index, weights=boxes[use], minlength=n * n_rings).reshape(n, n_rings)
    radius = np.bincount(index, weights=distance[use], minlength=n * n_rings).reshape(n, n_rings)
    divisor = np.where(count > 0, count, np.nan)
    return radius / divisor, light / divisor


def profile_fwhm(radius: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Full width at half of the innermost maximum of binned profiles.

    Parameters
    ----------
    radius, profile : (n, k) float arrays
        From `binned_profile`.

    Returns
    -------
    (n,) float array
        Pixels, interpolated between rings; NaN where the profile does not fall to one half.
    """
    n, k = profile.shape
    filled = np.where(np.isfinite(profile), profile, -np.inf)
    half = 0.5 * filled.max(axis=1, initial=0.0)
    below = (filled[:, 1:] <= half[:, None]) & (filled[:, :-1] > half[:, None])
    crossing = below.argmax(axis=1)
    rows = np.arange(n)
    r0, r1 = radius[rows, crossing], radius[rows, np.minimum(crossing + 1, k - 1)]
    p0, p1 = profile[rows, crossing], profile[rows, np.minimum(crossing + 1, k - 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        fwhm = 2 * (r0 + (p0 - half) / (p0 - p1) * (r1 - r0))
    return np.where(below.any(axis=1) & (half > 0), fwhm, np.nan)
