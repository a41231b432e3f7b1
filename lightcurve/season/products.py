"""What a season leaves behind: tables, figures and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcurve.core.constants import __version__
from lightcurve.core.data import Products
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.report.fit import save_corner
from lightcurve.report.season import save_folded, save_o_minus_c
from lightcurve.season.figures import fold, o_minus_c, posterior_columns
from lightcurve.season.nights import SeasonNight
from lightcurve.season.page import write_season_page
from lightcurve.season.tables import MID_TIMES, NIGHTS, latex_table, mid_time_rows, night_row
from lightcurve.season.values import (
    ephemeris_values,
    plain,
    posterior_values,
    shape,
    timing_values,
)
from lightcurve.season.words import count, epochs, summarise, timing_words, words_of
from lightcurve.transit.fit_values import planet_values

if TYPE_CHECKING:
    from lightcurve.season.story import Season

Rows = Sequence[Mapping[str, Any]]


def write_nights(out: Path, nights: Sequence[SeasonNight]) -> Path:
    """Write nights.csv: a row a light curve, also where none was found or it could not be read."""
    return write_text(out / "nights.csv", csv_text(NIGHTS, map(night_row, nights)))


def write_season(out: Path, season: Season) -> Products:
    """Write all products of a season but nights.csv, which is there already."""
    rows, summary = mid_time_rows(season), summarise(season)
    figures = _draw(out / "figures", season)
    mid_times = csv_text(MID_TIMES, [list(row.values()) for row in rows])
    paths = {
        "nights.csv": out / "nights.csv",
        "mid_times.csv": write_text(out / "mid_times.csv", mid_times),
        "mid_times.tex": write_text(out / "mid_times.tex", latex_table(season, rows)),
        "season.json": write_text(out / "season.json", json_text(_content(season, rows), indent=2)),
        **{f"figures/{name}.png": path for name, path in figures.items()},
        "report.html": write_season_page(out / "report.html", season, summary, figures),
    }
    return Products(out, paths, {}, summary)


def _draw(folder: Path, season: Season) -> dict[str, Path]:
    """Draw all figures, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    transits = count(len(season.found), "transit")
    title = f"{season.planet.name}: {transits} of {epochs(season)}"
    folded, lines = fold(season)
    facts = [words_of(season.ephemeris), f"mid-times: {timing_words(season.timing)}"]
    paths = {
        "o_minus_c": save_o_minus_c(
            folder / "o_minus_c.png", o_minus_c(season), title=title, facts=facts
        ),
        "folded": save_folded(folder / "folded.png", folded, lines, title=title),
    }
    if season.sampled is not None:
        columns, note = posterior_columns(season.sampled), season.sampled.posterior.note()
        title = f"{season.planet.name}: joint posterior"
        paths["corner"] = save_corner(folder / "corner.png", *columns, title=title, facts=[note])
    return paths


def _content(season: Season, rows: Rows) -> dict[str, Any]:
    """All of it, as season.json has it."""
    return {
        "planet": planet_values(season.planet),
        "ephemeris": ephemeris_values(season.ephemeris),
        "timing": timing_values(season.timing),
        "known_ephemeris": ephemeris_values(season.known),
        "shape": {name: plain(p) for name, p in shape(season).items()},
        "posterior": posterior_values(season.sampled),
        "mid_times": rows,
        "mid_time_covariance_days2": season.times.cov.tolist(),
        "nights": [dict(zip(NIGHTS, night_row(n), strict=True)) for n in season.nights],
        "version": __version__,
    }
