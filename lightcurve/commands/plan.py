"""`lightcurve plan`: what `run` would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightcurve.commands.options import Folder, Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, print_json, print_sets, print_table, stop_if_failed

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.night.prepare import Scene

COLUMNS = ("star_id", "role", "ra_deg", "dec_deg", "reason")


@takes_settings()
def plan(
    folder: Folder, *, settings: Settings, manifest: Manifest = None, json: Json = False
) -> None:
    """Show what `run` would do, with every value and its source; nothing is written."""
    from lightcurve.night.nights import plan_nights

    sets, planned = plan_nights(folder, settings, manifest=manifest, progress=bar)
    scenes = [(plan.frames, plan.made) for plan in planned if plan.made]
    told = [one.record for one in sets]
    if json and len(planned) == 1:
        print_json({**_record(scenes[0][1]), "sets": told})
    elif json:
        runs = [
            {"set": one.frames.label}
            | (_record(one.made) if one.made else {"error": str(one.error)})
            for one in planned
        ]
        print_json({"sets": told, "runs": runs})
    else:
        print_sets(sets)
        for frames, scene in scenes:
            _show(scene, f"{frames.label}: " if frames.label else "")
    stop_if_failed(planned)


def _rows(scene: Scene) -> list[tuple]:
    stars = scene.recipe.plan
    return list(zip(*(getattr(stars, name) for name in COLUMNS), strict=True))


def _record(scene: Scene) -> dict[str, Any]:
    return {
        "lights": scene.lights,
        "unused": scene.unused,
        "values": [value.record for value in scene.values],
        "stars": [dict(zip(COLUMNS, row, strict=True)) for row in _rows(scene)],
    }


def _show(scene: Scene, which: str) -> None:
    print_table(f"{which}values", ["value", "", "source"], (value.row for value in scene.values))
    shown = [
        (name, role, f"{ra:.6f}", f"{dec:+.6f}", why) for name, role, ra, dec, why in _rows(scene)
    ]
    print_table(f"{which}{len(scene.lights)} light frames; stars", list(COLUMNS), shown)
