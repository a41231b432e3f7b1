"""`lightcurve calibrate`: master frames, and every light frame calibrated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Folder, Json, Manifest, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_json, print_table, reasons_of, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings(
    *("select", "time", "calibration", "camera.profile", "camera.mosaic"),
    *("camera.gain_e_per_adu", "camera.read_noise_e", "camera.saturation_adu"),
)
def calibrate(
    folder: Folder,
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for masters and frames.")
    ],
    manifest: Manifest = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Give bad pixels the median of good neighbours.")
    ] = False,
    json: Json = False,
) -> None:
    """Make master frames and write every light frame calibrated."""
    from lightcurve.core.data import FrameStatus

    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.calibrate import calibrate_folder

    rows = calibrate_folder(folder, settings, out, manifest=manifest, repair=repair, progress=bar)
    failed = [row for row in rows if row["status"] != FrameStatus.CALIBRATED]
    if json:
        print_json(rows)
    else:
        if failed:
            print_table(
                "Not calibrated", ["file", "reason"], ([r["file"], r["reason"]] for r in failed)
            )
        typer.echo(f"{len(rows) - len(failed)} of {len(rows)} frames calibrated into {out}")
    stop_if_any(reasons_of(failed))
