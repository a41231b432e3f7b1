"""`lightcurve variables`: which stars of a field vary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_products, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.variables.story import Variables


@takes_settings("catalogs.files", "catalogs.offline")
def variables(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs of one field and filter.")
    ],
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for the products.")
    ] = Path("lightcurve-variables"),
    periods: Annotated[
        bool, typer.Option("--periods/--no-periods", help="Look for periods of the candidates.")
    ] = True,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Find the variables among all stars of a season: candidates, their curves and periods.

    Example: lightcurve variables RUNS --offline
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.variables.story import find_variables
    found = find_variables(runs, out, settings.catalogs, periods=periods, progress=bar)
    if not json:
        _tell(found)
    print_products("Variables", found.products, json=json, verbose=verbose)


def _tell(found: Variables) -> None:
    """Show the candidates."""
    from lightcurve.variables.candidates import candidate_rows

    rows = (
        (
            row["star"], f"{row['ra_deg']:.5f}", f"{row['dec_deg']:+.5f}",
            f"{row['scatter_percent']:.2f}", f"{row['expected_percent']:.2f}",
            f"{max(row['sigma_scatter'] or 0.0, row['sigma_slow'] or 0.0):.0f}",
            "yes" if row["seen_once"] else "",
            f"{row['period_days']:.6g}" if row["period_days"] else "",
            row["known_as"] or "", row["notes"],
        )
        for row in candidate_rows(found)
    )  # fmt: skip
    names = ["star", "RA", "Dec", "scatter %", "expected", "sigma", "once", "period d", "known as",
             "notes"]  # fmt: skip
    print_table("Candidates", names, rows)
