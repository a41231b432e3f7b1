"""Register a frame to the reference by its star pattern alone.

Triangles of bright stars that look alike propose a transform; proposals that agree with one another
are checked against all stars; the result is believed only when the number of stars that then
coincide cannot be chance. Nothing is remembered from one frame to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.overlay import MAX_FALSE_PROBABILITY, MIN_MATCHED, local_density
from lightcurve.astrometry.transform import apply, as_matrix, fit_similarity, fit_transform
from lightcurve.core.data import Registration
from lightcurve.core.errors import RegistrationError, Why
from lightcurve.core.robust import medians

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["ReferencePattern", "make_reference", "register"]

RATIO_TOLERANCE = 0.008  # of side ratios: a star moved by 1 px in a triangle of 125 px
SCALE_TOLERANCE = 0.05  # frames of one camera; more than any focus or temperature does
MIN_SIDE_PX = 15.0  # shorter sides say little about direction
MIN_HEIGHT_PX = 3.0  # lower triangles are like their mirror images, and like all others in a line
# Pairs of triangles that are looked at, by the shortest side alone and alike in all. Stars spread
# at random make two million and ten thousand of them, and a grid, all of whose triangles are alike,
# a hundred times as many. Of more an even share is taken: the most seconded stays that in it.
MAX_PAIRS, MAX_LIKE = 4_000_000, 40_000
LEVELS = (16, 30, 50)  # brightest reference stars: few settle most frames, more the odd ones
# First and last in brightness of the frame's stars, and level of the reference, in each stage. The
# last leaves the brightest out: a satellite's trail can be brighter than any star.
STAGES = ((0, 10, 0), (0, 18, 1), (0, 18, 2), (0, 30, 2), (30, 60, 2))
# After all those, where most of the brightest crowd together as on a trail, stars that keep this
# distance from brighter ones: few of the trail are left.
SPARSE_PX, N_SPARSE, CROWDED = 30.0, 40, 0.6
N_TRIED = 8  # proposals of each stage, most seconded first
FIT_PX = 2.0  # how far the corners of like triangles may lie apart
ALIKE_PX = 6.0  # proposals this near one another in the corners of the frame are one
RADII_PX = (0.5, 1.0, 2.0)
MATCH_PX = 2.0
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
STILL_PX = 1.5  # what moves no corner of the frame farther may be artefacts that stand still
CLEAR_MAJORITY = 0.6
MAX_PLACES = 80  # where it is asked how dense the stars are


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """Triangles of some stars, ready to be looked up by shape and size."""

    # (3, m) int, stars of each triangle, in the order of the sides they face, shortest first
    corners: np.ndarray
    invariants: np.ndarray  # (3, m), see `triangles`; the first ascends


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePattern:
    """The stars of the reference frame.

    Attributes
    ----------
    x, y : (n,) float arrays
        All stars, brightest first, pixels.
    shape : tuple of int
        (ny, nx).
    flux : (n,) float array
        ADU.
    faintest : float
        Light of a star that would have been detected for certain, ADU.
    """

    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, int]
    flux: np.ndarray
    faintest: float


def make_reference(
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    shape: tuple[int, int],
    faintest: float = 0.0,
) -> ReferencePattern:
    """Prepare the reference frame's stars for matching.

    x, y, flux: (n,) float arrays, pixels and ADU, in any order; stars with a NaN are left out.
    shape: (ny, nx) of the frame.
    faintest: light of a star that would have been detected for certain, ADU.
    """
    stars = brightest_first(x, y, flux)
    size = (shape[0], shape[1])
    return ReferencePattern(stars[:, 0], stars[:, 1], size, stars[:, 2], faintest)


@lru_cache(maxsize=16)
def triangles_of(pattern: ReferencePattern, level: int) -> Triangles:
    """Make the triangles of the `LEVELS` brightest stars: few frames need more than the first."""
    n = LEVELS[level]
    return triangles(np.column_stack([pattern.x[:n], pattern.y[:n]]))


def register(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, reference: ReferencePattern
) -> Registration:
    """Find the transform from the reference frame to this one.

    Any shift, any rotation, mirrored or not, scale within `SCALE_TOLERANCE`. Hot pixels stay where
    they are while stars move: of two patterns the one that moves is taken. Its
    `false_match_probability` is below `MAX_FALSE_PROBABILITY`.

    Parameters
    ----------
    x, y, flux : (n,) float arrays
        Stars of this frame, in any order, pixels and ADU; those with a NaN are left out.

    Raises
    ------
    RegistrationError
        When there are too few stars, or no transform brings enough of them together.
    """
    stars = brightest_first(x, y, flux)[:, :2]
    n, m = len(stars), len(reference.x)
    if min(n, m) < MIN_MATCHED:
        msg = (
            f"{n} stars in the frame and {m} in the reference, {MIN_MATCHED} are needed in both "
            "(clouds, or out of focus?)"
        )
        raise RegistrationError(msg, n_detected=n, n_catalog=m, why=Why.TOO_FEW_STARS)
    found, best = _search(stars, reference)
    if found is None:
        msg = (
            f"its stars do not match the reference: at most {best} of {n} coincide with its {m}, "
            "which may be chance (clouds, trailing, or another field?)"
        )
        raise RegistrationError(msg, n_detected=n, n_catalog=m, best=float(best))
    return found


def brightest_first(x: np.ndarray, y: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Order stars by flux, equal ones by place, so that the order given does not matter.

    Returns (m, 3), x, y and flux of the stars without a NaN.
    """
    stars = np.column_stack([x, y, flux]).astype(float)
    stars = stars[np.isfinite(stars).all(axis=1)]
    return stars[np.lexsort((stars[:, 1], stars[:, 0], -stars[:, 2]))]


@lru_cache(maxsize=16)
def _triples(n: int) -> np.ndarray:
    return np.array(list(combinations(range(n), 3)), dtype=np.int32).reshape(-1, 3).T


def triangles(stars: np.ndarray) -> Triangles:
    """Form all triangles of some stars (n, 2), but those of a side or height under the least.

    The invariants are the shortest and the middle side over the longest, both over
    `RATIO_TOLERANCE`, and the logarithm of the longest over `SCALE_TOLERANCE`: one unit of
    distance is one tolerance. Corner k faces side k, and sides ascend, so that like triangles list
    like corners in the same place.
    """
    corners = _triples(len(stars))
    a, b, c = (stars @ (1, 1j))[corners]
    sides = np.abs([b - c, c - a, a - b])
    shortest, middle, longest = np.sort(sides, axis=0)
    area = ((b - a) * (c - a).conj()).imag  # twice that of the triangle
    wide = np.flatnonzero((shortest >= MIN_SIDE_PX) & (np.abs(area) >= MIN_HEIGHT_PX * longest))
    shape = shortest[wide] / longest[wide] / RATIO_TOLERANCE
    order = np.argsort(shape, kind="stable")
    row = wide[order]
    invariants = np.array(
        [
            shape[order],
            middle[row] / longest[row] / RATIO_TOLERANCE,
            np.log(longest[row]) / SCALE_TOLERANCE,
        ]
    )
    facing = np.argsort(sides[:, row], axis=0, kind="stable")
    return Triangles(np.take_along_axis(corners[:, row], facing, axis=0), invariants)


def hypotheses(stars: np.ndarray, reference: ReferencePattern) -> Iterator[np.ndarray]:
    """Yield transforms (2, 3) worth a check, from few of the brightest stars (n, 2) to many."""
    done = set()
    for first, last, level in STAGES:
        stage = first, min(last, len(stars)), min(LEVELS[level], len(reference.x))
        if stage not in done:
            done.add(stage)
            yield from _proposals(stars[first:last], triangles_of(reference, level), reference)
    brightest = stars[: STAGES[-1][1]]
    if len(_sparse(brightest)) < CROWDED * len(brightest):
        yield from _proposals(_sparse(stars)[:N_SPARSE], triangles_of(reference, -1), reference)


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
    row, column = _like_pairs(ours, theirs)
    here = (stars @ (1, 1j))[ours.corners[:, row]]
    there = (reference.x + 1j * reference.y)[theirs.corners[:, column]]
    # A frame may show the sky mirrored: then the conjugate of the reference is what turns.
    turn, shift, flipped = _similarities(here, there)
    if not len(turn):
        return
    # Two far points of the reference, carried over, tell proposals apart in pixels.
    ny, nx = reference.shape
    ends = np.array([[0], [nx + 1j * ny]])
    carried = turn * np.where(flipped, ends.conj(), ends) + shift
    place = np.vstack([carried.real, carried.imag, 1e6 * flipped]).T
    # Where more than half are alike no others can be seconded by more.
    alike = (np.abs(place - medians(place.T)) <= ALIKE_PX).all(axis=1)
    if 2 * np.count_nonzero(alike) > len(alike):
        yield _proposal(turn[alike], shift[alike], flipped[alike])
        turn, shift, flipped, place = (part[~alike] for part in (turn, shift, flipped, place))
        if not len(turn):
            return
    crowd = cKDTree(place)
    votes = crowd.query_ball_point(place, ALIKE_PX, p=np.inf, return_length=True)
    for _ in range(N_TRIED):
        leader = int(votes.argmax())
        if votes[leader] < 1:
            return
        near = crowd.query_ball_point(place[leader], ALIKE_PX, p=np.inf)
        votes[near] = 0
        yield _proposal(turn[near], shift[near], flipped[near])


def _like_pairs(ours: Triangles, theirs: Triangles) -> tuple[np.ndarray, np.ndarray]:
    """Rows of triangles that agree in shape, and in size within the tolerance of scale."""
    row, column = within(ours.invariants[0], theirs.invariants[0], 1.0, most=MAX_PAIRS)
    for one, other in zip(ours.invariants[1:], theirs.invariants[1:], strict=True):
        like = np.flatnonzero(np.abs(one[row] - other[column]) <= 1.0)
        row, column = row[like], column[like]
    share = -(-len(row) // MAX_LIKE) or 1
    return row[::share], column[::share]


def within(
    values: np.ndarray, rising: np.ndarray, reach: float, *, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find pairs of values (n,) and of others (m,), in rising order, as near as `reach`.

    Returns the rows of both, (k,) each. Of more than `most` pairs are those of every second value
    found, or every third, and so on.
    """
    first = np.searchsorted(rising, values - reach)
    count = np.searchsorted(rising, values + reach, side="right") - first
    share = -(-int(count.sum()) // most) or 1
    count[np.arange(len(count)) % share > 0] = 0
    row = np.repeat(np.arange(len(values)), count)
    before = np.cumsum(count) - count
    return row, np.arange(len(row)) + (first - before)[row]


def _similarities(here: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit ``here = turn * there + shift`` to pairs of triangles (3, k), plain and mirrored.

    Poor fits are left out. Returns turn, shift, and whether mirrored, (n,) each.
    """
    k = here.shape[1]
    there = np.concatenate([there, there.conj()], axis=1)
    middle = (there[0] + there[1] + there[2]) / 3
    b = there - middle
    mean = (here[0] + here[1] + here[2]) / 3
    a = here - mean
    a, mean = np.concatenate([a, a], axis=1), np.concatenate([mean, mean])
    turn = (a * b.conj()).sum(axis=0) / (b.real**2 + b.imag**2).sum(axis=0)
    good = np.abs(np.abs(turn) - 1) < SCALE_TOLERANCE
    good &= np.abs(a - turn * b).max(axis=0) < FIT_PX
    return turn[good], (mean - turn * middle)[good], np.flatnonzero(good) >= k


def _proposal(turn: np.ndarray, shift: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Make one transform (2, 3) of proposals that are alike."""
    return as_matrix(_median(turn), _median(shift), mirrored=bool(flipped[0]))


def _median(values: np.ndarray) -> complex:
    return complex(*medians(np.array([values.real, values.imag])))


def false_match_probability(
    residuals: np.ndarray, predicted: np.ndarray, tree: cKDTree, shape: tuple[int, int]
) -> float:
    """Bound the chance that unrelated fields have any transform under which so many stars agree.

    A similarity is fixed by two stars of each field. With n stars in the frame and m in the
    reference there are ``H = n (n - 1) m (m - 1) 2 s`` such choices, counting the mirrored ones,
    where s is the tolerance of ln(scale): pairs of uniformly spread stars have lengths within s
    of each other with a probability below 2 s. Take, of k stars that agree within t with the best
    transform, the two farthest apart: under the transform they fix the others agree within 2 t.
    By chance a reference star has one so near with ``p = 1 - exp(-4 pi t^2 d)``, d the density of
    stars around it, so that

    ``P(any transform with k) <= H * Binomial(m' - 2, p).sf(k - 3)``

    where m' reference stars fall on the frame. The density is that of the frame, or of the
    few nearest stars where that is higher: clusters overlap by chance more easily. The
    best of the three radii t in `RADII_PX` is taken, and paid for by a factor of three.

    residuals: (k,) float array, distances of the matched stars, pixels, under a similarity;
    predicted: (m, 2) float array, reference stars carried to the frame; tree: the frame's stars;
    shape: (ny, nx).
    At most 1.
    """
    from scipy.special import bdtrc

    ny, nx = shape
    n, m = tree.n, len(predicted)
    inside = predicted[((predicted > -2) & (predicted < (nx + 1, ny + 1))).all(axis=1)]
    if n < 3 or len(inside) < 3:
        return 1.0
    # Of many some, the bright and the faint alike: the mean over these is as good.
    some = inside[:: -(-len(inside) // MAX_PLACES)]
    density = local_density(some, tree, n / (nx * ny))
    hypotheses = n * (n - 1) * m * (m - 1) * 2 * SCALE_TOLERANCE
    best = 1.0
    for radius in RADII_PX:
        k = int((residuals <= radius).sum())
        if k > 2:
            p = float(np.mean(-np.expm1(-4 * np.pi * radius**2 * density)))
            best = min(best, float(bdtrc(k - 3, max(len(inside) - 2, k - 2), p)))
    return min(len(RADII_PX) * hypotheses * best, 1.0)


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
    fitted: tuple[np.ndarray, ...] = ()
    for tolerance in (reach, MATCH_PX, MATCH_PX):
        here, there = pairs = _match(apply(matrix, points), tree, tolerance)
        # The same pairs would be fitted by the same transform, again and again.
        if len(here) < MIN_MATCHED or (fitted and all(map(np.array_equal, fitted, pairs))):
            return matrix, here, there
        matrix, fitted = fit_transform(points[there], stars[here]), pairs
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
    (a, b, _), (c, d, _) = matrix.tolist()
    determinant = a * d - b * c
    scale = abs(determinant) ** 0.5
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
