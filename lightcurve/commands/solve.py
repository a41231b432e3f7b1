"""`lightcurve solve`: frames solved on the sky."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Frames, Json, a_folder, takes_settings
from lightcurve.commands.shell import (
    bar,
    in_digits,
    print_json,
    print_table,
    reasons_of,
    say,
    stop_if_any,
)

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings("target", "solve", "camera.saturation_adu", "time", "catalogs.offline")
def solve(
    frames: Frames,
    *,
    settings: Settings,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=a_folder, help="Folder for NAME.wcs header files."),
    ] = None,
    write_copy: Annotated[
        bool,
        typer.Option("--write-copy", help="Also write NAME_wcs.fits: the frame with its WCS."),
    ] = False,
    catalog: Annotated[
        str | None, typer.Option(help="Stars to refine with: a file of them, or gaia.")
    ] = None,
    json: Json = False,
) -> None:
    """Solve frames on the sky, each on its own."""
    from lightcurve.core.data import FrameStatus

    with LINE.show("starting"):  # imports take a while
        from lightcurve.image.solve_frames import SolveOutput, solve_frames

    rows = []
    for row in solve_frames(
        frames,
        settings,
        SolveOutput(out, write_copy),
        catalog=catalog,
        progress=bar,
    ):
        rows.append(row)
        if not json:
            say(_solution_line(row))
    if json:
        print_json(rows)
    else:
        _print_solutions(rows)
    stop_if_any(reasons_of(row for row in rows if row["status"] == FrameStatus.FAILED))


def _print_solutions(rows: list[dict[str, Any]]) -> None:
    from lightcurve.core.data import FrameStatus

    names = [
        "file", "status", "solver", "ra_deg", "dec_deg", "scale_arcsec", "rotation_deg",
        "parity", "n_matched", "rms_arcsec",
    ]  # fmt: skip
    # Seven digits: 0.04 arcsec of a right ascension.
    cells = ([in_digits(row[n], 7) for n in names] for row in rows)
    print_table("Plate solutions", names, cells, whole=("file",))
    solved = sum(row["status"] == FrameStatus.SOLVED for row in rows)
    tried = sum(row["status"] != FrameStatus.SKIPPED for row in rows)
    say(f"{solved} of {tried} frames solved")


def _solution_line(row: dict[str, Any]) -> str:
    from lightcurve.core.data import FrameStatus

    if row["status"] != FrameStatus.SOLVED:
        return f"{row['file']}: {row['status']}: {' '.join(row['reason'].split())}"
    stars = f"{row['n_matched']} stars, rms {row['rms_arcsec']:.2f} arcsec"
    found = [
        f"solved by {row['solver']}",
        *([stars] if row["n_matched"] else []),
        f"scale {row['scale_arcsec']:.4f} arcsec/px",
        f"centre {row['ra_deg']:.5f} {row['dec_deg']:+.5f} deg",
        *([row["reason"]] if row["reason"] else []),
    ]
    return f"{row['file']}: {', '.join(found)}"
