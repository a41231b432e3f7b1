"""`lightcurve measure`: all stars at all radii in all frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.options import Folder, Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, print_results

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

MEASURING = (
    *("target", "solve", "camera", "site", "time", "apertures", "calibration"),
    *("stars.comparisons", "stars.exclude", "stars.check", "stars.neb_radius_arcmin"),
    *("workers", "cluster", "catalogs.offline"),
)


@takes_settings(*MEASURING)
def measure(
    folder: Folder,
    *,
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; made if need be.")],
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Measure all stars at all radii in all frames, as one long table; choose nothing yet."""
    from lightcurve.night.measure_table import measure_folder

    measured = measure_folder(folder, settings, out, manifest=manifest, progress=bar)
    print_results("Measured", measured.summary, json=json)
