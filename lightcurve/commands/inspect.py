"""`lightcurve inspect`: what a folder holds, or what a header says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table

if TYPE_CHECKING:
    from lightcurve.config import Settings


@takes_settings("camera", "site", "time")
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder, or one FITS file.")],
    *,
    settings: Settings,
    manifest: Manifest = None,
    json: Json = False,
) -> None:
    """Show what a folder holds, or what a file's header says and how it was read."""
    from lightcurve.errors import InputError
    from lightcurve.stages.inspect import inspect_file, inspect_folder, summarise

    if not path.exists():
        msg = f"{path}: there is no such file or folder"
        raise InputError(msg)
    if path.is_file():
        rows = inspect_file(path, settings)
        title = path.name
    else:
        rows = inspect_folder(path, settings, manifest=manifest, progress=bar)
        title = f"{path}: {len(rows)} files"
    if json:
        print_json(rows)
        return
    if path.is_dir():
        for line in summarise(rows):
            typer.echo(one_line(line))
    shown = rows if path.is_file() else list(map(_file_line, rows))
    names = [n for n in (shown[0] if shown else {}) if any(r[n] not in (None, "") for r in shown)]
    print_table(title, names, ([row[name] for name in names] for row in shown))


def _file_line(row: dict[str, Any]) -> dict[str, Any]:
    """Put what is known of a file into few columns; --json has them all."""
    guessed = row["kind_source"] and not row["kind_source"].startswith("header")
    told = [f"{row['kind']} by {row['kind_source']}"] if guessed and row["use"] == "yes" else []
    return {
        **{name: row[name] for name in ("file", "kind", "filter", "exposure_s", "mid_utc")},
        "size": f"{row['nx']}x{row['ny']}" if row["nx"] else "",
        **{name: row[name] for name in ("binning", "temperature_c", "use")},
        "why": "; ".join([*told, *([row["reason"]] if row["reason"] else [])]),
    }
