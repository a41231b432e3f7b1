"""`lightcurve composite`: three images as one in colour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import takes_settings

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings("camera.profile")
def composite(
    red: Annotated[Path, typer.Argument(help="FITS image of the longest wavelength.")],
    green: Annotated[Path, typer.Argument(help="That of the middle one.")],
    blue: Annotated[Path, typer.Argument(help="That of the shortest.")],
    *,
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture, PNG.")] = Path(
        "composite.png"
    ),
    balance: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--balance", help="Red, green and blue multiplied; not given, the mean star is white."
        ),
    ] = None,
    percent: Annotated[
        float, typer.Option("--percent", min=50, max=100, help="Of the pixels are not white.")
    ] = 99.8,
) -> None:
    """Make a picture in colour of three images, brought onto the pixels of the first.

    Example: lightcurve composite I.fits R.fits V.fits --out field.png
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.stack.onto import write_composite

    with LINE.show("making the picture"):
        told = write_composite((red, green, blue), settings, out, balance=balance, percent=percent)
    typer.echo(f"{out}: {told}")
