"""AstroImageJ's centroids and widths, step by step as its `Centroid` class takes them.

Its images are top down and it cuts its boxes at truncated positions, so that the orientation
matters at the hundredth of a pixel: the arrays given here are upside down (`pixels[::-1]`), with
the centre of their first pixel at (0, 0). `lightcurve.phot.aij` turns positions round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.aij_sky import SkyRule, centroid_sky
from lightcurve.phot.squares import Squares, cut_squares

MAX_MOVES = 100
STILL_PX = 0.01
MIN_RADIUS = 3.0
STAY, SETTLED = "none", "settled"
WIDTH_FACTOR = 0.3602  # AstroImageJ's second moment over FWHM; a Gaussian's is 0.4247


@dataclass(frozen=True, slots=True, eq=False)
class AijCentroid:
    """Where the stars are and how wide, in AstroImageJ's way.

    Attributes
    ----------
    centre : (2, n) float array
        x and y in the upside-down image; the given position where `found` is false.
    found : (n,) bool array
        Whether a centroid was found; false for all when none was asked for.
    x_width, y_width : (n,) float arrays
        Root of the second moments over 0.3602, pixels; 0 where a centroid was sought in vain.
    angle_deg : (n,) float array
        Of the long axis, 0 to 360, from +x towards the bottom of the image.
    roundness : (n,) float array
        Short over long axis, of the moments without their signs; NaN where they fit no ellipse.
    variance : (n,) float array
        Scatter of the light inside the radius about the mean of the box, ADU^2. (AstroImageJ's own
        is without meaning where it does not centre.)
    """

    centre: np.ndarray
    found: np.ndarray
    x_width: np.ndarray
    y_width: np.ndarray
    angle_deg: np.ndarray
    roundness: np.ndarray
    variance: np.ndarray


def aij_centroid(
    image: np.ndarray, start: np.ndarray, radius: float, sky: SkyRule, *, method: str = "howell"
) -> AijCentroid:
    """Centre apertures as AstroImageJ does, and measure the stars' widths there.

    Parameters
    ----------
    image : (ny, nx) array
        ADU, upside down; NaN pixels do not count.
    start : (2, n) float array
        x and y, pixels.
    radius : float
        Of the aperture; 3 px at least are used.
    sky : SkyRule
    method : str
        A key of `STEPS`; ``"none"`` to stay; ``"settled"`` to stay where a centroid ended: the box
        is then cut as after a step, which AstroImageJ does otherwise than at the start.

    Returns
    -------
    AijCentroid
    """
    radius = max(radius, MIN_RADIUS)
    side = int(2 * radius)
    centre = start.copy()
    corner = _truncated(start) - side // 2 if method == SETTLED else _truncated(start - radius)
    moving = np.full(start.shape[1], method in STEPS)
    found = moving.copy()
    level = np.full(start.shape[1], np.nan)
    for _ in range(MAX_MOVES):
        stars = np.flatnonzero(moving)
        if not stars.size:
            break
        light = _light(image, centre[:, stars], corner[:, stars], side, sky)
        step = STEPS[method](light, radius)
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
    if method in STEPS:
        for name in ("x_width", "y_width", "angle_deg", "variance"):
            widths[name] = np.where(found, widths[name], 0.0)
    return AijCentroid(centre=centre, found=found, **widths)


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


def howell_step(light: Squares, _radius: float) -> np.ndarray:
    """Move to the mean of the columns and rows brighter than their average.

    Howell, Handbook of CCD Astronomy, 2nd ed., p. 105.

    Parameters
    ----------
    light : Squares
        Without sky.

    Returns
    -------
    (2, n) float array
        Step in x and y, pixels; NaN where no light stands out.
    """
    values = np.nan_to_num(light.values)
    steps = []
    for sums, offset in ((values.sum(axis=1), light.u), (values.sum(axis=2), light.v)):
        above = np.maximum(sums - sums.mean(axis=1, keepdims=True), 0.0)
        total = above.sum(axis=1)
        steps.append((above * offset).sum(axis=1) / np.where(total > 0, total, np.nan))
    return np.stack(steps)


def moment_step(light: Squares, radius: float) -> np.ndarray:
    """Move to the mean position of the light inside the radius.

    Parameters
    ----------
    light : Squares
        Without sky.
    radius : float
        Pixels.

    Returns
    -------
    (2, n) float array
        Step in x and y, pixels; NaN where the light adds up to 0.
    """
    inside = np.where(light.distance_squared() <= radius**2, np.nan_to_num(light.values), 0.0)
    total = inside.sum(axis=(1, 2))
    total = np.where(total != 0, total, np.nan)
    along_x, along_y = inside.sum(axis=1), inside.sum(axis=2)
    return np.stack([(along_x * light.u).sum(axis=1), (along_y * light.v).sum(axis=1)]) / total


STEPS = {"howell": howell_step, "moment": moment_step}


def _widths(light: Squares, radius: float, level: np.ndarray) -> dict[str, np.ndarray]:
    """Second moments and scatter of the light inside the radius."""
    use = np.isfinite(light.values) & (light.distance_squared() <= radius**2)
    values = np.where(use, light.values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = values.sum(axis=(1, 2))
        m20 = np.einsum("nyx,nx->n", values, light.u**2) / total
        m02 = np.einsum("nyx,ny->n", values, light.v**2) / total
        m11 = np.einsum("nyx,nx,ny->n", values, light.u, light.v, optimize=True) / total
        wide, high = np.abs(m20), np.abs(m02)
        root = np.hypot(2 * m11, wide - high)
        roundness = np.sqrt((wide + high - root) / (wide + high + root))
    scatter = np.where(use, (light.values - level[:, None, None]) ** 2, 0.0).sum(axis=(1, 2))
    return {
        "x_width": np.sqrt(wide) / WIDTH_FACTOR,
        "y_width": np.sqrt(high) / WIDTH_FACTOR,
        "angle_deg": np.degrees(0.5 * np.arctan2(2 * m11, m20 - m02)) % 360,
        "roundness": roundness,
        "variance": scatter / max(light.values.shape[1] ** 2 - 1, 1),
    }
