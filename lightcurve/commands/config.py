"""`lightcurve config`: the settings, as a file to edit."""

from __future__ import annotations

from typing import Any

import typer

from lightcurve.commands.options import takes_settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("config")(config)


@takes_settings
def config(*, settings: Any) -> None:
    """Print all settings as TOML: redirect to a file, edit, and give it back with --config."""
    import tomli_w

    typer.echo(tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True)), nl=False)
