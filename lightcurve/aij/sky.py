"""AstroImageJ's sky: clipped at 2 sigma, as an exact-area mean, or a tilted plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.cutouts import circle_overlap
from lightcurve.phot.squares import Squares, squares_about

CLIP_SIGMA = 2.0
CENTROID_TOLERANCE, CENTROID_CLIPS = 0.1, 8  # ADU; its first of nine passes clips nothing
PHOTOMETER_TOLERANCE, PHOTOMETER_CLIPS = 1e-4, 100
MIN_PLANE_PIXELS = 4


@dataclass(frozen=True, slots=True)
class SkyRule:
    """How the sky around a star is found."""

    annulus: tuple[float, float] | None  # inner and outer radius, pixels; without one the sky is 0
    remove_stars: bool = True  # clipped mean of the pixels with their centres in the annulus
    # tilted plane through the pixels that count, with their offsets from the star as coordinates.
    # (AstroImageJ mixes two origins when it clips as well: its sky is then that of another place.
    # This is not copied.)
    plane: bool = False


def _annulus_squares(
    image: np.ndarray, centre: tuple[np.ndarray, np.ndarray], annulus: tuple[float, float]
) -> Squares:
    """Cut squares in which only the pixels with their centres in the annulus are left, else NaN."""
    square = squares_about(image, centre, annulus[1])
    distance = square.distance_squared()
    inside = (distance >= annulus[0] ** 2) & (distance <= annulus[1] ** 2)
    return Squares(np.where(inside, square.values, np.nan), square.u, square.v)


def _clip_stars(
    values: np.ndarray, *, tolerance: float, max_clips: int, before: float | None = None
) -> np.ndarray:
    """Choose the pixels within 2 sigma of their mean, again and again from all of them.

    Pixels thrown out may come back as mean and sigma settle; both sides are clipped alike; NaN does
    not count. tolerance: a star's sky is settled when its mean moves by less, ADU; before: a sky
    whose first mean, of all pixels, is this near is settled before it is clipped.
    """
    finite = np.isfinite(values)
    light, keep = np.where(finite, values, 0.0), finite.copy()
    mean, sigma = _mean_and_sigma(light, keep)
    stars = np.arange(len(values))
    if before is not None:
        stars = stars[np.abs(mean - before) >= tolerance]
    for _ in range(max_clips if stars.size else 0):
        nearer = finite[stars] & _near(light[stars], mean[stars], sigma[stars])
        keep[stars] = nearer
        new_mean, sigma[stars] = _mean_and_sigma(light[stars], nearer)
        moved = np.abs(new_mean - mean[stars]) >= tolerance
        mean[stars] = new_mean
        stars = stars[moved]
        if not stars.size:
            break
    return keep


def _near(light: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    # A constant sky has sigma 0 and a mean off by rounding: it is not to clip itself away.
    reach = CLIP_SIGMA * sigma + 1e-12 * np.abs(mean)
    return np.abs(light - mean[:, None, None]) <= reach[:, None, None]


def _mean_and_sigma(light: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = np.maximum(keep.sum(axis=(1, 2)), 1)
    mean = np.where(keep, light, 0.0).sum(axis=(1, 2)) / count
    residual = np.where(keep, light - mean[:, None, None], 0.0)
    return mean, np.sqrt((residual**2).sum(axis=(1, 2)) / count)


def sky_planes(square: Squares, keep: np.ndarray, *, tilted: bool) -> np.ndarray:
    """Fit the sky as ``a + b u + c v`` about each star to the pixels that are kept: (n, 3), ADU.

    tilted: least squares; otherwise a is the mean, b and c are 0. The mean, too, where fewer than
    4 pixels are left or they lie on a line; 0 where none is.
    """
    light = np.where(keep, square.values, 0.0)
    count = keep.sum(axis=(1, 2))
    planes = np.zeros((len(light), 3))
    planes[:, 0] = light.sum(axis=(1, 2)) / np.maximum(count, 1)
    if not tilted:
        return planes
    shape = light.shape
    u = np.broadcast_to(square.u[:, None, :], shape)
    v = np.broadcast_to(square.v[:, :, None], shape)
    terms = np.where(keep[:, None], np.stack([np.ones(shape), u, v], axis=1), 0.0)
    normal = np.einsum("niyx,njyx->nij", terms, terms)
    right = np.einsum("niyx,nyx->ni", terms, light)
    solvable = (count >= MIN_PLANE_PIXELS) & (np.linalg.matrix_rank(normal) == 3)
    planes[solvable] = np.linalg.solve(normal[solvable], right[solvable][:, :, None])[:, :, 0]
    return planes


def centroid_sky(
    image: np.ndarray, centre: tuple[np.ndarray, np.ndarray], rule: SkyRule
) -> np.ndarray:
    """Find the planes (n, 3), as of `sky_planes`, under which AstroImageJ looks for a centroid."""
    if rule.annulus is None:
        return np.zeros((len(centre[0]), 3))
    square = _annulus_squares(image, centre, rule.annulus)
    keep = np.isfinite(square.values)
    if rule.remove_stars:
        keep = _clip_stars(
            square.values, tolerance=CENTROID_TOLERANCE, max_clips=CENTROID_CLIPS, before=0.0
        )
        mean, sigma = _mean_and_sigma(np.where(keep, square.values, 0.0), keep)
        finite = np.isfinite(square.values)
        keep = finite & _near(np.where(finite, square.values, 0.0), mean, sigma)
    return sky_planes(square, keep, tilted=rule.plane)


def photometer_sky(
    image: np.ndarray, centre: tuple[np.ndarray, np.ndarray], rule: SkyRule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the sky that AstroImageJ subtracts from an aperture.

    Without star removal and plane each pixel counts by its area in the annulus. Returns planes as
    of `sky_planes`, the pixels that count, and their standard deviation, ADU.
    """
    n = len(centre[0])
    if rule.annulus is None:
        return np.zeros((n, 3)), np.zeros(n), np.full(n, np.nan)
    if rule.remove_stars or rule.plane:
        square = _annulus_squares(image, centre, rule.annulus)
        keep = np.isfinite(square.values)
        if rule.remove_stars:
            keep = _clip_stars(
                square.values, tolerance=PHOTOMETER_TOLERANCE, max_clips=PHOTOMETER_CLIPS
            )
        _, scatter = _mean_and_sigma(np.where(keep, square.values, 0.0), keep)
        planes = sky_planes(square, keep, tilted=rule.plane)
        return planes, keep.sum(axis=(1, 2)).astype(float), scatter
    square = squares_about(image, centre, rule.annulus[1])
    inner, outer = (circle_overlap(*square.edges(), radius) for radius in rule.annulus)
    weight = np.where(np.isfinite(square.values), outer - inner, 0.0)
    light = np.nan_to_num(square.values)
    area = weight.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):  # no pixel, no mean
        mean = (weight * light).sum(axis=(1, 2)) / area
        spread = (weight * (light - mean[:, None, None]) ** 2).sum(axis=(1, 2)) / area
    return np.column_stack([mean, np.zeros((n, 2))]), area, np.sqrt(spread)
