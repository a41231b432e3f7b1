"""Plane transforms from one frame's pixels to another's, as (2, 3) matrices, and their fits."""

from __future__ import annotations

import numpy as np

from lightcurve.core.robust import medians

__all__ = ["fit_affine", "fit_plain", "move"]

AFFINE_FROM = 12  # matched stars; fewer fix a similarity only
MIN_KEPT = 6
LEAST_DETERMINANT = 1e-8  # of the square of the trace: stars nearly in line


def as_matrix(turn: complex, shift: complex, *, mirrored: bool) -> np.ndarray:
    """Write ``z -> turn * z + shift`` (of the conjugate of z where mirrored) as a (2, 3) matrix."""
    c, s = turn.real, turn.imag
    sign = -1.0 if mirrored else 1.0
    return np.array([[c, -sign * s, shift.real], [s, sign * c, shift.imag]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Carry points (n, 2) by a transform, ``[x, y] = matrix @ [x_ref, y_ref, 1]``."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def move(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry reference positions over to a frame.

    Written out, because a matrix product may round differently with the matrix's order in memory,
    and a result that was stored must give the same bits as one just computed.

    matrix: (2, 3) float array, of a `Registration`; x, y: pixels of the reference frame.
    Returns x, y: pixels of the frame.
    """
    (a, b, c), (d, e, f) = matrix.tolist()
    return a * x + b * y + c, d * x + e * y + f


def fit_similarity(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit shift, turn and scale, plain or mirrored, whichever leaves less, to two stars or more."""
    here, there = stars @ (1, 1j), points @ (1, 1j)
    a, b = here - here.mean(), there - there.mean()
    # What a turn leaves is the less the larger its sum of products is.
    mirrored = abs(a @ b) > abs(a @ b.conj())
    return _similarity(here, there, mirrored=bool(mirrored))


def fit_plain(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit shift, turn and scale to two places or more; the sky is not seen mirrored.

    points, stars: (n, 2) float arrays. Returns (2, 3) float array, which brings `points` to
    `stars`.
    """
    return _similarity(stars @ (1, 1j), points @ (1, 1j), mirrored=False)


def _similarity(here: np.ndarray, there: np.ndarray, *, mirrored: bool) -> np.ndarray:
    """Fit a similarity (2, 3) to places x + 1j y (n,) of stars and points."""
    there = there.conj() if mirrored else there
    mean_here, mean_there = here.mean(), there.mean()
    centred = there - mean_there
    turn = np.vdot(centred, here - mean_here) / np.vdot(centred, centred)
    return as_matrix(turn, mean_here - turn * mean_there, mirrored=mirrored)


def fit_affine(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit all six parameters of an affine transform to matched places, without regard to outliers.

    points, stars: (n, 2) float arrays, three places or more, not in line.
    Returns (2, 3) float array, which brings `points` to `stars`.
    """
    mean_points, mean_stars = points.mean(axis=0), stars.mean(axis=0)
    a, b = points - mean_points, stars - mean_stars
    linear = _solve_two(a.T @ a, a.T @ b).T
    return np.hstack([linear, (mean_stars - linear @ mean_points)[:, None]])


def _solve_two(square: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve two normal equations; where they are nearly one, for the least solution."""
    (a, b), (_, d) = square.tolist()
    determinant = a * d - b * b
    if determinant > LEAST_DETERMINANT * (a + d) ** 2:
        return np.array([[d, -b], [-b, a]]) @ right / determinant
    return np.linalg.lstsq(square, right, rcond=None)[0]


def fit_transform(points: np.ndarray, stars: np.ndarray) -> np.ndarray:
    """Fit an affine transform, or a similarity to fewer than `AFFINE_FROM`, without outliers.

    Matches farther off than three times the median distance are dropped, twice.
    """
    fit = fit_affine if len(points) >= AFFINE_FROM else fit_similarity
    matrix, kept = fit(points, stars), np.zeros(0, bool)
    for _ in range(2):
        rest = np.hypot(*(stars - apply(matrix, points)).T)
        good = rest <= max(3 * float(medians(rest)), 0.05)
        n = int(np.count_nonzero(good))
        if n == len(good) or n < MIN_KEPT or np.array_equal(good, kept):
            break
        kept = good
        fit = fit_affine if n >= AFFINE_FROM else fit_similarity
        matrix = fit(points[good], stars[good])
    return matrix
