"""Star triangles: the same whatever the shift, the turn, or the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

RATIO_TOLERANCE = 0.008  # of side ratios: a star moved by 1 px in a triangle of 125 px
SCALE_TOLERANCE = 0.05  # frames of one camera; more than any focus or temperature does
MIN_SIDE_PX = 15.0  # shorter sides say little about direction
N_REFERENCE = 50


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePattern:
    """The stars of the reference frame, and the triangles of the brightest.

    Attributes
    ----------
    x, y : (n,) float arrays
        All stars, brightest first, pixels.
    shape : tuple of int
        (ny, nx).
    corners : (m, 3) int array
        Stars of each triangle, in the order of the sides they face, shortest first.
    invariants : (m, 3) float array
        See `triangle_invariants`.
    """

    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, int]
    corners: np.ndarray
    invariants: np.ndarray


def make_reference(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, shape: tuple[int, int]
) -> ReferencePattern:
    """Prepare the reference frame's stars for matching.

    Parameters
    ----------
    x, y, flux : (n,) float arrays
        Stars in any order, pixels and ADU.
    shape : tuple of int
        (ny, nx).

    Returns
    -------
    ReferencePattern
    """
    order = np.lexsort((y, x, -np.asarray(flux)))
    x, y = np.asarray(x, dtype=float)[order], np.asarray(y, dtype=float)[order]
    corners, invariants = triangles(x[:N_REFERENCE], y[:N_REFERENCE])
    return ReferencePattern(x, y, tuple(shape), corners, invariants)


@lru_cache(maxsize=8)
def _triples(n: int) -> np.ndarray:
    return np.array(list(combinations(range(n), 3)), dtype=np.int32).reshape(-1, 3)


def triangles(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Form all triangles of some stars.

    Parameters
    ----------
    x, y : (n,) float arrays
        Pixels.

    Returns
    -------
    corners : (m, 3) int array
        Corner k faces side k; sides ascend, so that equal triangles list equal corners in the
        same place.
    invariants : (m, 3) float array
        Shortest over longest side, middle over longest, both over `RATIO_TOLERANCE`, and the
        logarithm of the longest over `SCALE_TOLERANCE`: one unit is one tolerance.
    """
    corners = _triples(len(x))
    z = x + 1j * y
    points = z[corners]
    sides = np.abs(points[:, [1, 2, 0]] - points[:, [2, 0, 1]])
    order = np.argsort(sides, axis=1)
    sides = np.take_along_axis(sides, order, axis=1)
    corners = np.take_along_axis(corners, order, axis=1)
    wide = sides[:, 0] >= MIN_SIDE_PX
    sides, corners = sides[wide], corners[wide]
    longest = sides[:, 2]
    invariants = np.column_stack(
        [
            sides[:, 0] / longest / RATIO_TOLERANCE,
            sides[:, 1] / longest / RATIO_TOLERANCE,
            np.log(longest) / SCALE_TOLERANCE,
        ]
    )
    return corners, invariants
