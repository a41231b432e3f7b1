"""`lightcurve run`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Folder, Json, Manifest, Out, Verbose, takes_settings
from lightcurve.commands.shell import bar, print_json, print_products, records, stop_if_failed

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.reduced import Night
    from lightcurve.night.sets import Reduced


@takes_settings()
def run(
    folder: Folder,
    *,
    settings: Settings,
    out: Out = Path("lightcurve-run"),
    manifest: Manifest = None,
    wcs: Annotated[bool, typer.Option("--wcs", help="Write each frame's WCS.")] = False,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Turn a folder of raw frames into a light curve: one for each filter, night, telescope in it.

    Example: lightcurve run NIGHT --target HAT-P-32 --planet hatp32b.toml --index INDEX.fits
    """
    from lightcurve.core.data import Figures
    from lightcurve.core.processes import LOADED, warm_beside, warm_to_draw

    if settings.workers != 1 and settings.figures is Figures.NONE:
        warm_beside(*LOADED)
    elif settings.workers != 1:
        warm_to_draw(*LOADED, "lightcurve.night.drawing")
    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.nights import reduce_nights

    runs = reduce_nights(folder, settings, out, manifest=manifest, sidecars=wcs, progress=bar)
    nights = [(run.frames, run.made.products) for run in runs if run.made]
    if len(runs) == 1:
        print_products("Result", nights[0][1], json=json, verbose=verbose)
        return
    if json:
        print_json({"runs": [_record(run) for run in runs]})
    for frames, products in () if json else nights:
        print_products(f"{frames.label}: {frames}", products, verbose=verbose)
    stop_if_failed(runs)


def _record(run: Reduced[Night]) -> dict[str, Any]:
    """Lay the run of one set out for programs."""
    if run.made is None:
        return {**run.frames.record, "error": str(run.error)}
    products = run.made.products
    return {
        **run.frames.record,
        "summary": records(products.summary),
        "files": products.paths,
    }
