"""What a fit solves: priors on the parameters, and flux = transit(theta) times a linear trend."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.core.covariates import standardise
from lightcurve.core.data import Planet
from lightcurve.transit.ephemeris import impact_parameter, predict_transit
from lightcurve.transit.model import TransitModel, limb_darkening_prior

A_RELATIVE = 0.05  # of a/R*, where the planet file gives no error
B_ERROR = 0.10  # of the impact parameter, where it gives no error of the inclination
MIN_WINDOW_DAYS = 0.02
RIDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """Independent priors, in the order of `lightcurve.transit.model.NAMES`.

    centre, width : (6,) float arrays, Gaussian; the width is infinite where there is none.
    lower, upper : (6,) float arrays, beyond these the probability is 0.
    """

    centre: np.ndarray
    width: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    notes: tuple[str, ...]  # where each came from

    def pulls(self, theta: np.ndarray) -> np.ndarray:
        """Work out how many sigma parameters lie from the centre; 0 where there is no Gaussian."""
        return (theta - self.centre) / self.width

    def contain(self, theta: np.ndarray) -> bool:
        """Say whether parameters are possible."""
        inside = bool(np.all((theta >= self.lower) & (theta <= self.upper)))
        return inside and theta[3] < 1 + theta[1]


def make_priors(planet: Planet, time: np.ndarray, filter_name: str | None = None) -> Priors:
    """Collect the priors for one night, `time` in BJD_TDB.

    The mid-time may lie within five sigma of the prediction, or three quarters of the duration,
    whichever is more, but never nearer to another epoch.
    """
    prediction = predict_transit(planet, float(np.mean(time)))
    sigma = 0.0 if math.isnan(prediction.mid_err) else prediction.mid_err
    window = max(5 * sigma, 0.75 * prediction.duration, MIN_WINDOW_DAYS)
    window = min(window, planet.period_days / 2)
    a, b = planet.a_over_rs, impact_parameter(planet)
    a_err = planet.errors.get("a_over_rs") or A_RELATIVE * a
    angle = planet.errors.get("inclination_deg")
    sine = math.sin(math.radians(planet.inclination_deg))
    b_err = max(a * sine * math.radians(angle), 0.01) if angle else B_ERROR
    q, q_width, limb_note = limb_darkening_prior(planet.teff_k, filter_name)
    notes = (
        f"mid-time searched within {window * 1440:.0f} min of that of epoch {prediction.epoch}",
        f"a/R* {a:.3f} +- {a_err:.3f}"
        + ("" if planet.errors.get("a_over_rs") else " (5 % taken: the planet file has no error)"),
        f"impact parameter {b:.3f} +- {b_err:.3f}"
        + ("" if angle else " (0.1 taken: the planet file has no error of the inclination)"),
        limb_note,
    )
    centre = np.array([prediction.mid, planet.rp_over_rs, a, b, q[0], q[1]])
    return Priors(
        centre=centre,
        width=np.array([np.inf, np.inf, a_err, b_err, q_width, q_width]),
        lower=np.array([prediction.mid - window, 0.0, max(1.01, a / 3), 0.0, 0.0, 0.0]),
        upper=np.array([prediction.mid + window, 0.6, 3 * a, 1.6, 1.0, 1.0]),
        notes=notes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One light curve to be fitted.

    time, flux, flux_err : (n,) float arrays, the points used.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    trend: np.ndarray  # (n, k), Columns of the linear trend, the first one constant
    model: TransitModel  # at `time`
    priors: Priors
    # (n, n), from `lightcurve.transit.red_noise`; None for white noise of the given errors
    whiten: np.ndarray | None = None

    def solve(self, transit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the trend that suits a transit (ones for none) best: coefficients, and residuals.

        These are in units of the errors, whitened where the noise is red.
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
        """Stack data and prior residuals, (n + 6,) sigmas; very large where theta is impossible."""
        transit = self.model(theta) if self.priors.contain(theta) else None
        if transit is None or not np.isfinite(transit[0]):
            return np.full(len(self.time) + len(theta), 1e3)
        return np.concatenate([self.solve(transit)[1], self.priors.pulls(theta)])

    def plain_residuals(self, theta: np.ndarray) -> np.ndarray:
        """Work out the residuals as they are plotted, in the units of the flux."""
        transit = self.model(theta)
        coefficients, _ = self.solve(transit)
        return self.flux - self.trend @ coefficients * transit

    def log_probability(self, theta: np.ndarray, noise: float) -> float:
        """Compute the log posterior, up to a constant; minus infinity where theta is impossible."""
        if not self.priors.contain(theta):
            return -np.inf
        transit = self.model(theta)
        if not np.isfinite(transit[0]):
            return -np.inf
        residuals = self.solve(transit)[1] / noise
        pulls = self.priors.pulls(theta)
        return -0.5 * float(residuals @ residuals + pulls @ pulls)


def trend_columns(covariates: Mapping[str, np.ndarray], used: np.ndarray) -> dict[str, np.ndarray]:
    """Standardise, over the points used, the covariates that say something; a missing value is 0.

    Left out are those with fewer than nine finite values in ten, or without spread.
    """
    columns = {}
    for name, given in covariates.items():
        values = np.asarray(given, dtype=float)
        inside = values[np.isfinite(values) & used]
        if len(inside) < 0.9 * used.sum() or np.std(inside) <= 1e-9 * np.abs(inside).max():
            continue
        columns[name] = standardise(values, used)
    return columns
