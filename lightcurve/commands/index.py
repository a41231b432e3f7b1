"""`lightcurve index`: the index files that plate solving on this machine needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, takes_settings
from lightcurve.commands.shell import bar, print_json, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings

Frame = Annotated[Path | None, typer.Argument(help="A frame that is to be solved.")]
group = typer.Typer(no_args_is_help=True, help="Index files for plate solving.")


@group.command("list")
@takes_settings("target", "solve.index", "solve.scale_arcsec")
def list_files(frame: Frame = None, *, settings: Settings, json: Json = False) -> None:
    """Show which scales the index files found cover, and which a frame needs."""
    from lightcurve.setup.index_files import list_index

    found = list_index(settings, frame)
    if json:
        print_json(found)
        return
    files, need = found["files"], found["frame"]
    if files:
        names = ["file", "low_arcmin", "high_arcmin", "n_stars", "tile", "n_near", "useful"]
        rows = ([_text(_told(row)[name]) for name in names] for row in files)
        print_table("Index files", names, rows)
    else:
        typer.echo(f"no index files in {', '.join(found['places'])}")
    if found["scales"]:
        names = ["scale", "low_arcmin", "high_arcmin", "covered", "seen", "best"]
        rows = ([_text(row[name]) for name in names] for row in found["scales"])
        print_table("Scales", names, rows)
    if need:
        typer.echo(_advice(need, found))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    tile = None if row["tile"] is None else f"{row['tile']} of {row['n_tiles']}"
    return row | {"tile": tile}


def _advice(need: dict[str, Any], found: dict[str, Any]) -> str:
    what = "{file} at {scale_arcsec:.3g} arcsec/px shows patterns of {low_arcmin:.3g} to "
    what = (what + "{high_arcmin:.3g} arcmin").format(**need)
    useful = sum(row["useful"] for row in found["files"])
    if useful:
        return f"{what}: {useful} of {len(found['files'])} index files can serve it"
    return f"{what}: no index file serves it; get some: lightcurve index fetch FRAME"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else str(value)


@group.command("fetch")
@takes_settings("target", "solve.scale_arcsec")
def fetch(
    frame: Frame = None,
    *,
    settings: Settings,
    number: Annotated[
        list[int] | None,
        typer.Option(help="Scale, 0 (2 arcmin) to 19 (24 deg); repeat. Else what serves FRAME."),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="4100, 4200 or 5200; else 5200 and, for wide frames, 4100.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--from", help="Folder of a mirror; {series} in it is filled in."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; else the user's cache.")
    ] = None,
    max_mb: Annotated[float, typer.Option(help="Most to download, MB.")] = 2000.0,
    json: Json = False,
) -> None:
    """Download index files for a frame, or for a scale and a place (--ra, --dec)."""
    from lightcurve.setup.index_files import Wanted, fetch_index

    wanted = Wanted(tuple(number or ()), series, base_url, out, max_mb)
    rows = fetch_index(settings, wanted, frame=frame, progress=bar)
    if json:
        print_json(rows)
        return
    names = ["file", "status", "series", "scale", "low_arcmin", "high_arcmin", "megabytes"]
    print_table("Index files", names, ([_text(row[name]) for name in names] for row in rows))
