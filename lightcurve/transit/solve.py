"""Transit, trend and noise of one light curve, found in the order that keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Influence, Planet, StarCurves
from lightcurve.core.errors import FitError
from lightcurve.core.robust import robust_scatter, without_runs
from lightcurve.core.settings import FitSettings
from lightcurve.transit.bins import make_bins
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.model import TransitModel
from lightcurve.transit.problem import Problem, make_noise, make_priors
from lightcurve.transit.red_noise import RedNoise, find_red_noise
from lightcurve.transit.trend import Trend, make_trend

__all__ = ["Solution"]

SCAN_STEPS = 40
SCAN_RADII = (0.6, 0.85, 1.0, 1.2, 1.5)
STEP = 1e-3  # of each parameter's scale, for derivatives
LONGEST_DAYS = 0.1  # of red noise, where the known orbit does not transit
TRANSIT_PARAMETERS = 2  # mid-time and radius ratio: the others lean on their priors
MIN_LEFT = 12
CLIP_SIGMA = 5.0
DARK = 1e-6  # of the light: nothing is left of a trend in total eclipse


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
    stars: StarCurves | None = None  # what the field's stars do at the same times


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A least-squares solution: the parameters `theta`, (6,), of a transit."""

    problem: Problem
    theta: np.ndarray
    chi2: float  # of the data, at the noise of the problem
    penalty: float  # of the priors

    @property
    def n_parameters(self) -> float:
        """Count the parameters that the data determine: level, transit, and what of the trend."""
        return 1 + TRANSIT_PARAMETERS + self.problem.noise.freedom


def flat_problem(solution: Solution) -> Problem:
    """Take the transit out of a problem: of its trends, which multiply it, and their sizes."""
    problem, noise = solution.problem, solution.problem.noise
    trend = noise.trend / np.maximum(problem.model(solution.theta), DARK)[:, None]
    flat = make_noise(noise.root, trend, noise.prior, noise.width)
    return replace(problem, noise=flat.loosen(problem.flux, np.ones((len(trend), 1))))


def gain_of_transit(solution: Solution) -> float:
    """Work out the BIC (Schwarz 1978) without the transit minus that with it, at the same noise.

    Both have the same trends with the same priors, and their coefficients integrated out: -2 ln of
    the ratio of marginal likelihoods, but for the transit's two parameters, which cost ln n each.
    """
    n = len(solution.problem.time)
    residuals = flat_problem(solution).solve(np.ones(n))[1]
    cost = TRANSIT_PARAMETERS * float(np.log(n))
    return float(residuals @ residuals) - solution.chi2 - solution.penalty - cost


def noise_scale(solution: Solution) -> float:
    """Find the factor on the noise that makes the reduced chi2 of a solution 1."""
    problem = solution.problem
    residuals = problem.noise.plain(problem.plain_residuals(solution.theta))
    freedom = max(1.0, len(residuals) - solution.n_parameters)
    return float(np.sqrt(max(float(residuals @ residuals), 1e-12) / freedom))


def solve_transit(problem: Problem, first: np.ndarray | None = None) -> Solution:
    """Solve for the best transit, near the parameters `first` or anywhere."""
    from scipy.optimize import least_squares

    origin, scale = problem.priors.centre, _scales(problem)
    first = _scan(problem) if first is None else first
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
    return Solution(problem, theta, chi2, penalty)


def jacobian(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Differentiate the residuals numerically, (n + 6 + d, 6): central, one-sided at a bound."""
    scale = _scales(problem)
    columns = []
    for k in range(len(theta)):
        above, below = theta.copy(), theta.copy()
        above[k] = min(theta[k] + STEP * scale[k], problem.priors.upper[k])
        below[k] = max(theta[k] - STEP * scale[k], problem.priors.lower[k])
        width = above[k] - below[k]
        columns.append((problem.residuals(above) - problem.residuals(below)) / width)
    return np.column_stack(columns)


def covariance(solution: Solution) -> np.ndarray:
    """Work out the covariance (6, 6) of the transit's parameters.

    Inverse of J^T J, level and trend being free; parameters that neither data nor priors hold are
    given the width of their bounds.
    """
    matrix = jacobian(solution.problem, solution.theta)
    bounds = solution.problem.priors.upper - solution.problem.priors.lower
    return np.linalg.inv(matrix.T @ matrix + np.diag((2.0 / bounds) ** 2))


def _scales(problem: Problem) -> np.ndarray:
    """Typical size of a change of each parameter."""
    free = np.array([0.005, 0.01, 0.05 * problem.priors.centre[2], 0.1, 0.0, 0.0])
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
) -> tuple[Solution, Trend, RedNoise | None]:
    """Find transit, trend and noise (None where white).

    Noise is measured beside transit and trend, whose priors keep them from following it, and they
    are found again in it; so are transit and trend, which multiply each other. Raises FitError
    when a covariate asked for is not there.
    """
    trend = _offered(points, settings, used)
    bins = make_bins(points.time[used], points.flux_err[used], points.exposure_s, planet)
    time, flux, flux_err = bins.mean(points.time[used]), bins.mean(points.flux[used]), bins.error
    model, priors = (
        TransitModel(time, planet, bins.exposure_s / DAY_S),
        make_priors(planet, time, points.filter_name),
    )
    level = abs(float(np.median(flux)))
    columns, width = bins.mean(trend.columns[used]), trend.width * level
    stars = None if points.stars is None else bins.stars(points.stars.at(used), level)

    def solve(root: np.ndarray, last: Solution | None, *, anew: bool = False) -> Solution:
        theta = np.clip(priors.centre, priors.lower, priors.upper) if last is None else last.theta
        transit = model(theta)
        noise = make_noise(root, columns * transit[:, None], width)
        problem = Problem(time, flux, flux_err, model, priors, noise)
        if last is not None:
            free = steep(problem, theta)[:, : TRANSIT_PARAMETERS + 1]
            problem = replace(problem, noise=noise.loosen(problem.flux, free))
        return solve_transit(problem, None if anew else theta)

    best = solve(1 / flux_err, None, anew=True)
    best = solve(best.problem.noise.root / noise_scale(best), best)
    red = _red_noise(best, stars)
    if red is not None:  # told of a point, not of the mean of several
        of_point = float(np.median(flux_err) / np.median(points.flux_err[used]))
        red = replace(red, amplitude=red.amplitude * of_point)
    root = best.problem.noise.root if red is None else red.whiten
    best = solve(root, best, anew=True)
    return solve(root / noise_scale(best), best), trend, red


def widen(solution: Solution, factor: float) -> Solution:
    """Solve again with the noise, not the trend, multiplied by a factor."""
    noise = solution.problem.noise
    wider = make_noise(noise.root / factor, noise.trend, noise.prior, noise.width)
    return solve_transit(replace(solution.problem, noise=wider), solution.theta)


def _offered(points: Points, settings: FitSettings, used: np.ndarray) -> Trend:
    """Make the trend of the covariates there are; raises FitError when one asked for is not."""
    offered = {"time": points.time - points.time[used].mean(), **points.covariates}
    missing = [name for name in settings.covariates or () if name not in offered]
    if missing:
        known = ", ".join(sorted(offered))
        msg = f"no covariate {missing[0]} to detrend with; there are {known}"
        raise FitError(msg)
    return make_trend(offered, used, asked=settings.covariates, forbidden=settings.forbidden)


def steep(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Derive the flux by level and by the parameters of `NAMES` but limb darkening, (n, 5)."""
    n = len(problem.time)
    none = np.zeros((n, 0))
    bare = replace(problem, noise=make_noise(np.ones(n), none, np.zeros(0)))
    return np.column_stack([problem.model(theta), jacobian(bare, theta)[:n, :4]])


def _red_noise(solution: Solution, stars: StarCurves | None) -> RedNoise | None:
    """Measure the wander that is left, counting what trend and transit have absorbed."""
    problem, theta = solution.problem, solution.theta
    return find_red_noise(
        problem.time,
        problem.plain_residuals(theta),
        1 / problem.noise.root,
        design=steep(problem, theta),
        trend=problem.noise.trend * problem.noise.width,
        longest_days=transit_duration(problem.model.planet) or LONGEST_DAYS,
        stars=stars,
    )


def influences(solution: Solution, trend: Trend) -> tuple[Influence, ...]:
    """Work out what each covariate does: how far it moves flux and radius ratio.

    All parameters are taken to be linear about the solution.
    """
    problem, theta = solution.problem, solution.theta
    noise = problem.noise
    level, mean, cov = problem.detrend(theta)
    error = float(np.sqrt(covariance(solution)[1, 1]))
    told = []
    for name in trend.names:
        own = np.array([owner == name for owner in trend.owner])
        part = noise.trend[:, own] @ mean[own]
        high, low = int(np.argmax(part)), int(np.argmin(part))
        step = noise.trend[high, own] - noise.trend[low, own]
        without = make_noise(noise.root, noise.trend[:, ~own], noise.prior[~own], noise.width[~own])
        moved = _one_step(replace(problem, noise=without), theta) - theta
        told.append(
            Influence(
                name,
                amplitude_percent=100 * float(part[high] - part[low]) / level,
                amplitude_err_percent=100
                * float(np.sqrt(step @ cov[np.ix_(own, own)] @ step))
                / level,
                radius_ratio_without=float(moved[1]),
                radius_ratio_err=error,
                mid_time_without_minutes=1440 * float(moved[0]),
            )
        )
    return tuple(told)


def _one_step(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """Go one step of Gauss and Newton from a solution to that of another problem, (6,)."""
    matrix = jacobian(problem, theta)
    bounds = problem.priors.upper - problem.priors.lower
    normal = matrix.T @ matrix + np.diag((2.0 / bounds) ** 2)
    return theta - np.linalg.solve(normal, matrix.T @ problem.residuals(theta))


def predict(
    points: Points, solution: Solution, trend: Trend, *, found: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Transit (1 throughout where none was found) and trend at all points, (n,) each."""
    problem, finite = solution.problem, np.isfinite(points.time)
    model = np.where(finite, 1.0, np.nan)
    if found:
        planet, exposure = problem.model.planet, points.exposure_s / DAY_S
        model[finite] = TransitModel(points.time[finite], planet, exposure)(solution.theta)
        level, coefficients, _ = problem.detrend(solution.theta)
    else:
        flat = flat_problem(solution)
        level, _ = flat.solve(np.ones(len(flat.time)))
        coefficients, _ = flat.noise.coefficients(flat.flux - level)
    return model, level + trend.columns @ coefficients


def find_wild(time: np.ndarray, off: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Find points used beyond five robust standard deviations, no three of them in a row.

    off: (n,), what is left at all points over its error. None if too few would be left.
    """
    residuals = off[used]
    sigma = robust_scatter(residuals)
    order = np.argsort(time[used], kind="stable")
    far = np.abs(residuals) > CLIP_SIGMA * max(sigma, 1e-12)
    wild = np.zeros(len(used), dtype=bool)
    wild[np.flatnonzero(used)[order]] = without_runs(far[order], residuals[order] > 0)
    return wild if used.sum() - wild.sum() >= MIN_LEFT else np.zeros_like(wild)
