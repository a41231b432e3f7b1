"""The fitted transit at times of its own: a smooth line, however sparse the points are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, TransitFit
from lightcurve.transit.model import NAMES, TransitModel, expected_ingress

__all__ = ["smooth_model"]

PER_INGRESS = 40  # times
FEWEST, MOST = 200, 2000  # times of each stretch without a gap
GAP_DAYS = 0.1


def smooth_model(
    fit: TransitFit, planet: Planet, exposure_s: float, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the model of a fit from the first time to the last, averaged over the exposure.

    Parameters
    ----------
    planet : Planet
        For period, eccentricity and argument of periastron.
    time : (n,) float array
        BJD_TDB of the points; NaN is left out.

    Returns
    -------
    time, flux : (k,) float arrays
        NaN between stretches with a gap of 0.1 d between them; both empty where the fit found no
        transit, or does not tell where.
    """
    known = np.unique(time[np.isfinite(time)])
    if not fit.found or not known.size or not {*NAMES} <= {*fit.solution}:
        return np.empty(0), np.empty(0)
    ingress = expected_ingress(planet)
    pieces: list[np.ndarray] = []
    for stretch in np.split(known, np.flatnonzero(np.diff(known) > GAP_DAYS) + 1):
        first, last = float(stretch[0]), float(stretch[-1])
        wanted = PER_INGRESS * (last - first) / ingress if ingress > 0 else MOST
        pieces += [np.linspace(first, last, int(np.clip(wanted, FEWEST, MOST))), np.array([np.nan])]
    fine = np.concatenate(pieces[:-1])
    there = np.isfinite(fine)
    alike = replace(planet, dilution=fit.solution.get("dilution"))
    flux = np.full(len(fine), np.nan)
    flux[there] = TransitModel(fine[there], alike, exposure_s / DAY_S)(
        np.array([fit.solution[name] for name in NAMES])
    )
    return fine, flux
