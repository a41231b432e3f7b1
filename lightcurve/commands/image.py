"""`lightcurve image`: one frame, or many, each to a calibrated and cross-matched catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, isfinite, log10
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, a_folder, takes_settings
from lightcurve.commands.shell import (
    bar,
    one_line,
    print_json,
    print_table,
    reasons_of,
    stop_if_any,
)

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

SETTINGS = ("image", "catalogs", "target", "solve", "camera", "site", "time", "calibration")
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
# Column to name; of numbers, the digits after the point where there is no error.
SHOWN = {
    "file": "file", "status": "status", "sources": "sources", "astrometry_stars": "stars",
    "astrometry_rms_px": "rms px", "fwhm_px": "FWHM px", "fwhm_arcsec": 'FWHM "', "band": "band",
    "zero_point_mag": "zero point", "limit_5_sigma_mag": "5 sigma",
}  # fmt: skip
DIGITS = {"astrometry_rms_px": 3, "fwhm_px": 2, "fwhm_arcsec": 2, "limit_5_sigma_mag": 2}
ERRORS = {"zero_point_mag": "zero_point_err_mag", "fwhm_px": "fwhm_err_px"}


@takes_settings(*SETTINGS, "apertures.radii", "apertures.annulus", "figures", "seed", "workers")
def image(
    frames: Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")],
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Gets a folder for each frame.")
    ] = Path("lightcurve-image"),
    sequence: Annotated[
        bool,
        typer.Option("--sequence", help="Only a table: zero point, FWHM, limit, quality."),
    ] = False,
    json: Json = False,
) -> None:
    """Turn single frames into calibrated catalogues, each frame on its own.

    Example: lightcurve image FRAME.fits --index INDEX.fits --catalog STARS.fits --offline
    """
    from lightcurve.core.data import Figures, FrameStatus
    from lightcurve.core.processes import warm_to_draw

    if settings.figures is not Figures.NONE and settings.workers != 1 and not sequence:
        warm_to_draw("lightcurve.report.image_maps", "lightcurve.report.image_plots")
    with LINE.show("starting"):  # imports take a while
        from lightcurve.image.batch import measure_sequence, reduce_images

    job = measure_sequence if sequence else reduce_images
    rows = job(frames, settings, out, progress=bar)
    if json:
        print_json(rows)
    else:
        shown = {**SHOWN, "quality": "quality"} if sequence else SHOWN
        body = ([_cell(row, name) for name in shown] for row in rows)
        print_table("Frames", list(shown.values()), body, whole=("file", "zero point"))
        for row in rows:
            if row.get("reason"):
                typer.echo(one_line(f"{row['file']}: {row['status']}: {row['reason']}"))
        if sequence or any(row["status"] != FrameStatus.FAILED for row in rows):
            typer.echo(f"Written to {out}")
    stop_if_any(reasons_of(rows, FrameStatus.REDUCED))


def _cell(row: Mapping[str, Any], name: str) -> Any:
    """Write a value into its cell, a number with its error."""
    value = row.get(name)
    if not isinstance(value, float):
        return value
    return by_error(value, row.get(ERRORS.get(name, "")), DIGITS.get(name, 3))


def by_error(value: float, error: float | None, digits: int) -> str:
    """Write a number with as many digits as its error leaves sense, which has two.

    Parameters
    ----------
    value : float
        Empty cell where it is not finite.
    digits : int
        After the point, where there is no error.
    """
    if not isfinite(value):
        return ""
    if error is None or not isfinite(error) or error <= 0:
        return f"{value:.{digits}f}"
    after = max(1 - floor(log10(error)), 0)
    return f"{value:.{after}f} {PLUS_MINUS} {error:.{after}f}"
