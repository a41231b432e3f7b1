"""Shapes of variation: waves of a few harmonics, and eclipses, fitted to a light curve.

An eclipse is the phenomenological profile of Mikulasek (2015, A&A 584, A8): with x = (t - T) / d
``1 - (1 - exp(1 - cosh x))^g``: rounded for g = 1, with a flat bottom for more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LONGEST_NIGHT = 0.3  # days without a point: there one night ends
LEAST_NIGHTS = 12  # from which their own scatter is known well enough to tell an error
SHARPNESS = (0.2, 12.0)  # of eclipses, g: beyond it only the corners change
AS_IF = 5  # points more whose errors are right: few points alone hardly tell the noise
STEEPEST = 30.0  # x at which cosh is all there is


def dip(x: np.ndarray, sharpness: float | np.ndarray) -> np.ndarray:
    """Profile of an eclipse, 1 in the middle and 0 outside; x: distance in units of its width."""
    inner = -np.expm1(1 - np.cosh(np.clip(x, -STEEPEST, STEEPEST)))
    return np.asarray(1 - np.maximum(inner, 0.0) ** sharpness)


def nights_of(time: np.ndarray) -> np.ndarray:
    """Tell the nights of times (n,), which need no order, by numbers, (n,) int."""
    order = np.argsort(time, kind="stable")
    number = np.empty(len(time), dtype=int)
    number[order] = np.cumsum(np.diff(time[order], prepend=time[order][:1]) > LONGEST_NIGHT)
    return number


def levels(part: np.ndarray) -> np.ndarray:
    """Lay out a free level of each part, (n,) int: (n, parts)."""
    return np.asarray(part[:, None] == np.unique(part), dtype=float)


def wave_terms(time: np.ndarray, frequency: float, terms: int) -> np.ndarray:
    """Lay out cosine and sine of each harmonic: (n, 2 terms)."""
    angle = 2 * np.pi * frequency * time[:, None] * np.arange(1, terms + 1)
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


def eclipse_terms(time: np.ndarray, shape: np.ndarray, *, both: bool) -> np.ndarray:
    """Lay out eclipses of depth -1: (n, 1), or (n, 2) with the other one half a period later.

    shape: frequency, time of a minimum, ln of the width in periods, ln of the sharpness.
    """
    frequency, middle, width, sharpness = shape
    phase = (time - middle) * frequency
    columns = []
    for shift in (0.0, 0.5) if both else (0.0,):
        x = (phase - shift) - np.round(phase - shift)
        columns.append(-dip(x / np.exp(width), np.exp(sharpness)))
    return np.column_stack(columns)


@dataclass(frozen=True, slots=True, eq=False)
class Shaped:
    """A shape fitted to a light curve.

    p : (k,) float array, what is not linear in it; linear : (m,), the factors of its columns.
    cov : (k + m, k + m), their covariance with the noise as it is found.
    model : (n,) float array; derivatives : (n, k + m).
    chi2, noise2 : by the errors given; and by how much variances are larger than those.
    red : by how much the variance of means of a night is larger than that of white noise; at
        least 1.
    """

    p: np.ndarray
    linear: np.ndarray
    cov: np.ndarray
    model: np.ndarray
    derivatives: np.ndarray
    chi2: float
    noise2: float
    red: float = 1.0

    @property
    def n_parameters(self) -> int:
        """Count all parameters."""
        return self.derivatives.shape[1]


Weigh = Callable[[np.ndarray], np.ndarray]  # gives (n,) or (n, k) unit, independent errors


def by_errors(error: np.ndarray) -> Weigh:
    """Weigh by errors (n,)."""
    return lambda values: values / (error if values.ndim == 1 else error[:, None])


def solve_linear(terms: np.ndarray, value: np.ndarray, weigh: Weigh) -> tuple[np.ndarray, float]:
    """Fit columns (n, k) to values (n,): the factors, and chi2."""
    whole = np.linalg.lstsq(weigh(terms), weigh(value), rcond=None)[0]
    return whole, float(np.sum(weigh(value - terms @ whole) ** 2))


def fit_shape(
    terms_of: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    scale: np.ndarray,
    value: np.ndarray,
    weigh: Weigh,
    *,
    bounds: tuple[np.ndarray, np.ndarray] | None = None,
    night: np.ndarray | None = None,
) -> Shaped:
    """Fit a shape to values (n,) by least squares; its linear parameters are settled within.

    terms_of: from p (k,) to columns (n, m), the levels among them. scale: (k,), steps of p that
    hardly change the shape. bounds: lowest and highest p, (k,) each. night: (n,) int, see
    `with_errors`.
    """
    from scipy.optimize import least_squares

    def left(q: np.ndarray) -> np.ndarray:
        terms = terms_of(start + q * scale)
        return weigh(value - terms @ solve_linear(terms, value, weigh)[0])

    limits = (-np.inf, np.inf) if bounds is None else tuple((b - start) / scale for b in bounds)
    found = least_squares(left, np.zeros(len(start)), bounds=limits, diff_step=1e-4, max_nfev=60)
    p = start + found.x * scale
    terms = terms_of(p)
    linear, chi2 = solve_linear(terms, value, weigh)
    slopes = [
        (terms_of(p + step) - terms_of(p - step)) @ linear / (2 * step[k])
        for k, step in enumerate(np.diag(1e-3 * scale))
    ]
    model, derivatives = terms @ linear, np.column_stack([*slopes, terms])
    cov, noise2, red = with_errors(weigh(derivatives), weigh(value - model), night)
    return Shaped(p, linear, cov, model, derivatives, chi2, noise2, red)


def with_errors(
    scores: np.ndarray, residual: np.ndarray, night: np.ndarray | None
) -> tuple[np.ndarray, float, float]:
    """Work out the covariance of parameters by derivatives (n, k) and residuals (n,), both weighed.

    In white noise as large as the residuals. night: (n,) int, whose points may share noise: of a
    dozen nights and more, errors are those of the nights' own sums (the sandwich of White 1980
    and Liang & Zeger 1986), where these are larger. Returns also by how much the variance of
    points, and by how much that of nights, is larger than foretold.
    """
    count, k = scores.shape
    noise2 = (float(residual @ residual) + AS_IF) / (max(count - k, 0) + AS_IF)
    unit = np.maximum(np.linalg.norm(scores, axis=0), 1e-100)
    scores = scores / unit
    inverse = np.linalg.pinv(scores.T @ scores, rcond=1e-10, hermitian=True)
    cov, red = inverse * noise2, 1.0
    if night is not None:
        size = np.bincount(night)
        sums = np.bincount(night, residual)[size > 1]
        if len(sums) >= LEAST_NIGHTS // 2:
            red = max(1.0, float(np.sum(sums**2) / (noise2 * np.sum(size[size > 1]))))
        if len(size) >= LEAST_NIGHTS:
            by_night = np.zeros((len(size), k))
            np.add.at(by_night, night, scores * residual[:, None])
            sandwich = inverse @ (by_night.T @ by_night) @ inverse
            more = np.diag(sandwich) / np.maximum(np.diag(cov), 1e-100)
            larger = np.sqrt(np.maximum(more, 1.0))
            cov = cov * np.outer(larger, larger)
    return cov / unit / unit[:, None], noise2, red
