"""What the figures of a season show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.report.season import Folded, OMinusC
from lightcurve.season.words import MINUTES, UNKNOWN
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.model import transit_flux

if TYPE_CHECKING:
    from lightcurve.season.story import Sampled, Season


def o_minus_c(season: Season) -> OMinusC:
    """Lay the O-C diagram out: minutes from the ephemeris that was known."""
    times, known, new = season.times, season.known, season.ephemeris
    pad = 0.03 * max(float(np.ptp(times.epoch)), 40.0)  # a whole epoch at least
    grid = np.linspace(times.epoch.min() - pad, times.epoch.max() + pad, 200)
    return OMinusC(
        epoch=times.epoch,
        minutes=(times.mid - known.at(times.epoch)) * MINUTES,
        error=times.error * MINUTES,
        filters=tuple(night.filter or UNKNOWN for night in season.found),
        kept=season.judged.kept,
        grid=grid,
        known_err=known.error(grid) * MINUTES,
        new=(new.at(grid) - known.at(grid)) * MINUTES,
        new_err=new.error(grid) * MINUTES,
        wave=(
            season.timing.grid,
            season.timing.minutes
            + (new.at(season.timing.grid) - known.at(season.timing.grid)) * MINUTES,
        ),
    )


def fold(season: Season) -> tuple[list[Folded], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Fold the light curves about their mid-times: points of each, and the model of each filter."""
    joint, planet = season.joint.joint, season.planet
    folded, lines = [], {}
    reach = max(float(np.ptp(one.time)) for one in joint.problems)
    for k, (night, problem) in enumerate(zip(season.found, joint.problems, strict=True)):
        theta = joint.theta(k, season.joint.p)
        level, coefficients, _ = problem.detrend(theta)
        flux = (problem.flux - problem.noise.trend @ coefficients) / level
        model, name = problem.model(theta), night.filter or UNKNOWN
        hours = 24 * (problem.time - theta[0])
        folded.append(Folded(name, hours, flux, flux - model, problem.flux_err / level))
        if name not in lines:
            span = min(reach, 3 * transit_duration(planet) or reach)
            days = np.linspace(-span / 2, span / 2, 400)
            at_zero = theta.copy()
            at_zero[0] = 0.0
            lines[name] = (24 * days, transit_flux(days, at_zero, problem.model.planet))
    return folded, lines


def posterior_columns(sampled: Sampled) -> tuple[np.ndarray, list[str]]:
    """Lay samples out for people, (n, k): T0 and period from the ephemeris; and their names."""
    units = {"t0": ("T0 (min)", MINUTES), "period": ("period (s)", 86400.0)}
    shown = [k for k, name in enumerate(sampled.joint.names) if not name.startswith("mid:")]
    names = [sampled.joint.names[k] for k in shown]
    sizes = [units.get(name, ("", 1.0))[1] for name in names]
    return sampled.posterior.samples[:, shown] * sizes, [
        units.get(name, (name, 1.0))[0] for name in names
    ]
