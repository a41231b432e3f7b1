"""`lightcurve config`: the settings, as a file to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lightcurve.commands.options import takes_settings

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings()
def config(*, settings: Settings) -> None:
    """Print all settings as TOML: redirect to a file, edit, and give it back with --config."""
    import tomli_w

    typer.echo(tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True)), nl=False)
