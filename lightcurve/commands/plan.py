"""`lightcurve plan`: what `run` would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightcurve.commands.options import Folder, Json, Manifest, takes_settings
from lightcurve.commands.shell import bar, print_json, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings()
def plan(
    folder: Folder, *, settings: Settings, manifest: Manifest = None, json: Json = False
) -> None:
    """Show what `run` would do, with every value and its source; nothing is written."""
    from lightcurve.night.story import plan_night

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
