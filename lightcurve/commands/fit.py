"""`lightcurve fit`: a transit fitted to any light curve, without frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.shell import print_products

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

_TABLE = "The table"
FIT = ("fit.covariates", "fit.forbidden", "fit.dilution", "fit.sample")


def _column(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_TABLE)


Time = Annotated[str, _column("--time", "Column of times, where its name does not tell.")]
TimeKind = Annotated[
    str,
    _column("--time-kind", "Such as bjd_tdb, jd_utc, mjd_utc, hjd_utc, jd_utc-2450000, iso_utc."),
]
Flux = Annotated[str, _column("--flux", "Column of fluxes.")]
FluxKind = Annotated[str, _column("--flux-kind", "What it holds: flux, mag, mmag, ppt or ppm.")]
Error = Annotated[str, _column("--error", "Column of their errors.")]
DivideBy = Annotated[str, _column("--divide-by", "Column to divide the flux by.")]
Columns = Annotated[
    str, _column("--columns", "Names of the columns, a,b,c, of a table without header.")
]
Star = Annotated[str, _column("--star", "Target in an AstroImageJ table.")]
Exposure = Annotated[
    float | None, typer.Option("--exposure", min=0, help="Seconds; also from the table or its run.")
]


@takes_settings("target", *FIT, "site", "figures", "seed", "catalogs.offline")
def fit(
    table: Annotated[Path, typer.Argument(help="A run folder, an AstroImageJ table, or any CSV.")],
    *,
    settings: Settings,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", callback=a_folder, help="Folder for fit.json, model.csv and figures."
        ),
    ] = Path("lightcurve-fit"),
    time: Time = "",
    time_kind: TimeKind = "",
    flux: Flux = "",
    flux_kind: FluxKind = "",
    error: Error = "",
    divide_by: DivideBy = "",
    columns: Columns = "",
    star: Star = "T1",
    exposure: Exposure = None,
    filter_name: Annotated[
        str | None, typer.Option("--filter", help="For the limb darkening, such as V, Rc, ip.")
    ] = None,
    transit: Annotated[
        bool, typer.Option("--transit/--no-transit", help="Or its scatter and trend alone.")
    ] = True,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Fit a transit to a light curve, beside all trends that physics allows.

    Example: lightcurve fit night.tbl --planet hatp32b.toml --filter Rc
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.fit_table import Known, fit_table
    from lightcurve.tables.light_curves import ColumnChoice
    from lightcurve.tables.run_folder import table_of

    table = table_of(table, "lightcurve.csv")
    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    choice = ColumnChoice(names, time, flux, error, divide_by, time_kind, star, (), flux_kind)
    if not transit:
        from lightcurve.night.look import look_at_table

        looked = look_at_table(table, out, choice, figures=settings.figures)
        print_products("Light curve", looked, json=json, verbose=verbose)
        return
    known = Known(choice, exposure, filter_name)
    fitted = fit_table(table, settings, out, known=known)
    print_products("Fit", fitted.products, json=json, verbose=verbose)
