"""`lightcurve run` and `lightcurve plan`: the main job, and what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lightcurve.commands.options import takes_settings
from lightcurve.commands.shell import bar, print_json, print_table

Folder = Annotated[Path, typer.Argument(help="Folder of raw frames; never changed.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Run folder; made if need be.")]
Manifest = Annotated[
    Path | None,
    typer.Option("--manifest", help="Table of files and kinds: an edited frames.csv."),
]
JSON_HELP = 'For machines: JSON on standard output; {"error": ...} where it fails.'
Json = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run)
    app.command("plan")(plan)
    app.command("watch")(watch)


@takes_settings
def run(
    folder: Folder,
    *,
    settings: Any,
    out: Out = Path("lightcurve-run"),
    manifest: Manifest = None,
    wcs: Annotated[bool, typer.Option("--wcs", help="Write each frame's WCS.")] = False,
    json: Json = False,
) -> None:
    """Turn a folder of raw frames into a light curve.

    Example: lightcurve run NIGHT --target HAT-P-32 --planet hatp32b.toml --index INDEX.fits
    """
    from lightcurve.night import reduce_night

    products = reduce_night(folder, settings, out, manifest=manifest, sidecars=wcs, progress=bar)
    if json:
        print_json({"summary": products.summary, "files": products.paths})
        return
    print_table("Result", ["", ""], products.summary.items())
    typer.echo(f"Written to {products.folder}: {', '.join(sorted(products.paths))}")


@takes_settings
def plan(folder: Folder, *, settings: Any, manifest: Manifest = None, json: Json = False) -> None:
    """Show what `run` would do, with every value and its source; nothing is written."""
    from lightcurve.night import plan_night

    scene = plan_night(folder, settings, manifest=manifest, progress=bar)
    stars = scene.recipe.plan
    columns = ("star_id", "role", "ra_deg", "dec_deg", "reason")
    rows = list(zip(*(getattr(stars, name) for name in columns), strict=True))
    if json:
        values = [value.record for value in scene.values]
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json(
            {"lights": scene.lights, "unused": scene.unused, "values": values, "stars": named}
        )
        return
    print_table("Values", ["value", "", "source"], (value.row for value in scene.values))
    shown = [(name, role, f"{ra:.6f}", f"{dec:+.6f}", why) for name, role, ra, dec, why in rows]
    print_table(f"{len(scene.lights)} light frames; stars", list(columns), shown)


@takes_settings
def watch(
    folder: Folder,
    *,
    settings: Any,
    out: Out = Path("lightcurve-run"),
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 10.0,
    idle: Annotated[
        float, typer.Option("--idle", help="Minutes without a new frame that end it.", min=0)
    ] = 60.0,
    json: Json = False,
) -> None:
    """Reduce a folder while frames come in; Ctrl-C or an hour without a frame ends it."""
    from lightcurve.frames.inventory import check_folder
    from lightcurve.night import reduce_night
    from lightcurve.watch import watch_folder

    check_folder(folder)
    passes = watch_folder(
        folder, lambda: reduce_night(folder, settings, out), poll_s=every, idle_s=60 * idle
    )
    for products in passes:
        if json:
            print_json({"summary": products.summary, "files": products.paths})
            continue
        line = ", ".join(f"{name} {value}" for name, value in products.summary.items())
        typer.echo(f"{line}: {products.folder / 'report.html'}")
