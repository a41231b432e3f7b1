"""`lightcurve simulate`: a night of raw frames with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lightcurve.commands.options import Json
from lightcurve.commands.shell import bar, print_results
from lightcurve.simulate.request import USUAL, request_of


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
    frames: Annotated[int, typer.Option("--frames", help="Light frames.")] = USUAL.n_frames,
    exposure: Annotated[float, typer.Option("--exposure", help="Seconds.")] = USUAL.exposure_s,
    cadence: Annotated[
        float, typer.Option("--cadence", help="Start to start, s.")
    ] = USUAL.cadence_s,
    size: Annotated[tuple[int, int], typer.Option("--size", help="Width, height.")] = USUAL.size,
    scale: Annotated[
        float, typer.Option("--scale", help="Arc seconds per pixel.")
    ] = USUAL.scale_arcsec,
    mag: Annotated[float, typer.Option("--mag", help="Magnitude of the target.")] = USUAL.magnitude,
    flip: Annotated[bool, typer.Option("--flip", help="A meridian flip half way.")] = USUAL.flip,
    cloud: Annotated[
        float, typer.Option("--cloud", help="Light lost in a cloud, 0 to 1.")
    ] = USUAL.cloud_depth,
    bias: Annotated[int, typer.Option("--bias", help="Bias frames.")] = USUAL.n_bias,
    dark: Annotated[int, typer.Option("--dark", help="Dark frames.")] = USUAL.n_dark,
    flat: Annotated[int, typer.Option("--flat", help="Flat frames.")] = USUAL.n_flat,
    dialect: Annotated[
        str, typer.Option("--dialect", help="Manner of the headers.")
    ] = USUAL.dialect,
    wcs: Annotated[
        bool | None,
        typer.Option("--wcs/--no-wcs", help="Write a WCS into the lights; unless --stars."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed, the same bytes.")
    ] = USUAL.seed,
    json: Json = False,
) -> None:
    """Simulate a night of raw frames, with the truth beside them."""
    from lightcurve.simulate.to_order import simulate_request

    request = request_of(
        planet=planet,
        stars=stars,
        start=start,
        frames=frames,
        exposure=exposure,
        cadence=cadence,
        size=size,
        scale=scale,
        mag=mag,
        flip=flip,
        cloud=cloud,
        bias=bias,
        dark=dark,
        flat=flat,
        dialect=dialect,
        wcs=wcs,
        seed=seed,
    )
    simulated = simulate_request(out, request, progress=bar)
    print_results("Simulated", simulated.summary, json=json)
