"""Transit, trend and noise of one light curve, found in the order that keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.covariates import COVARIATES, SLOW
from lightcurve.core.data import Planet
from lightcurve.core.errors import FitError
from lightcurve.core.robust import robust_scatter, without_runs
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.model import TransitModel
from lightcurve.transit.problem import Problem, make_priors, trend_columns
from lightcurve.transit.red_noise import RedNoise, find_red_noise, log_evidence

SCAN_STEPS = 40
SCAN_RADII = (0.6, 0.85, 1.0, 1.2, 1.5)
STEP = 1e-3  # of each parameter's scale, for derivatives
LONGEST_DAYS = 0.1  # of red noise, where the known orbit does not transit
TRANSIT_PARAMETERS = 2  # mid-time and radius ratio: the others lean on their priors
MIN_LEFT = 12
CLIP_SIGMA = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A light curve as plain arrays.

    time, flux, flux_err : (n,) float arrays, BJD_TDB at mid-exposure, and relative flux of any
        level. A point that is not finite in any of them, or whose error is not positive, takes
        no part.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    exposure_s: float
    # mapping of str to (n,), what the trend may be made of; time is always offered
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    filter_name: str | None = None  # for the limb darkening; the names of `Exposure.filter`


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A least-squares solution, of a trend alone or with a transit."""

    problem: Problem  # with the trend chosen
    names: tuple[str, ...]  # covariates of the trend
    chi2: float  # of the data
    penalty: float  # of the priors
    of_transit: ClassVar[int] = 0

    @property
    def n_parameters(self) -> int:
        """Count the parameters that the data determine."""
        return self.problem.trend.shape[1] + self.of_transit

    def bic(self, noise: float = 1.0) -> float:
        """Compute the Bayesian information criterion (Schwarz 1978), errors multiplied by `noise`.

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
    """Add covariates to those of `start` one by one, as long as each lowers the BIC by `threshold`.

    The BIC is that of the likelihood averaged over what the noise may be, white or red
    (`lightcurve.transit.red_noise.log_evidence`): a covariate is not chosen for following a wander,
    and a wander is not assumed where a covariate explains it. theta: a transit near the best one,
    about which mid-time and radius ratio are free, or none.
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
    """Differentiate the residuals numerically, (n + 6, 6): central, one-sided at a bound."""
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
    """Work out the covariance (6, 6) of the transit's parameters, errors multiplied by `noise`.

    Inverse of J^T J, the trend being free; parameters that neither data nor priors hold are given
    the width of their bounds.
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


def solve_points(
    points: Points, planet: Planet, settings: FitSettings, used: np.ndarray
) -> tuple[TransitSolution, dict[str, np.ndarray], RedNoise | None]:
    """Find transit, trend and noise (None where white), and the covariates at all points.

    The noise is measured first beside a slow trend, for a slope left in would pass for a wander;
    then the trend is chosen, and the noise measured again beside it. Raises FitError when a
    covariate asked for is not there.
    """
    columns = _offered_columns(points, settings, used)
    problem = _make_problem(points, planet, used)
    names = settings.covariates
    if names is None:
        # Beside what red noise is first measured.
        first = _solve(problem, columns, used, _present((*_steps(), *SLOW), columns))
        first = _solve(problem, columns, used, first.names, red=_red_noise(first))
        names = _trend_names(problem, columns, first.theta, settings, used)
    best = _solve(problem, columns, used, names)
    red = _red_noise(best)
    return _solve(problem, columns, used, names, red=red), columns, red


def solve_flat(
    best: TransitSolution,
    columns: Mapping[str, np.ndarray],
    settings: FitSettings,
    used: np.ndarray,
) -> Solution:
    """Find the trend that explains a night without a transit, at the noise of the best one with."""
    names = settings.covariates
    if names is None:
        names = _trend_names(best.problem, columns, None, settings, used)
    trend = np.column_stack([np.ones(used.sum()), *(columns[n][used] for n in names)])
    return solve_trend(replace(best.problem, trend=trend), names)


def _offered_columns(
    points: Points, settings: FitSettings, used: np.ndarray
) -> dict[str, np.ndarray]:
    """Standardise the covariates there are; raises FitError when one asked for is not."""
    offered = {"time": points.time - points.time[used].mean(), **points.covariates}
    columns = trend_columns(offered, used)
    missing = [name for name in settings.covariates or () if name not in columns]
    if missing:
        known = ", ".join(sorted(columns))
        msg = f"no covariate {missing[0]} to detrend with; there are {known}"
        raise FitError(msg)
    return {n: v for n, v in columns.items() if n not in settings.forbidden}


def _make_problem(points: Points, planet: Planet, used: np.ndarray) -> Problem:
    """Put the points used, the model and the priors together, with a constant trend."""
    time = points.time[used]
    return Problem(
        time=time,
        flux=points.flux[used],
        flux_err=points.flux_err[used],
        trend=np.ones((len(time), 1)),
        model=TransitModel(time, planet, points.exposure_s / DAY_S),
        priors=make_priors(planet, time, points.filter_name),
    )


def _trend_names(
    problem: Problem,
    columns: Mapping[str, np.ndarray],
    theta: np.ndarray | None,
    settings: FitSettings,
    used: np.ndarray,
) -> tuple[str, ...]:
    """Let the data choose the trend beside a transit near the best one, or none."""
    return choose_trend(
        problem,
        {name: values[used] for name, values in columns.items()},
        theta,
        start=_present(_steps(), columns),
        threshold=settings.bic_threshold,
    )


def _steps() -> tuple[str, ...]:
    """Covariates that are expected in every trend."""
    return tuple(covariate.name for covariate in COVARIATES if covariate.step)


def _present(names: tuple[str, ...], columns: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Keep the names that there are columns of."""
    return tuple(name for name in names if name in columns)


def _solve(
    problem: Problem,
    columns: Mapping[str, np.ndarray],
    used: np.ndarray,
    names: tuple[str, ...],
    *,
    red: RedNoise | None = None,
) -> TransitSolution:
    trend = np.column_stack([np.ones(used.sum()), *(columns[n][used] for n in names)])
    whiten = None if red is None else red.whiten
    return solve_transit(replace(problem, trend=trend, whiten=whiten), names)


def _red_noise(solution: TransitSolution) -> RedNoise | None:
    """Measure the wander that is left, counting what trend and transit have absorbed."""
    # Derivatives are wanted as they are, not whitened by what was measured before.
    problem, theta = replace(solution.problem, whiten=None), solution.theta
    transit = problem.model(theta)
    steep = jacobian(problem, theta)[: len(problem.time), :4] * problem.flux_err[:, None]
    return find_red_noise(
        problem.time,
        solution.problem.plain_residuals(theta),
        problem.flux_err,
        design=np.column_stack([problem.trend * transit[:, None], steep]),
        longest_days=transit_duration(problem.model.planet) or 0.1,
    )


def find_wild(solution: TransitSolution, used: np.ndarray) -> np.ndarray:
    """Find points used beyond five robust standard deviations, no three of them in a row.

    None if too few would be left.
    """
    residuals = solution.problem.plain_residuals(solution.theta) / solution.problem.flux_err
    sigma = robust_scatter(residuals)
    order = np.argsort(solution.problem.time, kind="stable")
    far = np.abs(residuals) > CLIP_SIGMA * max(sigma, 1e-12)
    wild = np.zeros(len(used), dtype=bool)
    wild[np.flatnonzero(used)[order]] = without_runs(far[order], residuals[order] > 0)
    return wild if used.sum() - wild.sum() >= MIN_LEFT else np.zeros_like(wild)
