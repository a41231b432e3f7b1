"""What a search for periods or minima leaves behind: tables, figures and numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import DAY_S, __version__
from lightcurve.core.data import Parameter, Products, Result
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.report.html import in_words
from lightcurve.report.variables import FoldedStar, TimedMinimum, save_minima, save_period
from lightcurve.variables.period import Candidate, PeriodSearch, Shape
from lightcurve.variables.series import Series

if TYPE_CHECKING:
    from lightcurve.transit.times import Ephemeris
    from lightcurve.variables.minima import Minimum
    from lightcurve.variables.story import FoundPeriod, Minima

__all__ = ["minimum_rows"]

MINUTES = 1440.0
LEAST_CHANCE = 1e-9  # that is told
MARKED = 3  # of the other periods, in the figure
MINIMA = (
    "time", "time_err_days", "hjd_utc", "kind", "epoch", "o_minus_c_minutes", "depth_percent",
    "depth_err_percent", "width_hours", "kwee_van_woerden", "kwee_van_woerden_err_days",
    "kwee_van_woerden_formula_days", "side_before", "side_after", "whole", "points",
)  # fmt: skip


def _number(value: float, error: float, unit: str) -> str:
    return in_words(Parameter(value, value - error, value + error, unit))


def write_period(out: Path, found: FoundPeriod) -> Products:
    """Write the products of a search for a period."""
    series, search = found.series, found.search
    (out / "figures").mkdir(parents=True, exist_ok=True)
    folded, best = fold(series.time, series.flux, series.part, search), search.best
    columns = [series.time, folded.phase, folded.flux, series.error, folded.model]
    names = (series.scale.lower(), "phase", "rel_flux", "rel_flux_err", "model")
    summary = summarise_period(found)
    marks = [(best.period, f"{best.period:.6g} d")]
    marks += [
        (one.period, f"{one.period:.5g} d, {one.alias or 'another'}")
        for one in search.others[:MARKED]
    ]
    content = {
        "star": series.name, "time_scale": series.scale, "points": len(series.time),
        "tables": series.labels, "levels": len(np.unique(series.part)),
        "chance": search.chance, "found": search.found, "epoch": search.epoch,
        "amplitude": search.amplitude, "twice_is_as_good": search.doubled,
        "best": candidate_values(best, best),
        "others": [candidate_values(one, best) for one in search.others], "version": __version__,
    }  # fmt: skip
    paths = {
        "period.json": write_text(out / "period.json", json_text(content, indent=2)),
        "folded.csv": write_text(
            out / "folded.csv", csv_text(names, np.column_stack(columns).tolist())
        ),
        "periodogram.csv": write_text(
            out / "periodogram.csv",
            csv_text(("frequency_per_day", "power"),
                     np.column_stack([search.frequency, search.power]).tolist()),
        ),
        "figures/period.png": save_period(
            out / "figures" / "period.png", 1 / search.frequency, search.power, folded,
            marks=marks, title=f"{series.name}: {summary['verdict'].text}",
            facts=[f"{summary['points'].text}; {summary['chance'].text}"],
        ),
    }  # fmt: skip
    return Products(out, paths, {}, summary)


def candidate_values(one: Candidate, best: Candidate) -> dict[str, Any]:
    """Lay a period out for programs; its odds are those beside the best."""
    return {
        "period_days": one.period, "period_err_days": one.error, "shape": one.shape.value,
        "terms": one.terms, "alias": one.alias,
        "odds": math.exp(max(-(one.bic - best.bic) / 2 / best.fitted.red, -700.0)),
    }  # fmt: skip


def fold(time: np.ndarray, flux: np.ndarray, part: np.ndarray, search: PeriodSearch) -> FoldedStar:
    """Fold a light curve about its minimum, every part brought to a common level."""
    best = search.best
    phase = ((time - search.epoch) / best.period) % 1
    levels = best.fitted.linear
    number = len(np.unique(part))
    own = levels[:number][np.unique(part, return_inverse=True)[1]]
    common = float(np.mean(levels[:number]))
    flux, model = (values - own + common for values in (flux, best.fitted.model))
    return FoldedStar(phase, flux, model, best.period)


def summarise_period(found: FoundPeriod) -> dict[str, Result]:
    """Collect what of a period is worth printing."""
    series, search, best = found.series, found.search, found.search.best
    period = _number(best.period, best.error, "d")
    what = "eclipses" if best.shape is Shape.ECLIPSES else f"a wave of {best.terms} harmonics"
    seen = f"period {period}, {what}" if search.found else f"no period is proven: {period} is best"
    others = "; ".join(
        f"{one.period:.6g} d{f' ({one.alias})' if one.alias else ''}, {_odds(one, best)}"
        for one in search.others[:MARKED]
    )
    twice = "; two alike in twice the period are as good" if search.doubled else ""
    return {
        "target": Result(series.name, label="star"),
        "verdict": Result(seen, label="found", text=seen),
        "period_days": Result(
            best.period, "d", "period", period, best.period - best.error, best.period + best.error
        ),
        "epoch": Result(
            search.epoch, series.scale, "minimum", f"{search.epoch:.5f} {series.scale}{twice}"
        ),
        "amplitude_percent": Result(
            100 * search.amplitude, "%", "amplitude", f"{100 * search.amplitude:.3g} %"
        ),
        "chance": Result(
            search.chance, "", "by chance", f"by chance in {_chance(search.chance)} of cases"
        ),
        "others": Result(others, label="other periods", text=others),
        "points": Result(
            len(series.time), "", "points",
            f"{len(series.time)} points of {len(series.labels)} light "
            f"curve{'' if len(series.labels) == 1 else 's'} over {np.ptp(series.time):.3g} days",
        ),
    }  # fmt: skip


def _chance(share: float) -> str:
    """Say a chance; none is known to more than one in a thousand million."""
    return f"{share:.1g}" if share >= LEAST_CHANCE else f"under {LEAST_CHANCE:g}"


def _odds(one: Candidate, best: Candidate) -> str:
    """Say how much less likely a period is than the best."""
    odds = (one.bic - best.bic) / 2 / best.fitted.red
    return f"{math.exp(odds):.2g} times less likely" if odds < math.log(1e6) else "ruled out"


def minimum_rows(minima: Minima) -> list[dict[str, Any]]:
    """List the minima, a row each by the columns of minima.csv."""
    rows = []
    for k, one in enumerate(minima.minima):
        kind, epoch, late = kind_of(minima, k)
        values = (
            one.time, one.error, minima.series.heliocentric(one.time), kind, epoch, late,
            100 * one.depth, 100 * one.depth_err, 24 * one.width, one.kwee, one.kwee_err,
            one.kwee_formal, *one.sides, int(one.whole), one.points,
        )  # fmt: skip
        told = (None if isinstance(v, float) and math.isnan(v) else v for v in values)
        rows.append(dict(zip(MINIMA, told, strict=True)))
    return rows


def kind_of(minima: Minima, k: int) -> tuple[str, float | None, float | None]:
    """Tell a minimum's kind, its epoch in periods, and how many minutes it is late."""
    if minima.known is None or minima.half is None:
        return "", None, None
    half = int(minima.half[k])
    late = minima.minima[k].time - float(minima.known.at(np.array(half)))
    return ("secondary" if half % 2 else "primary"), half / 2, late * MINUTES


def write_minima(out: Path, minima: Minima) -> Products:
    """Write the products of a search for minima."""
    series, rows = minima.series, minimum_rows(minima)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    table = [["" if v is None else v for v in row.values()] for row in rows]
    summary = summarise_minima(minima)
    content = {
        "star": series.name, "time_scale": series.scale, "tables": series.labels, "minima": rows,
        "ephemeris": minima.new and {
            "t0": minima.new.t0, "epoch": minima.new.epoch, "period_days": minima.new.period,
            "t0_err_days": math.sqrt(minima.new.cov[0, 0]),
            "period_err_days": math.sqrt(minima.new.cov[1, 1]),
        },
        "version": __version__,
    }  # fmt: skip
    paths = {
        "minima.csv": write_text(out / "minima.csv", csv_text(MINIMA, table)),
        "minima.json": write_text(out / "minima.json", json_text(content, indent=2)),
        "figures/minima.png": save_minima(
            out / "figures" / "minima.png", [drawn(minima, one) for one in minima.minima],
            title=f"{series.name}: {summary['verdict'].text}",
        ),
    }  # fmt: skip
    return Products(out, paths, {}, summary)


def drawn(minima: Minima, one: Minimum) -> TimedMinimum:
    """Lay a minimum out for its panel."""
    series = minima.series
    shown = (series.time >= one.fitted[0, 0]) & (series.time <= one.fitted[0, -1])
    error = f"{one.error * DAY_S:.0f} s" if one.error * DAY_S >= 1 else "under 1 s"
    return TimedMinimum(
        (series.time[shown] - one.time) * MINUTES, series.flux[shown],
        (one.fitted[0] - one.time) * MINUTES, one.fitted[1],
        f"{one.time:.5f} \N{PLUS-MINUS SIGN} {error}",
    )  # fmt: skip


def summarise_minima(minima: Minima) -> dict[str, Result]:
    """Collect what of minima is worth printing."""
    series, found = minima.series, minima.minima
    whole = sum(one.whole for one in found)
    best = min(found, key=lambda one: (not one.whole, one.error))
    told = f"{len(found)} minim{'um' if len(found) == 1 else 'a'}, {whole} with both branches"
    results = {
        "target": Result(series.name, label="star"),
        "verdict": Result(len(found), "", "found", told),
        "best": Result(
            best.time, series.scale, "best known",
            f"{_number(best.time, best.error, series.scale)}, Kwee-van Woerden "
            f"{_number(best.kwee, best.kwee_err, '')}" if math.isfinite(best.kwee_err)
            else _number(best.time, best.error, series.scale),
        ),
    }  # fmt: skip
    if minima.new is not None:
        results["ephemeris"] = Result(
            minima.new.period, "d", "ephemeris", words_of(minima.new, series)
        )
    return results


def words_of(one: Ephemeris, series: Series) -> str:
    """Say an ephemeris of primary minima."""
    t0, period = (math.sqrt(v) for v in np.diag(one.cov))
    return f"{_number(one.t0, t0, series.scale)} + {_number(one.period, period, 'd')} E"
