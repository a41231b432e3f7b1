"""`lightcurve doctor`: what this machine has of all that a run may need."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, takes_settings
from lightcurve.commands.shell import print_json, print_table, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings


@takes_settings("catalogs", "solve")
def doctor(
    *,
    settings: Settings,
    online: Annotated[
        bool, typer.Option("--online", help="Ask every server whether it is there.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what is installed, configured, indexed and reachable, each with what to do.

    The exit status is 1 where something is in trouble; what is not there may stay so.
    """
    with LINE.show("looking"):
        from lightcurve.setup.doctor import State, examine

        found = examine(settings, online=online)
    troubled = [f"{one.name}: {one.told}" for one in found if one.state is State.TROUBLE]
    if json:
        print_json({"ok": not troubled, "findings": [asdict(one) for one in found]})
    else:
        rows = ([one.part, one.name, one.state, one.told, one.advice] for one in found)
        print_table("This machine", ["", "what", "state", "found", "to do"], rows)
        if not online:
            typer.echo("servers were not asked: lightcurve doctor --online")
    stop_if_any(troubled)
