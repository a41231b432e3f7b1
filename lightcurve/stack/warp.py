"""Where the reference's pixels lie in a frame: a polynomial through the stars that both have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA

MAX_ORDER = 3  # what turns of the field and refraction leave between frames of one camera
PER_TERM = 4  # stars for each term, on the least
FOLDS = 5
BETTER = 0.95  # of the rms of stars that were left out: what a higher order must come down to
CLIP = 4.0
MIN_STARS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """``x, y = terms @ powers``, of coordinates about a middle and over a size, pixels."""

    terms: np.ndarray  # (2, n_terms)
    order: int
    middle: tuple[float, float]
    size: float

    def __call__(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Carry places of the reference, (n,) pixels, to the frame."""
        u, v = (x - self.middle[0]) / self.size, (y - self.middle[1]) / self.size
        found = self.terms @ _powers(u, v, self.order)
        return found[0], found[1]


def _powers(u: np.ndarray, v: np.ndarray, order: int) -> np.ndarray:
    return np.stack([u**p * v**q for p in range(order + 1) for q in range(order + 1 - p)])


def of_matrix(matrix: np.ndarray, shape: tuple[int, int]) -> Warp:
    """Write a plane transform (2, 3) as a warp of the first order. shape: (ny, nx)."""
    size = float(max(shape))
    a, b, c = matrix.T
    return Warp(np.stack([c, b * size, a * size], axis=1), 1, (0.0, 0.0), size)


def fit(
    here: np.ndarray, there: np.ndarray, shape: tuple[int, int], order: int
) -> tuple[Warp, np.ndarray]:
    """Fit a warp of an order that brings places `here` (n, 2) to `there`, without outliers.

    Returns the warp, and which of the places it rests on: (n,) bool.
    """
    middle, size = ((shape[1] - 1) / 2, (shape[0] - 1) / 2), float(max(shape)) / 2
    u, v = ((here - middle) / size).T
    basis = _powers(u, v, order).T
    used = np.ones(len(here), dtype=bool)
    for _ in range(5):
        terms = np.linalg.lstsq(basis[used], there[used], rcond=None)[0]
        off = np.hypot(*(there - basis @ terms).T)
        # The median of a Rayleigh distribution is 1.18 sigma of one axis.
        limit = max(CLIP * float(np.median(off[used])) / 1.18, 1e-3)
        kept = off <= limit
        if kept.sum() < max(MIN_STARS, basis.shape[1]) or (kept == used).all():
            break
        used = kept
    return Warp(terms.T, order, middle, size), used


def fit_best(
    here: np.ndarray, there: np.ndarray, shape: tuple[int, int]
) -> tuple[Warp, np.ndarray, float]:
    """Fit the order that stars left out of the fit ask for; also which are used, and their rms.

    here, there: (n, 2) float arrays, pixels. The rms is of one axis, pixels.
    """
    best, least = 1, np.inf
    for order in range(1, MAX_ORDER + 1):
        n_terms = (order + 1) * (order + 2) // 2
        if order > 1 and len(here) < PER_TERM * n_terms * FOLDS / (FOLDS - 1):
            break
        rms = _left_out(here, there, shape, order)
        if rms < BETTER * least:
            best, least = order, rms
    warp, used = fit(here, there, shape, best)
    off = there[used] - np.column_stack(warp(*here[used].T))
    return warp, used, float(np.sqrt(np.mean(off**2)))


def _left_out(here: np.ndarray, there: np.ndarray, shape: tuple[int, int], order: int) -> float:
    """Scatter of stars about fits that they had no part in, pixels."""
    fold = np.arange(len(here)) % FOLDS
    if len(here) < 2 * FOLDS:
        return 0.0
    off = np.zeros_like(there)
    for k in range(FOLDS):
        mine = fold == k
        warp, _ = fit(here[~mine], there[~mine], shape, order)
        off[mine] = there[mine] - np.column_stack(warp(*here[mine].T))
    return float(MAD_TO_SIGMA * np.median(np.abs(off)))
