"""Transforms that the triangles of bright stars call for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightcurve.astrometry.pattern import (
    LEVELS,
    SCALE_TOLERANCE,
    ReferencePattern,
    Triangles,
    triangles,
)
from lightcurve.astrometry.transform import as_matrix

# First and last in brightness of the frame's stars, and level of the reference, in each stage. The
# last leaves the brightest out: a satellite's trail can be brighter than any star.
STAGES = ((0, 10, 0), (0, 18, 1), (0, 18, 2), (0, 30, 2), (30, 60, 2))
# After all those, where most of the brightest crowd together as on a trail, stars that keep this
# distance from brighter ones: few of the trail are left.
SPARSE_PX, N_SPARSE, CROWDED = 30.0, 40, 0.6
N_TRIED = 8  # proposals of each stage, most seconded first
FIT_PX = 2.0  # how far the corners of like triangles may lie apart
ALIKE_PX = 6.0  # proposals this near one another in the corners of the frame are one


def hypotheses(stars: np.ndarray, reference: ReferencePattern) -> Iterator[np.ndarray]:
    """Yield transforms worth a check, from few bright stars to many.

    Parameters
    ----------
    stars : (n, 2) float array
        Of the frame, brightest first.
    reference : ReferencePattern

    Yields
    ------
    (2, 3) float array
    """
    done = set()
    for first, last, level in STAGES:
        stage = first, min(last, len(stars)), min(LEVELS[level], len(reference.x))
        if stage not in done:
            done.add(stage)
            yield from _proposals(stars[first:last], reference.levels[level], reference)
    brightest = stars[: STAGES[-1][1]]
    if len(_sparse(brightest)) < CROWDED * len(brightest):
        yield from _proposals(_sparse(stars)[:N_SPARSE], reference.levels[-1], reference)


def _sparse(stars: np.ndarray) -> np.ndarray:
    """Leave out stars that are close to a brighter one that stays."""
    left, chosen = stars, []
    while len(left):
        chosen.append(left[0])
        left = left[np.hypot(*(left - left[0]).T) > SPARSE_PX]
    return np.array(chosen).reshape(-1, 2)


def _proposals(
    stars: np.ndarray, theirs: Triangles, reference: ReferencePattern
) -> Iterator[np.ndarray]:
    """Yield transforms that pairs of like triangles call for, most seconded first."""
    from scipy.spatial import cKDTree

    ours = triangles(stars)
    if not len(ours.corners) or not len(theirs.corners):
        return
    row, column = _like_pairs(ours, theirs)
    here = (stars @ (1, 1j))[ours.corners[row]]
    there = (reference.x + 1j * reference.y)[theirs.corners[column]]
    # A frame may show the sky mirrored: then the conjugate of the reference is what turns.
    plain, mirrored = _similarities(here, there), _similarities(here, there.conj())
    turn, shift = np.concatenate([plain, mirrored], axis=1)
    flipped = np.repeat([False, True], [plain.shape[1], mirrored.shape[1]])
    if not len(turn):
        return
    # Two far points of the reference, carried over, tell proposals apart in pixels.
    ny, nx = reference.shape
    ends = np.array([0, nx + 1j * ny])
    carried = turn[:, None] * np.where(flipped[:, None], ends.conj(), ends) + shift[:, None]
    place = np.column_stack([carried.real, carried.imag, 1e6 * flipped])
    crowd = cKDTree(place)
    votes = crowd.query_ball_point(place, ALIKE_PX, p=np.inf, return_length=True)
    for _ in range(N_TRIED):
        leader = int(votes.argmax())
        if votes[leader] < 1:
            return
        near = crowd.query_ball_point(place[leader], ALIKE_PX, p=np.inf)
        votes[near] = 0
        yield as_matrix(_median(turn[near]), _median(shift[near]), mirrored=flipped[leader])


def _like_pairs(ours: Triangles, theirs: Triangles) -> tuple[np.ndarray, np.ndarray]:
    """Rows of triangles that agree in shape, and in size within the tolerance of scale."""
    pairs = ours.tree.sparse_distance_matrix(theirs.tree, 1.0, p=np.inf, output_type="ndarray")
    order = np.lexsort((pairs["j"], pairs["i"]))
    return pairs["i"][order], pairs["j"][order]


def _similarities(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Fit ``here = turn * there + shift`` to pairs of triangles; poor pairs are left out."""
    mean_here, mean_there = here.mean(axis=1), there.mean(axis=1)
    a, b = here - mean_here[:, None], there - mean_there[:, None]
    turn = (a * b.conj()).sum(axis=1) / (np.abs(b) ** 2).sum(axis=1)
    rest = np.abs(a - turn[:, None] * b).max(axis=1)
    good = (rest < FIT_PX) & (np.abs(np.abs(turn) - 1) < SCALE_TOLERANCE)
    return np.array([turn[good], (mean_here - turn * mean_there)[good]])


def _median(values: np.ndarray) -> complex:
    return complex(np.median(values.real), np.median(values.imag))
