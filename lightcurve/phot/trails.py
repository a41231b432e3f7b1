"""Light that is no star's: trails of satellites, and charge that bleeds from bright stars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.flags import PixelFlag
from lightcurve.phot.background import Background
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.smooth import smoothed_by

__all__ = ["find_trails", "in_trails", "trail_sides"]

THRESHOLD_SIGMA = 3.0  # of the smoothed frame
SMOOTH_SIGMA = 1.3
MIN_LENGTH_PX = 60.0
MIN_ELONGATION = 8.0  # length over width
MAX_BEND_PX = 3.0  # rms from a straight line
MARGIN_PX = 2
SEEN_SIGMA = 0.25  # of a pixel's noise: of less light along a trail a star's filter sees 1 sigma
WIDEST_PX = 100  # on either side
STEP_PX = 20  # a trail is followed on in steps of this length
CLEAR_SIGMA = 4.0  # light of such a step that still counts as trail
TRAIL_SHARE = 0.3  # of the height of the star that leaves it, at most
TRAIL_FWHM = 0.7, 8.0  # half width and length
TRAIL_ODDS = 5.0  # standard deviations by which finds beside stars prefer one direction
Places = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight trail: centre, direction (degrees from +x towards +y), length, width, pixels."""

    x: float
    y: float
    angle_deg: float
    length_px: float
    width_px: float


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """The trails of a frame."""

    lines: tuple[Line, ...]
    mask: np.ndarray  # (ny, nx) bool, their pixels, with a margin of 2


def find_trails(pixels: np.ndarray, bad: np.ndarray, background: Background) -> Trails:
    """Find the trails across a frame.

    Connected groups of bright pixels that are long, thin and straight; each is followed on to both
    sides as far as light lies along it, so that what a star or the noise cut off is found too.
    Columns and rows of bad pixels are no trails: bad pixels count as sky. Saturated ones stay.
    pixels, bad: (ny, nx) arrays, ADU and `PixelFlag` bits.
    """
    from scipy.ndimage import find_objects, label

    unusable = (bad & ~np.uint8(PixelFlag.SATURATED)) != 0
    light = np.where(unusable | ~np.isfinite(pixels), 0, pixels - background.level).astype(
        np.float32
    )
    smooth = smoothed_by(light, SMOOTH_SIGMA, 3.0)
    noise = float(np.median(background.rms)) / (2 * np.sqrt(np.pi) * SMOOTH_SIGMA)
    groups, _ = label(smooth > THRESHOLD_SIGMA * noise, structure=np.ones((3, 3)))
    many = np.bincount(groups.ravel()) >= MIN_LENGTH_PX / np.sqrt(2)  # as many as it is long
    mask = np.zeros(pixels.shape, dtype=bool)
    lines = []
    boxes = find_objects(groups)
    for number in np.flatnonzero(many[1:]) + 1:
        box = boxes[number - 1]
        size = max(part.stop - part.start for part in box)
        if size < MIN_LENGTH_PX / np.sqrt(2):
            continue
        row, column = np.nonzero(groups[box] == number)
        line = _straight(column + box[1].start, row + box[0].start)
        if line is None or mask[int(line.y), int(line.x)]:
            continue
        line = _widened(_followed(line, smooth, noise), light, background)
        lines.append(line)
        mask |= _band(line, pixels.shape)
    return Trails(tuple(lines), mask)


def _straight(x: np.ndarray, y: np.ndarray) -> Line | None:
    """Describe a group of pixels as a line, if it is one."""
    centre = np.array([x.mean(), y.mean()])
    offset = np.column_stack([x, y]) - centre
    values, vectors = np.linalg.eigh(offset.T @ offset / len(x))
    along, across = offset @ vectors[:, 1], offset @ vectors[:, 0]
    length, width = float(np.ptp(along)), float(np.sqrt(12 * max(values[0], 1 / 12)))
    # A bent or forked group is wide about its own axis; stars on the trail are a few pixels of it.
    straight = np.median(np.abs(across)) < max(MAX_BEND_PX, 0.5 * width)
    filled = len(x) / max(length, 1) < 3 * width + 5
    if length < max(MIN_LENGTH_PX, MIN_ELONGATION * width) or not straight or not filled:
        return None
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    middle = centre + vectors[:, 1] * (along.max() + along.min()) / 2
    x0, y0 = (float(value) for value in middle)
    return Line(max(x0, 0.0), max(y0, 0.0), angle, length, width)


def _followed(line: Line, smooth: np.ndarray, noise: float) -> Line:
    """Lengthen a line to both sides while the median along each next step is bright."""
    direction = np.array([np.cos(np.radians(line.angle_deg)), np.sin(np.radians(line.angle_deg))])
    ends = []
    for sign in (-1, 1):
        reach = line.length_px / 2
        while _is_lit(line, sign * direction, reach, smooth, noise):
            reach += STEP_PX
        ends.append(sign * reach)
    middle = np.array([line.x, line.y]) + direction * sum(ends) / 2
    ny, nx = smooth.shape
    x, y = np.clip(middle, 0, (nx - 1, ny - 1))
    return Line(float(x), float(y), line.angle_deg, ends[1] - ends[0], line.width_px)


def _widened(line: Line, light: np.ndarray, background: Background) -> Line:
    """Widen a line as far to both sides as its light is seen: the median all along it tells."""
    ny, nx = light.shape
    cos, sin = np.cos(np.radians(line.angle_deg)), np.sin(np.radians(line.angle_deg))
    along = np.arange(-line.length_px / 2, line.length_px / 2 + 1)
    for across in range(WIDEST_PX):
        sides = []
        for side in (-across, across):
            column = np.rint(line.x + along * cos - side * sin).astype(int)
            row = np.rint(line.y + along * sin + side * cos).astype(int)
            inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
            if inside.any():
                here = row[inside], column[inside]
                least = max(SEEN_SIGMA, 4 / np.sqrt(inside.sum()))
                sides.append(np.median(light[here]) / (least * np.median(background.rms[here])))
        if across > 1 and max(sides, default=0.0) < 1:
            break
    return replace(line, width_px=2.0 * across)


def _is_lit(
    line: Line, direction: np.ndarray, reach: float, smooth: np.ndarray, noise: float
) -> bool:
    ny, nx = smooth.shape
    step = reach + np.arange(STEP_PX)
    x = np.rint(line.x + direction[0] * step).astype(int)
    y = np.rint(line.y + direction[1] * step).astype(int)
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    if inside.sum() < STEP_PX // 2:
        return False
    # The median of 20 pixels, some 5 of them independent.
    return bool(np.median(smooth[y[inside], x[inside]]) > CLEAR_SIGMA * noise / np.sqrt(5))


def _band(line: Line, shape: tuple[int, int]) -> np.ndarray:
    """Pixels within a line's width and the margin."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    cos, sin = np.cos(np.radians(line.angle_deg)), np.sin(np.radians(line.angle_deg))
    across = np.abs((x - line.x) * sin - (y - line.y) * cos)
    along = np.abs((x - line.x) * cos + (y - line.y) * sin)
    near = across <= line.width_px / 2 + MARGIN_PX
    return near & (along <= line.length_px / 2 + MARGIN_PX)


def trail_sides(phot: PsfPhotometry, psf: Psf, places: Places) -> tuple[tuple[int, int], ...]:
    """Find the directions in which charge trails behind the stars: far more is left over there.

    Real neighbours lie on all sides alike.

    Parameters
    ----------
    places : tuple of (m,) float arrays
        x and y of what was found where the stars were taken off.

    Returns
    -------
    tuple of (column, row)
        Each -1, 0 or 1; empty where no side has more than others.
    """
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1))
    count = np.array([_along(phot, psf, places, side).sum() for side in sides])
    usual = float(np.sort(count)[:2].mean())
    odd = count > usual + TRAIL_ODDS * np.sqrt(usual + 1)
    return tuple(side for side, is_odd in zip(sides, odd, strict=True) if is_odd)


def in_trails(
    phot: PsfPhotometry, psf: Psf, places: Places, trails: tuple[tuple[int, int], ...]
) -> np.ndarray:
    """Tell which places, (n,), lie in line with a far brighter source, on a side of `trails`.

    trails: as `trail_sides` gives them.
    """
    inside = np.zeros(len(places[0]), dtype=bool)
    for side in trails:
        inside |= _along(phot, psf, places, side)
    return inside


def _along(phot: PsfPhotometry, psf: Psf, places: Places, direction: tuple[int, int]) -> np.ndarray:
    """Tell places that lie in one direction (column, row) of a source, in line with it."""
    from scipy.spatial import cKDTree

    x, y = places
    half, length = (k * psf.fwhm for k in TRAIL_FWHM)
    near = cKDTree(np.column_stack([phot.x, phot.y])).query_ball_point(
        np.column_stack([x, y]), length
    )
    place = np.repeat(np.arange(len(x)), [len(group) for group in near])
    source = np.concatenate([np.asarray(g, dtype=int) for g in near]) if len(near) else place
    du, dv = x[place] - phot.x[source], y[place] - phot.y[source]
    column, row = direction
    along, across = du * column + dv * row, np.abs(du * row - dv * column)
    low = _height(phot, x, y)[place] < TRAIL_SHARE * phot.flux[source] * psf.grid.max()
    found = np.zeros(len(x), dtype=bool)
    found[place[low & (along > half) & (across < half)]] = True
    return found


def _height(phot: PsfPhotometry, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return phot.residual[np.rint(y).astype(int), np.rint(x).astype(int)]
