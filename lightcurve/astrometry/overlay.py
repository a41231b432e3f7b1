"""Lay a frame's stars over catalogue stars that lie some tens of pixels off, and judge the fit.

All in one plane: the frame's pixels as a WCS has them, so that a right WCS needs no move. The
pattern of many pairs comes first, the nearest neighbours after it, each pair weighted by how likely
it is in a place so crowded; what held out stars say then tells how many terms the fit may have, and
whether it can be chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["MAX_FALSE_PROBABILITY"]

MIN_MATCHED = 6  # with fewer no match is believed, of frames or of catalogues
MIN_FRACTION = 0.3  # of the stars that could match, beyond chance
MAX_FALSE_PROBABILITY = 1e-6
N_NEIGHBOURS = 8
# The pattern
REACHES_PX = 8.0, 25.0, 75.0  # how far off; the nearer, the fewer the wrong pairs
N_BRIGHT = 80  # of the frame's stars, and of the catalogue twice as many on the frame
MOST_CANDIDATES = 500  # pairs: of the stars with the fewest points about them
N_PAIRS = 1000  # moves by two pairs, drawn
MAX_TURN = 0.12  # of scale, and of angle in radians
MIN_APART = 0.1  # of the frame: two stars nearer than that say little of its far side
SPREAD_PX = 1.5  # sigma of right pairs about a move that two of them fix, lenses and all
N_TRIED, N_GROWN = 4, 3  # moves of each reach that are fitted; and of all, with more terms
# The fit
SIMILARITY, AFFINE, HIGHEST = 0, 1, 4  # orders
GROWTH = 1, 1, 2, 3, 3, 3  # orders while the pairs are looked for, as far as they support them
GROWTH_PX = 2.0  # error in the worst place of the frame that still finds pairs there
WIDEST_PX, NARROWEST_PX = 2.0, 0.1  # sigma of right pairs: while they are looked for; and at least
MATCH_SIGMAS = 4.0
AFFINE_FROM = 12  # pairs; fewer fix shift, turn and scale only
PAIRS_A_TERM = 3  # of each coefficient on an axis
REAL = 0.5  # weight of a pair that counts as a match
FOLDS = 5
GAIN = 3.0  # of the held out pairs' log likelihood: less is no reason for more terms
WORST_PX = 1.0  # error, by the residuals, of what is believed in the worst place of the frame
# The judgement
RADII_PX = 0.5, 1.0, 2.0, 3.0
ZONES = 2, 4  # parts of the frame along each side
ZONE_CHANCE = 1e-4  # of so few matches in a part of a right solution


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The two lists: stars of the frame and points of the catalogue, pixels, brightest first.

    stars: (m, 2), on the frame. points: (n, 2), on and around it. shape: (ny, nx).
    """

    stars: np.ndarray
    points: np.ndarray
    shape: tuple[float, float]
    tree: cKDTree  # of the points
    stars_tree: cKDTree
    stars_there: np.ndarray  # density of stars around each point, per square pixel
    points_here: np.ndarray  # density of points around each star


def make_lists(stars: np.ndarray, points: np.ndarray, shape: tuple[float, float]) -> Lists:
    from scipy.spatial import cKDTree

    tree, stars_tree = cKDTree(points), cKDTree(stars)
    area = float(shape[0] * shape[1])
    inside = int(on_frame(points, shape).sum())
    return Lists(
        stars, points, shape, tree, stars_tree,
        local_density(points, stars_tree, len(stars) / area),
        local_density(stars, tree, inside / area),
    )  # fmt: skip


def on_frame(xy: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    ny, nx = shape
    return np.asarray(((xy > -0.5) & (xy < (nx - 0.5, ny - 0.5))).all(axis=1))


def local_density(places: np.ndarray, tree: cKDTree, overall: float) -> np.ndarray:
    """Stars per square pixel around places (n, 2), from the distance to the nearest few.

    overall: density of the frame, the least that is returned.
    """
    if tree.n <= N_NEIGHBOURS or not len(places):
        return np.full(len(places), overall)
    # One less than there are within that distance is the mean that many random fields have.
    distance, _ = tree.query(places, k=[N_NEIGHBOURS])
    near = (N_NEIGHBOURS - 1) / (np.pi * np.maximum(distance[:, 0], 1.0) ** 2)
    return np.maximum(near, overall)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where stars go, ``p + basis(p) @ terms``, of some order; (0, 0) of none."""

    order: int
    terms: np.ndarray  # (n, 2), pixels
    shape: tuple[float, float]

    def __call__(self, stars: np.ndarray) -> np.ndarray:
        """Carry stars (m, 2) to the points' plane."""
        return stars + basis(stars, self.order, self.shape) @ self.terms


def basis(xy: np.ndarray, order: int, shape: tuple[float, float]) -> np.ndarray:
    """Powers of places from the frame's middle, in halves of its longer side: (n, terms)."""
    ny, nx = shape
    u, v = ((xy - ((nx - 1) / 2, (ny - 1) / 2)) / (max(shape) / 2)).T
    order = max(order, AFFINE)
    powers = [np.ones_like(u)]
    for total in range(1, order + 1):
        powers += [u * power for power in powers[-total:]]
        powers.append(v * powers[-total - 1])
    return np.stack(powers, axis=1)


def n_terms(order: int) -> int:
    """Count the coefficients on an axis; of a similarity there are four for both."""
    return 2 if order == SIMILARITY else (order + 1) * (order + 2) // 2


def fit_pairs(
    stars: np.ndarray,
    points: np.ndarray,
    weight: np.ndarray,
    order: int,
    shape: tuple[float, float],
) -> Fit:
    """Fit pairs of places (k, 2), weighted."""
    root = np.sqrt(weight)[:, None]
    if order != SIMILARITY:
        left = basis(stars, order, shape) * root
        return Fit(order, np.linalg.lstsq(left, (points - stars) * root, rcond=None)[0], shape)
    # The move z -> a + b z of the complex plane, which has no mirror.
    plane = basis(stars, AFFINE, shape)[:, 1:] @ (1, 1j)
    left = np.stack([np.ones(len(plane)), plane], axis=1) * root
    a, b = np.linalg.lstsq(left, ((points - stars) @ (1, 1j)) * root[:, 0], rcond=None)[0]
    return Fit(SIMILARITY, np.array([[a.real, a.imag], [b.real, b.imag], [-b.imag, b.real]]), shape)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Stars and points that may be the same."""

    star: np.ndarray  # (k,) rows
    point: np.ndarray
    distance: np.ndarray  # pixels
    weight: np.ndarray  # chance that it is no accident


def find_pairs(lists: Lists, carried: np.ndarray, sigma: float) -> Pairs:
    """Pair the carried stars with points, each the other's nearest, within some sigma."""
    limit = MATCH_SIGMAS * sigma
    distance, nearest = lists.tree.query(carried, distance_upper_bound=limit)
    star = np.flatnonzero(np.isfinite(distance))
    star = star[np.argsort(distance[star], kind="stable")]
    point, first = np.unique(nearest[star], return_index=True)
    star = star[first]
    near = distance[star]
    crowd = np.maximum(lists.points_here[star], lists.stars_there[point])
    likely = np.exp(-0.5 * (near / sigma) ** 2) / (2 * np.pi * sigma**2)
    return Pairs(star, point, near, likely / (likely + crowd))


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Pairs within reach, in the order of their stars; places and moves as complex numbers."""

    first: np.ndarray  # (m,) where each star's pairs begin
    star: np.ndarray  # (k,) rows
    place: np.ndarray  # (k,) from the frame's middle, in halves of its longer side
    move: np.ndarray  # (k,) pixels
    crowd: np.ndarray  # (k,) points per square pixel


def _candidates(lists: Lists, reach: float, *, brightest: bool) -> _Candidates:
    from scipy.spatial import cKDTree

    stars, points = lists.stars, lists.points
    if brightest:
        stars = stars[:N_BRIGHT]
        n_inside = np.cumsum(on_frame(points, lists.shape))
        points = points[: int(np.searchsorted(n_inside, 2 * N_BRIGHT)) + 1]
    tree = cKDTree(points)
    near = tree.query_ball_point(stars, reach)
    count = np.array([len(rows) for rows in near])
    # Stars with few points about them tell most.
    order = [row for row in np.argsort(count, kind="stable") if count[row]]
    keep = np.sort(np.array(order, dtype=int)[np.cumsum(count[order]) <= MOST_CANDIDATES])
    star = np.repeat(keep, count[keep])
    point = np.array([row for k in keep for row in near[k]], dtype=int)
    overall = len(points) / (lists.shape[0] * lists.shape[1])
    crowd = np.maximum(local_density(stars, tree, overall), count / (np.pi * reach**2))
    return _Candidates(
        first=np.concatenate([[0], np.cumsum(count[keep])[:-1]]).astype(int),
        star=star,
        place=basis(stars[star], AFFINE, lists.shape)[:, 1:] @ (1, 1j),
        move=(points[point] - stars[star]) @ (1, 1j),
        crowd=crowd[star],
    )


def propose(lists: Lists, reach: float, *, brightest: bool) -> tuple[list[Fit], int]:
    """Find the moves that most pairs within reach agree with; tell how many were tried.

    A shift by each pair, and shift, turn and scale by two pairs, far from each other.
    """
    found = _candidates(lists, reach, brightest=brightest)
    k = len(found.star)
    if not k:
        return [], 1
    rng = np.random.default_rng(1)
    share = 1 / np.bincount(found.star, minlength=found.star.max() + 1)[found.star]
    one, other = rng.choice(k, (2, N_PAIRS), p=share / share.sum())
    step = found.place[one] - found.place[other]
    far = np.abs(step) > 2 * MIN_APART
    one, other, step = one[far], other[far], step[far]
    # A turn of one radian moves the end of the frame by half of it.
    turn = (found.move[one] - found.move[other]) / step
    single = np.argsort(-share, kind="stable")[: N_PAIRS // 3]
    a = np.concatenate([[0], found.move[single], found.move[one] - turn * found.place[one]])
    b = np.concatenate([np.zeros(1 + len(single)), turn])
    fair = np.abs(b) < MAX_TURN * max(lists.shape) / 2
    a, b = a[fair], b[fair]
    score = _score(found, a, b)
    fits: list[tuple[np.ndarray, Fit]] = []
    half = 1 + 1j
    for row in np.argsort(-score, kind="stable"):
        ends = np.array([a[row] + b[row] * half, a[row] - b[row] * half])
        if all(np.abs(ends - seen).max() > 2 * SPREAD_PX for seen, _ in fits):
            fits.append((ends, Fit(SIMILARITY, _terms(a[row], b[row]), lists.shape)))
        if len(fits) == N_TRIED:
            break
    return [fit for _, fit in fits], len(a)


def _score(found: _Candidates, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Log likelihood of moves ``a + b z`` over that of chance, each star by its best pair."""
    one = np.ones_like(found.place)
    off = np.stack([a, b], axis=1) @ np.stack([one, found.place]) - found.move
    near2 = off.real**2 + off.imag**2
    row, column = np.nonzero(near2 < (3 * SPREAD_PX) ** 2)
    likely = np.exp(-near2[row, column] / (2 * SPREAD_PX**2)) / (2 * np.pi * SPREAD_PX**2)
    gain = np.zeros(near2.shape)
    gain[row, column] = np.log1p(likely / found.crowd[column])
    return np.maximum.reduceat(gain, found.first, axis=1).sum(axis=1)


def _terms(a: complex, b: complex) -> np.ndarray:
    return np.array([[a.real, a.imag], [b.real, b.imag], [-b.imag, b.real]])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A fit, and what held out stars say of it."""

    fit: Fit
    pairs: Pairs
    rms_px: float  # of the pairs, both axes together
    n_inside: int  # points on the frame
    n_trial: int  # stars that could have matched
    n_held: int  # of them matched while they were held out
    probability: float  # that as many would by chance
    fraction: float  # matched beyond chance
    missing: tuple[bool, ...]  # in which quadrants too few matched
    worst_px: float  # error of the fit in the worst place of the frame
    evidence: float

    @property
    def passed(self) -> bool:
        """Whether it is to be believed, all over the frame."""
        return self.sure and self.worst_px < WORST_PX

    @property
    def sure(self) -> bool:
        """Whether it can be no chance, and no part of the frame speaks against it."""
        n = min(self.n_held, int((self.pairs.weight > REAL).sum()))
        enough = n >= MIN_MATCHED and self.fraction >= MIN_FRACTION
        return enough and self.probability < MAX_FALSE_PROBABILITY and not any(self.missing)


def overlay(
    stars: np.ndarray, points: np.ndarray, shape: tuple[float, float], begun: Fit | None = None
) -> Judged:
    """Find how a frame's stars lie on points of a catalogue, and judge it.

    Parameters
    ----------
    stars : (m, 2) float array
        On the frame, pixels, the brightest first.
    points : (n, 2) float array
        On and around it, where the WCS has them; where their order is known the brightest first.
    shape : tuple of float
        (ny, nx).
    begun : Fit, optional
        The only move to be looked at, and how far the points are off does not matter; without it
        the patterns up to the farthest of `REACHES_PX` are, unless the points lie on the stars.

    Returns
    -------
    Judged
        The best there is; `passed` tells whether to believe it.
    """
    lists = make_lists(stars, points, shape)
    if begun is not None:
        return judge(lists, *_grow(lists, begun, GROWTH), 1)
    still = Fit(SIMILARITY, np.zeros((3, 2)), shape)
    # As strict as if it were the best of all: those are spared where it is right as it stands.
    judged = judge(lists, *_grow(lists, still, GROWTH), 2 * len(REACHES_PX) * N_PAIRS)
    grid = _grid(shape)
    if judged.passed and np.hypot(*(judged.fit(grid) - grid).T).max() < WORST_PX:
        return judged
    tried = 1
    for brightest in (True, False):
        proposed = [still]
        for reach in REACHES_PX:
            fits, n = propose(lists, reach, brightest=brightest)
            tried += n
            proposed += fits
        # A move may be right for a part of the frame: all are looked at before one is judged.
        first = sorted((_grow(lists, fit, GROWTH[:1]) for fit in proposed), key=_evidence)
        grown = [_grow(lists, fit, GROWTH[1:]) for fit, _ in first[-N_GROWN:]]
        judged = judge(lists, *max(grown, key=_evidence), tried)
        if judged.passed:
            break
    return judged


def affine(matrix: np.ndarray, shape: tuple[float, float]) -> Fit:
    """Write the transform of stars (2, 3) as a fit on a frame (ny, nx)."""
    ny, nx = shape
    half, middle = max(shape) / 2, np.array([(nx - 1) / 2, (ny - 1) / 2])
    move = matrix[:, :2] - np.eye(2)
    return Fit(AFFINE, np.vstack([move @ middle + matrix[:, 2], half * move.T]), shape)


def _evidence(grown: tuple[Fit, Pairs]) -> float:
    return float(-np.log1p(-np.minimum(grown[1].weight, 1 - 1e-12)).sum())


def judge(lists: Lists, fit: Fit, pairs: Pairs, tried: int) -> Judged:
    """Choose the order of a fit, and judge it by stars held out of it.

    tried: moves of which this is the best.
    """
    from scipy.special import bdtrc

    fit, pairs, worst = _settle(lists, fit, pairs)
    inside = on_frame(_back(fit, lists.points), lists.shape)
    of_stars = len(lists.stars) <= inside.sum()
    distance, where, density = _held_out(lists, fit, pairs, inside, of_stars=of_stars)
    n = len(distance)
    zones = [_zones(where, lists.shape, side) for side in ZONES]
    chance, fraction, held, missing = 1.0, 0.0, 0, (False,) * len(zones)
    for radius in RADII_PX:
        hit = distance <= radius
        p = -np.expm1(-np.pi * radius**2 * density)
        k, by_chance = int(hit.sum()), float(p.sum())
        if k > 2:
            chance = min(chance, float(bdtrc(k - 3, max(n - 2, k - 2), by_chance / n)))
        beyond = (k - by_chance) / max(n - by_chance, 1e-9)
        if k and beyond >= fraction:
            held, fraction = k, beyond
            missing = tuple(_misses(hit, p, beyond, zone) for zone in zones)
    real = pairs.weight > REAL
    rms = float(np.sqrt(np.mean(pairs.distance[real] ** 2))) if real.any() else float("nan")
    evidence = _evidence((fit, pairs))
    return Judged(
        fit, pairs, rms, int(inside.sum()), n, held,
        min(len(RADII_PX) * tried * chance, 1.0), fraction, missing, worst, evidence,
    )  # fmt: skip


def _zones(where: np.ndarray, shape: tuple[float, float], side: int) -> np.ndarray:
    """Which of the frame's side x side parts places (n, 2) are in."""
    ny, nx = shape
    part = np.clip((where + 0.5) / (nx, ny) * side, 0, side - 1).astype(int)
    return part @ (1, side)


def _misses(hit: np.ndarray, p: np.ndarray, fraction: float, zone: np.ndarray) -> bool:
    """Whether in some part so few stars match that the fit cannot be right there."""
    from scipy.special import bdtr

    n, k, by_chance = (np.bincount(zone, weights) for weights in (None, hit, p))
    n, k, by_chance = n[n > 0], k[n > 0], by_chance[n > 0]
    least = 0.5 * fraction + (1 - 0.5 * fraction) * by_chance / n
    return bool((bdtr(k, n, least) < ZONE_CHANCE).any())


def _grow(lists: Lists, fit: Fit, orders: tuple[int, ...]) -> tuple[Fit, Pairs]:
    """Pair and fit in turns, with more terms as far as the pairs support them."""
    pairs = find_pairs(lists, fit(lists.stars), WIDEST_PX)
    for wanted in orders:
        total = pairs.weight.sum()
        if total < PAIRS_A_TERM * n_terms(SIMILARITY):
            break
        order = wanted if total >= AFFINE_FROM else SIMILARITY
        fit = _fit(lists, pairs, order)
        while order > AFFINE and _worst_px(lists, pairs, fit) > GROWTH_PX:
            order -= 1
            fit = _fit(lists, pairs, order)
        pairs = find_pairs(lists, fit(lists.stars), WIDEST_PX)
    return fit, pairs


def pairs_at(lists: Lists, fit: Fit, pairs: Pairs) -> np.ndarray:
    """Distances of pairs under another fit."""
    return np.hypot(*(fit(lists.stars[pairs.star]) - lists.points[pairs.point]).T)


def _sigma(distance: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum()
    rms = np.sqrt((weight * distance**2).sum() / (2 * total)) if total > 0 else WIDEST_PX
    return float(np.clip(rms, NARROWEST_PX, WIDEST_PX))


def _fit(lists: Lists, pairs: Pairs, order: int, rows: np.ndarray | None = None) -> Fit:
    rows = np.arange(len(pairs.star)) if rows is None else rows
    star, point = pairs.star[rows], pairs.point[rows]
    return fit_pairs(lists.stars[star], lists.points[point], pairs.weight[rows], order, lists.shape)


def _settle(lists: Lists, fit: Fit, pairs: Pairs) -> tuple[Fit, Pairs, float]:
    """Choose the order by held out pairs and by what the pairs support all over the frame.

    Tells, too, the error of the fit in the worst place of the frame, pixels.
    """
    k = int((pairs.weight > REAL).sum())
    if k < PAIRS_A_TERM * n_terms(SIMILARITY):
        return fit, pairs, np.inf
    order = AFFINE if k >= AFFINE_FROM else SIMILARITY
    found, worst, likely = _of_order(lists, pairs, order)
    while order < HIGHEST and k >= PAIRS_A_TERM * n_terms(order + 1):
        order += 1
        # One that does not help is passed over: lenses distort in the third, not the second.
        other, error, gained = _of_order(lists, pairs, order)
        if gained > likely + GAIN and error < WORST_PX:
            found, worst, likely = other, error, gained
        elif gained > likely + GAIN:
            # Called for and not held everywhere: so far off may the simpler one be there.
            grid = _grid(lists.shape)
            apart = float(np.hypot(*(other[0](grid) - found[0](grid)).T).max())
            worst = max(worst, min(error, apart))
    return *found, worst


def _grid(shape: tuple[float, float]) -> np.ndarray:
    ny, nx = shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9))
    return np.column_stack([x.ravel(), y.ravel()])


def _of_order(lists: Lists, pairs: Pairs, order: int) -> tuple[tuple[Fit, Pairs], float, float]:
    """Fit to some order; tell its error in the worst place, and how likely it is."""
    fit, own = _fit_again(lists, pairs, order)
    return (fit, own), _worst_px(lists, own, fit), _left_out(lists, own, order)


def _fit_again(lists: Lists, pairs: Pairs, order: int) -> tuple[Fit, Pairs]:
    """Fit pairs to some order, and pair anew as narrowly as they allow."""
    for _ in range(3):
        fit = _fit(lists, pairs, order)
        sigma = _sigma(pairs_at(lists, fit, pairs), pairs.weight)
        pairs = find_pairs(lists, fit(lists.stars), sigma)
    return fit, pairs


def _left_out(lists: Lists, pairs: Pairs, order: int) -> float:
    """Log likelihood, over that of chance, of pairs that are left out of the fit in turn."""
    rest = np.zeros(len(pairs.star))
    fold = np.arange(len(rest)) % FOLDS
    for out in range(FOLDS):
        fit = _fit(lists, pairs, order, np.flatnonzero(fold != out))
        gone = fold == out
        rest[gone] = np.hypot(
            *(fit(lists.stars[pairs.star[gone]]) - lists.points[pairs.point[gone]]).T
        )
    sigma = _sigma(rest, pairs.weight)
    crowd = np.maximum(lists.points_here[pairs.star], lists.stars_there[pairs.point])
    likely = np.exp(-0.5 * (rest / sigma) ** 2) / (2 * np.pi * sigma**2)
    return float(np.log1p(likely / crowd).sum())


def _worst_px(lists: Lists, pairs: Pairs, fit: Fit) -> float:
    """Error of a fit in the worst place of the frame, by the residuals of its pairs."""
    grid = _rows(_grid(lists.shape), fit)
    there = _rows(lists.stars[pairs.star], fit)
    normal = (there.conj() * pairs.weight[:, None]).T @ there
    total = pairs.weight.sum()
    if total <= len(normal) or np.linalg.cond(normal) > 1e12:
        return np.inf
    share = (grid.conj() @ np.linalg.inv(normal)) * grid
    rest2 = (pairs.weight * pairs_at(lists, fit, pairs) ** 2).sum() / (total - len(normal))
    return float(np.sqrt(rest2 * np.abs(share.sum(axis=1)).max()))


def _rows(xy: np.ndarray, fit: Fit) -> np.ndarray:
    rows = basis(xy, fit.order, fit.shape)
    if fit.order != SIMILARITY:
        return rows
    return np.column_stack([np.ones(len(rows)), rows[:, 1:] @ (1, 1j)])


def _held_out(
    lists: Lists, fit: Fit, pairs: Pairs, inside: np.ndarray, *, of_stars: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of the stars on trial, each by a fit that it had no part in.

    On trial is the shorter list. Returns distance, where: (n, 2), density of the other list there.
    """
    from scipy.spatial import cKDTree

    rows = np.arange(len(lists.stars)) if of_stars else np.flatnonzero(inside)
    mine = pairs.star if of_stars else pairs.point
    size = len(lists.stars) if of_stars else len(lists.points)
    fold = np.zeros(size, dtype=int)
    fold[rows] = np.arange(len(rows)) % FOLDS
    distance = np.full(size, np.inf)
    least = PAIRS_A_TERM * n_terms(SIMILARITY)
    for out in range(FOLDS):
        used = np.flatnonzero(fold[mine] != out)
        own = fit if len(used) < least - 1 else _fit(lists, pairs, fit.order, used)
        on_trial = rows[fold[rows] == out]
        if of_stars:
            distance[on_trial] = lists.tree.query(own(lists.stars[on_trial]))[0]
        else:
            carried = cKDTree(own(lists.stars))
            distance[on_trial] = carried.query(lists.points[on_trial])[0]
    density = lists.points_here if of_stars else lists.stars_there
    places = lists.stars if of_stars else lists.points
    return distance[rows], places[rows], density[rows]


def _back(fit: Fit, points: np.ndarray) -> np.ndarray:
    """Where points are on the frame."""
    half = max(fit.shape) / 2
    linear = np.linalg.inv(np.eye(2) + fit.terms[1:3].T / half)
    found = points
    for _ in range(3):
        found = found + (points - fit(found)) @ linear.T
    return found
