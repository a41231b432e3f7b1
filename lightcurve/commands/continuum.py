"""`lightcurve continuum`: an image of a line without its continuum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import takes_settings

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings("camera.profile")
def continuum(
    line: Annotated[Path, typer.Argument(help="FITS image through the narrow filter.")],
    broad: Annotated[Path, typer.Argument(help="That of the continuum.")],
    *,
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", "-o", help="The image, FITS.")] = Path(
        "continuum-subtracted.fits"
    ),
    scale: Annotated[
        float | None,
        typer.Option("--scale", min=0, help="Of the continuum; not given, the stars vanish."),
    ] = None,
) -> None:
    """Subtract the continuum from an image of an emission line, at the scale that stars tell.

    Example: lightcurve continuum HA.fits R.fits --out ha-line.fits
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.stack.onto import write_line

    with LINE.show("subtracting"):
        told = write_line(line, broad, settings, out, scale=scale)
    typer.echo(f"{out}: {told}")
