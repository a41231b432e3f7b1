"""`lightcurve image`: one frame, or many, each to a calibrated and cross-matched catalogue."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.night import Json
from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import bar, print_json, print_table

SETTINGS = ("image", "catalogs", "target", "solve", "camera", "site", "time")
MAX_CELL = 40
SHOWN = {
    "file": "file", "status": "status", "sources": "sources", "astrometry_stars": "stars",
    "astrometry_rms_px": "rms px", "fwhm_px": "FWHM px", "fwhm_arcsec": 'FWHM "', "band": "band",
    "zero_point_mag": "zero point",
    "zero_point_err_mag": "+-", "limit_5_sigma_mag": "5 sigma", "reason": "reason",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("image")(image)


@takes_settings(*SETTINGS, "apertures.radii", "apertures.annulus", "seed")
def image(
    frames: Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")],
    *,
    settings: Any,
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets a folder for each frame.")] = Path(
        "lightcurve-image"
    ),
    sequence: Annotated[
        bool,
        typer.Option("--sequence", help="Only a table: zero point, FWHM, limit, quality."),
    ] = False,
    json: Json = False,
) -> None:
    """Turn single frames into calibrated catalogues, each frame on its own.

    Example: lightcurve image FRAME.fits --index INDEX.fits --catalog STARS.fits --offline
    """
    from lightcurve.image import measure_sequence, reduce_images

    job = measure_sequence if sequence else reduce_images
    rows = job(frames, settings, out, progress=bar)
    if json:
        print_json(rows)
    else:
        shown = {**SHOWN, "quality": "quality"} if sequence else SHOWN
        body = ([_short(row.get(name)) for name in shown] for row in rows)
        print_table("Frames", list(shown.values()), body)
        if sequence or any(row["status"] != "failed" for row in rows):
            typer.echo(f"Written to {out}")
    if any(row["status"] != "reduced" for row in rows):
        raise typer.Exit(1)


def _short(value: Any) -> Any:
    """Fit a value into its cell; reasons are told in full on standard error."""
    if isinstance(value, str) and len(value) > MAX_CELL:
        return f"{value[:MAX_CELL]}\N{HORIZONTAL ELLIPSIS}"
    if isinstance(value, float):
        return f"{value:.5g}" if isfinite(value) else ""
    return value
