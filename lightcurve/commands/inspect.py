"""`lightcurve inspect`: what a folder holds, or what a header says."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Json, Manifest, takes_settings
from lightcurve.commands.shell import (
    bar,
    brief,
    print_json,
    print_sets,
    print_table,
    say,
    say_each,
)

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.frames.entries import Entry
    from lightcurve.frames.inventory import Inventory
    from lightcurve.night.grouping import FrameSet

log = logging.getLogger(__name__)
ALL = "--all"
SHOWN = 6  # reasons, or sets, of many


@takes_settings("camera", "site", "time", "select")
def inspect(
    path: Annotated[Path, typer.Argument(help="A folder, or one FITS file.")],
    *,
    settings: Settings,
    manifest: Manifest = None,
    everything: Annotated[bool, typer.Option(ALL, help="A line for every file.")] = False,
    json: Json = False,
) -> None:
    """Show what a folder holds, or what a file's header says and how it was read.

    Of a folder: counts, what is left out and why, and how much of a transit the frames cover,
    where their headers tell of which star they are.
    """
    from lightcurve.core.errors import InputError, LightcurveError
    from lightcurve.frames.inspect import inspect_file
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
    for line in _summary(inventory, rows):
        say(line)
    if len(sets) > 1 or any(len(one.nights) > 1 for one in sets):
        print_sets(sets, everything=everything)
    if (told := _of_transit(sets)) is not None:
        say_each([("transit", told)])
    if not everything:
        say_each(_exceptions(inventory))
        return
    lines = [_file_line(entry) for entry in inventory.entries]
    names = [name for name in lines[0] if any(line[name] not in (None, "") for line in lines)]
    title = f"{path}: {len(rows)} files"
    print_table(title, names, ([line[name] for name in names] for line in lines))


def _summary(inventory: Inventory, rows: list[dict[str, Any]]) -> list[str]:
    """Count the files by what they are, and the profiles of their cameras."""
    from lightcurve.frames.inspect import summarise

    profiles = Counter(e.exposure.profile for e in inventory.entries if e.exposure.profile)
    return [*summarise(rows), *(f"camera profile {name}: {n}" for name, n in profiles.items())]


def _of_transit(sets: list[FrameSet]) -> str | None:
    """Say how much of a transit the frames cover; None where headers do not tell of which star."""
    from lightcurve.core.errors import LightcurveError
    from lightcurve.night.outlook import cover
    from lightcurve.setup.target import recognise_target

    lights = [entry.exposure for one in sets if not one.unused for entry in one.lights]
    try:
        target = recognise_target(lights) if lights else None
    except LightcurveError:
        return None
    covered = target and cover(target.planet, (target.ra_deg, target.dec_deg), lights)
    return str(covered) if covered else None


def _exceptions(inventory: Inventory) -> list[tuple[str, str]]:
    """Count the files that are left out, and the kinds that no keyword told, by why."""
    out = [
        f"{entry.kind}: {entry.reason}" for entry in inventory.entries if entry.row()["use"] == "no"
    ]
    guessed = [
        f"{entry.kind} by {entry.kind_source}"
        for entry in inventory.entries
        if entry.guessed and entry.row()["use"] == "yes"
    ]
    lines = []
    for label, reasons in (("left out", out), ("guessed", guessed)):
        counts = count_alike(reasons)
        lines += [(label, f"{n} x {brief(why, ALL)}") for why, n in counts[:SHOWN]]
        if len(counts) > SHOWN:
            lines.append((label, f"for {len(counts) - SHOWN} more reasons"))
    return [*lines, ("more", f"a line for every file: {ALL}")]


def count_alike(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Count reasons that are the same but for their numbers, the most frequent first."""
    alike: dict[str, list[str]] = {}
    for why in reasons:
        alike.setdefault(re.sub(r"[\d.]*\d", "#", why), []).append(why)
    counts = sorted(alike.values(), key=len, reverse=True)
    return [(some[0] + ", and the like" * (len({*some}) > 1), len(some)) for some in counts]


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
