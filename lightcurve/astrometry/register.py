"""Register a frame to the reference by its star pattern alone.

Triangles of bright stars that look alike propose a transform; proposals that agree with one
another are checked against all stars; the result is believed only when the number of stars that
then coincide cannot be chance. Nothing is remembered from one frame to the next.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.chance import false_match_probability
from lightcurve.astrometry.pattern import (
    SCALE_TOLERANCE,
    ReferencePattern,
    brightest_first,
    make_reference,
)
from lightcurve.astrometry.propose import hypotheses
from lightcurve.astrometry.transform import apply, fit_similarity, fit_transform
from lightcurve.data import Registration
from lightcurve.errors import RegistrationError

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

MATCH_PX = 2.0
MIN_MATCHED = 6
MAX_FALSE_PROBABILITY = 1e-6
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
STILL_PX = 1.5  # what moves no corner of the frame farther may be artefacts that stand still
CLEAR_MAJORITY = 0.6


def register(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, reference: ReferencePattern
) -> Registration:
    """Find the transform from the reference frame to this one.

    Any shift, any rotation, mirrored or not, scale within `SCALE_TOLERANCE`. Hot pixels stay where
    they are while stars move: of two patterns the one that moves is taken.

    Parameters
    ----------
    x, y, flux : (n,) float arrays
        Stars of this frame, in any order, pixels and ADU; those with a NaN are left out.
    reference : ReferencePattern

    Returns
    -------
    Registration
        With its `false_match_probability` below `MAX_FALSE_PROBABILITY`.

    Raises
    ------
    RegistrationError
        When there are too few stars, or no transform brings enough of them together.
    """
    stars = brightest_first(x, y, flux)
    n, m = len(stars), len(reference.x)
    if min(n, m) < MIN_MATCHED:
        msg = (
            f"{n} stars in the frame and {m} in the reference, {MIN_MATCHED} are needed in both "
            "(clouds, or out of focus?)"
        )
        raise RegistrationError(msg, n_detected=n, n_catalog=m)
    found, best = _search(stars, reference)
    if found is None:
        msg = (
            f"its stars do not match the reference: at most {best} of {n} coincide with its {m}, "
            "which may be chance (clouds, trailing, or another field?)"
        )
        raise RegistrationError(msg, n_detected=n, n_catalog=m, best=float(best))
    return found


def _search(stars: np.ndarray, reference: ReferencePattern) -> tuple[Registration | None, int]:
    """Check transforms until one is believed; tell also how many stars the best one matched."""
    from scipy.spatial import cKDTree

    points = np.column_stack([reference.x, reference.y])
    tree, most = cKDTree(stars), 0
    # Standing still comes first: a grid of hot pixels also fits itself turned or moved by a row.
    still = [(STILL, MATCH_PX)]
    proposed = ((matrix, 3 * MATCH_PX) for matrix in hypotheses(stars, reference))
    for guess, reach in chain(still, proposed):
        matrix, here, there = _refine(guess, reach, stars, tree, points)
        most = max(most, len(here))
        found = _judge(matrix, stars[here], points[there], points, tree, reference.shape)
        if found is not None:
            if _may_be_artefacts(found, stars, reference):
                rest = np.delete(stars, here, axis=0), np.delete(points, there, axis=0)
                return _among_the_rest(*rest, reference.shape) or found, most
            return found, most
    return None, most


def _refine(
    matrix: np.ndarray, reach: float, stars: np.ndarray, tree: cKDTree, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a proposed transform to the stars that it brings together, at first within `reach`."""
    for tolerance in (reach, MATCH_PX, MATCH_PX):
        here, there = _match(apply(matrix, points), tree, tolerance)
        if len(here) < MIN_MATCHED:
            return matrix, here, there
        matrix = fit_transform(points[there], stars[here])
    return matrix, *_match(apply(matrix, points), tree, MATCH_PX)


def _match(predicted: np.ndarray, tree: cKDTree, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Pair predicted places with the frame's stars, one to one, the closest first."""
    distance, nearest = tree.query(predicted, distance_upper_bound=tolerance)
    there = np.flatnonzero(np.isfinite(distance))
    there = there[np.argsort(distance[there], kind="stable")]
    here, first = np.unique(nearest[there], return_index=True)
    return here, there[first]


def _judge(
    matrix: np.ndarray,
    here: np.ndarray,
    there: np.ndarray,
    points: np.ndarray,
    tree: cKDTree,
    shape: tuple[int, int],
) -> Registration | None:
    """Believe a transform, or not, by its matched stars (`here` in the frame)."""
    if len(here) < MIN_MATCHED:
        return None
    determinant = float(np.linalg.det(matrix[:, :2]))
    scale = float(np.sqrt(abs(determinant)))
    similarity = fit_similarity(there, here)
    off = np.hypot(*(here - apply(similarity, there)).T)
    chance = false_match_probability(off, apply(matrix, points), tree, shape)
    if chance >= MAX_FALSE_PROBABILITY or abs(scale - 1) > SCALE_TOLERANCE:
        return None
    return Registration(
        matrix=matrix,
        n_matched=len(here),
        rms_px=float(np.sqrt(np.mean((here - apply(matrix, there)) ** 2))),
        rotation_deg=float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))),
        scale=scale,
        mirrored=determinant < 0,
        false_match_probability=chance,
    )


def _may_be_artefacts(found: Registration, stars: np.ndarray, reference: ReferencePattern) -> bool:
    """Tell whether a pattern stands still and leaves many stars of both frames unmatched."""
    ny, nx = reference.shape
    corners = np.array([[0, 0], [nx, 0], [0, ny], [nx, ny]], dtype=float)
    moved = np.hypot(*(apply(found.matrix, corners) - corners).T).max()
    fewer = min(len(stars), len(reference.x))
    return moved < STILL_PX and found.n_matched < CLEAR_MAJORITY * fewer


def _among_the_rest(
    stars: np.ndarray, points: np.ndarray, shape: tuple[int, int]
) -> Registration | None:
    """Register the stars that a pattern standing still leaves over."""
    if min(len(stars), len(points)) < MIN_MATCHED:
        return None
    rank = -np.arange(len(points), dtype=float)
    return _search(stars, make_reference(points[:, 0], points[:, 1], rank, shape))[0]
