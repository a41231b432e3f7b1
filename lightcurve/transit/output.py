"""A fit as plain values, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lightcurve.data import Planet, TransitFit

WHOLE = ("n_points", "n_left_out", "epoch", "supersample", "sampling_steps")


def fit_to_json(
    fit: TransitFit, planet: Planet, *, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Lay a fit out for ``fit.json``.

    Parameters
    ----------
    fit : TransitFit
    planet : Planet
        Named, with the ephemeris O-C refers to.
    extra : mapping, optional
        More top-level entries, such as file name, seed or version.

    Returns
    -------
    dict
        Parameters by name, each a map of value, lower, upper (16 and 84 %) and unit; beside them
        the statistics as numbers, ``verdict``, ``covariates``, ``notes`` and ``planet``. A number
        that is not known is None.
    """
    parameters = {
        name: {
            "value": _plain(p.value),
            "lower": _plain(p.lower),
            "upper": _plain(p.upper),
            "unit": p.unit,
        }
        for name, p in fit.parameters.items()
    }
    statistics = {
        name: int(value) if name in WHOLE and math.isfinite(value) else _plain(value)
        for name, value in fit.statistics.items()
    }
    if statistics.get("converged") is not None:
        statistics["converged"] = bool(statistics["converged"])
    known = {
        "name": planet.name,
        "period_days": planet.period_days,
        "t0_bjd_tdb": planet.t0_bjd_tdb,
        "source": planet.source,
    }
    return {
        **parameters,
        **statistics,
        "verdict": fit.verdict,
        "covariates": list(fit.covariates),
        "notes": list(fit.notes),
        "planet": known,
        **(extra or {}),
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
