"""`lightcurve fit`: a transit fitted to any light curve, without frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.night import Json
from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import print_json, print_table

_TABLE = "The table"
FIT = ("fit.covariates", "fit.forbidden", "fit.bic_threshold", "fit.sample")


def _column(flag: str, text: str) -> Any:
    return Annotated[str, typer.Option(flag, help=text, rich_help_panel=_TABLE)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("fit")(fit)


@takes_settings("target", *FIT, "site", "seed", "catalogs.offline")
def fit(
    table: Annotated[
        Path, typer.Argument(help="Our lightcurve.csv, an AstroImageJ table, or any CSV.")
    ],
    *,
    settings: Any,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for fit.json, model.csv and figures.")
    ] = Path("lightcurve-fit"),
    time: _column("--time", "Column of times, where its name does not tell.") = "",
    time_kind: _column("--time-kind", "bjd_tdb, jd_utc, mjd_utc or iso_utc.") = "",
    flux: _column("--flux", "Column of fluxes.") = "",
    error: _column("--error", "Column of their errors.") = "",
    divide_by: _column("--divide-by", "Column to divide the flux by.") = "",
    columns: _column("--columns", "Names of the columns, a,b,c, of a table without header.") = "",
    star: _column("--star", "Target in an AstroImageJ table.") = "T1",
    exposure: Annotated[
        float | None,
        typer.Option("--exposure", min=0, help="Seconds; also from the table or its run."),
    ] = None,
    filter_name: Annotated[
        str | None, typer.Option("--filter", help="For the limb darkening, such as V, Rc, ip.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit a transit to a light curve, with the trends that the data ask for.

    Example: lightcurve fit night.tbl --planet hatp32b.toml --filter Rc
    """
    from lightcurve.formats.curves import Choice
    from lightcurve.stages.fit import Known, fit_table

    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    choice = Choice(names, time, flux, error, divide_by, time_kind, star)
    known = Known(choice, exposure, filter_name)
    products = fit_table(table, settings, out, known=known)
    if json:
        print_json({"summary": products.summary, "files": products.paths})
        return
    print_table("Fit", ["", ""], products.summary.items())
    typer.echo(f"Written to {products.folder}: {', '.join(sorted(products.paths))}")
