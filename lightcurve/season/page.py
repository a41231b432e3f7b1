"""The page of a season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcurve.core.constants import __version__
from lightcurve.core.data import Parameter, Result, label_results
from lightcurve.report.html import (
    PlainPage,
    Section,
    Table,
    as_printed,
    parameter_table,
    write_plain_page,
)
from lightcurve.season.tables import mid_time_rows
from lightcurve.season.values import shape

if TYPE_CHECKING:
    from lightcurve.season.story import Season

__all__ = ["write_season_page"]

COLUMNS = {
    "epoch": "epoch", "mid_time_bjd_tdb": "BJD_TDB", "mid_time_err_days": "error (d)",
    "o_minus_c_minutes": "O-C (min)", "o_minus_c_err_minutes": "error (min)",
    "o_minus_c_known_minutes": "from the known (min)", "filter": "filter", "source": "from",
    "finding": "finding",
}  # fmt: skip
FEW = 4  # of what is at the head of the page


def write_season_page(
    path: Path,
    season: Season,
    summary: Mapping[str, Result],
    figures: Mapping[str, Path],
    more: Sequence[Section] = (),
) -> Path:
    """Write the page.

    Parameters
    ----------
    figures : mapping of str to Path
        ``o_minus_c`` and ``folded``.
    more : sequence of Section
        What else there is, before the table of what was joined.
    """
    told = {name: as_printed(str(text)) for name, text in label_results(summary).items()}
    target = told.pop("target")
    contradictions = [
        f"{night.label}: {words}"
        for night, words in zip(season.found, season.judged.words, strict=True)
        if words
    ]
    lost = [
        f"{night.label}: {night.error}"
        for night in season.nights
        if night.error and not night.again
    ]
    page = PlainPage(
        title=f"{target}, {told.pop('light curves')}",
        subtitle=f"Mid-times: {told.pop('mid-times')}",
        facts=told,
        warnings=tuple(as_printed(text) for text in (*contradictions, *lost)),
        sections=(
            _mid_times(mid_time_rows(season), figures),
            _curves(shape(season), figures),
            *more,
            _nights(season),
        ),
        footer=f"lightcurve {__version__}",
    )
    return write_plain_page(path, page)


def _mid_times(rows: Sequence[Mapping[str, Any]], figures: Mapping[str, Path]) -> Section:
    caption = (
        "Mid-times from the ephemeris that was known; bands are one sigma of each ephemeris. Open "
        "symbols are left out of the new one, triangles lie beyond the figure."
    )
    minutes = {name: "+.2f" for name in COLUMNS if name.endswith("minutes")}
    digits = minutes | {"mid_time_bjd_tdb": ".6f", "mid_time_err_days": ".6f"}
    digits["o_minus_c_err_minutes"] = ".2f"
    body = [tuple(format(row[name], digits.get(name, "")) for name in COLUMNS) for row in rows]
    table = Table(tuple(COLUMNS.values()), tuple(body))
    return Section("Mid-times", (), {figures["o_minus_c"]: caption}, (table,))


def _curves(parameters: Mapping[str, Parameter], figures: Mapping[str, Path]) -> Section:
    text = (
        "One shape of the transit for all, found together with every mid-time; levels, trends and "
        "red noise are each light curve's own."
    )
    caption = "All light curves about their mid-times, without their trends, with means and model."
    table = parameter_table(parameters)
    return Section("Light curves", (text,), {figures["folded"]: caption}, (table,))


def _nights(season: Season) -> Section:
    rows = tuple(
        (night.label, night.filter, night.error or str(night.fit.verdict if night.fit else ""))
        for night in season.nights
    )
    return Section("What was joined", tables=(Table(("from", "filter", "verdict"), rows),))
