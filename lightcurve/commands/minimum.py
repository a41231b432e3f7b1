"""`lightcurve minimum`: times of minimum of a variable star."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.fit import Columns, Error, Flux, FluxKind, Star, Time, TimeKind
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder
from lightcurve.commands.period import Dec, Name, Ra, Tables, told_of
from lightcurve.commands.shell import print_products, print_table

if TYPE_CHECKING:
    from lightcurve.variables.story import Minima


def minimum(
    tables: Tables,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for the products.")
    ] = Path("lightcurve-minimum"),
    period: Annotated[
        float | None, typer.Option("--period", min=0, help="Days: tells primary from secondary.")
    ] = None,
    epoch: Annotated[
        float | None,
        typer.Option("--epoch", help="Time of a primary minimum; the deepest one if not given."),
    ] = None,
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
    """Time the minima of a star: by an eclipse profile, and by Kwee and van Woerden.

    Example: lightcurve minimum RUNS --period 0.3347 --epoch 2459000.123
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.variables.story import time_minima
    told = time, time_kind, flux, flux_kind, error, columns, star
    whose = told_of(name, ra, dec, told)
    found = time_minima(tables, out, whose, period=period, t0=epoch)
    if not json:
        _tell(found)
    print_products("Minima", found.products, json=json, verbose=verbose)


def _tell(found: Minima) -> None:
    """Show the minima."""
    from lightcurve.variables.products import minimum_rows

    rows = (
        (
            f"{row['time']:.5f}", f"{row['time_err_days']:.5f}",
            _told(row["kwee_van_woerden"]), _told(row["kwee_van_woerden_err_days"]),
            _told(row["hjd_utc"]), row["kind"], f"{row['depth_percent']:.1f}",
            _told(row["o_minus_c_minutes"], 2), "yes" if row["whole"] else "no",
        )
        for row in minimum_rows(found)
    )  # fmt: skip
    names = [found.series.scale, "error", "Kwee-van W.", "error", "HJD_UTC", "kind", "depth %",
             "O-C min", "whole"]  # fmt: skip
    print_table(found.series.name, names, rows)


def _told(value: float | None, digits: int = 5) -> str:
    return "" if value is None else f"{value:.{digits}f}"
