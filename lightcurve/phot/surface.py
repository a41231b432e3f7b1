"""What changes smoothly over a frame, as polynomials of an order for which there is evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA

__all__ = ["fit_surface"]

MAX_ORDER = 3
STARS_PER_TERM = 4
MAX_LEVERAGE = 1.0  # in the worst place a surface must be surer than one star is
CLIP_SIGMA = 3.0
ROUNDS = 5
GRID = 5  # places along each side where the leverage is looked at


@dataclass(frozen=True, slots=True)
class Box:
    """The part of a frame over which stars tell something: beyond it the nearest place speaks.

    x, y : middle, pixels. half_x, half_y : half sides, pixels.
    """

    x: float
    y: float
    half_x: float
    half_y: float

    @classmethod
    def around(cls, x: np.ndarray, y: np.ndarray) -> Box:
        """Draw it around places (n,), pixels; n > 0."""
        middle = [float(p.min() + p.max()) / 2 for p in (x, y)]
        half = [max(float(np.ptp(p)) / 2, 1.0) for p in (x, y)]
        return cls(*middle, *half)

    def inside(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn places, pixels, into coordinates of the box, -1 to 1; what is outside is put in."""
        u, v = (x - self.x) / self.half_x, (y - self.y) / self.half_y
        return np.clip(u, -1, 1), np.clip(v, -1, 1)

    def places(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Give n x n places, (n^2,) pixels each, that suit a polynomial: Chebyshev's."""
        nodes = np.sin(np.pi * (np.arange(n) - (n - 1) / 2) / n)
        nodes /= max(float(np.abs(nodes).max()), 1e-9)
        u, v = (c.ravel() for c in np.meshgrid(nodes, nodes))
        return self.x + u * self.half_x, self.y + v * self.half_y


def polynomial(u: np.ndarray, v: np.ndarray, order: int) -> np.ndarray:
    """Evaluate the terms 1, u, v, u^2, u v, v^2 ... (n, k) at coordinates (n,) of a box."""
    return np.stack([u ** (d - j) * v**j for d in range(order + 1) for j in range(d + 1)], axis=1)


def n_terms(order: int) -> int:
    """Count the terms of a polynomial."""
    return (order + 1) * (order + 2) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Some quantities over a frame.

    Attributes
    ----------
    coefficients : (k, q) float array
        Of the terms of `polynomial`, for each quantity.
    box : Box
    order : int
    scatter : (q,) float array
        Of the values about it, for a star of weight 1.
    """

    coefficients: np.ndarray
    box: Box
    order: int
    scatter: np.ndarray

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Evaluate the quantities (n, q) at places (n,), pixels."""
        return polynomial(*self.box.inside(x, y), self.order) @ self.coefficients


def fit_surface(
    x: np.ndarray, y: np.ndarray, values: np.ndarray, weight: np.ndarray, max_order: int = MAX_ORDER
) -> Surface:
    """Fit quantities of stars by the polynomial for which there is evidence.

    The order has the least ``chi^2 + k ln n`` (Schwarz's criterion), where a star counts for at
    most 3 sigma, among those with 4 stars a term that nowhere are less sure than a single star.

    Parameters
    ----------
    x, y : (n,) float arrays
        Pixels.
    values : (n, q) float array
        Finite.
    weight : (n,) float array
        One over each star's error, in any unit.
    max_order : int
        At most.

    Returns
    -------
    Surface
    """
    box = Box.around(x, y)
    u, v = box.inside(x, y)
    fits = []
    for order in range(max_order + 1):
        terms = polynomial(u, v, order)
        few = len(x) < STARS_PER_TERM * terms.shape[1]
        if order and (few or _leverage(terms, weight, order) > MAX_LEVERAGE):
            break
        fits.append(_robust(terms, values, weight))
    scatter = fits[-1][1]
    # One scale for all orders: that of the finest.
    unit = np.maximum(scatter, 1e-12)
    evidence = []
    for order, (coefficients, _) in enumerate(fits):
        off = weight[:, None] * (values - polynomial(u, v, order) @ coefficients) / unit
        chi2 = np.minimum(off**2, CLIP_SIGMA**2).sum()
        evidence.append(chi2 + coefficients.size * np.log(len(x)))
    best = int(np.argmin(evidence))
    return Surface(fits[best][0], box, best, fits[best][1])


def _leverage(terms: np.ndarray, weight: np.ndarray, order: int) -> float:
    """Tell the variance of the polynomial where it is least sure, over that of a usual star."""
    side = np.linspace(-1, 1, GRID)
    u, v = np.meshgrid(side, side)
    there = polynomial(u.ravel(), v.ravel(), order)
    spread = there @ np.linalg.pinv(terms * (weight / np.median(weight))[:, None])
    return float((spread**2).sum(axis=1).max())


def _robust(
    terms: np.ndarray, values: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit each quantity with wild stars left out: coefficients (k, q), scatter (q,)."""
    found, scatter = [], []
    for value in values.T:
        use = np.ones(len(value), bool)
        one, spread = np.zeros(terms.shape[1]), 0.0
        for _ in range(ROUNDS):
            weighted = terms[use] * weight[use, None]
            one = np.linalg.lstsq(weighted, weight[use] * value[use], rcond=None)[0]
            off = np.abs(weight * (value - terms @ one))
            free = max(use.sum() - terms.shape[1], 1) / use.sum()
            spread = MAD_TO_SIGMA * float(np.median(off)) / np.sqrt(free)
            use = off <= CLIP_SIGMA * max(spread, 1e-12)
        found.append(one)
        scatter.append(spread)
    return np.stack(found, axis=1), np.array(scatter)
