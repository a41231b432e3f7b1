"""`lightcurve simulate`: a night of raw frames with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightcurve.commands.options import Json
from lightcurve.commands.shell import bar, print_json, print_table


def simulate(
    out: Annotated[Path, typer.Argument(help="Empty folder for the frames and the truth.")],
    *,
    planet: Annotated[
        Path | None, typer.Option("--planet", help="Planet file: whose transit is put in.")
    ] = None,
    stars: Annotated[
        Path | None, typer.Option("--stars", help="Star list: CSV, ECSV or FITS with ra, dec, mag.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="First exposure, UTC: 2026-01-15T20:00:00.")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", help="Light frames.")] = 72,
    exposure: Annotated[float, typer.Option("--exposure", help="Seconds.")] = 60.0,
    cadence: Annotated[float, typer.Option("--cadence", help="Start to start, s.")] = 150.0,
    size: Annotated[tuple[int, int], typer.Option("--size", help="Width, height.")] = (
        500,
        400,
    ),
    scale: Annotated[float, typer.Option("--scale", help="Arc seconds per pixel.")] = 1.2,
    magnitude: Annotated[float, typer.Option("--mag", help="Magnitude of the target.")] = 11.2,
    flip: Annotated[bool, typer.Option("--flip", help="A meridian flip half way.")] = False,
    cloud: Annotated[float, typer.Option("--cloud", help="Light lost in a cloud, 0 to 1.")] = 0.0,
    bias: Annotated[int, typer.Option("--bias", help="Bias frames.")] = 5,
    dark: Annotated[int, typer.Option("--dark", help="Dark frames.")] = 5,
    flat: Annotated[int, typer.Option("--flat", help="Flat frames.")] = 5,
    dialect: Annotated[str, typer.Option("--dialect", help="Manner of the headers.")] = "standard",
    wcs: Annotated[
        bool | None,
        typer.Option("--wcs/--no-wcs", help="Write a WCS into the lights; unless --stars."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same bytes.")] = 1,
    json: Json = False,
) -> None:
    """Simulate a night of raw frames, with the truth beside them."""
    from lightcurve.simulate_night import Request, simulate_request

    request = Request(
        planet=planet,
        stars=stars,
        start=start,
        n_frames=frames,
        exposure_s=exposure,
        cadence_s=cadence,
        size=size,
        scale_arcsec=scale,
        magnitude=magnitude,
        flip=flip,
        cloud_depth=cloud,
        calibrations=(bias, dark, flat),
        dialect=dialect,
        # Stars of no catalogue cannot be solved: without a WCS no run could reduce them.
        header_wcs=stars is None if wcs is None else wcs,
        seed=seed,
    )
    rows = simulate_request(out, request, progress=bar)
    if json:
        print_json(rows)
    else:
        print_table("Simulated", ["", ""], rows.items())
