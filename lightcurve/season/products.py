"""What a season leaves behind: tables, figures and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import __version__
from lightcurve.core.data import Parameter, Products, Result
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.report.fit import save_corner
from lightcurve.report.html import in_words
from lightcurve.report.season import Folded, OMinusC, save_folded, save_o_minus_c
from lightcurve.season.nights import SeasonNight
from lightcurve.season.page import write_season_page
from lightcurve.transit.ephemeris import transit_duration
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.model import transit_flux
from lightcurve.transit.times import Ephemeris
from lightcurve.transit.variation import CONVINCING, Timing, Variation

if TYPE_CHECKING:
    from lightcurve.season.story import Sampled, Season

__all__ = ["mid_time_rows"]

MINUTES = 1440.0
PLUS_MINUS = r"\pm"
LATEX = {c: "\\" + c for c in "#$%&_{}"} | {"\\": "/", "~": "-", "^": r"\^{}"}
UNKNOWN = "unknown"  # as a filter
MID_TIMES = (
    "epoch", "mid_time_bjd_tdb", "mid_time_err_days", "o_minus_c_minutes", "o_minus_c_err_minutes",
    "o_minus_c_known_minutes", "filter", "source", "own_mid_time_bjd_tdb", "own_mid_time_err_days",
    "finding", "coverage", "used", "contradicts",
)  # fmt: skip
NIGHTS = (
    "source", "file", "first_bjd_tdb", "last_bjd_tdb", "filter", "exposure_s", "points", "used",
    "residual_scatter_percent", "verdict", "rp_over_rs", "rp_over_rs_err", "error", "notes",
)  # fmt: skip


def write_nights(out: Path, nights: Sequence[SeasonNight]) -> Path:
    """Write nights.csv: a row a light curve, also where none was found or it could not be read."""
    return write_text(out / "nights.csv", csv_text(NIGHTS, map(_night_row, nights)))


def _night_row(night: SeasonNight) -> list[Any]:
    if night.fit is None or night.curve is None:
        empty = [""] * (len(NIGHTS) - 4)
        return [night.label, str(night.path), *empty, night.error, ""]
    fit, time = night.fit, night.curve.bjd_tdb[night.fit.used]
    radius = fit.parameters.get("rp_over_rs")
    return [
        night.label, str(night.path), float(time.min()), float(time.max()), night.filter,
        night.exposure_s, len(fit.used), int(fit.used.sum()),
        fit.statistics["residual_scatter_percent"], str(fit.verdict),
        *(("", "") if radius is None else (radius.value, _sigma(radius))),
        "", " | ".join(night.notes),
    ]  # fmt: skip


def _sigma(parameter: Parameter) -> float:
    return (parameter.upper - parameter.lower) / 2


def mid_time_rows(season: Season) -> list[dict[str, Any]]:
    """List the mid-times, a row each by the columns of mid_times.csv."""
    times = season.times
    new = (times.mid - season.ephemeris.at(times.epoch)) * MINUTES
    old = (times.mid - season.known.at(times.epoch)) * MINUTES
    rows = []
    for k, night in enumerate(season.found):
        if night.fit is None:
            continue
        own, verdict = night.fit.parameters["mid_time_bjd_tdb"], night.fit.verdict
        values = (
            int(times.epoch[k]), float(times.mid[k]), float(times.error[k]), float(new[k]),
            float(times.error[k] * MINUTES), float(old[k]), night.filter, night.label, own.value,
            _sigma(own), verdict.finding.value, verdict.reason,
            int(season.judged.kept[k]), season.judged.words[k],
        )  # fmt: skip
        rows.append(dict(zip(MID_TIMES, values, strict=True)))
    return rows


def write_season(out: Path, season: Season) -> Products:
    """Write all products of a season but nights.csv, which is there already."""
    rows = mid_time_rows(season)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    title = f"{season.planet.name}: {count(len(rows), 'transit')} of {_epochs(season)}"
    folded, lines = fold(season)
    paths = {
        "nights.csv": out / "nights.csv",
        "mid_times.csv": write_text(
            out / "mid_times.csv", csv_text(MID_TIMES, [list(row.values()) for row in rows])
        ),
        "mid_times.tex": write_text(out / "mid_times.tex", latex_table(season, rows)),
        "figures/o_minus_c.png": save_o_minus_c(
            out / "figures" / "o_minus_c.png", o_minus_c(season), title=title,
            facts=[words_of(season.ephemeris), f"mid-times: {timing_words(season.timing)}"],
        ),
        "figures/folded.png": save_folded(
            out / "figures" / "folded.png", folded, lines, title=title
        ),
    }  # fmt: skip
    summary = summarise(season)
    content = {
        "planet": planet_values(season.planet),
        "ephemeris": ephemeris_values(season.ephemeris),
        "timing": timing_values(season.timing),
        "known_ephemeris": ephemeris_values(season.known),
        "shape": {name: _plain(p) for name, p in shape(season).items()},
        "posterior": posterior_values(season.sampled),
        "mid_times": rows,
        "mid_time_covariance_days2": season.times.cov.tolist(),
        "nights": [dict(zip(NIGHTS, _night_row(n), strict=True)) for n in season.nights],
        "version": __version__,
    }
    paths["season.json"] = write_text(out / "season.json", json_text(content, indent=2))
    if season.sampled is not None:
        paths["figures/corner.png"] = save_corner(
            out / "figures" / "corner.png", *posterior_columns(season.sampled),
            title=f"{season.planet.name}: joint posterior",
            facts=[season.sampled.posterior.note()],
        )  # fmt: skip
    figures = {name: paths[f"figures/{name}.png"] for name in ("o_minus_c", "folded")}
    paths["report.html"] = write_season_page(
        out / "report.html", season, rows, summary, shape(season), figures
    )
    return Products(out, paths, {}, summary)


def posterior_columns(sampled: Sampled) -> tuple[np.ndarray, list[str]]:
    """Lay samples out for people, (n, k): T0 and period from the ephemeris; and their names."""
    units = {"t0": ("T0 (min)", MINUTES), "period": ("period (s)", 86400.0)}
    shown = [k for k, name in enumerate(sampled.joint.names) if not name.startswith("mid:")]
    names = [sampled.joint.names[k] for k in shown]
    sizes = [units.get(name, ("", 1.0))[1] for name in names]
    return sampled.posterior.samples[:, shown] * sizes, [
        units.get(name, (name, 1.0))[0] for name in names
    ]


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


def latex_table(season: Season, rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay the mid-times that the ephemeris is made of out as papers print them."""
    head = r"Epoch & Mid-time (BJD$_\mathrm{TDB}$) & $O-C$ (min) & Filter & Source"
    lines = [r"\begin{tabular}{rlrll}", r"\hline", head + r" \\", r"\hline"]
    for row in rows:
        if row["used"]:
            mid = _number(row["mid_time_bjd_tdb"], row["mid_time_err_days"], "")
            late = _number(row["o_minus_c_minutes"], row["o_minus_c_err_minutes"], "")
            values = (f"${v.replace('+-', PLUS_MINUS)}$" for v in (mid, late))
            words = (_escaped(row[name] or UNKNOWN) for name in ("filter", "source"))
            lines.append(" & ".join([str(row["epoch"]), *values, *words]) + r" \\")
    told = _escaped(f"{season.planet.name}: {words_of(season.ephemeris)}")
    return "\n".join([f"% {told}", *lines, r"\hline", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    """Escape what LaTeX takes for its own."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def count(number: int, word: str) -> str:
    """Say how many."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _epochs(season: Season) -> str:
    return count(len(np.unique(season.times.epoch)), "epoch")


def _plain(p: Parameter) -> dict[str, Any]:
    return {"value": p.value, "lower": p.lower, "upper": p.upper, "unit": p.unit}


def shape(season: Season) -> dict[str, Parameter]:
    """List the shared parameters, with one sigma either way."""
    joint, error = season.joint, np.sqrt(np.diag(season.joint.cov))
    return {
        name: Parameter(float(v), float(v - e), float(v + e), "")
        for name, v, e in zip(joint.joint.names, joint.p, error, strict=True)
        if not name.startswith("mid:")
    }


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


def timing_words(one: Timing) -> str:
    """Say how the mid-times go."""
    size = _number(*one.size_minutes, "min")
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
        return f"the period changes by {_number(change, error, 's')} an epoch ({odds})"
    period = _number(*one.period_epochs, "epochs")
    return f"a wave of {size}, {period} long ({odds})"


def _almost(one: Timing) -> str:
    """Say which variation is likelier than scatter, where not by as much as is asked."""
    others = {name: value for name, value in one.log_evidence.items() if name != "scatter"}
    name = max(others, key=lambda key: others[key])
    ahead = math.exp(min(others[name] - one.log_evidence["scatter"], 10.0))
    if ahead < 1:
        return ""
    return f"; a {name} variation is {ahead:.0f} times as likely, {CONVINCING:.0f} are asked"


def _number(value: float, error: float, unit: str) -> str:
    return in_words(Parameter(value, value - error, value + error, unit))


def words_of(one: Ephemeris) -> str:
    """Say an ephemeris as it is printed."""
    t0, period = (math.sqrt(v) for v in np.diag(one.cov))
    return f"T0 {_number(one.t0, t0, 'BJD_TDB')}, period {_number(one.period, period, 'd')}"


def summarise(season: Season) -> dict[str, Result]:
    """Collect what of a season is worth printing."""
    one, known, found = season.ephemeris, season.known, season.found
    t0_err, period_err = (math.sqrt(v) for v in np.diag(one.cov))
    change = (one.period - known.period) * 86400
    drift = float(one.t0 - known.at(np.array(one.epoch))) * MINUTES
    scaled = f", errors scaled by {one.scaled:.2f}" if one.scaled > 1 else ""
    left_out = int((~season.judged.kept).sum())
    failed = sum(bool(night.error) for night in season.nights)
    results = {
        "target": Result(season.planet.name, label="target"),
        "verdict": Result(
            len(found), "", "light curves",
            f"{len(found)} of {len(season.nights)} light curves show its transit, "
            f"{_epochs(season)}",
        ),
        "t0_bjd_tdb": Result(
            one.t0, "BJD_TDB", "T0", f"{_number(one.t0, t0_err, 'BJD_TDB')}, epoch {one.epoch}",
            one.t0 - t0_err, one.t0 + t0_err,
        ),
        "period_days": Result(
            one.period, "d", "period", _number(one.period, period_err, "d"),
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
    }  # fmt: skip
    for name, p in shape(season).items():
        if name.startswith("rp_over_rs"):
            label = "Rp/R*" + name.removeprefix("rp_over_rs").replace(":", " in ")
            results[name] = Result(p.value, "stellar radii", label, in_words(p), p.lower, p.upper)
    return results


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
