"""A frame brought to another grid of pixels once: a spline through its good pixels, flux conserved.

The cubic spline that goes through every pixel keeps a sum of light, and what is fainter than the
noise of one pixel; its kernel is short enough that a hole stays a hole. Whatever is between pixels
is a mean of several, so that the noise of one pixel is lower, and that of a sum is not:
`variance_share` tells by how much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

ORDER = 3
STEP = 32  # px between nodes: a distortion of 10 px in a corner is straight to 0.002 px within one
# A pixel that rests on bad ones by more has no value: what they are filled with may be off by half.
MAX_HOLE = 0.1
FILL_PX = 1.0  # Gaussian by which a bad pixel is filled from those around it
PHASES = 64
SOME_ROWS = 13  # of so many one tells of the grid's noise: phases repeat in no such step
Transform = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """Where the pixels of a grid lie in a frame.

    x, y, area : (my, mx) float arrays, at nodes `STEP` apart: pixels of the frame, and how many of
    its pixels one of the grid covers. shape : (ny, nx) of the grid. side : of one of its pixels, in
    those of the frame; 0 where none lies in its hemisphere.
    """

    x: np.ndarray
    y: np.ndarray
    area: np.ndarray
    shape: tuple[int, int]
    side: float

    def at(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Places in the frame of some rows of the grid: x, y, (n, nx) float arrays."""
        return spread(self.x, rows, self.shape[1]), spread(self.y, rows, self.shape[1])

    def meets(self, frame: tuple[int, int]) -> bool:
        """Tell whether a node lies within a step of the frame, of so many rows and columns."""
        step = 1.5 * STEP * np.sqrt(self.area)
        beside = [np.maximum(-v, v - n) for v, n in ((self.x, frame[1]), (self.y, frame[0]))]
        return bool((np.maximum(*beside) < step).any())


def map_grid(to_frame: Transform, shape: tuple[int, int]) -> Mapping:
    """Follow a transform from a grid (ny, nx) to a frame, at the nodes."""
    rows, columns = (STEP * np.arange(-(-n // STEP) + 1, dtype=float) for n in shape)
    u, v = np.meshgrid(columns, rows)
    x, y = (one.reshape(u.shape) for one in to_frame(u.ravel(), v.ravel()))
    # Over a pixel about the node, so that it is right also where the grid is one cell small.
    ends = [to_frame(u.ravel() + du, v.ravel() + dv) for du, dv in (
        (0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]  # fmt: skip
    (x1, y1), (x0, y0), (x3, y3), (x2, y2) = ends
    area = np.abs((x1 - x0) * (y3 - y2) - (x3 - x2) * (y1 - y0)).reshape(u.shape)
    known = area[np.isfinite(area)]
    return Mapping(x, y, area, shape, float(np.median(known)) ** 0.5 if known.size else 0.0)


def spread(nodes: np.ndarray, rows: slice, nx: int) -> np.ndarray:
    """Values at nodes (my, mx) brought to every pixel of some rows, by straight lines: (n, nx)."""
    column = np.arange(nx) / STEP
    i = column.astype(int)
    first, last = rows.start // STEP, -(-rows.stop // STEP)
    some = nodes[first : last + 1]
    lines = some[:, i] + (column - i) * (some[:, i + 1] - some[:, i])
    found = np.empty((rows.stop - rows.start, nx))
    for j in range(last - first):  # the rows between two nodes
        begin = (first + j) * STEP
        row = np.arange(max(begin, rows.start), min(begin + STEP, rows.stop))
        at = found[row[0] - rows.start : row[-1] + 1 - rows.start]
        np.multiply(((row - begin) / STEP)[:, None], lines[j + 1] - lines[j], out=at)
        at += lines[j]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A frame as a surface with holes: (ny, nx) float32 coefficients of its spline, and holes."""

    coefficients: np.ndarray
    holes: np.ndarray
    full: np.ndarray

    @classmethod
    def of(cls, light: np.ndarray, holes: np.ndarray, full: np.ndarray) -> Surface:
        """Lay the surface.

        light: (ny, nx) float32; holes, full: (ny, nx) bool, not to be used, and saturated.
        """
        from scipy.ndimage import spline_filter

        filled = _filled(light, holes)
        smooth = spline_filter(filled, order=ORDER, output=np.float32, mode="mirror")
        return cls(smooth, holes.astype(np.float32), full.astype(np.float32))

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Light at some places (n, nx): float32, NaN beside the frame and at holes."""
        from scipy.ndimage import map_coordinates

        places = np.stack([y, x])
        light = map_coordinates(
            self.coefficients, places, order=ORDER, prefilter=False, mode="mirror",
            output=np.float32,
        )  # fmt: skip
        hole = map_coordinates(self.holes, places, order=1, mode="constant", cval=1.0)
        light[hole > MAX_HOLE] = np.nan
        return light

    def full_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether a place rests on a saturated pixel: (n, nx) bool."""
        from scipy.ndimage import map_coordinates

        return map_coordinates(self.full, np.stack([y, x]), order=1, mode="constant") > 0


def _filled(light: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Fill holes by a Gaussian mean of what is around; what has nothing near is 0, the sky."""
    from scipy.ndimage import gaussian_filter

    if not holes.any():
        return light
    known = np.where(holes, np.float32(0), light)
    weight = gaussian_filter((~holes).astype(np.float32), FILL_PX)
    mean = gaussian_filter(known, FILL_PX) / np.maximum(weight, 1e-3)
    return np.where(holes, mean, light).astype(np.float32)


def resample_rows(surface: Surface, mapping: Mapping, rows: slice) -> np.ndarray:
    """Light of some rows of the grid, with that of all pixels of the frame that one covers.

    Returns (n, nx) float32, NaN where there is none. Where a pixel of the grid is larger than one
    of the frame, the mean of several places in it stands for its light.
    """
    n = places_within(mapping)
    x, y = mapping.at(rows)
    if n == 1:
        light = surface.at(x, y)
    else:
        # Steps within a pixel of the grid, carried over by how places differ between pixels.
        xu, xv = _steps(mapping.x, rows, mapping.shape[1])
        yu, yv = _steps(mapping.y, rows, mapping.shape[1])
        within = (np.arange(n) + 0.5) / n - 0.5
        light = sum(
            (surface.at(x + u * xu + v * xv, y + u * yu + v * yv) for u in within for v in within),
            start=np.zeros(x.shape, np.float32),
        ) / np.float32(n * n)
    return light * spread(mapping.area, rows, mapping.shape[1]).astype(np.float32)


def places_within(mapping: Mapping) -> int:
    """How many places along each side of a pixel of the grid stand for its light."""
    return max(1, round(mapping.side))


def _steps(nodes: np.ndarray, rows: slice, nx: int) -> tuple[np.ndarray, np.ndarray]:
    """How values at nodes grow from one column, and one row, to the next: (n, nx) each."""
    return (
        spread(np.gradient(nodes, STEP, axis=1), rows, nx),
        spread(np.gradient(nodes, STEP, axis=0), rows, nx),
    )


def variance_share(mapping: Mapping, rows: slice) -> np.ndarray:
    """Tell what one pixel has of the variance that a sum of many has per pixel: (n, nx).

    Of white noise in the frame: 1 on the middle of a pixel, 0.57 between four.
    """
    table = _shares(places_within(mapping), round(mapping.side, 3))
    x, y = mapping.at(rows)
    u, v = ((PHASES * (one - np.floor(one))).astype(np.int32) for one in (x, y))
    return table[u] * table[v]


def shared_noise(mapping: Mapping) -> float:
    """Tell the noise of a sum in that of its pixels in quadrature, of white noise in the frame.

    The median over the grid; 1 where pixels lie on those of the frame.
    """
    ny, _ = mapping.shape
    rows = (slice(j, j + 1) for j in range(0, ny, SOME_ROWS))
    return float(np.median(np.concatenate([variance_share(mapping, one) for one in rows]))) ** -0.5


@lru_cache(maxsize=8)
def _shares(n: int, side: float) -> np.ndarray:
    """Sum the squares of the weights along one axis, by phase: (`PHASES` + 1,) float32."""
    from scipy.ndimage import map_coordinates, spline_filter1d

    impulse = np.zeros(65)
    impulse[32] = 1.0
    kernel = spline_filter1d(impulse, order=ORDER)
    phase = (np.arange(PHASES + 1) + 0.5) / PHASES
    within = side * ((np.arange(n) + 0.5) / n - 0.5)
    places = phase[:, None, None] + within[:, None] - np.arange(-20, 21) + 32
    weights = map_coordinates(kernel, [places.ravel()], order=ORDER, prefilter=False)
    # As a share of what a pixel has when all its light is its own.
    mean = weights.reshape(places.shape).mean(axis=1)
    return ((mean**2).sum(axis=1) * side).astype(np.float32)
