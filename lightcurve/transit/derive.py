"""From samples of the fitted parameters to every number that is published."""

from __future__ import annotations

import numpy as np

from lightcurve.constants import DAY_S
from lightcurve.data import Parameter, Planet
from lightcurve.transit.ephemeris import Prediction, contact_duration
from lightcurve.transit.model import NAMES, TransitModel

UNITS = {
    "mid_time_bjd_tdb": "BJD_TDB",
    "rp_over_rs": "stellar radii",
    "a_over_rs": "stellar radii",
    "impact_parameter": "stellar radii",
    "q1": "",
    "q2": "",
    "u1": "",
    "u2": "",
    "inclination_deg": "deg",
    "duration_days": "d",
    "ingress_duration_days": "d",
    "depth_percent": "%",
    "radius_ratio_squared_percent": "%",
    "stellar_density_g_cm3": "g/cm3",
    "o_minus_c_minutes": "min",
}
GRAVITATION = 6.6743e-8  # cm3 g-1 s-2
DEPTH_SAMPLES = 1000


def summarise(samples: np.ndarray, planet: Planet, prediction: Prediction) -> dict[str, Parameter]:
    """Work out medians and 16 and 84 % points, fitted and derived.

    samples: (n, 6) float array, in the order of `lightcurve.transit.model.NAMES`; prediction: for
    O-C.
    ``depth_percent`` is the light lost at mid-transit, limb darkening included;
    ``radius_ratio_squared_percent`` is what some archives call depth. ``o_minus_c_minutes`` carries
    the error of the observed time alone.
    """
    columns = dict(zip(NAMES, samples.T, strict=True))
    _, rp, a, b, q1, q2 = samples.T
    duration = contact_duration(planet, rp=rp, a=a, b=b)
    sine = np.sin(np.radians(planet.omega_deg))
    factor = (1 - planet.eccentricity**2) / (1 + planet.eccentricity * sine)
    columns |= {
        "u1": 2 * np.sqrt(q1) * q2,
        "u2": np.sqrt(q1) * (1 - 2 * q2),
        "inclination_deg": np.degrees(np.arccos(np.clip(b / (a * factor), 0, 1))),
        "duration_days": duration,
        "ingress_duration_days": (duration - contact_duration(planet, rp=rp, a=a, b=b, inner=True))
        / 2,
        "depth_percent": 100 * _mid_transit_loss(samples, planet),
        "radius_ratio_squared_percent": 100 * rp**2,
        "stellar_density_g_cm3": 3 * np.pi / GRAVITATION / (planet.period_days * DAY_S) ** 2 * a**3,
        "o_minus_c_minutes": (columns["mid_time_bjd_tdb"] - prediction.mid) * 1440,
    }
    return {name: _parameter(values, UNITS[name]) for name, values in columns.items()}


def _mid_transit_loss(samples: np.ndarray, planet: Planet) -> np.ndarray:
    """Compute the light lost at mid-transit.

    samples: (n, 6) float array.
    Returns (m,) float array, of at most a thousand samples, evenly picked.
    """
    picked = samples[:: max(1, len(samples) // DEPTH_SAMPLES)].copy()
    moment = picked[0, 0]
    picked[:, 0] = moment
    model = TransitModel(np.array([moment]), planet, 0.0)
    return 1 - np.array([model(theta)[0] for theta in picked])


def _parameter(values: np.ndarray, unit: str) -> Parameter:
    lower, middle, upper = np.percentile(values[np.isfinite(values)], [15.865, 50, 84.135])
    return Parameter(float(middle), float(lower), float(upper), unit)
