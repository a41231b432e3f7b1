"""`lightcurve plot`: the figures of a finished run, for a paper or a talk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightcurve.commands.completion import figure_formats, figures, styles
from lightcurve.commands.options import Json, a_folder
from lightcurve.commands.shell import bar, print_json


def plot(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or any light curve.")
    ],
    *,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            "--figure", help="Only this figure; repeat. All if not.", autocompletion=figures
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", help="pdf, svg or png.", autocompletion=figure_formats)
    ] = "pdf",
    dpi: Annotated[float | None, typer.Option("--dpi", help="Dots an inch, of pixels.")] = None,
    size: Annotated[
        str | None, typer.Option("--size", help="Width and height: 7.1,4 (inches) or 9cm,12cm.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help="In place of the figures' own; '' for none.")
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            "--style",
            help="screen, column, two-column, talk, or a .mplstyle file.",
            autocompletion=styles,
        ),
    ] = "screen",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=a_folder, help="Folder for them; RUN/plots if not."),
    ] = None,
    json: Json = False,
) -> None:
    """Draw figures of a finished run again, as a paper, a page or a talk needs them.

    Example: lightcurve plot lightcurve-run --figure light_curve --style column --format pdf
    """
    from lightcurve.night.plot import plot_run
    from lightcurve.report.style import Look, read_size

    look = Look(style, dpi, None if size is None else read_size(size), title)
    drawn, lacking = plot_run(run, figure or (), look, kind=kind, out=out, progress=bar)
    if json:
        print_json({"files": list(drawn.values()), "not_drawn": lacking})
        return
    for path in drawn.values():
        typer.echo(path)
    for name, why in lacking.items():
        typer.echo(f"not drawn: {name}: {why}", err=True)
