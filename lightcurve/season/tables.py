"""The tables of a season: its light curves and its mid-times, for programs and for papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightcurve.core.data import Parameter
from lightcurve.season.nights import SeasonNight
from lightcurve.season.words import MINUTES, UNKNOWN, number, words_of

if TYPE_CHECKING:
    from lightcurve.season.story import Season

__all__ = ["mid_time_rows"]


PLUS_MINUS = r"\pm"
LATEX = {c: "\\" + c for c in "#$%&_{}"} | {"\\": "/", "~": "-", "^": r"\^{}"}
MID_TIMES = (
    "epoch", "mid_time_bjd_tdb", "mid_time_err_days", "o_minus_c_minutes", "o_minus_c_err_minutes",
    "o_minus_c_known_minutes", "filter", "source", "own_mid_time_bjd_tdb", "own_mid_time_err_days",
    "finding", "coverage", "used", "contradicts",
)  # fmt: skip
NIGHTS = (
    "source", "file", "first_bjd_tdb", "last_bjd_tdb", "filter", "exposure_s", "points", "used",
    "residual_scatter_percent", "verdict", "rp_over_rs", "rp_over_rs_err", "error", "notes",
)  # fmt: skip


def night_row(night: SeasonNight) -> list[Any]:
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


def latex_table(season: Season, rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay the mid-times that the ephemeris is made of out as papers print them."""
    head = r"Epoch & Mid-time (BJD$_\mathrm{TDB}$) & $O-C$ (min) & Filter & Source"
    lines = [r"\begin{tabular}{rlrll}", r"\hline", head + r" \\", r"\hline"]
    for row in rows:
        if row["used"]:
            mid = number(row["mid_time_bjd_tdb"], row["mid_time_err_days"], "")
            late = number(row["o_minus_c_minutes"], row["o_minus_c_err_minutes"], "")
            values = (f"${v.replace('+-', PLUS_MINUS)}$" for v in (mid, late))
            words = (_escaped(row[name] or UNKNOWN) for name in ("filter", "source"))
            lines.append(" & ".join([str(row["epoch"]), *values, *words]) + r" \\")
    told = _escaped(f"{season.planet.name}: {words_of(season.ephemeris)}")
    return "\n".join([f"% {told}", *lines, r"\hline", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    """Escape what LaTeX takes for its own."""
    return "".join(LATEX.get(letter, letter) for letter in text)
