"""`lightcurve export`: files to submit, made from a run folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.night import Json
from lightcurve.commands.shell import print_json


def _option(kind: Any, flag: str, text: str, panel: str = "For all") -> Any:
    return Annotated[kind | None, typer.Option(flag, help=text, rich_help_panel=panel)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("export")(export)


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
    star: _option(str, "--star", "Name of the star.") = None,
    planet: _option(str, "--planet-name", "Name of the planet.") = None,
    filter_name: _option(str, "--filter", "Filter, where the header was wrong or silent.") = None,
    exposure: _option(float, "--exposure", "Seconds, where the header was silent.") = None,
    binning: _option(str, "--binning", "Such as 1x1, where the header was silent.") = None,
    notes: _option(str, "--notes", "A remark.") = None,
    observer_code: _option(str, "--observer-code", "AAVSO code of the observer.", "AAVSO") = None,
    secondary_code: _option(
        list[str], "--secondary-code", "Code of another observer; repeat.", "AAVSO"
    ) = None,
    camera: _option(str, "--camera", "CCD, CMOS or DSLR.", "AAVSO") = None,
    magnitude: _option(
        float, "--magnitude", "Of the star, out of transit, in this filter.", "AAVSO"
    ) = None,
    check_magnitude: _option(
        float, "--check-magnitude", "Of the check star in this filter.", "AAVSO"
    ) = None,
    chart: _option(str, "--chart", "Chart or sequence.", "AAVSO") = None,
    tic: _option(str, "--tic", "TESS Input Catalog number.", "ExoFOP") = None,
    planet_number: _option(int, "--planet-number", "1 for the .01 candidate.", "ExoFOP") = None,
    observatory: _option(str, "--observatory", "Short name, for file names.", "ExoFOP") = None,
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
