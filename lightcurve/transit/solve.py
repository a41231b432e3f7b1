"""Transit, trend and noise of one light curve, found in the order that keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lightcurve.config import FitSettings
from lightcurve.data import Planet
from lightcurve.errors import FitError
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.model import TransitModel
from lightcurve.transit.noise import RedNoise, find_red_noise
from lightcurve.transit.priors import make_priors
from lightcurve.transit.problem import Problem, trend_columns
from lightcurve.transit.sample import MAX_STEPS
from lightcurve.transit.search import Solution, choose_trend, jacobian

MIN_LEFT = 12
CLIP_SIGMA = 5.0
# At a flip the stars move to other pixels: a step is expected there, whatever its size.
EXPECTED = ("meridian_flip",)
SLOW = ("airmass", "time")  # beside which red noise is first measured


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to fit.

    Attributes
    ----------
    filter_name : str or None
        For the limb darkening; the names of `Exposure.filter`.
    covariates : tuple of str or None
        The detrending set; None lets the data choose.
    forbidden : tuple of str
        Covariates the choice may not take; otherwise ``"meridian_flip"`` is always in it.
    bic_threshold : float
        A covariate must lower the BIC by more than this: 2 is called positive evidence (Kass &
        Raftery 1995). The red noise found takes part in the BIC, so that none is chosen for
        following a wander.
    sample : bool
        Sample the posterior; without it errors are those of the least-squares covariance.
    max_steps : int
        Of each walker.
    """

    filter_name: str | None = None
    covariates: tuple[str, ...] | None = None
    forbidden: tuple[str, ...] = ()
    bic_threshold: float = 2.0
    sample: bool = True
    max_steps: int = MAX_STEPS


def make_options(settings: FitSettings, filter_name: str | None) -> FitOptions:
    """Turn settings into options of the fit.

    Parameters
    ----------
    settings : FitSettings
    filter_name : str or None

    Returns
    -------
    FitOptions
    """
    return FitOptions(
        filter_name=filter_name,
        covariates=settings.covariates,
        forbidden=settings.forbidden,
        bic_threshold=settings.bic_threshold,
        sample=settings.sample,
        max_steps=settings.max_steps,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A light curve as plain arrays.

    Attributes
    ----------
    time, flux, flux_err : (n,) float arrays
        BJD_TDB at mid-exposure, and relative flux of any level. A point that is not finite in any
        of them, or whose error is not positive, takes no part.
    exposure_s : float
    covariates : mapping of str to (n,) float array
        What the trend may be made of; time is always offered.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    exposure_s: float
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)


def solve_points(
    points: Points, planet: Planet, options: FitOptions, used: np.ndarray
) -> tuple[Solution, dict[str, np.ndarray], RedNoise | None]:
    """Find transit, trend and noise.

    Parameters
    ----------
    points : Points
    planet : Planet
    options : FitOptions
    used : (n,) bool array
        Points that take part.

    Returns
    -------
    best : Solution
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
    The noise is measured first, beside a slow trend: a covariate chosen on white noise follows the
    wander and hides it, and a slope left in would pass for a wander. It is measured again with
    the trend that was chosen.
    """
    best, columns = least_squares_fit(points, planet, options, used, start=(*EXPECTED, *SLOW))
    red = _red_noise(best)
    if options.covariates is None:
        grow = options.bic_threshold
        best, columns = least_squares_fit(points, planet, options, used, red=red, grow=grow)
        red = _red_noise(best)
        best, columns = least_squares_fit(points, planet, options, used, red=red, start=best.names)
    else:
        best, columns = least_squares_fit(points, planet, options, used, red=red)
    return best, columns, red


def least_squares_fit(
    points: Points,
    planet: Planet,
    options: FitOptions,
    used: np.ndarray,
    *,
    red: RedNoise | None = None,
    transit: bool = True,
    start: tuple[str, ...] = EXPECTED,
    grow: float = np.inf,
) -> tuple[Solution, dict[str, np.ndarray]]:
    """Solve with given noise.

    Parameters
    ----------
    points : Points
    planet : Planet
    options : FitOptions
        Its `covariates`, where given, replace `start`, and none is added.
    used : (n,) bool array
        Points that take part.
    red : RedNoise, optional
    transit : bool
        False for a trend alone.
    start : tuple of str
        Covariates that are in it, as far as they are there.
    grow : float
        A further covariate must lower the BIC by more than this; with infinity none is added.

    Returns
    -------
    Solution
    columns : dict of str to (n,) float array
        Standardised covariates at all points.

    Raises
    ------
    FitError
        When a covariate asked for is not there.
    """
    time = points.time[used]
    offered = {"time": points.time - time.mean(), **points.covariates}
    columns = trend_columns(offered, used)
    missing = [name for name in options.covariates or () if name not in columns]
    if missing:
        known = ", ".join(sorted(columns))
        msg = f"no covariate {missing[0]} to detrend with; there are {known}"
        raise FitError(msg)
    problem = Problem(
        time=time,
        flux=points.flux[used],
        flux_err=points.flux_err[used],
        trend=np.ones((len(time), 1)),
        model=TransitModel(time, planet, points.exposure_s / 86400),
        priors=make_priors(planet, time, options.filter_name),
        whiten=None if red is None else red.whiten,
    )
    allowed = {n: values[used] for n, values in columns.items() if n not in options.forbidden}
    if options.covariates is not None:
        allowed = {n: columns[n][used] for n in options.covariates}
        start, grow = options.covariates, np.inf
    solution = choose_trend(
        problem,
        allowed,
        transit=transit,
        start=[n for n in start if n in allowed],
        threshold=grow,
    )
    return solution, columns


def _red_noise(solution: Solution) -> RedNoise | None:
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


def find_wild(solution: Solution, used: np.ndarray) -> np.ndarray:
    """Find points that lie far off a fit.

    Parameters
    ----------
    solution : Solution
    used : (n,) bool array
        Points that took part.

    Returns
    -------
    (n,) bool array
        Points used beyond five robust standard deviations; none when too few would be left.
    """
    residuals = solution.problem.plain_residuals(solution.theta) / solution.problem.flux_err
    sigma = 1.4826 * np.median(np.abs(residuals - np.median(residuals)))
    wild = np.zeros(len(used), dtype=bool)
    wild[used] = np.abs(residuals) > CLIP_SIGMA * max(sigma, 1e-12)
    return wild if used.sum() - wild.sum() >= MIN_LEFT else np.zeros_like(wild)
