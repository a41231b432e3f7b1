"""`lightcurve watch`: a night reduced while it is observed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live_screen import live_screen
from lightcurve.commands.options import Json, Out, Verbose, takes_settings
from lightcurve.commands.shell import bar, print_json, print_products, records, say

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.watch import FolderLook, Watch


@takes_settings()
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder in which raw frames arrive.")],
    *,
    settings: Settings,
    out: Out = Path("lightcurve-run"),
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 5.0,
    idle: Annotated[
        float, typer.Option("--idle", help="Minutes without a new frame that end it.", min=0)
    ] = 60.0,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Reduce a folder while frames come in; an hour without a frame makes what `run` makes.

    Ctrl-C ends it at once; the same command goes on from there.
    """
    from lightcurve.night.watch import begin_watch, finish_watch, watch_folder

    watched = begin_watch(folder, settings, out)
    looks = watch_folder(watched, poll_s=every, idle_s=60 * idle)
    try:
        _show(looks, json=json)
    except KeyboardInterrupt:
        _stopped(watched)
        raise typer.Exit(130) from None
    for run in finish_watch(watched, progress=bar):
        if run.made is None:
            continue
        if json:
            products = run.made.products
            print_json({"summary": records(products.summary), "files": products.paths})
        else:
            print_products("Result", run.made.products, verbose=verbose)


def _show(looks: Iterator[FolderLook], *, json: bool) -> None:
    """Show each look until the night is over."""
    from lightcurve.night.live_status import status_of

    if json:
        for look in looks:
            if any(one.measured for one in look.nights):
                several = [status_of(one, look.quiet_s) for one in look.nights]
                print_json({"look": [one.record for one in several]})
        return
    with live_screen() as show:
        for look in looks:
            show(look, [status_of(one, look.quiet_s) for one in look.nights])


def _stopped(watched: Watch) -> None:
    """Write what there is, and say how to go on."""
    watched.close()
    say(f"stopped; tables of what there is are in {watched.out}")
    say("the same command goes on from here; with --idle 0 it ends the night: fit, figures, page")
