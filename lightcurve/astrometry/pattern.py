"""Star triangles: the same whatever the shift, the turn, or the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

RATIO_TOLERANCE = 0.008  # of side ratios: a star moved by 1 px in a triangle of 125 px
SCALE_TOLERANCE = 0.05  # frames of one camera; more than any focus or temperature does
MIN_SIDE_PX = 15.0  # shorter sides say little about direction
LEVELS = (16, 30, 50)  # brightest reference stars: few settle most frames, more the odd ones


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """Triangles of some stars, ready to be looked up by shape and size.

    Attributes
    ----------
    corners : (m, 3) int array
        Stars of each triangle, in the order of the sides they face, shortest first.
    tree : scipy.spatial.cKDTree
        Of the invariants that `triangles` gives.
    """

    corners: np.ndarray
    tree: cKDTree


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePattern:
    """The stars of the reference frame, and the triangles of the brightest.

    Attributes
    ----------
    x, y : (n,) float arrays
        All stars, brightest first, pixels.
    shape : tuple of int
        (ny, nx).
    levels : tuple of Triangles
        Of the `LEVELS` brightest stars.
    """

    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, int]
    levels: tuple[Triangles, ...]

    def __reduce__(self) -> tuple:
        """Travel to other processes without the triangles: they are quicker made than sent."""
        rank = -np.arange(len(self.x), dtype=float)
        return make_reference, (self.x, self.y, rank, self.shape)


def make_reference(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, shape: tuple[int, int]
) -> ReferencePattern:
    """Prepare the reference frame's stars for matching.

    Parameters
    ----------
    x, y, flux : (n,) float arrays
        Stars in any order, pixels and ADU; those with a NaN are left out.
    shape : tuple of int
        (ny, nx).
    """
    stars = brightest_first(x, y, flux)
    levels = tuple(triangles(stars[:n]) for n in LEVELS)
    return ReferencePattern(stars[:, 0], stars[:, 1], (shape[0], shape[1]), levels)


def brightest_first(x: np.ndarray, y: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Order stars by flux, equal ones by place, so that the order given does not matter.

    x, y, flux: (n,) float arrays.
    Returns (m, 2) float array, x and y of the stars without a NaN.
    """
    stars = np.column_stack([x, y]).astype(float)
    brightness = np.asarray(flux, dtype=float)
    good = np.isfinite(stars).all(axis=1) & np.isfinite(brightness)
    stars, brightness = stars[good], brightness[good]
    return stars[np.lexsort((stars[:, 1], stars[:, 0], -brightness))]


@lru_cache(maxsize=16)
def _triples(n: int) -> np.ndarray:
    return np.array(list(combinations(range(n), 3)), dtype=np.int32).reshape(-1, 3)


def triangles(stars: np.ndarray) -> Triangles:
    """Form all triangles of some stars.

    The invariants are the shortest and the middle side over the longest, both over
    `RATIO_TOLERANCE`, and the logarithm of the longest over `SCALE_TOLERANCE`: one unit of
    distance is one tolerance. Corner k faces side k, and sides ascend, so that like triangles list
    like corners in the same place.

    stars: (n, 2) float array, pixels.
    Without those that have a side under `MIN_SIDE_PX`.
    """
    from scipy.spatial import cKDTree

    corners = _triples(len(stars))
    points = (stars @ (1, 1j))[corners]
    sides = np.abs(points[:, [1, 2, 0]] - points[:, [2, 0, 1]])
    order = np.argsort(sides, axis=1, kind="stable")
    sides = np.take_along_axis(sides, order, axis=1)
    wide = sides[:, 0] >= MIN_SIDE_PX
    sides, corners = sides[wide], np.take_along_axis(corners, order, axis=1)[wide]
    shortest, middle, longest = sides.T
    invariants = np.column_stack(
        [
            shortest / longest / RATIO_TOLERANCE,
            middle / longest / RATIO_TOLERANCE,
            np.log(longest) / SCALE_TOLERANCE,
        ]
    )
    return Triangles(corners, cKDTree(invariants))
