"""What is believed before the fit: bounds for all parameters, Gaussians for the weak ones.

Mid-time and radius ratio have no Gaussian: they are what the night is to tell. The mid-time is
kept to one epoch; a/R*, the impact parameter and the limb darkening lean on what is published.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightcurve.data import Planet
from lightcurve.transit.ephemeris import impact_parameter, predict_transit
from lightcurve.transit.limb import limb_darkening_prior

A_RELATIVE = 0.05  # of a/R*, where the planet file gives no error
B_ERROR = 0.10  # of the impact parameter, where it gives no error of the inclination
MIN_WINDOW_DAYS = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """Independent priors, in the order of `lightcurve.transit.model.NAMES`.

    Attributes
    ----------
    centre, width : (6,) float arrays
        Gaussian; the width is infinite where there is none.
    lower, upper : (6,) float arrays
        Beyond these the probability is 0.
    notes : tuple of str
        Where each came from.
    """

    centre: np.ndarray
    width: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    notes: tuple[str, ...]

    def pulls(self, theta: np.ndarray) -> np.ndarray:
        """Work out how far parameters lie from the centre.

        theta: (6,) float array.
        Returns (6,) float array, in standard deviations; 0 where there is no Gaussian.
        """
        return (theta - self.centre) / self.width

    def contain(self, theta: np.ndarray) -> bool:
        """Say whether parameters are possible.

        theta: (6,) float array.
        """
        inside = bool(np.all((theta >= self.lower) & (theta <= self.upper)))
        return inside and theta[3] < 1 + theta[1]


def make_priors(planet: Planet, time: np.ndarray, filter_name: str | None = None) -> Priors:
    """Collect the priors for one night.

    time: (n,) float array, BJD_TDB; filter_name: for the limb darkening.
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
