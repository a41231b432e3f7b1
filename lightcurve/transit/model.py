"""The transit model (batman), and the limb darkening that goes into it."""

from __future__ import annotations

import math
import sys
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.core.library_warnings import quietly
from lightcurve.transit.ephemeris import contact_duration, inclination

__all__ = ["WAVELENGTH_NM", "from_kipping", "limb_darkening_prior", "transit_flux"]

SOLAR_TEFF = 5772.0
HC_OVER_K = 1.438777e7  # nm K
# Effective wavelengths, nm. Unfiltered CCDs peak in the red; the names are those of `Exposure`.
WAVELENGTH_NM = {
    "U": 365, "B": 440, "V": 550, "R": 640, "Rc": 640, "I": 790, "Ic": 790, "up": 355, "gp": 475,
    "rp": 622, "ip": 763, "zp": 905, "zs": 870, "z": 900, "i": 763, "r": 622, "g": 475, "J": 1250,
    "H": 1650, "K": 2200, "Ks": 2160, "TB": 460, "TG": 530, "TR": 610, "CV": 600, "CR": 640,
    "Clear": 600, "I+z": 850, "CBB": 650, "TESS": 790, "L": 550, "G": 640,
    "BP": 520, "RP": 780, "Y": 1000,
}  # fmt: skip
DEFAULT_NM = 600.0
NAMES = ("mid_time_bjd_tdb", "rp_over_rs", "a_over_rs", "impact_parameter", "q1", "q2")
STEPS_PER_INGRESS = 12  # keeps the smearing of an exposure right to some 10 ppm
MAX_SUPERSAMPLE = 31
NUMERIC = 1e-6  # of a flux, or of a radius


def limb_darkening_prior(
    teff_k: float | None, filter_name: str | None
) -> tuple[np.ndarray, float, str]:
    """Expect Kipping's q1 and q2 of a star in a filter.

    Parameters
    ----------
    teff_k : float or None
        Effective temperature; the Sun's is assumed when not known.
    filter_name : str or None
        A key of `WAVELENGTH_NM`; 600 nm is assumed when not known.

    Returns
    -------
    centre : (2,) float array
        q1, q2 (Kipping 2013, MNRAS 435, 2152).
    width : float
        One sigma of both: 0.1, or 0.2 for a star below 4500 K or of unknown temperature.
    note : str
        What was assumed.
    """
    wavelength = WAVELENGTH_NM.get(filter_name or "", DEFAULT_NM)
    teff = SOLAR_TEFF if teff_k is None else teff_k
    u1, u2 = grey_limb_darkening(teff, wavelength)
    width = 0.2 if teff_k is None or teff < 4500 else 0.1
    star = f"{teff:.0f} K" if teff_k is not None else f"unknown, taken as {teff:.0f} K"
    band = _band_words(filter_name)
    note = (
        f"limb darkening: quadratic, grey atmosphere at {wavelength:.0f} nm ({band}), star "
        f"{star}: u1 {u1:.2f}, u2 {u2:.2f}, prior width {width} in q1 and q2"
    )
    return to_kipping(u1, u2), width, note


def _band_words(filter_name: str | None) -> str:
    """Name the filter, or say that it is not known and what stands for it."""
    if filter_name in WAVELENGTH_NM:
        return str(filter_name)
    unknown = f"filter {filter_name!r} is unknown" if filter_name else "no filter is known"
    return f"{unknown}: taken as light of {DEFAULT_NM:.0f} nm, as without filter"


@lru_cache(maxsize=64)
def grey_limb_darkening(teff_k: float, wavelength_nm: float) -> tuple[float, float]:
    """Fit the quadratic law, I(mu)/I(1) = 1 - u1 (1 - mu) - u2 (1 - mu)^2, to a grey atmosphere.

    Milne-Eddington: T^4 = 3/4 Teff^4 (tau + 2/3), source function the Planck function, emergent
    intensity I(mu) = integral of B(T(tau)) exp(-tau/mu) d tau / mu, by Gauss-Laguerre quadrature.
    """
    nodes, weights = np.polynomial.laguerre.laggauss(24)
    mu = np.linspace(0.05, 1.0, 60)
    tau = mu[:, None] * nodes
    temperature = teff_k * (0.75 * (tau + 2 / 3)) ** 0.25
    intensity = (weights / np.expm1(HC_OVER_K / wavelength_nm / temperature)).sum(axis=1)
    loss = 1 - intensity / intensity[-1]
    design = np.column_stack([1 - mu, (1 - mu) ** 2])
    # Area on the disc goes as mu d mu.
    root = np.sqrt(mu)
    u1, u2 = np.linalg.lstsq(design * root[:, None], loss * root, rcond=None)[0]
    return float(u1), float(u2)


def to_kipping(u1: float, u2: float) -> np.ndarray:
    """Turn quadratic coefficients into Kipping's, kept inside 0.01 to 0.99.

    q1 = (u1 + u2)^2 and q2 = u1 / (2 (u1 + u2)).
    """
    total = max(u1 + u2, 1e-6)
    return np.clip([total**2, 0.5 * u1 / total], 0.01, 0.99)


def from_kipping(q1: float, q2: float) -> tuple[float, float]:
    """Turn Kipping's coefficients, any pair between 0 and 1, into the quadratic ones."""
    root = float(np.sqrt(q1))
    return 2 * root * q2, root * (1 - 2 * q2)


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
