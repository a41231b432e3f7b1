"""A season as programs read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data import Parameter
from lightcurve.transit.times import Ephemeris
from lightcurve.transit.variation import Timing

if TYPE_CHECKING:
    from lightcurve.season.story import Sampled, Season


def ephemeris_values(one: Ephemeris) -> dict[str, Any]:
    """Lay an ephemeris out for programs; None for what is not known."""
    values = {
        "epoch": one.epoch, "t0_bjd_tdb": one.t0, "period_days": one.period,
        "t0_err_days": math.sqrt(one.cov[0, 0]), "period_err_days": math.sqrt(one.cov[1, 1]),
        "covariance_days2": float(one.cov[0, 1]), "chi2": one.chi2,
        "degrees_of_freedom": one.freedom, "errors_scaled_by": one.scaled,
    }  # fmt: skip
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}


def timing_values(one: Timing) -> dict[str, Any]:
    """Lay out for programs how the mid-times go; None for what is not known."""
    pairs = {
        "size_minutes": one.size_minutes, "period_epochs": one.period_epochs,
        "period_change_days_per_epoch": one.period_change,
    }  # fmt: skip
    told = {
        name: None if math.isnan(value) else {"value": value, "error": error}
        for name, (value, error) in pairs.items()
    }
    return {"found": one.found.value, "log_evidence": dict(one.log_evidence), **told}


def posterior_values(sampled: Sampled | None) -> dict[str, Any] | None:
    """Lay medians with 16 and 84 % points out for programs; None where nothing was sampled."""
    if sampled is None:
        return None
    points = np.percentile(sampled.posterior.samples, (16, 50, 84), axis=0).T
    told = {
        name: {"value": value, "lower": lower, "upper": upper}
        for name, (lower, value, upper) in zip(sampled.joint.names, points.tolist(), strict=True)
    }
    return {**told, **sampled.posterior.diagnostics()}


def plain(p: Parameter) -> dict[str, Any]:
    """Lay a parameter out for programs."""
    return {"value": p.value, "lower": p.lower, "upper": p.upper, "unit": p.unit}


def shape(season: Season) -> dict[str, Parameter]:
    """List the shared parameters, with one sigma either way."""
    joint, error = season.joint, np.sqrt(np.diag(season.joint.cov))
    return {
        name: Parameter(float(v), float(v - e), float(v + e), "")
        for name, v, e in zip(joint.joint.names, joint.p, error, strict=True)
        if not name.startswith("mid:")
    }
