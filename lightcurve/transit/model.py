"""The transit model: batman, told by mid-time, radius ratio, a/R*, impact parameter, q1 and q2."""

from __future__ import annotations

import math

import numpy as np

from lightcurve.data import Planet
from lightcurve.transit.ephemeris import contact_duration, inclination
from lightcurve.transit.limb import from_kipping

NAMES = ("mid_time_bjd_tdb", "rp_over_rs", "a_over_rs", "impact_parameter", "q1", "q2")
STEPS_PER_INGRESS = 12  # keeps the smearing of an exposure right to some 10 ppm
MAX_SUPERSAMPLE = 31


class TransitModel:
    """Relative flux at fixed times, for any parameters.

    Parameters
    ----------
    time : (n,) float array
        BJD_TDB, mid-exposure.
    planet : Planet
        For period, eccentricity and argument of periastron, and the expected ingress.
    exposure_days : float
        The model is averaged over it, by as many samples as the expected ingress asks for.
    """

    def __init__(self, time: np.ndarray, planet: Planet, exposure_days: float) -> None:
        import batman

        self.planet = planet
        # Times near zero keep all digits in the orbit.
        self.origin = float(np.floor(np.min(time)))
        self._parameters = batman.TransitParams()
        self._parameters.per = planet.period_days
        self._parameters.ecc = planet.eccentricity
        self._parameters.w = planet.omega_deg
        self._parameters.limb_dark = "quadratic"
        self._set(_start(planet, float(np.mean(time))))
        self.supersample = supersample_factor(planet, exposure_days)
        self._model = batman.TransitModel(
            self._parameters,
            np.ascontiguousarray(time - self.origin, dtype=float),
            supersample_factor=self.supersample,
            # batman puts the first and last sample on the very ends of the exposure; shortened so,
            # the samples are the middles of equal parts.
            exp_time=exposure_days * (1 - 1 / self.supersample),
        )

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """Compute the relative flux.

        theta: (6,) float array, in the order of `NAMES`.
        Returns (n,) float array, 1 out of transit; NaN throughout when no orbit has this impact
        parameter.
        """
        if not self._set(theta):
            return np.full(len(self._model.t), np.nan)
        return self._model.light_curve(self._parameters)

    def _set(self, theta: np.ndarray) -> bool:
        angle = inclination(self.planet, theta[2], theta[3])
        if not math.isfinite(angle):
            return False
        self._parameters.t0 = theta[0] - self.origin
        self._parameters.rp = theta[1]
        self._parameters.a = theta[2]
        self._parameters.inc = angle
        self._parameters.u = list(from_kipping(theta[4], theta[5]))
        return True


def transit_flux(
    time: np.ndarray, theta: np.ndarray, planet: Planet, *, exposure_days: float = 0.0
) -> np.ndarray:
    """Compute a transit once; for many evaluations keep a `TransitModel`.

    Parameters
    ----------
    time : (n,) float array
        BJD_TDB, mid-exposure.
    theta : (6,) float array
        In the order of `NAMES`.
    planet : Planet
        For period, eccentricity and argument of periastron.

    Returns
    -------
    (n,) float array
        Relative flux, 1 out of transit.
    """
    return TransitModel(time, planet, exposure_days)(np.asarray(theta, dtype=float))


def supersample_factor(planet: Planet, exposure_days: float) -> int:
    """Count the samples that one exposure needs.

    Odd, so that the middle of the exposure is one of them; 1 for an exposure much shorter than the
    ingress.
    """
    b = min(_start(planet, 0.0)[3], 0.9)
    rp, a = planet.rp_over_rs, planet.a_over_rs
    outer = contact_duration(planet, rp=rp, a=a, b=b)
    ingress = (outer - contact_duration(planet, rp=rp, a=a, b=b, inner=True)) / 2
    if ingress <= 0 or exposure_days <= 0:
        return 1
    count = math.ceil(STEPS_PER_INGRESS * exposure_days / ingress)
    return min(MAX_SUPERSAMPLE, count + 1 - count % 2)


def _start(planet: Planet, time: float) -> np.ndarray:
    from lightcurve.transit.ephemeris import impact_parameter

    return np.array([time, planet.rp_over_rs, planet.a_over_rs, impact_parameter(planet), 0.3, 0.3])
