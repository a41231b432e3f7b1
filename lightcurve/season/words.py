"""A season as people read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Parameter, Result
from lightcurve.report.html import in_words
from lightcurve.season.values import shape
from lightcurve.transit.times import Ephemeris
from lightcurve.transit.variation import CONVINCING, Timing, Variation

if TYPE_CHECKING:
    from lightcurve.season.story import Season

MINUTES = 1440.0
UNKNOWN = "unknown"  # as a filter


def summarise(season: Season) -> dict[str, Result]:
    """Collect what of a season is worth printing."""
    one, known, found = season.ephemeris, season.known, season.found
    t0_err, period_err = (math.sqrt(v) for v in np.diag(one.cov))
    change = (one.period - known.period) * 86400
    drift = float(one.t0 - known.at(np.array(one.epoch))) * MINUTES
    scaled = f", errors scaled by {one.scaled:.2f}" if one.scaled > 1 else ""
    left_out = int((~season.judged.kept).sum())
    repeated = sum(night.again for night in season.nights)
    failed = sum(bool(night.error) for night in season.nights) - repeated
    results = {
        "target": Result(season.planet.name, label="target"),
        "verdict": Result(
            len(found), "", "light curves",
            f"{len(found)} of {len(season.nights) - repeated} light curves show its transit, "
            f"{epochs(season)}",
        ),
        "t0_bjd_tdb": Result(
            one.t0, "BJD_TDB", "T0", f"{number(one.t0, t0_err, 'BJD_TDB')}, epoch {one.epoch}",
            one.t0 - t0_err, one.t0 + t0_err,
        ),
        "period_days": Result(
            one.period, "d", "period", number(one.period, period_err, "d"),
            one.period - period_err, one.period + period_err,
        ),
        "o_minus_c_minutes": Result(
            drift, "min", "at T0, from the known ephemeris",
            f"{drift:+.2f} min; period {change:+.4f} s",
        ),
        "chi2": Result(
            one.chi2, "", "chi2 of the mid-times" if one.freedom else "",
            f"{one.chi2:.1f} of {one.freedom} degrees of freedom{scaled}",
        ),
        "timing": Result(
            season.timing.found.value, "", "mid-times", timing_words(season.timing)
        ),
        "left_out": Result(left_out, label="mid-times left out" if left_out else ""),
        "not_read": Result(failed, label="not read or fitted" if failed else ""),
        "repeated": Result(repeated, label="of others' frames, left out" if repeated else ""),
    }  # fmt: skip
    for name, p in shape(season).items():
        if name.startswith("rp_over_rs"):
            label = "Rp/R*" + name.removeprefix("rp_over_rs").replace(":", " in ")
            results[name] = Result(p.value, "stellar radii", label, in_words(p), p.lower, p.upper)
    return results


def words_of(one: Ephemeris) -> str:
    """Say an ephemeris as it is printed."""
    t0, period = (math.sqrt(v) for v in np.diag(one.cov))
    return f"T0 {number(one.t0, t0, 'BJD_TDB')}, period {number(one.period, period, 'd')}"


def timing_words(one: Timing) -> str:
    """Say how the mid-times go."""
    size = number(*one.size_minutes, "min")
    evidence = max(one.log_evidence.values(), default=math.nan) / math.log(10)
    odds = f"evidence 10^{evidence:.1f} times that for a linear ephemeris"
    if one.found is Variation.UNTESTED:
        return "a linear ephemeris: too few epochs to test another"
    if one.found is Variation.LINEAR:
        return "a linear ephemeris suffices"
    if one.found is Variation.SCATTER:
        return (
            f"they scatter by {size} beyond their errors ({odds}): these too small, clocks, spots, "
            f"or other planets{_almost(one)}"
        )
    if one.found is Variation.QUADRATIC:
        change, error = (v * 86400 for v in one.period_change)
        return f"the period changes by {number(change, error, 's')} an epoch ({odds})"
    period = number(*one.period_epochs, "epochs")
    return f"a wave of {size}, {period} long ({odds})"


def _almost(one: Timing) -> str:
    """Say which variation is likelier than scatter, where not by as much as is asked."""
    others = {name: value for name, value in one.log_evidence.items() if name != "scatter"}
    name = max(others, key=lambda key: others[key])
    ahead = math.exp(min(others[name] - one.log_evidence["scatter"], 10.0))
    if ahead < 1:
        return ""
    return f"; a {name} variation is {ahead:.0f} times as likely, {CONVINCING:.0f} are asked"


def number(value: float, error: float, unit: str) -> str:
    """Write a value with its error, to the digits that it has."""
    return in_words(Parameter(value, value - error, value + error, unit))


def count(number: int, word: str) -> str:
    """Say how many."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def epochs(season: Season) -> str:
    """Say of how many epochs there are mid-times."""
    return count(len(np.unique(season.times.epoch)), "epoch")
