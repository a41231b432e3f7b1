"""The command line: `lightcurve VERB ...`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")


@app.callback()
def _root() -> None:
    """From a night of raw telescope frames to a published transit light curve."""


def main() -> None:
    """Run the program."""
    app()
