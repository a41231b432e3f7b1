"""Least squares of a few parameters within bounds, by Levenberg and Marquardt.

scipy's stands beside it in the tests: to load that takes as long as a hundred such fits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MAX_ROUNDS = 60
DAMPING = 1e-3  # to begin with, of the normal matrix's diagonal
LESS, MORE, LEAST, MOST = 0.1, 10.0, 1e-12, 1e8  # of the damping: factors, and ends
SETTLED = 1e-10  # of the sum of squares: a round that gains less is the last
FLAT = 1e-12  # of the largest on the diagonal: what a parameter without effect counts as


def solve_within(
    residuals: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], np.ndarray],
    first: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Find the parameters within bounds at which the sum of squared residuals is least, near first.

    Steps are cut off at the bounds; a parameter at one stays there while its slope leads outwards
    (Marquardt 1963, SIAM J. 11, 431; Bertsekas 1982, SIAM J. Control Optim. 20, 221).

    residuals, jacobian: of parameters (k,): (n,) and (n, k) finite floats. first, lower, upper:
    (k,) float arrays.
    Returns (k,) float array; never worse than `first`, moved within the bounds.
    """
    here = np.clip(first, lower, upper)
    left = residuals(here)
    damping = DAMPING
    for _ in range(MAX_ROUNDS):
        matrix = jacobian(here)
        slope, normal = matrix.T @ left, matrix.T @ matrix
        held = ((here <= lower) & (slope > 0)) | ((here >= upper) & (slope < 0))
        free = np.flatnonzero(~held)
        before = float(left @ left)
        while damping < MOST:
            there = here.copy()
            there[free] += _step(normal[np.ix_(free, free)], slope[free], damping)
            there = np.clip(there, lower, upper)
            left_there = residuals(there)
            if left_there @ left_there < before:
                break
            damping *= MORE
        else:
            return here
        here, left, damping = there, left_there, max(damping * LESS, LEAST)
        if before - float(left @ left) <= SETTLED * before:
            break
    return here


def _step(normal: np.ndarray, slope: np.ndarray, damping: float) -> np.ndarray:
    """Take the damped step of Gauss and Newton, (k,); as short as one likes for a large damping."""
    diagonal = np.diag(normal)
    scale = np.sqrt(np.maximum(diagonal, FLAT * diagonal.max(initial=0.0) or 1.0))
    scaled = normal / np.outer(scale, scale) + damping * np.eye(len(slope))
    step: np.ndarray = -np.linalg.lstsq(scaled, slope / scale, rcond=None)[0] / scale
    return step
