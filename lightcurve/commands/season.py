"""`lightcurve season`: many nights of one planet, to the times of its transits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.fit import Exposure, Flux, FluxKind, Star, Time, TimeKind
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.shell import bar, one_line, print_products, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.season.story import Season

FIT = ("fit.covariates", "fit.forbidden", "fit.dilution")


@takes_settings("target", *FIT, "site", "seed", "catalogs.offline")
def season(
    tables: Annotated[
        list[Path],
        typer.Argument(help="Run folders, folders of runs or tables, a survey, any table."),
    ],
    *,
    settings: Settings,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", callback=a_folder, help="Folder for the products."),
    ] = Path("lightcurve-season"),
    depth_by_filter: Annotated[
        bool, typer.Option("--depth-by-filter", help="Rp/R* of each filter, not one of all.")
    ] = False,
    sample: Annotated[
        bool, typer.Option("--sample", help="Sample the joint posterior: minutes.")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="FILTER of all, or NAME=FILTER; NAME may have * in it."),
    ] = None,
    exposure: Exposure = None,
    time: Time = "",
    time_kind: TimeKind = "",
    flux: Flux = "",
    flux_kind: FluxKind = "",
    star: Star = "T1",
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Join many nights of one planet: mid-times, a new ephemeris, O-C, one shape of the transit.

    Example: lightcurve season RUNS night.tbl --target 'HAT-P-32 b'
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.season.nights import Told
        from lightcurve.season.story import join_season
    from lightcurve.tables.light_curves import ColumnChoice

    choice = ColumnChoice(time=time, flux=flux, time_kind=time_kind, target=star,
                          flux_kind=flux_kind)  # fmt: skip
    told = Told(choice, tuple(filters or ()), exposure)
    joined = join_season(
        tables, settings, out, told, depth_by_filter=depth_by_filter, sample=sample, progress=bar
    )
    if not json:
        tell_season(joined)
    print_products("Season", joined.products, json=json, verbose=verbose)


def tell_season(joined: Season) -> None:
    """Show the mid-times, and what is not among them."""
    from lightcurve.season.tables import mid_time_rows

    rows = (
        (
            row["epoch"], f"{row['mid_time_bjd_tdb']:.5f}", f"{row['mid_time_err_days']:.5f}",
            f"{row['o_minus_c_minutes']:+.2f}", f"{row['o_minus_c_known_minutes']:+.2f}",
            row["filter"], row["source"],
        )
        for row in mid_time_rows(joined)
    )  # fmt: skip
    names = ["epoch", "BJD_TDB", "error", "O-C min", "known", "filter", "from"]
    print_table(joined.planet.name, names, rows)
    for night in joined.nights:
        if not night.found and not night.again:
            why = night.error or (str(night.fit.verdict) if night.fit else "")
            typer.echo(one_line(f"{night.label}: {why}"))
