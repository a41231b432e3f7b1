"""`lightcurve run`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.options import Folder, Json, Manifest, Out, takes_settings
from lightcurve.commands.shell import bar, print_products

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings()
def run(
    folder: Folder,
    *,
    settings: Settings,
    out: Out = Path("lightcurve-run"),
    manifest: Manifest = None,
    wcs: Annotated[bool, typer.Option("--wcs", help="Write each frame's WCS.")] = False,
    json: Json = False,
) -> None:
    """Turn a folder of raw frames into a light curve.

    Example: lightcurve run NIGHT --target HAT-P-32 --planet hatp32b.toml --index INDEX.fits
    """
    from lightcurve.night.story import reduce_night

    night = reduce_night(folder, settings, out, manifest=manifest, sidecars=wcs, progress=bar)
    print_products("Result", night.products, json=json)
