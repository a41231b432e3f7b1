"""AstroImageJ's centroids, widths and FWHM, step by step as it takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.aij.sky import SkyRule, centroid_sky
from lightcurve.phot.centroid import MAX_STEPS, STILL_PX
from lightcurve.phot.methods import CENTROIDS, HOWELL
from lightcurve.phot.seeing import axis_ratio, ellipse, moments
from lightcurve.phot.squares import Squares, cut_squares

PROFILE_GROWTH = 10  # px
PROFILE_TRIES = 10
PROFILE_CUTOFF = 0.01  # of the maximum
PROFILE_MARGIN = 5  # rings
MIN_RADIUS = 3.0
SETTLED = "settled"


def profile_fwhm_aij(
    image: np.ndarray, centre: np.ndarray, radius: float, sky: np.ndarray
) -> np.ndarray:
    """Full width at half maximum, pixels, from radial profiles in rings one pixel wide.

    Valid where the profile falls below 0.01 of its maximum at least 5 rings before its end; until
    then it is lengthened by 10 px, ten times at most.
    image: (ny, nx), upside down. centre: (2, n), x and y. radius: where the first profile ends.
    sky: (n,) ADU per pixel. Returns (n,) float array, NaN where none is valid.
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


@dataclass(frozen=True, slots=True, eq=False)
class AijCentroid:
    """Where the stars are and how wide, in AstroImageJ's way.

    x_width, y_width : (n,) float arrays, root of the second moments over 0.3602, pixels; 0
        where a centroid was sought in vain.
    """

    # (2, n), x and y in the upside-down image; the given position where `found` is false
    centre: np.ndarray
    # (n,) bool, whether a centroid was found; false for all when none was asked for
    found: np.ndarray
    x_width: np.ndarray
    y_width: np.ndarray
    # (n,), of the long axis, 0 to 360, from +x towards the bottom of the image
    angle_deg: np.ndarray
    # (n,), short over long axis, of the moments without their signs; NaN where they fit no ellipse
    roundness: np.ndarray
    # (n,), scatter of the light inside the radius about the mean of the box, ADU^2. (AstroImageJ's
    # own is without meaning where it does not centre.)
    variance: np.ndarray


def aij_centroid(
    image: np.ndarray, start: np.ndarray, radius: float, sky: SkyRule, *, method: str = HOWELL.name
) -> AijCentroid:
    """Centre apertures as AstroImageJ does, and measure the stars' widths there.

    image: (ny, nx) float array, upside down; NaN pixels do not count.
    start: (2, n) float array, x and y, pixels.
    radius: of the aperture; 3 px at least are used.
    method: a name of `CENTROIDS` (one without steps leaves the stars where they are), or
    ``"settled"``: `start` is where a centroid ended, and the box is cut as AstroImageJ cuts it
    after a step.
    """
    step_of = None if method == SETTLED else CENTROIDS.get(method).step
    radius = max(radius, MIN_RADIUS)
    side = int(2 * radius)
    centre = start.copy()
    corner = _truncated(start) - side // 2 if method == SETTLED else _truncated(start - radius)
    moving = np.full(start.shape[1], step_of is not None)
    found = moving.copy()
    level = np.full(start.shape[1], np.nan)
    for _ in range(MAX_STEPS):
        stars = np.flatnonzero(moving)
        if step_of is None or not stars.size:
            break
        light = _light(image, centre[:, stars], corner[:, stars], side, sky)
        step = step_of(light, radius)
        there = centre[:, stars] + step
        # A step without light is NaN, which is not near.
        near = np.all(np.abs(there - start[:, stars]) <= side, axis=0)
        level[stars] = _mean(light.values)
        centre[:, stars] = np.where(near, there, start[:, stars])
        corner[:, stars] = _truncated(centre[:, stars]) - side // 2
        found[stars] = near
        moving[stars] = near & ~np.all(np.abs(step) < STILL_PX, axis=0)
    light = _light(image, centre, corner, side, sky)
    # The scatter is about the mean of the box before the last step.
    level = np.where(np.isnan(level), _mean(light.values), level)
    widths = _widths(light, radius, level)
    if step_of is not None:
        for name in ("x_width", "y_width", "angle_deg", "variance"):
            widths[name] = np.where(found, widths[name], 0.0)
    return AijCentroid(
        centre=centre,
        found=found,
        x_width=widths["x_width"],
        y_width=widths["y_width"],
        angle_deg=widths["angle_deg"],
        roundness=widths["roundness"],
        variance=widths["variance"],
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of each square; 0 where it lies outside the image."""
    count = np.isfinite(values).sum(axis=(1, 2))
    return np.nansum(values, axis=(1, 2)) / np.maximum(count, 1)


def _truncated(position: np.ndarray) -> np.ndarray:
    # AstroImageJ counts from the first pixel's edge.
    return np.trunc(position + 0.5).astype(int)


def _light(
    image: np.ndarray, centre: np.ndarray, corner: np.ndarray, side: int, sky: SkyRule
) -> Squares:
    """Boxes of ``side + 1`` pixels without their sky."""
    square = cut_squares(image, tuple(centre), tuple(corner), side + 1)
    planes = centroid_sky(image, tuple(centre), sky)
    return square.less_plane(planes)


def _widths(light: Squares, radius: float, level: np.ndarray) -> dict[str, np.ndarray]:
    """Second moments and scatter of the light inside the radius."""
    use = np.isfinite(light.values) & (light.distance_squared() <= radius**2)
    values = np.where(use, light.values, 0.0)
    m20, m02, m11 = moments(values, light.u, light.v)
    scatter = np.where(use, (light.values - level[:, None, None]) ** 2, 0.0).sum(axis=(1, 2))
    return ellipse(m20, m02, m11) | {
        "roundness": axis_ratio(np.abs(m20), np.abs(m02), m11),
        "variance": scatter / max(light.values.shape[1] ** 2 - 1, 1),
    }
