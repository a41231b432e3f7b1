"""`lightcurve table`: what a table or settings file of AstroImageJ holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightcurve.commands.options import Columns, Json
from lightcurve.commands.shell import in_digits, print_json, print_results, print_table, records


def table(
    path: Annotated[
        Path,
        typer.Argument(
            help="Table, .aperture(s), .radec or .plotcfg of AstroImageJ, or a run folder."
        ),
    ],
    *,
    columns: Columns = "",
    json: Json = False,
) -> None:
    """Show what an AstroImageJ table or settings file holds, and what it lacks."""
    from lightcurve.compare.describe import describe_file
    from lightcurve.compare.tables import split_names
    from lightcurve.tables.run_folder import table_of

    path = table_of(path, "measurements.csv")
    values, stars = describe_file(path, split_names(columns))
    if json:
        print_json({"file": path.name, "summary": records(values), "stars": stars})
        return
    print_results(path.name, values)
    if stars:
        shown = ([in_digits(value, 8) for value in star.values()] for star in stars)
        print_table("Curves" if "curve" in stars[0] else "Stars", list(stars[0]), shown)
