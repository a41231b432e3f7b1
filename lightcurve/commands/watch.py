"""`lightcurve watch`: a night reduced while it is observed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live_screen import live_screen
from lightcurve.commands.options import Json, Out, Verbose, takes_settings
from lightcurve.commands.shell import bar, print_json, print_products, records, say, stop_if_failed
from lightcurve.commands.stop import STOP, Stopped
from lightcurve.core.errors import InputError

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.live_page import LivePages
    from lightcurve.night.watch import FolderLook, Watch

HERE = "127.0.0.1"
INTERRUPTED = 130  # as shells count it


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
    serve: Annotated[
        int | None,
        typer.Option("--serve", help="Show the page at this port (0: any).", min=0, max=65535),
    ] = None,
    bind: Annotated[
        str,
        typer.Option("--bind", help="Address to serve at; others need the token that is shown."),
    ] = HERE,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Reduce a folder while frames come in; an hour without a frame makes what `run` makes.

    Ctrl-C ends it at once; the same command goes on from there.
    """
    from lightcurve.night.live_page import LivePages
    from lightcurve.night.watch import begin_watch, finish_watch, watch_folder

    watched = begin_watch(folder, settings, out)
    looks = watch_folder(watched, poll_s=every, idle_s=60 * idle)
    pages = LivePages(settings, every)
    with _served(out, serve, bind):
        try:
            _show(looks, pages, folder, json=json)
        except (KeyboardInterrupt, Stopped):
            _stopped(watched, json=json)
            raise typer.Exit(STOP.status or INTERRUPTED) from None
        runs = finish_watch(watched, progress=bar)
        pages.end()
    for run in runs:
        if run.made is None:
            continue
        if json:
            products = run.made.products
            print_json({"summary": records(products.summary), "files": products.paths})
        else:
            print_products("Result", run.made.products, verbose=verbose)
    stop_if_failed(runs)


@contextmanager
def _served(out: Path, port: int | None, address: str) -> Iterator[None]:
    """Serve the run folder, where that is wanted, and say where."""
    if port is None:
        if address != HERE:
            msg = f"--bind {address}: give --serve PORT too"
            raise InputError(msg)
        yield
        return
    from lightcurve.report.serve import serve_folder

    with serve_folder(out, port, address) as place:
        # Not into the log: who has the token may look.
        sys.stderr.write(f"the page: {place}\n")
        yield


def _show(looks: Iterator[FolderLook], pages: LivePages, folder: Path, *, json: bool) -> None:
    """Show each look until the night is over."""
    from lightcurve.night.live_status import status_of

    with nullcontext() if json else live_screen(folder) as show:
        for look in looks:
            several = [status_of(one, look.quiet_s) for one in look.nights]
            if show is not None:
                show(look, several)
            elif any(one.measured for one in look.nights):
                print_json({"look": [one.record for one in several]})
            pages.write(look.nights, several)


def _stopped(watched: Watch, *, json: bool) -> None:
    """Write what there is, and say where; who ends the program says how to go on."""
    watched.close()
    told = (
        f"tables of what there is are in {watched.out}; with --idle 0 fit, figures and page follow"
    )
    if json:  # a script reads the other stream
        sys.stderr.write(told + "\n")
    else:
        say(told)
