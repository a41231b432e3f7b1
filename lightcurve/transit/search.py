"""Least squares: the best transit with a given trend, and the trend that the data ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.noise import log_evidence
from lightcurve.transit.problem import Problem

SCAN_STEPS = 40
SCAN_RADII = (0.6, 0.85, 1.0, 1.2, 1.5)
STEP = 1e-3  # of each parameter's scale, for derivatives
LONGEST_DAYS = 0.1  # of red noise, where the known orbit does not transit
TRANSIT_PARAMETERS = 2  # mid-time and radius ratio: the others lean on their priors


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A least-squares solution, of a trend alone or with a transit.

    Attributes
    ----------
    problem : Problem
        With the trend chosen.
    names : tuple of str
        Covariates of the trend.
    chi2 : float
        Of the data.
    penalty : float
        Of the priors.
    """

    problem: Problem
    names: tuple[str, ...]
    chi2: float
    penalty: float
    of_transit: ClassVar[int] = 0

    @property
    def n_parameters(self) -> int:
        """Count the parameters that the data determine."""
        return self.problem.trend.shape[1] + self.of_transit

    def bic(self, noise: float = 1.0) -> float:
        """Compute the Bayesian information criterion (Schwarz 1978).

        noise: errors are multiplied by it.
        chi2 with priors, plus parameters times ln n.
        """
        size = len(self.problem.time)
        return self.chi2 / noise**2 + self.penalty + self.n_parameters * float(np.log(size))


@dataclass(frozen=True, slots=True, eq=False)
class TransitSolution(Solution):
    """A solution with a transit, of parameters `theta`, (6,)."""

    theta: np.ndarray
    of_transit: ClassVar[int] = TRANSIT_PARAMETERS


def choose_trend(
    problem: Problem,
    columns: Mapping[str, np.ndarray],
    theta: np.ndarray | None,
    *,
    start: Sequence[str] = (),
    threshold: float = 6.0,
) -> tuple[str, ...]:
    """Add covariates one by one, as long as they pay.

    Parameters
    ----------
    columns : mapping of str to (n,) float array
        Standardised covariates at the problem's points.
    theta : (6,) float array or None
        A transit near the best one; mid-time and radius ratio are free about it. None for none.
    start : sequence of str
        Covariates that are in it whatever they do.
    threshold : float
        By how much any other must lower the BIC.

    Notes
    -----
    The BIC is that of the likelihood averaged over what the noise may be, white or red
    (`lightcurve.transit.noise.log_evidence`): a covariate is not chosen for following a wander,
    and a wander is not assumed where a covariate explains it.
    """
    transit, steep = np.ones(len(problem.time)), []
    if theta is not None:
        transit = problem.model(theta)
        bare = replace(problem, trend=np.ones((len(problem.time), 1)), whiten=None)
        free = jacobian(bare, theta)[: len(problem.time), :TRANSIT_PARAMETERS]
        steep = [free * problem.flux_err[:, None]]

    def bic(names: tuple[str, ...]) -> float:
        trend = np.column_stack([np.ones(len(transit)), *(columns[n] for n in names)])
        evidence = log_evidence(
            problem.time,
            problem.flux,
            problem.flux_err,
            design=np.column_stack([trend * transit[:, None], *steep]),
            longest_days=transit_duration(problem.model.planet) or LONGEST_DAYS,
        )
        return -2 * evidence + trend.shape[1] * float(np.log(len(transit)))

    chosen, best = tuple(start), bic(tuple(start))
    while True:
        trials = {n: bic((*chosen, n)) for n in columns if n not in chosen}
        name = min(trials, key=trials.__getitem__, default="")
        if not name or best - trials[name] <= threshold:
            return chosen
        chosen, best = (*chosen, name), trials[name]


def noise_scale(solution: Solution) -> float:
    """Find the factor on the errors that makes the reduced chi2 of a solution 1."""
    freedom = max(1, len(solution.problem.time) - solution.n_parameters)
    return float(np.sqrt(max(solution.chi2, 1e-12) / freedom))


def solve_trend(problem: Problem, names: tuple[str, ...]) -> Solution:
    """Solve for one trend, of the covariates named, without a transit."""
    residuals = problem.solve(np.ones(len(problem.time)))[1]
    return Solution(problem, names, float(residuals @ residuals), 0.0)


def solve_transit(problem: Problem, names: tuple[str, ...]) -> TransitSolution:
    """Solve for the best transit with one trend, of the covariates named."""
    from scipy.optimize import least_squares

    origin, scale = problem.priors.centre, _scales(problem)
    first = _scan(problem)
    found = least_squares(
        lambda u: problem.residuals(origin + scale * u),
        (first - origin) / scale,
        jac=lambda u: jacobian(problem, origin + scale * u) * scale,
        bounds=(
            (problem.priors.lower - origin) / scale - 1e-9,
            (problem.priors.upper - origin) / scale + 1e-9,
        ),
        max_nfev=60,
    )
    theta = np.clip(origin + scale * found.x, problem.priors.lower, problem.priors.upper)
    residuals = problem.residuals(theta)
    size = len(problem.time)
    chi2, penalty = (float(part @ part) for part in (residuals[:size], residuals[size:]))
    return TransitSolution(problem, names, chi2, penalty, theta)


def jacobian(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Differentiate the residuals numerically.

    theta: (6,) float array.
    Returns (n + 6, 6) float array, central differences, one-sided at a bound.
    """
    scale = _scales(problem)
    columns = []
    for k in range(len(theta)):
        above, below = theta.copy(), theta.copy()
        above[k] = min(theta[k] + STEP * scale[k], problem.priors.upper[k])
        below[k] = max(theta[k] - STEP * scale[k], problem.priors.lower[k])
        width = above[k] - below[k]
        columns.append((problem.residuals(above) - problem.residuals(below)) / width)
    return np.column_stack(columns)


def covariance(solution: TransitSolution, noise: float) -> np.ndarray:
    """Work out the covariance of the transit's parameters.

    noise: errors are multiplied by it.
    Returns (6, 6) float array, inverse of J^T J, the trend being free; parameters that neither data
    nor priors hold are given the width of their bounds.
    """
    matrix = jacobian(solution.problem, solution.theta)
    matrix[: len(solution.problem.time)] /= noise
    bounds = solution.problem.priors.upper - solution.problem.priors.lower
    return np.linalg.inv(matrix.T @ matrix + np.diag((2.0 / bounds) ** 2))


def _scales(problem: Problem) -> np.ndarray:
    """Typical size of a change of each parameter."""
    free = np.array([0.005, 0.01, 0.0, 0.0, 0.0, 0.0])
    return np.where(np.isfinite(problem.priors.width), problem.priors.width, free)


def _scan(problem: Problem) -> np.ndarray:
    """Best of a grid in mid-time and radius."""
    priors = problem.priors
    centre = np.clip(priors.centre, priors.lower, priors.upper)
    span = np.linspace(priors.lower[0], priors.upper[0], SCAN_STEPS + 1)
    candidates = []
    for mid in np.append(span, centre[0]):
        for factor in SCAN_RADII:
            theta = centre.copy()
            theta[0], theta[1] = mid, min(factor * centre[1], 0.9 * priors.upper[1])
            candidates.append(theta)
    chi2 = [float(np.sum(problem.residuals(theta) ** 2)) for theta in candidates]
    return candidates[int(np.argmin(chi2))]
