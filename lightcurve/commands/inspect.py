"""`lightcurve inspect`: what a folder holds, or what a header says."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_sets, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.frames.inventory import Entry
    from lightcurve.night.grouping import FrameSet

log = logging.getLogger(__name__)


@takes_settings("camera", "site", "time", "select")
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder, or one FITS file.")],
    *,
    settings: Settings,
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Show what a folder holds, or what a file's header says and how it was read."""
    from lightcurve.core.errors import InputError, LightcurveError
    from lightcurve.frames.inspect import inspect_file, summarise
    from lightcurve.frames.inventory import take_inventory
    from lightcurve.night.sets import find_sets

    if not path.exists():
        msg = f"{path}: there is no such file or folder"
        raise InputError(msg)
    if path.is_file():
        values = inspect_file(path, settings)
        if json:
            print_json([value.record for value in values])
        else:
            columns = ["name", "value", "source", "agrees", "disagrees"]
            print_table(path.name, columns, (value.row for value in values))
        return
    inventory = take_inventory(path, settings, manifest=manifest, progress=bar)
    rows = inventory.rows()
    try:
        sets = find_sets(inventory, settings)
    except LightcurveError as error:  # no light frame, or no time: what there is is shown
        log.warning("%s", error)
        sets = []
    of = {entry.name: one for one in sets for entry in one.lights}
    if json:
        print_json([{**row, **_set_of(of.get(row["file"]))} for row in rows])
        return
    profiles = Counter(e.exposure.profile for e in inventory.entries if e.exposure.profile)
    for line in (
        *summarise(rows),
        *(f"camera profile {name}: {n}" for name, n in profiles.items()),
    ):
        typer.echo(one_line(line))
    if len(sets) > 1 or any(len(one.nights) > 1 for one in sets):
        print_sets(sets)
    lines = [_file_line(entry) for entry in inventory.entries]
    names = [name for name in lines[0] if any(line[name] not in (None, "") for line in lines)]
    title = f"{path}: {len(rows)} files"
    print_table(title, names, ([line[name] for name in names] for line in lines))


def _set_of(one: FrameSet | None) -> dict[str, str]:
    """Say in which set a frame is, and why that is left out."""
    return {"set": str(one) if one else "", "set_unused": one.unused if one else ""}


def _file_line(entry: Entry) -> dict[str, Any]:
    """Put what is known of a file into few columns; --json has them all."""
    row = entry.row()
    told = [f"{entry.kind} by {entry.kind_source}"] if entry.guessed and row["use"] == "yes" else []
    return {
        **{name: row[name] for name in ("file", "kind", "filter", "exposure_s", "mid_utc")},
        "size": f"{row['nx']}x{row['ny']}" if row["nx"] else "",
        **{name: row[name] for name in ("binning", "temperature_c", "use")},
        "why": "; ".join([*told, *([row["reason"]] if row["reason"] else [])]),
    }
