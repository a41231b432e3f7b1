"""`lightcurve plan`: what `run` would do, and what the night promises."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Folder, Json, Manifest, takes_settings
from lightcurve.commands.shell import (
    bar,
    brief,
    print_json,
    print_sets,
    print_table,
    say,
    say_each,
    show_messages,
    stop_if_failed,
)

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.nights import Planned

COLUMNS = ("star_id", "role", "ra_deg", "dec_deg", "reason")
ALL = "--all"
SHOWN = 4  # reasons or settings, of many


@takes_settings()
def plan(
    folder: Folder,
    *,
    settings: Settings,
    told: dict[str, str],
    manifest: Manifest = None,
    everything: Annotated[
        bool, typer.Option(ALL, help="Every value with its source, every star, every setting.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what `run` would do, and what to expect of the night; nothing is written.

    How much of the transit is covered, how precise points, depth and mid-time will be, and what
    is missing, each with the option that gives it.
    """
    from lightcurve.core.settings_files import listed

    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.nights import plan_nights

    show_messages(quiet=True)  # what they say is shown below
    sets, planned = plan_nights(folder, settings, manifest=manifest, progress=bar)
    changed = listed(settings, told)
    if json:
        _print_json(sets, planned, changed)
        stop_if_failed(planned)
        return
    if len(sets) > 1 or everything:
        print_sets(sets, everything=everything)
    for one in planned:
        if one.made:
            _show(one.made, str(one.frames), everything=everything)
    if changed and everything:
        print_table("Settings", ["setting", "value", "source"], changed)
    elif changed:
        some = "; ".join(f"{name} = {value} ({source})" for name, value, source in changed[:SHOWN])
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        say_each([("settings", brief(some, f"plan {ALL}") + more)])
    stop_if_failed(planned)


def _print_json(sets: Any, planned: Any, changed: list[tuple[str, str, str]]) -> None:
    names = ("setting", "value", "source")
    told = {
        "sets": [one.record for one in sets],
        "settings": [dict(zip(names, row, strict=True)) for row in changed],
    }
    if len(planned) == 1:
        print_json({**_record(planned[0].made), **told})
        return
    runs = [
        {"set": one.frames.label} | (_record(one.made) if one.made else {"error": str(one.error)})
        for one in planned
    ]
    print_json({**told, "runs": runs})


def _rows(planned: Planned) -> list[tuple]:
    stars = planned.scene.recipe.plan
    return list(zip(*(getattr(stars, name) for name in COLUMNS), strict=True))


def _record(planned: Planned) -> dict[str, Any]:
    scene = planned.scene
    return {
        "lights": scene.lights,
        "unused": scene.unused,
        "values": [value.record for value in scene.values],
        "stars": [dict(zip(COLUMNS, row, strict=True)) for row in _rows(planned)],
        **planned.outlook.record,
    }


def _show(planned: Planned, frames: str, *, everything: bool) -> None:
    """Show what a run of one set would do: in short, or with every value and star."""
    scene, outlook, target = planned.scene, planned.outlook, planned.target
    say(f"{target.name}: {frames}")
    lines = [("target", f"{target.ra_deg:.6f} {target.dec_deg:+.6f} deg ({target.source})")]
    lines += [("left out", _reasons(scene.unused))] if scene.unused else []
    if outlook.covered:
        lines.append(("transit", str(outlook.covered)))
    lines.append(("expected", str(outlook.precision or "not known: no frame could be measured")))
    texts = {value.name: value for value in scene.values}
    named = [texts[name] for name in ("scale", "radii", "sky annulus") if name in texts]
    field = "; ".join(f"{one.name} {one.text}" for one in named)
    lines += [("stars", _stars(scene.recipe.plan.role)), ("measured", field)]
    missing = "; ".join(f"{what} ({option})" for what, option in outlook.missing)
    lines.append(("missing", missing or "nothing"))
    if not everything:
        lines.append(("more", f"{len(scene.values)} values with their sources, all stars: {ALL}"))
    say_each((label, text if everything else brief(text, ALL, 230)) for label, text in lines)
    if everything:
        print_table("Values", ["value", "", "source"], (value.row for value in scene.values))
        shown = [
            (name, role, f"{ra:.6f}", f"{dec:+.6f}", why)
            for name, role, ra, dec, why in _rows(planned)
        ]
        print_table(f"{len(scene.lights)} light frames; stars", list(COLUMNS), shown)


def _stars(roles: Any) -> str:
    counts = Counter(str(role) for role in roles)
    return ", ".join(f"{n} {role}" for role, n in counts.items())


def _reasons(unused: dict[Any, str]) -> str:
    """Count frames by why they are left out."""
    counts = Counter(unused.values()).most_common(SHOWN)
    listed = "; ".join(f"{n}: {brief(why, ALL)}" for why, n in counts)
    return f"{len(unused)} frames: {listed}"
