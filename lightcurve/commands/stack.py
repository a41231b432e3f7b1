"""`lightcurve stack`: the frames of each field combined, and the stack's catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import OPTIONS, Folder, Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, one_line, print_json, print_table, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.sets import Reduced
    from lightcurve.stack.story import Stack

SETTINGS = (
    "stack", "select", "image", "catalogs", "target", "camera", "site", "time", "calibration",
    # Here --scale is of the stack.
    *(name for name in OPTIONS if name.startswith("solve.") and name != "solve.scale_arcsec"),
)  # fmt: skip


@takes_settings(*SETTINGS, "apertures.radii", "apertures.annulus", "figures", "seed")
def stack(
    folder: Folder,
    *,
    settings: Settings,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Gets a stack, or a folder each.")
    ] = Path("lightcurve-stack"),
    manifest: Manifest = None,
    catalog: Annotated[
        bool, typer.Option("--catalog/--no-catalog", help="Reduce the stack as `image` does.")
    ] = True,
    json: Json = False,
) -> None:
    """Combine the frames of each field, filter, camera and night, and reduce the stack.

    Example: lightcurve stack NIGHT --index INDEX.fits --north-up
    """
    with LINE.show("starting"):  # imports take a while
        from lightcurve.stack.story import stack_folder

    found = stack_folder(folder, settings, out, manifest=manifest, catalog=catalog, progress=bar)
    if json:
        print_json([_record(one) for one in found])
    else:
        for one in found:
            _tell(one)
    stop_if_any(reason for one in found for reason in _failures(one))


def _failures(one: Reduced[Stack]) -> list[str]:
    """Say why a stack was not made, or which of its checks failed."""
    from lightcurve.stack.check import Verdict

    of = f"{one.frames.label}: " if one.frames.label else ""
    if one.made is None:
        return [f"{of}{one.error}"]
    failed = [check for check in one.made.checks if check.verdict == Verdict.FAILED]
    return [f"{of}{check.name}: {check.text}, limit {check.limit}" for check in failed]


def _tell(one: Reduced[Stack]) -> None:
    """Show a stack: what was left out of it and why, what was checked, and where it is."""
    if one.made is None:
        typer.echo(one_line(f"{one.frames.label}: {one.error}"))
        return
    made = one.made
    if left_out := made.left_out:
        print_table("Left out", ["file", "reason"], list(left_out.items()))
    rows = ([c.name, c.text, c.limit, str(c.verdict)] for c in made.checks)
    print_table(f"Checks{f' of {one.frames.label}' if one.frames.label else ''}",
                ["what", "found", "limit", "verdict"], rows)  # fmt: skip
    typer.echo(f"{len(made.ready.kept)} frames combined: {made.path}")


def _record(one: Reduced[Stack]) -> dict[str, Any]:
    """Tell of a stack for programs."""
    record: dict[str, Any] = {**one.frames.record, "folder": str(one.folder)}
    if one.made is None:
        return {**record, "error": str(one.error)}
    made = one.made
    return {
        **record,
        "file": str(made.path),
        "used": len(made.ready.kept),
        "left_out": made.left_out,
        "checks": [
            {"name": c.name, "value": c.value, "limit": c.limit, "verdict": str(c.verdict)}
            for c in made.checks
        ],
    }
