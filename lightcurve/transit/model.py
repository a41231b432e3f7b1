"""The transit model (batman)."""

from __future__ import annotations

import math
import sys
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.core.library_warnings import quietly
from lightcurve.transit.ephemeris import contact_duration, inclination
from lightcurve.transit.limb_darkening import from_kipping

__all__ = ["TransitModel", "transit_flux"]

NAMES = ("mid_time_bjd_tdb", "rp_over_rs", "a_over_rs", "impact_parameter", "q1", "q2")
STEPS_PER_INGRESS = 12  # keeps the smearing of an exposure right to some 10 ppm
MAX_SUPERSAMPLE = 31
NUMERIC = 1e-6  # of a flux, or of a radius


class TransitModel:
    """Relative flux at fixed times, for any parameters.

    time : (n,) float array, BJD_TDB, mid-exposure.
    planet : for period, eccentricity and argument of periastron, and the expected ingress; of its
        dilution, for the light that others add.
    exposure_days : the model is averaged over it, by as many samples as the expected ingress
        asks for.
    """

    def __init__(self, time: np.ndarray, planet: Planet, exposure_days: float) -> None:
        batman = load_batman()
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
        """Compute the relative flux for parameters in the order of `NAMES`.

        1 out of transit; NaN throughout when no orbit has this impact parameter.
        """
        if not self._set(theta):
            return np.full(len(self._model.t), np.nan)
        light: np.ndarray = self._model.light_curve(self._parameters)
        if light.min() < -NUMERIC or light.max() > 1 + NUMERIC:
            # Where the discs touch from within to the last digit, batman's integral diverges.
            self._parameters.rp *= 1 + NUMERIC
            light = self._model.light_curve(self._parameters)
        share = self.planet.dilution
        return light if share is None else 1 - share * (1 - light)

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
    """Compute a transit, 1 outside, once; for many evaluations keep a `TransitModel`.

    time: (n,) float array, BJD_TDB, mid-exposure. theta: (6,) float array, in the order of `NAMES`.
    planet: for period, eccentricity and argument of periastron.
    Returns (n,) float array, NaN throughout when no orbit has this impact parameter.
    """
    return TransitModel(time, planet, exposure_days)(np.asarray(theta, dtype=float))


@cache
def load_batman() -> ModuleType:
    """Load batman without what it asks a compiler by: it does so for several threads alone.

    That would load setuptools, and with it take ten times as long.
    """
    openmp = ModuleType("batman.openmp")
    vars(openmp)["detect"] = lambda: False
    sys.modules.setdefault(openmp.__name__, openmp)
    # Its first import on a machine warns of its own text, on Python 3.12 and newer.
    return quietly(lambda: import_module("batman"))[0]


def supersample_factor(planet: Planet, exposure_days: float) -> int:
    """Count the samples that one exposure needs: 1 if it is much shorter than the ingress.

    Odd, so that the middle of the exposure is one of them.
    """
    ingress = expected_ingress(planet)
    if ingress <= 0 or exposure_days <= 0:
        return 1
    count = math.ceil(STEPS_PER_INGRESS * exposure_days / ingress)
    return min(MAX_SUPERSAMPLE, count + 1 - count % 2)


def expected_ingress(planet: Planet) -> float:
    """Foretell from first to second contact, days; of a grazing transit what it is at b = 0.9."""
    b = min(_start(planet, 0.0)[3], 0.9)
    rp, a = planet.rp_over_rs, planet.a_over_rs
    outer = contact_duration(planet, rp=rp, a=a, b=b)
    return float(outer - contact_duration(planet, rp=rp, a=a, b=b, inner=True)) / 2


def _start(planet: Planet, time: float) -> np.ndarray:
    from lightcurve.transit.ephemeris import impact_parameter

    return np.array([time, planet.rp_over_rs, planet.a_over_rs, impact_parameter(planet), 0.3, 0.3])
