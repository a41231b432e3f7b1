"""`lightcurve difference`: frames less a template, and what has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, takes_settings
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


@takes_settings(*SETTINGS, "apertures.radii", "apertures.annulus", "figures", "seed")
def difference(
    frames: Annotated[list[Path], typer.Argument(help="FITS files, or folders of them.")],
    *,
    settings: Settings,
    template: Annotated[
        Path, typer.Option("--template", help="Image with a WCS: a deep frame, a stack.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets the products.")] = Path(
        "lightcurve-difference"
    ),
    json: Json = False,
) -> None:
    """Subtract a template from frames: what is new, gone, brighter or fainter.

    Example: lightcurve difference NIGHT --template STACK.fits --index INDEX.fits
    """
    from lightcurve.core.data import FrameStatus

    with LINE.show("starting"):  # imports take a while
        from lightcurve.stack.subtract import subtract_template

    rows = subtract_template(frames, template, settings, out, progress=bar)
    if json:
        print_json(rows)
    else:
        for row in rows:
            _tell(row)
        typer.echo(f"Written to {out}")
    stop_if_any(reasons_of(rows, FrameStatus.REDUCED))


def _tell(row: dict[str, Any]) -> None:
    """Print what has changed in one frame, or why that is not known."""
    if row.get("reason"):
        typer.echo(one_line(f"{row['file']}: {row['status']}: {row['reason']}"))
        return
    good = [one for one in row["found"] if not one["reason"]]
    typer.echo(
        one_line(
            f"{row['file']}: {len(good)} changes, {row['again']} of them seen in another frame, "
            f"{row['flaws']} flaws; matched by "
            f"{row['matching_stars']} stars"
        )
    )
    if good:
        names = ["what", "RA", "Dec", "mag", "error", "sigma", "seen in", "known as"]
        body = (
            [one["kind"], f"{one['ra_deg']:.6f}", f"{one['dec_deg']:+.6f}", f"{one['mag']:.2f}",
             f"{one['mag_err']:.2f}", f"{one['snr']:.1f}",
             f"{one['seen_in']} of {one['looked_in']}", one["known_as"]]
            for one in good
        )  # fmt: skip
        print_table("Changes", names, body)
