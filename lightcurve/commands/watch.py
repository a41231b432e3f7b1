"""`lightcurve watch`: a night reduced while it is observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.options import Folder, Json, Out, takes_settings
from lightcurve.commands.shell import print_json, records

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings()
def watch(
    folder: Folder,
    *,
    settings: Settings,
    out: Out = Path("lightcurve-run"),
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 10.0,
    idle: Annotated[
        float, typer.Option("--idle", help="Minutes without a new frame that end it.", min=0)
    ] = 60.0,
    json: Json = False,
) -> None:
    """Reduce a folder while frames come in; Ctrl-C or an hour without a frame ends it."""
    from lightcurve.core.data import Products, label_results
    from lightcurve.frames.inventory import check_folder
    from lightcurve.night.nights import reduce_nights
    from lightcurve.night.watch import watch_folder

    check_folder(folder)

    def reduce() -> list[Products]:
        return [one.made.products for one in reduce_nights(folder, settings, out) if one.made]

    for several in watch_folder(folder, reduce, poll_s=every, idle_s=60 * idle):
        for products in several:
            if json:
                print_json({"summary": records(products.summary), "files": products.paths})
                continue
            shown = label_results(products.summary)
            line = ", ".join(f"{label} {text}" for label, text in shown.items())
            typer.echo(f"{line}: {products.folder / 'report.html'}")
