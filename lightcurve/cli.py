"""The command line: one verb a command, each a thin layer over one function."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from lightcurve import __version__
from lightcurve.errors import LightcurveError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Modules of lightcurve.commands, in the order that --help shows their verbs.
GROUPS = (
    "night",
    "image",
    "stages",
    "fit",
    "export",
    "compare",
    "tables",
    "calib",
    "index",
    "simulate",
    "config",
)


def _version(wanted: bool) -> None:  # noqa: FBT001  (Typer calls it with the flag)
    if wanted:
        typer.echo(f"lightcurve {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Warnings only.")] = False,
) -> None:
    """From a night of raw telescope frames to a published transit light curve."""
    from lightcurve.commands.shell import show_messages

    show_messages(quiet=quiet)


for _group in GROUPS:
    importlib.import_module(f"lightcurve.commands.{_group}").register(app)


def main() -> None:
    """Run the program; an error that a user can cause is one line and a status that is not 0."""
    try:
        app()
    except LightcurveError as error:
        _stop(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        _stop("stopped; the same command goes on from here", status=130)


def _stop(message: str, *, status: int = 1) -> None:
    from lightcurve.commands.shell import one_line

    sys.stderr.write(f"lightcurve: {one_line(message)}\n")
    sys.exit(status)
