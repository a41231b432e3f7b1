"""`lightcurve measure`: all stars at all radii in all frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Folder, Json, Manifest, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_json, print_results, records, stop_if_failed

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.measure_table import Measured
    from lightcurve.night.sets import Reduced

MEASURING = (
    *("target", "select", "solve", "camera", "site", "time", "apertures", "calibration"),
    *("stars.comparisons", "stars.exclude", "stars.check", "stars.neb_radius_arcmin"),
    *("workers", "cluster", "catalogs.offline"),
)


@takes_settings(*MEASURING)
def measure(
    folder: Folder,
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Run folder; made if need be.")
    ],
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Measure all stars at all radii in all frames, as one long table; choose nothing yet."""
    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.measure_table import measure_sets

    runs = measure_sets(folder, settings, out, manifest=manifest, progress=bar)
    done = [(run.frames, run.made.summary) for run in runs if run.made]
    if len(runs) == 1:
        print_results("Measured", done[0][1], json=json)
        return
    if json:
        print_json({"runs": [_record(run) for run in runs]})
    for frames, summary in () if json else done:
        print_results(f"{frames.label}: {frames}", summary)
    stop_if_failed(runs)


def _record(run: Reduced[Measured]) -> dict[str, Any]:
    """Lay what came of one set out for programs."""
    told = {"error": str(run.error)} if run.made is None else records(run.made.summary)
    return {**run.frames.record, **told}
