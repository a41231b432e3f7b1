"""`lightcurve magnitudes`: a star's magnitudes on a standard system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_products

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings(
    "catalogs.files", "catalogs.offline", "image.band", "image.standards", "image.colour_term"
)
def magnitudes(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs of one star and filter.")
    ],
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for the products.")
    ] = Path("lightcurve-magnitudes"),
    transform: Annotated[
        tuple[float, float] | None,
        typer.Option("--transform", metavar="TERM ERROR", help="Colour term of your system."),
    ] = None,
    target_colour: Annotated[
        float | None, typer.Option("--target-colour", help="Where the catalogue has none.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Of the star, for the AAVSO.")] = "",
    observer_code: Annotated[
        str, typer.Option("--observer-code", help="Of the AAVSO: writes its extended format.")
    ] = "",
    camera: Annotated[str, typer.Option("--camera", help="CCD, CMOS or DSLR.")] = "CCD",
    chart: Annotated[str, typer.Option("--chart", help="Chart or sequence.")] = "",
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Bring light curves onto a standard system, with a check star; for the AAVSO and VStar.

    Example: lightcurve magnitudes RUNS --catalog apass.csv --band V --observer-code ABC
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.variables.story import Submitter, Transformation, measure_magnitudes
    term, error = transform or (None, 0.0)
    found = measure_magnitudes(
        runs,
        settings,
        out,
        Transformation(term, error, target_colour),
        Submitter(observer_code or settings.observer.aavso_code, camera, chart),
        name=name,
        progress=bar,
    )
    print_products("Magnitudes", found.products, json=json, verbose=verbose)
