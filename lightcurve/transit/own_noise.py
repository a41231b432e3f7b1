"""A night without its transit: its own trend and noise, as often as they are wanted.

What a fit takes for transit and trend has swallowed noise, so that what it leaves is too quiet:
drawn round a circle, residuals alone show a fifth less of the noise that a transit meets. What was
swallowed is as large as the errors of the fit say. So each draw divides the night by a transit and
a trend drawn from the posterior of the fit, and what is left is noise as it may have been.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.data import LightCurve, TransitFit
from lightcurve.core.flags import NO_POINT
from lightcurve.core.settings import FitSettings
from lightcurve.transit.solve import Solution, covariance, flat_problem
from lightcurve.transit.trend import make_trend

FEWEST_LIGHT = 1e-3  # of the star: nothing is told of a trend in total eclipse


@dataclass(frozen=True, slots=True, eq=False)
class NightNoise:
    """What injections are put into.

    curve : in the order of time.
    usable : (n,) bool, points that count, wild ones too.
    theta, root : (6,), and (6, 6) with root root^T the covariance: of the transit that was found;
        both None where none was.
    columns : (n, k), of the trend.
    """

    curve: LightCurve
    exposure_days: float
    usable: np.ndarray
    best: Solution
    columns: np.ndarray
    theta: np.ndarray | None
    root: np.ndarray | None

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Give the trend, with its level, and draw relative noise: (m,) each, at the usable points.

        The trend stays where and as it is. The noise is moved along the night, round a circle, and
        may run backwards: so it keeps its memory, and keeps step with the errors of the points.
        """
        curve, used = self.curve, self.usable
        transit, trend, drawn = self._transit_and_trends(rng)
        left = curve.flux[used] / (transit * drawn) - 1
        error = curve.flux_err[used] / np.abs(trend)
        sigmas = np.roll(left / error, int(rng.integers(len(left))))
        return trend, error * (sigmas[::-1] if rng.integers(2) else sigmas)

    def _transit_and_trends(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw a transit from the posterior; give the likeliest trend, and draw one: (m,) each."""
        time = self.curve.bjd_tdb[self.usable]
        if self.theta is None or self.root is None:
            problem = flat_problem(self.best)
            transit, binned = np.ones(len(time)), np.ones(len(problem.time))
        else:
            problem = self.best.problem
            bounds = problem.priors
            theta = self.theta + self.root @ rng.normal(size=len(self.theta))
            theta = np.clip(theta, bounds.lower, bounds.upper)
            model = type(problem.model)(time, problem.model.planet, self.exposure_days)
            transit, binned = model(theta), problem.model(theta)
            if not (np.isfinite(transit).all() and bounds.contain(theta)):
                transit, binned = model(self.theta), problem.model(self.theta)
        level, _ = problem.solve(binned)
        mean, cov = problem.noise.coefficients(problem.flux - level * binned, binned[:, None])
        columns = self.columns[self.usable]
        drawn = level + columns @ rng.multivariate_normal(mean, cov)
        return np.maximum(transit, FEWEST_LIGHT), level + columns @ mean, drawn

    def put_in(self, transit: np.ndarray, rng: np.random.Generator) -> LightCurve:
        """Draw a night with a transit, (m,) at the usable points."""
        trend, noise = self.draw(rng)
        flux = self.curve.flux.copy()
        flux[self.usable] = transit * trend * (1 + noise)
        return replace(self.curve, flux=flux)


def take_noise(
    curve: LightCurve,
    fit: TransitFit,
    best: Solution,
    *,
    exposure_days: float,
    settings: FitSettings,
) -> NightNoise:
    """Take the transit out of a night that was fitted. Where none was found, all of it is noise."""
    good = np.isfinite(curve.bjd_tdb) & np.isfinite(curve.flux)
    good &= (np.nan_to_num(curve.flux_err) > 0) & ((curve.flags & int(NO_POINT)) == 0)
    offered = {"time": curve.bjd_tdb - curve.bjd_tdb[fit.used].mean(), **curve.covariates}
    trend = make_trend(offered, fit.used, asked=settings.covariates, forbidden=settings.forbidden)
    found = fit.found
    root = None
    if found:
        values, vectors = np.linalg.eigh(covariance(best))
        root = vectors * np.sqrt(np.maximum(values, 0))
    columns = np.where(np.isfinite(trend.columns), trend.columns, 0.0)
    return NightNoise(
        curve, exposure_days, good, best, columns, best.theta if found else None, root
    )
