"""What a search for variables leaves behind: a table of candidates, their curves, and the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import __version__
from lightcurve.core.data import Products, Result, label_results
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.exports.submission import file_word
from lightcurve.report.html import PlainPage, Section, Table, as_printed, write_plain_page
from lightcurve.report.variables import FieldScatter, FoldedStar, save_candidate, save_scatter
from lightcurve.variables.products import fold
from lightcurve.variables.search import Sign, Variable

if TYPE_CHECKING:
    from lightcurve.variables.story import Variables

__all__ = ["candidate_rows"]

CANDIDATES = (
    "star", "ra_deg", "dec_deg", "x", "y", "points", "nights", "scatter_percent",
    "expected_percent", "sigma_scatter", "sigma_slow", "seen_once", "period_days",
    "period_err_days", "period_chance", "shape", "amplitude_percent", "epoch_bjd_tdb", "known_as",
    "known_type", "known_period_days", "notes",
)  # fmt: skip
SHOWN = ("star", "scatter_percent", "expected_percent", "sigma_scatter", "sigma_slow",
         "period_days", "shape", "known_as", "notes")  # fmt: skip
MOST_DRAWN = 40  # candidates


def candidate_rows(found: Variables) -> list[dict[str, Any]]:
    """List the candidates, a row each by the columns of candidates.csv; None where unknown."""
    return [_row(found, one) for one in found.searched.variables]


def _row(found: Variables, one: Variable) -> dict[str, Any]:
    field, k = found.field, one.column
    own = np.isfinite(found.searched.compared.relative[:, k])
    search, known = one.period, found.known.get(k)
    proven = search is not None and search.found
    best = search.best if search is not None and proven else None
    values = (
        str(field.name[k]), field.ra_deg[k], field.dec_deg[k], field.x[k], field.y[k], one.points,
        len(np.unique(field.night[own])), 100 * one.scatter, 100 * one.expected,
        one.sigmas[Sign.SCATTER], one.sigmas[Sign.SLOW], int(one.once),
        best and best.period, best and best.error, search and search.chance,
        best and best.shape.value, search and 100 * search.amplitude if best else None,
        search and search.epoch if best else None, known and known.name, known and known.type,
        known and known.period_days, "; ".join(one.notes),
    )  # fmt: skip
    told = (None if isinstance(v, float) and not np.isfinite(v) else v for v in values)
    return dict(zip(CANDIDATES, told, strict=True))


def write_candidates(out: Path, found: Variables) -> Products:
    """Write all products of a search for variables."""
    rows, field = candidate_rows(found), found.field
    for name in ("figures", "curves"):
        (out / name).mkdir(parents=True, exist_ok=True)
    summary = summarise(found)
    table = [["" if v is None else v for v in row.values()] for row in rows]
    content = {
        "runs": field.labels, "filter": field.filter, "stars": len(field.name),
        "stars_searched": int(np.isfinite(found.searched.scatter).sum()),
        "comparison_stars": [str(field.name[k]) for k in found.searched.compared.members],
        "candidates": rows, "version": __version__,
    }  # fmt: skip
    paths = {
        "candidates.csv": write_text(out / "candidates.csv", csv_text(CANDIDATES, table)),
        "variables.json": write_text(out / "variables.json", json_text(content, indent=2)),
        "figures/scatter.png": save_scatter(
            out / "figures" / "scatter.png", scatter_of(found), title=str(summary["verdict"].text)
        ),
    }
    figures = {paths["figures/scatter.png"]: "Scatter of each star, and what is expected of it."}
    for one, row in zip(found.searched.variables, rows, strict=True):
        name = file_word(row["star"])
        paths[f"curves/{name}.csv"] = _write_curve(out / "curves" / f"{name}.csv", found, one)
        if len(figures) <= MOST_DRAWN:
            path = _draw(out / "figures" / f"{name}.png", found, one)
            paths[f"figures/{name}.png"] = path
            figures[path] = ", ".join(filter(None, (row["star"], row["known_as"], row["notes"])))
    paths["report.html"] = _write_page(out / "report.html", rows, summary, figures)
    return Products(out, paths, {}, summary)


def scatter_of(found: Variables) -> FieldScatter:
    """Lay the field out for its figure."""
    searched = found.searched
    varies = np.zeros(len(found.field.name), dtype=bool)
    varies[[one.column for one in searched.variables]] = True
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude = -2.5 * np.log10(searched.compared.level)
    return FieldScatter(magnitude, searched.scatter, searched.expected, varies, found.field.name)


def curve_of(found: Variables, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take a star's points: rows of the field, times, flux and error, in order of time."""
    field, compared = found.field, found.searched.compared
    good = np.isfinite(compared.relative[:, k]) & np.isfinite(compared.error[:, k])
    rows = np.flatnonzero(good & (compared.error[:, k] > 0))
    rows = rows[np.argsort(field.time[rows], kind="stable")]
    return rows, field.time[rows], compared.relative[rows, k], compared.error[rows, k]


def _write_curve(path: Path, found: Variables, one: Variable) -> Path:
    rows, time, flux, error = curve_of(found, one.column)
    field = found.field
    columns = zip(
        time.tolist(), field.jd_utc[rows].tolist(), flux.tolist(), error.tolist(),
        [field.labels[k] for k in field.night[rows]], strict=True,
    )  # fmt: skip
    return write_text(
        path, csv_text(("bjd_tdb", "jd_utc", "rel_flux", "rel_flux_err", "run"), columns)
    )


def _draw(path: Path, found: Variables, one: Variable) -> Path:
    _, time, flux, error = curve_of(found, one.column)
    folded: FoldedStar | None = None
    if one.period is not None and one.period.found:
        folded = fold(time, flux, np.zeros(len(time), dtype=int), one.period)
    facts = [f"scatter {100 * one.scatter:.2g} %, {100 * one.expected:.2g} % expected"]
    facts += ["seen once"] if one.once else []
    name = str(found.field.name[one.column])
    return save_candidate(path, time, flux, error, folded, title=name, facts=facts)


def summarise(found: Variables) -> dict[str, Result]:
    """Collect what of a search is worth printing."""
    field, searched = found.field, found.searched
    variables = searched.variables
    number = int(np.isfinite(searched.scatter).sum())
    once = sum(one.once for one in variables)
    periodic = sum(one.period is not None and one.period.found for one in variables)
    several = "candidate" if len(variables) == 1 else "candidates"
    told = f"{len(variables)} {several} among {number} stars"
    told += f", {once} of them seen once" if once else ""
    return {
        "target": Result("Variables", label="of"),
        "verdict": Result(len(variables), "", "found", told),
        "periodic": Result(periodic, "", "with a period", str(periodic)),
        "known": Result(len(found.known), "", "known", found.asked),
        "points": Result(
            len(field.time), "", "frames",
            f"{len(field.time)} of {len(field.labels)} run{'s' * (len(field.labels) > 1)}",
        ),
        "comparisons": Result(
            len(searched.compared.members), "", "comparison stars in common",
            str(len(searched.compared.members)),
        ),
    }  # fmt: skip


def _write_page(
    path: Path,
    rows: list[dict[str, Any]],
    summary: Mapping[str, Result],
    figures: Mapping[Path, str],
) -> Path:
    told = {name: as_printed(str(text)) for name, text in label_results(summary).items()}
    body = tuple(tuple("" if row[name] is None else row[name] for name in SHOWN) for row in rows)
    page = PlainPage(
        title=told.pop("of"), subtitle=told.pop("found"), facts=told, warnings=(),
        sections=(
            Section("Candidates", tables=(Table(SHOWN, body),)),
            Section("Figures", figures=figures),
        ),
        footer=f"lightcurve {__version__}",
    )  # fmt: skip
    return write_plain_page(path, page)
