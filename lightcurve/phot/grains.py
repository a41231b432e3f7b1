"""Stars wider than a matched filter: pixels averaged in squares, and curves of growth.

What looks at the shape of a star does so in grains in which stars are a few pixels wide, so that a
ring, a trail and a point are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.phot.cutouts import gather

__all__ = ["StarSize", "at_most", "measure_size"]

# Sides of the squares: odd, so that the middle pixel of one is that of the star's box; each serves
# stars from twice to seven times as wide.
GRAINS = (3, 5, 9, 15, 25)
INNER_PX, OUTER_PX, AROUND_PX = 4.0, 6.5, 8
_V, _U = np.mgrid[-AROUND_PX : AROUND_PX + 1.0, -AROUND_PX : AROUND_PX + 1.0].reshape(2, -1)
_INNER, _OUTER = (np.hypot(_U, _V) <= radius for radius in (INNER_PX, OUTER_PX))
AREAS = float(_INNER.sum()), float(_OUTER.sum())
AROUND = np.flatnonzero(~_OUTER)
# What the pixels of a box are multiplied with for the sums within both radii, and for the moments
# within the inner one.
MOMENTS = np.stack(
    [_INNER, _OUTER, *(_INNER * power for power in (_U, _V, _U**2, _V**2, _U * _V))], axis=1
)
GROWN = 20  # stars whose curves of growth are taken together
# In grains: light is looked for out to 8, the sky from there to 10; within 4 is most of it.
CORE_PX, GROWTH_PX, SKY_PX = 4, 8, 10
ROUND = 0.9
DARK = 0.005  # of the brightest ring: there the star ends
GAUSSIAN_90 = 0.9113  # radius with 90 % of a Gaussian's light over its FWHM; half of it has 50 %


@dataclass(frozen=True, slots=True)
class StarSize:
    """Radii of the circles that hold 50 and 90 % of a star's light, pixels."""

    r50: float
    r90: float

    @classmethod
    def gaussian(cls, fwhm: float) -> StarSize:
        """Give the radii of a Gaussian star of this FWHM, pixels."""
        return cls(fwhm / 2, GAUSSIAN_90 * fwhm)

    def radius(self, of_fwhm: np.ndarray | float) -> np.ndarray:
        """Carry a radius over from a Gaussian of FWHM 1, pixels.

        Counted from the radius of 90 % of the light in units of that from 50 to 90 %: wings reach
        far where light goes on to grow slowly, and a ring ends at its rim.
        """
        steps = (np.asarray(of_fwhm) - GAUSSIAN_90) / (GAUSSIAN_90 - 0.5)
        return self.r90 + steps * (self.r90 - self.r50)


def coarse(pixels: np.ndarray, spoilt: np.ndarray, grain: int) -> tuple[np.ndarray, np.ndarray]:
    """Average the good pixels of squares; rows and columns left over are left out.

    Returns (ny // grain, nx // grain) float32 pixels and uint8 bits: 1 where less than half of a
    square is good.
    """
    ny, nx = (grain * (length // grain) for length in pixels.shape)
    good = ~spoilt[:ny, :nx] & np.isfinite(pixels[:ny, :nx])
    count = _sums(good.astype(np.float32), grain)
    total = _sums(np.where(good, pixels[:ny, :nx], np.float32(0)), grain)
    bad = count < grain**2 / 2
    return total / np.maximum(count, 1), bad.astype(np.uint8)


def _sums(image: np.ndarray, grain: int) -> np.ndarray:
    ny, nx = (length // grain for length in image.shape)
    lines = image.reshape(ny, grain, nx * grain).sum(axis=1, dtype=np.float32)
    return lines.reshape(ny, nx, grain).sum(axis=2)


def coarse_boxes(boxes: np.ndarray, grain: int) -> np.ndarray:
    """Average squares of boxes (n, m, m), m an odd multiple of the grain; NaN does not count."""
    if grain == 1:
        return boxes
    n, m, _ = boxes.shape
    squares = boxes.reshape(n, m // grain, grain, m // grain, grain)
    good = np.isfinite(squares)
    count = good.sum(axis=(2, 4))
    total = np.where(good, squares, 0.0).sum(axis=(2, 4))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def at_most(side: int) -> int:
    """Find the widest grain that is no wider than so many pixels."""
    return max((grain for grain in GRAINS if grain <= side), default=1)


def finer(grain: int) -> int:
    """Find the grain, a third of this one or less, that its squares are made of."""
    return max((g for g in GRAINS if 3 * g <= grain and grain % g == 0), default=1)


def share_within(boxes: np.ndarray, noise: float) -> np.ndarray:
    """Share of the light within 6.5 px that lies within 4 of the middle of boxes of half side 8.

    Times the part of it that stands above what is around: of a piece of a wide ring little does;
    and a fifth more where it is round, as no piece of a thin ring or of a trail is.
    boxes: (n, 17, 17), without sky; NaN does not count. noise: of a pixel. NaN where the light
    within 4 px is not ten times its noise.
    """
    light = boxes.reshape(len(boxes), len(MOMENTS)).astype(float)
    around = _medians(light[:, AROUND])
    good = np.isfinite(light)
    if not good.all():
        light[~good] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        total, outer, *moments = (light @ MOMENTS).T
        inner, outer = np.array([total, outer]) / (good @ MOMENTS[:, :2]).T
        light, wide = (inner - around) * AREAS[0], (outer - around) * AREAS[1]
        share = light / wide * np.clip(1 - around / inner, 0, 1)
        sure = inner * AREAS[0] > 10 * noise * np.sqrt(AREAS[0])
        share = np.where(_roundness(*(moments / total)) > ROUND, 1.2 * share, share)
    return np.where(sure & (wide > 0), np.clip(share, 0, 1), np.where(sure, 0.0, np.nan))


def _roundness(
    u: np.ndarray, v: np.ndarray, uu: np.ndarray, vv: np.ndarray, uv: np.ndarray
) -> np.ndarray:
    """Short over long axis (n,) of light, by the means of its offsets and of their products."""
    xx, yy, xy = uu - u**2, vv - v**2, uv - u * v
    root = np.sqrt(4 * xy**2 + (xx - yy) ** 2)
    return np.sqrt((xx + yy - root) / (xx + yy + root))


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of each row (n, m), a neighbour or two do not count; 0 where all is NaN."""
    ordered = np.sort(values, axis=1)
    middle = np.maximum(np.isfinite(ordered).sum(axis=1) - 1, 0) // 2
    return np.nan_to_num(ordered[np.arange(len(ordered)), middle])


def half_light_diameter(boxes: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Diameter (n,) of the circle that holds half of the light: the FWHM of a Gaussian star.

    boxes : (n, m, m), without sky; dx, dy : (n,) centres from the middle pixel; all in pixels.
    """
    offset = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
    x, y = offset - np.nan_to_num(dx)[:, None], offset - np.nan_to_num(dy)[:, None]
    distance = np.hypot(x[:, None, :], y[:, :, None]).reshape(len(boxes), -1)
    inside = distance <= boxes.shape[1] // 2
    light = np.where(inside, np.nan_to_num(boxes.reshape(distance.shape)), 0.0)
    order = np.argsort(distance, axis=1)
    distance, light = (np.take_along_axis(one, order, axis=1) for one in (distance, light))
    grown = np.cumsum(light, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = (grown >= 0.5 * grown[:, -1:]).argmax(axis=1)
        # So many pixels have the light: the circle of their area, steadier than the last distance.
        return np.where(grown[:, -1] > 0, 2 * np.sqrt((first + 0.5) / np.pi), np.nan)


def measure_size(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, sky: float, grain: int
) -> StarSize | None:
    """Measure the curve of growth of the median star.

    Parameters
    ----------
    pixels : (ny, nx) float array
        ADU; NaN does not count.
    x, y : (n,) float arrays
        Stars, brightest first, pixels.
    sky : float
        Level of the frame, ADU.
    grain : int
        In which the stars are a few pixels wide.

    Returns
    -------
    StarSize or None
        None where no star is whole on the frame.
    """
    reach, edge = GROWTH_PX * grain, SKY_PX * grain
    column, row = np.rint(x[:GROWN]).astype(int), np.rint(y[:GROWN]).astype(int)
    boxes = gather(pixels, column, row, edge) - sky
    offset = np.arange(-edge, edge + 1)
    u, v = offset - (x[:GROWN] - column)[:, None], offset - (y[:GROWN] - row)[:, None]
    distance = np.hypot(u[:, None, :], v[:, :, None])
    profiles = []
    for box, away in zip(boxes, distance, strict=True):
        around = box[(away > reach) & np.isfinite(box)]
        near = (away < reach) & np.isfinite(box)
        ring = away[near].astype(int)
        light = box[near] - (np.median(around) if around.size else 0.0)
        count = np.bincount(ring, minlength=reach)
        core = float(light[away[near] < CORE_PX * grain].sum())
        if count.all() and core > 0:
            profiles.append(np.bincount(ring, weights=light, minlength=reach) / count / core)
    if not profiles:
        return None
    # Neighbours lie at other distances from each star: the median ring is without them.
    profile = np.median(profiles, axis=0)
    profile = profile[: _end(profile)]
    edges = np.arange(len(profile) + 1)
    grown = np.maximum.accumulate(np.cumsum(profile * np.diff(edges**2)))
    grown = np.append(0.0, grown / grown[-1])
    r50, r90 = (float(np.interp(part, grown, edges)) for part in (0.5, 0.9))
    return StarSize(r50, r90)


def _end(profile: np.ndarray) -> int:
    """Find where a profile ends: where it is dark, or darkest among neighbours."""
    top = int(profile.argmax())
    dark = np.flatnonzero(profile[top:] <= DARK * profile[top])
    return top + int(dark[0] if dark.size else profile[top:].argmin()) + 1
