"""`lightcurve inspect`: what a folder holds, or what a header says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.frames.inventory import Entry


@takes_settings("camera", "site", "time")
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder, or one FITS file.")],
    *,
    settings: Settings,
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Show what a folder holds, or what a file's header says and how it was read."""
    from lightcurve.core.errors import InputError
    from lightcurve.frames.inspect import inspect_file, summarise
    from lightcurve.frames.inventory import take_inventory

    if not path.exists():
        msg = f"{path}: there is no such file or folder"
        raise InputError(msg)
    if path.is_file():
        values = inspect_file(path, settings)
        if json:
            print_json([value.record for value in values])
        else:
            print_table(path.name, ["name", "value", "source"], (value.row for value in values))
        return
    inventory = take_inventory(path, settings, manifest=manifest, progress=bar)
    rows = inventory.rows()
    if json:
        print_json(rows)
        return
    for line in summarise(rows):
        typer.echo(one_line(line))
    lines = [_file_line(entry) for entry in inventory.entries]
    names = [name for name in lines[0] if any(line[name] not in (None, "") for line in lines)]
    title = f"{path}: {len(rows)} files"
    print_table(title, names, ([line[name] for name in names] for line in lines))


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
