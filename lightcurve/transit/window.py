"""Which points of a night may lie in the predicted transit."""

from __future__ import annotations

import numpy as np

from lightcurve.data import Planet
from lightcurve.transit.ephemeris import predict_transit

MARGIN_SIGMA = 3.0


def mark_transit(planet: Planet, bjd_tdb: np.ndarray) -> np.ndarray:
    """Mark the points that may lie in the transit predicted nearest to their median time.

    Parameters
    ----------
    bjd_tdb : (n,) float array
        NaN lie in none.

    Returns
    -------
    (n,) bool array
        From ingress to egress, widened on both sides by three sigma of the predicted mid-time;
        by nothing where the ephemeris has no error.
    """
    transit = predict_transit(planet, float(np.nanmedian(bjd_tdb)))
    margin = np.nan_to_num(MARGIN_SIGMA * transit.mid_err)
    return (bjd_tdb > transit.ingress - margin) & (bjd_tdb < transit.egress + margin)
