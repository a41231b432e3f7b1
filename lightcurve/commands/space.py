"""`lightcurve space`: a star seen by TESS, Kepler or K2, to the times of its transits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.fit import Error, Flux
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.season import tell_season
from lightcurve.commands.shell import bar, print_products, say_each

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

FIT = ("fit.covariates", "fit.forbidden", "fit.dilution")


@takes_settings("target", *FIT, "seed", "catalogs.offline")
def space(
    files: Annotated[
        list[str],
        typer.Argument(help="Light-curve and pixel files, cut-outs, folders of them; or a star."),
    ],
    *,
    settings: Settings,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", callback=a_folder, help="Folder for the products."),
    ] = Path("lightcurve-space"),
    product: Annotated[
        str, typer.Option("--product", help="Of a star's name: curves, pixels or cutouts.")
    ] = "curves",
    author: Annotated[
        str, typer.Option("--author", help="Whose light curves: SPOC, QLP ...; else the best.")
    ] = "",
    sectors: Annotated[
        list[int] | None, typer.Option("--sector", help="Sector, quarter or campaign; repeat.")
    ] = None,
    flux: Flux = "",
    error: Error = "",
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Take a star's light curves from files of TESS, Kepler or K2, and time its transits.

    Without a planet its transits are searched for; files of a star's name are fetched from MAST.

    Example: lightcurve space tess-s0040_tp.fits --planet hatp32b.toml
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.space.story import follow_star
    from lightcurve.catalogs.mast import mast_wish
    from lightcurve.tables.light_curves import ColumnChoice

    choice = ColumnChoice(flux=flux, error=error)
    wish = mast_wish(product, author, sectors or ())
    run = follow_star(files, settings, out, choice, wish=wish, progress=bar)
    if not json:
        if run.season is not None:
            tell_season(run.season)
        say_each([(v.label, v.text) for k, v in run.products.summary.items() if k[:5] == "file:"])
    print_products("Space", run.products, json=json, verbose=verbose)
