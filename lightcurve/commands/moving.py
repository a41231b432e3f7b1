"""`lightcurve moving`: an asteroid or a comet over many frames, its places and its light."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

SETTINGS = ("image", "catalogs", "solve", "camera", "site", "time", "calibration")


@takes_settings(*SETTINGS, "apertures.radii", "apertures.annulus", "figures", "seed")
def moving(
    frames: Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")],
    *,
    settings: Settings,
    name: Annotated[
        str, typer.Option("--object", help="Number, name or designation, for the services.")
    ] = "",
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="'TIME RA DEC' (UTC), twice or oftener, instead of a service."),
    ] = None,
    ephemeris: Annotated[
        str,
        typer.Option("--ephemeris", help="horizons or skybot; else Horizons, then SkyBoT."),
    ] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets the products.")] = Path(
        "lightcurve-moving"
    ),
    json: Json = False,
) -> None:
    """Follow an asteroid or a comet: places for the Minor Planet Center, and a light curve.

    Example: lightcurve moving FRAMES --object 433 --mpc-code G96
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.image.moving import follow_object
        from lightcurve.image.path import Wanted

    found = follow_object(
        frames, settings, Wanted.typed(name, at or (), ephemeris), out, progress=bar
    )
    if json:
        print_json([asdict(one) for one in found.sights])
    else:
        body = (
            (
                one.file, f"{one.ra_deg:.6f}", f"{one.dec_deg:+.6f}", f"{one.error_arcsec:.2f}",
                f"{one.mag:.2f}", f"{one.mag_err:.2f}", f"{one.snr:.0f}",
            )
            for one in found.sights if one.good
        )  # fmt: skip
        names = ["file", "RA", "Dec", 'error "', "mag", "error", "S/N"]
        print_table(found.track.name, names, body, whole=("file",))
        for one in found.sights:
            if not one.good:
                typer.echo(one_line(f"{one.file}: {one.reason}"))
        for note in found.notes:
            typer.echo(one_line(note))
        good = sum(one.good for one in found.sights)
        typer.echo(f"{good} of {len(found.sights)} frames give a place; written to {out}")
    if not any(one.good for one in found.sights):
        stop_if_any([f"{one.file}: {one.reason}" for one in found.sights] or ["no frame of it"])
