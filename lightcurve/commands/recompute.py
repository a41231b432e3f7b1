"""`lightcurve recompute`: the numbers of a table computed again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Columns, Json, takes_settings
from lightcurve.commands.shell import one_line, print_json, stop_if_any

if TYPE_CHECKING:
    from lightcurve.compare.recompute import Recomputed
    from lightcurve.core.settings import Settings


@takes_settings("target.ra", "target.dec", "target.planet_file", "site", "stars.comparisons")
def recompute(
    table: Annotated[Path, typer.Argument(help="AstroImageJ table, or a run folder.")],
    *,
    settings: Settings,
    star: Annotated[str, typer.Option("--star", help="Target in the table.")] = "T1",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="CSV file for times and relative flux.")
    ] = None,
    columns: Columns = "",
    json: Json = False,
) -> None:
    """Form relative flux and BJD_TDB again from a table alone, and check the table's own.

    The exit status is 1 where the table's fluxes or times are wrong.

    Example: lightcurve recompute Measurements.tbl --comp C2 --comp C4 --out again.csv
    """
    from lightcurve.compare.recompute import recompute_table, refuse_own_input, write_recomputed
    from lightcurve.compare.tables import split_names
    from lightcurve.tables.run_folder import table_of

    table = table_of(table, "measurements.csv")
    if out is not None:
        refuse_own_input(out, table)
    found = recompute_table(
        table, settings, target=star, comparisons=settings.stars.comparisons,
        columns=split_names(columns),
    )  # fmt: skip
    files = {} if out is None else {"table": write_recomputed(out, found)}
    if json:
        print_json(_as_json(found, files))
    else:
        _show_recomputed(found, files)
    if found.agrees is False:
        stop_if_any([f"{table}: does not agree with itself"])


def _as_json(found: Recomputed, files: dict[str, Path]) -> dict[str, Any]:
    return {
        "table": found.table.name,
        "target": found.target,
        "comparisons": found.comparisons,
        "agrees": found.agrees,
        "fluxes": [asdict(check) for check in found.checks],
        "times": [asdict(check) for check in found.time_checks],
        "values": [value.record for value in found.values],
        "notes": found.notes,
        "rows": {
            "label": found.table.labels,
            "jd_utc": found.jd_utc,
            "bjd_tdb": found.bjd_tdb,
            "rel_flux": found.flux,
            "rel_flux_err": found.flux_err,
        },
        "files": files,
    }


def _show_recomputed(found: Recomputed, files: dict[str, Path]) -> None:
    typer.echo(f"{found.table.name}: {found.target} over {', '.join(found.comparisons)}")
    for check in found.checks:
        verdict = "agrees" if check.n_beyond == 0 else f"DIFFERS in {check.n_beyond} rows"
        typer.echo(f"{check.name}: {verdict}, at most {check.largest_relative:.2g} of it")
    for clock in found.time_checks:
        span = f"{clock.median_s:+.2f} s (from {clock.least_s:+.2f} to {clock.most_s:+.2f})"
        verdict = "agrees: off by" if clock.agrees else "IS WRONG by"
        if 0 < clock.n_beyond < clock.n:
            verdict = f"IS WRONG in {clock.n_beyond} of {clock.n} rows, median"
        why = f", {clock.explanation}" if clock.explanation else ""
        typer.echo(f"{clock.column}: {verdict} {span}{why}")
    told = (f"{value.name} {value.text}: {value.source}" for value in found.values)
    for note in (*told, *found.notes):
        typer.echo(one_line(note))
    if files:
        typer.echo(f"Written: {', '.join(str(path) for path in files.values())}")
