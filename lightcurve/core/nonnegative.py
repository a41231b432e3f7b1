"""Least squares of a few coefficients none of which is below 0.

scipy's `nnls` stands beside it in the tests: to load that takes longer than a night of such fits.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

__all__ = ["fit_nonnegative"]


def fit_nonnegative(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Find the coefficients, none below 0, of few columns that suit values best.

    The best of all is the best of those columns that it does not leave out: each choice of them is
    tried, the whole first, after which none can be better.

    design: (n, k) finite float array, k at most 4 or so. values: (n,) finite float array.
    Returns (k,) float array; of columns that are one another's multiples any share.
    """
    k, size = design.shape[1], np.linalg.norm(design, axis=0)
    size[size == 0] = 1.0
    even = design / size  # columns of unlike size would cost digits
    best, least = np.zeros(k), float(values @ values)
    for kept in (list(some) for size in range(k, 0, -1) for some in combinations(range(k), size)):
        found = np.linalg.lstsq(even[:, kept], values, rcond=None)[0]
        if (found < 0).any():
            continue
        left = values - even[:, kept] @ found
        if left @ left < least:
            best, least = np.zeros(k), float(left @ left)
            best[kept] = found
        if len(kept) == k:
            break
    return best / size
