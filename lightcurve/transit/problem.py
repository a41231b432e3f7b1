"""Data, transit model and trend joined: flux = transit(theta) times a linear trend.

For each transit the best trend is found exactly, so that only the transit's own parameters are
searched or sampled. The trend multiplies the transit, as air and instrument do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.covariates import standardise
from lightcurve.transit.model import TransitModel
from lightcurve.transit.priors import Priors

RIDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One light curve to be fitted.

    Attributes
    ----------
    time, flux, flux_err : (n,) float arrays
        The points used.
    trend : (n, k) float array
        Columns of the linear trend, the first one constant.
    model : TransitModel
        At `time`.
    whiten : (n, n) float array or None
        From `lightcurve.transit.noise`; None for white noise of the given errors.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    trend: np.ndarray
    model: TransitModel
    priors: Priors
    whiten: np.ndarray | None = None

    def solve(self, transit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the trend that suits a transit best.

        transit: (n,) float array, relative flux; ones for no transit.
        Returns coefficients: (k,) float array; residuals: (n,) float array, in units of the errors,
        whitened where the noise is red.
        """
        weighted, data = self.trend * transit[:, None], self.flux
        if self.whiten is None:
            weighted, data = weighted / self.flux_err[:, None], data / self.flux_err
        else:
            weighted, data = self.whiten @ weighted, self.whiten @ data
        normal = weighted.T @ weighted
        # A steady drift makes x, y and time the same covariate: the ridge keeps them apart.
        normal.flat[:: len(normal) + 1] *= 1 + RIDGE
        coefficients = np.linalg.solve(normal, weighted.T @ data)
        return coefficients, data - weighted @ coefficients

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """Stack data and prior residuals for least squares.

        theta: (6,) float array.
        Returns (n + 6,) float array, in standard deviations; very large where the parameters are
        impossible.
        """
        transit = self.model(theta) if self.priors.contain(theta) else None
        if transit is None or not np.isfinite(transit[0]):
            return np.full(len(self.time) + len(theta), 1e3)
        return np.concatenate([self.solve(transit)[1], self.priors.pulls(theta)])

    def plain_residuals(self, theta: np.ndarray) -> np.ndarray:
        """Work out the residuals as they are plotted.

        theta: (6,) float array.
        Returns (n,) float array, in the units of the flux.
        """
        transit = self.model(theta)
        coefficients, _ = self.solve(transit)
        return self.flux - self.trend @ coefficients * transit

    def log_probability(self, theta: np.ndarray, noise: float) -> float:
        """Compute the log posterior.

        theta: (6,) float array; noise: the errors are multiplied by it.
        Up to a constant; minus infinity where the parameters are impossible.
        """
        if not self.priors.contain(theta):
            return -np.inf
        transit = self.model(theta)
        if not np.isfinite(transit[0]):
            return -np.inf
        residuals = self.solve(transit)[1] / noise
        pulls = self.priors.pulls(theta)
        return -0.5 * float(residuals @ residuals + pulls @ pulls)


def trend_columns(covariates: Mapping[str, np.ndarray], used: np.ndarray) -> dict[str, np.ndarray]:
    """Standardise the covariates that say something.

    covariates: mapping of str to (n,) float array; used: (n,) bool array, points that take part in
    the fit.
    Returns dict of str to (n,) float array, mean 0 and standard deviation 1 over the points used; a
    missing value counts as the mean. Left out are covariates with fewer than nine finite values in
    ten, or without spread.
    """
    columns = {}
    for name, given in covariates.items():
        values = np.asarray(given, dtype=float)
        inside = values[np.isfinite(values) & used]
        if len(inside) < 0.9 * used.sum() or np.std(inside) <= 1e-9 * np.abs(inside).max():
            continue
        columns[name] = standardise(values, used)
    return columns
