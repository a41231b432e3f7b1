"""`lightcurve period`: the period of a variable star."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.fit import Columns, Error, Flux, FluxKind, Star, Time, TimeKind
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder
from lightcurve.commands.shell import print_products

if TYPE_CHECKING:
    from lightcurve.variables.story import Star as Told

Tables = Annotated[
    list[Path],
    typer.Argument(help="Run folders, folders of runs or tables, AstroImageJ's or any table."),
]
Name = Annotated[str, typer.Option("--name", help="Of the star, where no run tells it.")]
Ra = Annotated[float | None, typer.Option("--ra", help="Degrees, for times at the barycentre.")]
Dec = Annotated[float | None, typer.Option("--dec", help="Degrees.")]


def period(
    tables: Tables,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for the products.")
    ] = Path("lightcurve-period"),
    shortest: Annotated[
        float | None, typer.Option("--shortest", min=0, help="Period looked at, days.")
    ] = None,
    longest: Annotated[
        float | None, typer.Option("--longest", min=0, help="Period looked at, days.")
    ] = None,
    boxes: Annotated[
        bool, typer.Option("--boxes/--no-boxes", help="Look for short eclipses by BLS, too.")
    ] = True,
    name: Name = "",
    ra: Ra = None,
    dec: Dec = None,
    time: Time = "",
    time_kind: TimeKind = "",
    flux: Flux = "",
    flux_kind: FluxKind = "",
    error: Error = "",
    columns: Columns = "",
    star: Star = "T1",
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Find the period of a variable star over many nights, with its aliases and their odds.

    Example: lightcurve period RUNS night.tbl --shortest 0.1
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.variables.story import Range, search_period
    told = time, time_kind, flux, flux_kind, error, columns, star
    whose = told_of(name, ra, dec, told)
    found = search_period(tables, out, whose, Range(shortest, longest), boxes=boxes)
    print_products("Period", found.products, json=json, verbose=verbose)


def told_of(name: str, ra: float | None, dec: float | None, said: tuple[str, ...]) -> Told:
    """Collect what is said of the tables.

    said: time, its kind, flux, its kind, error, names of all columns, star.
    """
    from lightcurve.core.errors import InputError
    from lightcurve.tables.light_curves import ColumnChoice
    from lightcurve.variables.story import Star as Told

    if (ra is None) != (dec is None):
        msg = "--ra and --dec go together"
        raise InputError(msg)
    time, time_kind, flux, flux_kind, error, columns, star = said
    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    choice = ColumnChoice(names, time, flux, error, "", time_kind, star, (), flux_kind)
    return Told(choice, name, None if ra is None or dec is None else (ra, dec))
