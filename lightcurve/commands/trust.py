"""`lightcurve trust`: transits put into a night's own noise, and looked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.fit import Exposure, Flux, FluxKind, Star, Time, TimeKind
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_json, records, say

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

FIT = ("fit.covariates", "fit.forbidden", "fit.dilution")


@takes_settings("target", *FIT, "site", "seed", "workers", "catalogs.offline")
def trust(
    table: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or any table that `fit` takes.")
    ],
    *,
    settings: Settings,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            callback=a_folder,
            show_default=False,
            help="Folder for the products; the run's own, or lightcurve-trust for a table.",
        ),
    ] = None,
    injections: Annotated[
        int, typer.Option("--injections", min=40, max=20000, help="Transits to put in.")
    ] = 200,
    pixels: Annotated[
        bool,
        typer.Option("--pixels", help="Into the frames of the run, too: three reductions more."),
    ] = False,
    exposure: Exposure = None,
    filter_name: Annotated[
        str | None, typer.Option("--filter", help="For the limb darkening, such as V, Rc, ip.")
    ] = None,
    time: Time = "",
    time_kind: TimeKind = "",
    flux: Flux = "",
    flux_kind: FluxKind = "",
    star: Star = "T1",
    json: Json = False,
) -> None:
    """Put transits of known depth and time into a night's own noise, and look for them.

    Says how shallow a transit would have been missed, and whether the errors are right.

    Example: lightcurve trust RUN
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.fit_table import Known
        from lightcurve.trust.story import inject_transits
    from lightcurve.tables.light_curves import ColumnChoice
    from lightcurve.tables.run_folder import table_of

    path = table_of(table, "lightcurve.csv")
    choice = ColumnChoice(time=time, flux=flux, time_kind=time_kind, target=star,
                          flux_kind=flux_kind)  # fmt: skip
    folder = out or (table if table.is_dir() else Path("lightcurve-trust"))
    tried = inject_transits(
        path, settings, folder, known=Known(choice, exposure, filter_name), injections=injections,
        pixels=pixels, progress=bar,
    )  # fmt: skip
    summary, paths = tried.products.summary, tried.products.paths
    if json:
        print_json({"summary": records(summary), "files": paths})
        return
    say(f"{summary['target'].value}, {summary['verdict'].value}")
    for line in tried.conclusions:
        say(f"  {line}")
    say(f"open {paths.get('report.html') or paths['figures/trust.png']}")
