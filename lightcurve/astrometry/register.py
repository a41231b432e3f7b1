"""Register a frame to the reference by its star pattern alone.

Triangles of bright stars that look alike propose a transform; proposals that agree with one
another are checked against all stars; the result is believed only when the number of stars that
then coincide cannot be chance. Nothing is remembered from one frame to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from lightcurve.astrometry.pattern import SCALE_TOLERANCE, ReferencePattern, triangles
from lightcurve.data import Registration
from lightcurve.errors import RegistrationError

STAGES = (10, 18, 30)  # brightest stars of the frame whose triangles are tried
MATCH_PX = 2.0
MIN_MATCHED = 6
MAX_FALSE_PROBABILITY = 1e-6
N_VERIFIED = 8  # proposals checked in each stage, most seconded first
AFFINE_FROM = 12  # matched stars; fewer fix a similarity only


def register(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, reference: ReferencePattern
) -> Registration:
    """Find the transform from the reference frame to this one.

    Parameters
    ----------
    x, y, flux : (n,) float arrays
        Stars of this frame, in any order, pixels and ADU.
    reference : ReferencePattern

    Returns
    -------
    Registration

    Raises
    ------
    RegistrationError
        When no transform brings enough stars together: the most that did is in its message.
    """
    from scipy.spatial import cKDTree

    order = np.lexsort((y, x, -np.asarray(flux)))
    stars = np.column_stack([x, y])[order].astype(float)
    best = None
    if len(stars) >= MIN_MATCHED:
        tree = cKDTree(stars)
        tried = 0
        for n_bright in STAGES:
            for matrix in _proposals(stars[:n_bright], reference):
                tried += 1
                found = _verify(matrix, stars, tree, reference, tried)
                if best is None or found.n_matched > best.n_matched:
                    best = found
                if _believable(found):
                    return found
            if n_bright >= len(stars):
                break
    matched = best.n_matched if best else 0
    msg = (
        f"its stars do not match the reference: at most {matched} of {len(stars)} coincide, "
        f"{MIN_MATCHED} are needed (clouds, trailing, or another field?)"
    )
    raise RegistrationError(
        msg, n_detected=len(stars), n_catalog=len(reference.x), best=float(matched)
    )


def _believable(found: Registration) -> bool:
    return (
        found.n_matched >= MIN_MATCHED
        and found.false_match_probability < MAX_FALSE_PROBABILITY
        and abs(found.scale - 1) <= SCALE_TOLERANCE
    )


@lru_cache(maxsize=2)
def _patterns(reference: ReferencePattern) -> object:
    """Tree of the reference's triangles: built once a night, not once a frame."""
    from scipy.spatial import cKDTree

    return cKDTree(reference.invariants)


def _proposals(stars: np.ndarray, reference: ReferencePattern) -> Iterator[np.ndarray]:
    """Yield transforms that pairs of like triangles call for, most seconded first."""
    from scipy.spatial import cKDTree

    corners, invariants = triangles(stars[:, 0], stars[:, 1])
    if not len(corners) or not len(reference.corners):
        return
    pairs = cKDTree(invariants).sparse_distance_matrix(
        _patterns(reference), 1.5, p=np.inf, output_type="coo_matrix"
    )
    here = (stars[:, 0] + 1j * stars[:, 1])[corners[pairs.row]]
    there = (reference.x + 1j * reference.y)[reference.corners[pairs.col]]
    # A frame may show the sky mirrored: then the conjugate of the reference is what turns.
    plain, mirrored = _similarities(here, there), _similarities(here, there.conj())
    turn, shift = np.concatenate([plain[0], mirrored[0]]), np.concatenate([plain[1], mirrored[1]])
    flipped = np.repeat([False, True], [len(plain[0]), len(mirrored[0])])
    if not len(turn):
        return
    # Two far points of the reference, carried over, tell proposals apart in pixels.
    ny, nx = reference.shape
    ends = np.array([0, nx + 1j * ny])
    carried = turn[:, None] * np.where(flipped[:, None], ends.conj(), ends) + shift[:, None]
    place = np.column_stack([carried.real, carried.imag, 1e4 * flipped])
    crowd = cKDTree(place)
    votes = crowd.query_ball_point(place, 6.0, p=np.inf, return_length=True)
    taken = np.zeros(len(turn), dtype=bool)
    for _ in range(N_VERIFIED):
        free = np.where(taken, -1, votes)
        leader = int(free.argmax())
        if free[leader] < 1:
            return
        near = crowd.query_ball_point(place[leader], 6.0, p=np.inf)
        taken[near] = True
        yield _matrix(np.median(turn[near]), np.median(shift[near]), mirrored=flipped[leader])


def _similarities(here: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares ``here = turn * there + shift`` of triangles; poor ones are left out."""
    mean_here, mean_there = here.mean(axis=1), there.mean(axis=1)
    a, b = here - mean_here[:, None], there - mean_there[:, None]
    turn = (a * b.conj()).sum(axis=1) / (np.abs(b) ** 2).sum(axis=1)
    rest = np.abs(a - turn[:, None] * b).max(axis=1)
    good = (rest < MATCH_PX) & (np.abs(np.abs(turn) - 1) < SCALE_TOLERANCE)
    return turn[good], (mean_here - turn * mean_there)[good]


def _matrix(turn: complex, shift: complex, *, mirrored: bool) -> np.ndarray:
    """Write ``z -> turn * z + shift`` (of the conjugate of z where mirrored) as a matrix."""
    c, s = turn.real, turn.imag
    sign = -1.0 if mirrored else 1.0
    return np.array([[c, -sign * s, shift.real], [s, sign * c, shift.imag]])


def _verify(
    matrix: np.ndarray, stars: np.ndarray, tree: object, reference: ReferencePattern, tried: int
) -> Registration:
    """Match all stars under a transform, refine it, and weigh the outcome against chance."""
    points = np.column_stack([reference.x, reference.y, np.ones(len(reference.x))])
    for tolerance in (3 * MATCH_PX, MATCH_PX, MATCH_PX):
        here, there = _match(points @ matrix.T, tree, tolerance)
        if len(here) < 3:
            break
        matrix = _fit(points[there], stars[here])
    here, there = _match(points @ matrix.T, tree, MATCH_PX)
    rest = stars[here] - points[there] @ matrix.T
    rms = float(np.sqrt(np.mean(rest**2))) if len(here) else float("nan")
    linear = matrix[:, :2]
    determinant = float(np.linalg.det(linear))
    return Registration(
        matrix=matrix,
        n_matched=len(here),
        rms_px=rms,
        rotation_deg=float(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))),
        scale=float(np.sqrt(abs(determinant))),
        mirrored=determinant < 0,
        false_match_probability=_chance(points @ matrix.T, stars, len(here), reference, tried),
    )


def _match(predicted: np.ndarray, tree: object, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Pair frame stars with predicted ones, each with its nearest and only if mutual."""
    distance, nearest = tree.query(predicted, distance_upper_bound=tolerance)
    there = np.flatnonzero(np.isfinite(distance))
    there = there[np.argsort(distance[there], kind="stable")]
    here, first = np.unique(nearest[there], return_index=True)
    return here, there[first]


def _fit(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit an affine transform, or a similarity to few stars, dropping poor matches once."""
    solve = _affine if len(points) >= AFFINE_FROM else _similarity
    matrix = solve(points, stars)
    rest = np.hypot(*(stars - points @ matrix.T).T)
    good = rest <= max(3 * float(np.median(rest)), 0.05)
    return solve(points[good], stars[good]) if good.sum() >= MIN_MATCHED else matrix


def _affine(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(points, stars, rcond=None)[0].T


def _similarity(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit the better of the plain and the mirrored similarity."""
    here, there = stars @ (1, 1j), points[:, :2] @ (1, 1j)
    fits = []
    for mirrored in (False, True):
        b = there.conj() if mirrored else there
        centred = b - b.mean()
        turn = ((here - here.mean()) * centred.conj()).sum() / (np.abs(centred) ** 2).sum()
        matrix = _matrix(turn, here.mean() - turn * b.mean(), mirrored=mirrored)
        fits.append((float(((stars - points @ matrix.T) ** 2).sum()), mirrored, matrix))
    return min(fits)[2]


def _chance(
    predicted: np.ndarray,
    stars: np.ndarray,
    n_matched: int,
    reference: ReferencePattern,
    tried: int,
) -> float:
    """Chance that unrelated stars coincide so often, under any of the transforms tried.

    Of N reference stars inside the frame each has a star within the tolerance by chance with
    p = n pi t^2 / A. Three are spent on fixing the transform; the binomial tail of the rest,
    times the number of transforms that could have been proposed and tried, is the answer.
    """
    from scipy.special import bdtrc

    ny, nx = reference.shape
    inside = (
        (predicted[:, 0] > -MATCH_PX)
        & (predicted[:, 0] < nx + MATCH_PX)
        & (predicted[:, 1] > -MATCH_PX)
        & (predicted[:, 1] < ny + MATCH_PX)
    ).sum()
    p = min(len(stars) * np.pi * MATCH_PX**2 / (nx * ny), 1.0)
    free = max(int(inside) - 3, 0)
    tail = float(bdtrc(n_matched - 4, free, p)) if n_matched > 3 else 1.0
    return min(tail * tried * 100.0, 1.0)
