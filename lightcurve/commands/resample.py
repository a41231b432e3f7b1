"""`lightcurve resample`: images brought onto the pixels of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import bar, one_line, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings("camera.profile")
def resample(
    images: Annotated[list[Path], typer.Argument(help="FITS images with a WCS.")],
    *,
    settings: Settings,
    onto: Annotated[Path, typer.Option("--onto", help="Image whose pixels they get.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets an image each.")] = Path(
        "lightcurve-resampled"
    ),
) -> None:
    """Bring images onto the pixels of another, each resampled once; the light of stars is kept.

    Example: lightcurve resample R.fits B.fits --onto V.fits
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.stack.onto import resample_images

    rows = resample_images(images, onto, settings, out, progress=bar)
    for name, reason in rows:
        if reason:
            typer.echo(one_line(f"{name}: {reason}"))
    done = sum(not reason for _, reason in rows)
    typer.echo(f"{done} of {len(rows)} images written to {out}, on the pixels of {onto.name}")
    stop_if_any(f"{name}: {reason}" for name, reason in rows if reason)
