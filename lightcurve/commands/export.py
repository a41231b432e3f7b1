"""`lightcurve export`: files to submit, made from a run folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.options import Json
from lightcurve.commands.shell import print_json


def _option(flag: str, text: str, panel: str = "For all") -> Any:
    return typer.Option(flag, help=text, rich_help_panel=panel)


Star = Annotated[str | None, _option("--star", "Name of the star.")]
Planet = Annotated[str | None, _option("--planet-name", "Name of the planet.")]
FilterName = Annotated[
    str | None, _option("--filter", "Filter, where the header was wrong or silent.")
]
Exposure = Annotated[float | None, _option("--exposure", "Seconds, where the header was silent.")]
Binning = Annotated[str | None, _option("--binning", "Such as 1x1, where the header was silent.")]
Notes = Annotated[str | None, _option("--notes", "A remark.")]
ObserverCode = Annotated[
    str | None, _option("--observer-code", "AAVSO code of the observer.", "AAVSO")
]
SecondaryCode = Annotated[
    list[str] | None, _option("--secondary-code", "Code of another observer; repeat.", "AAVSO")
]
Camera = Annotated[str | None, _option("--camera", "CCD, CMOS or DSLR.", "AAVSO")]
Magnitude = Annotated[
    float | None, _option("--magnitude", "Of the star, out of transit, in this filter.", "AAVSO")
]
CheckMagnitude = Annotated[
    float | None, _option("--check-magnitude", "Of the check star in this filter.", "AAVSO")
]
Chart = Annotated[str | None, _option("--chart", "Chart or sequence.", "AAVSO")]
Tic = Annotated[str | None, _option("--tic", "TESS Input Catalog number.", "ExoFOP")]
PlanetNumber = Annotated[
    int | None, _option("--planet-number", "1 for the .01 candidate.", "ExoFOP")
]
Observatory = Annotated[
    str | None, _option("--observatory", "Short name, for file names.", "ExoFOP")
]


def export(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="aavso-exoplanet, aavso-exotic, aavso-extended, exoclock, etd, exofop or ecsv.",
        ),
    ],
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the files; RUN/export if not.")
    ] = None,
    star: Star = None,
    planet: Planet = None,
    filter_name: FilterName = None,
    exposure: Exposure = None,
    binning: Binning = None,
    notes: Notes = None,
    observer_code: ObserverCode = None,
    secondary_code: SecondaryCode = None,
    camera: Camera = None,
    magnitude: Magnitude = None,
    check_magnitude: CheckMagnitude = None,
    chart: Chart = None,
    tic: Tic = None,
    planet_number: PlanetNumber = None,
    observatory: Observatory = None,
    json: Json = False,
) -> None:
    """Write files to submit; each is checked against its format before it is written.

    Example: lightcurve export aavso-exoplanet lightcurve-run --observer-code ABC --camera CMOS
    """
    from lightcurve.errors import InputError
    from lightcurve.stages.export import Observer, export_run

    found = re.fullmatch(r"(\d+)[xX](\d+)", binning or "1x1")
    if not found:
        msg = f"--binning: {binning!r} is not like 1x1"
        raise InputError(msg)
    observer = Observer(
        observer_code=observer_code,
        secondary_codes=tuple(secondary_code or ()),
        camera=camera,
        binning=(int(found[1]), int(found[2])) if binning else None,
        filter=filter_name,
        exposure_s=exposure,
        observatory=observatory,
        star_name=star,
        planet_name=planet,
        tic=tic,
        planet_number=planet_number,
        target_magnitude=magnitude,
        check_magnitude=check_magnitude,
        chart=chart,
        notes=notes,
    )
    paths = export_run(kind, run, out or run / "export", observer)
    if json:
        print_json({"files": paths})
        return
    for path in paths:
        typer.echo(path)
