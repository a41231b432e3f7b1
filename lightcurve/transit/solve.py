"""Transit, trend and noise of one light curve, found in the order that keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lightcurve.config import FitSettings
from lightcurve.constants import DAY_S
from lightcurve.covariates import COVARIATES
from lightcurve.data import Planet
from lightcurve.errors import FitError
from lightcurve.robust import robust_scatter
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.model import TransitModel
from lightcurve.transit.noise import RedNoise, find_red_noise
from lightcurve.transit.options import Points
from lightcurve.transit.priors import make_priors
from lightcurve.transit.problem import Problem, trend_columns
from lightcurve.transit.search import (
    Solution,
    TransitSolution,
    choose_trend,
    jacobian,
    solve_transit,
    solve_trend,
)

MIN_LEFT = 12
CLIP_SIGMA = 5.0
SLOW = ("airmass", "time")  # beside which red noise is first measured


def solve_points(
    points: Points, planet: Planet, settings: FitSettings, used: np.ndarray
) -> tuple[TransitSolution, dict[str, np.ndarray], RedNoise | None]:
    """Find transit, trend and noise.

    Parameters
    ----------
    used : (n,) bool array
        Points that take part.

    Returns
    -------
    best : TransitSolution
    columns : dict of str to (n,) float array
        Standardised covariates at all points.
    red : RedNoise or None
        None where the noise is white.

    Raises
    ------
    FitError
        When a covariate asked for is not there.

    Notes
    -----
    The noise is measured first beside a slow trend, for a slope left in would pass for a wander;
    then the trend is chosen, and the noise measured again beside it.
    """
    columns = _offered_columns(points, settings, used)
    problem = _make_problem(points, planet, used)
    names = settings.covariates
    if names is None:
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
    """Find the trend that explains a night without a transit.

    best: its noise is taken; columns: mapping of str to (n,) float array, from `solve_points`;
    used: (n,) bool array, points that take part.
    Without a transit.
    """
    names = settings.covariates
    if names is None:
        names = _trend_names(best.problem, columns, None, settings, used)
    trend = np.column_stack([np.ones(used.sum()), *(columns[n][used] for n in names)])
    return solve_trend(replace(best.problem, trend=trend), names)


def _offered_columns(
    points: Points, settings: FitSettings, used: np.ndarray
) -> dict[str, np.ndarray]:
    """Standardise the covariates that there are.

    used: (n,) bool array.
    Returns dict of str to (n,) float array.
    Raises FitError when a covariate asked for is not there.
    """
    offered = {"time": points.time - points.time[used].mean(), **points.covariates}
    columns = trend_columns(offered, used)
    missing = [name for name in settings.covariates or () if name not in columns]
    if missing:
        known = ", ".join(sorted(columns))
        msg = f"no covariate {missing[0]} to detrend with; there are {known}"
        raise FitError(msg)
    return {n: v for n, v in columns.items() if n not in settings.forbidden}


def _make_problem(points: Points, planet: Planet, used: np.ndarray) -> Problem:
    """Put the points used, the model and the priors together, with a constant trend.

    used: (n,) bool array.
    """
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
    """Let the data choose the trend.

    columns: mapping of str to (n,) float array; theta: (6,) float array or None, a transit near the
    best one, or none; used: (n,) bool array.
    """
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
    """Find points that lie far off a fit.

    used: (n,) bool array, points that took part.
    Returns (n,) bool array, points used beyond five robust standard deviations; none when too few
    would be left.
    """
    residuals = solution.problem.plain_residuals(solution.theta) / solution.problem.flux_err
    sigma = robust_scatter(residuals)
    wild = np.zeros(len(used), dtype=bool)
    wild[used] = np.abs(residuals) > CLIP_SIGMA * max(sigma, 1e-12)
    return wild if used.sum() - wild.sum() >= MIN_LEFT else np.zeros_like(wild)
