"""`lightcurve survey`: a season of nights as one queue."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, Verbose, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_json, say, say_each, stop_if_any

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.survey.story import Survey

SHOWN = 5


@takes_settings()
def survey(
    roots: Annotated[
        list[Path] | None, typer.Argument(help="Folders with the nights below them; never changed.")
    ] = None,
    *,
    settings: Settings,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", callback=a_folder, help="Folder of index and run folders."),
    ] = Path("lightcurve-survey"),
    retry: Annotated[
        bool, typer.Option("--retry", help="Nights that failed once more, as they are.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="How far the survey in --out is; nothing is done.")
    ] = False,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Reduce all nights below some folders, side by side, and keep one index of the results.

    The exit status is 1 where any night of it failed.

    Example: lightcurve survey /shared/2026 --out /shared/RUNS --cluster tcp://HOST:8786
    """
    if bool(roots) == status:
        msg = "give folders with nights below them, or --status"
        raise typer.BadParameter(msg)
    with LINE.show("starting"):  # imports take a while
        from lightcurve.survey.story import look_at_survey, reduce_survey

    if status:
        found = look_at_survey(out)
    else:
        found = reduce_survey(roots or (), settings, out, retry=retry, progress=bar)
    if json:
        print_json({"index": found.index, **found.summary})
    else:
        _show(found, SHOWN if not verbose else len(found.nights))
    if not status:
        left = found.summary["failed"] | found.summary["waiting"]
        stop_if_any([f"{len(left)} of {len(found.nights)} nights are not done"] if left else [])


def _show(found: Survey, most: int) -> None:
    """Say how far a survey is, and what failed."""
    told = found.summary
    nights, frames = told["nights"], told["frames"]
    say(f"{sum(nights.values())} nights, {sum(frames.values())} images: {found.index}")
    lines = [(state, f"{n} nights, {frames[state]} images") for state, n in nights.items() if n]
    curves = Counter(told["light_curves"])
    lines.append(("light curves", ", ".join(f"{n} {state}" for state, n in curves.items()) or "0"))
    if told["seconds_a_frame"]:
        cost = f"{told['seconds_a_frame']:.3f} s an image, {told['hours_worked']:.2f} hours in all"
        lines.append(("cost", f"{cost}, {told['most_memory_mb']:.0f} MB a worker at most"))
    for kind in ("failed", "waiting"):
        reasons = list(told[kind].items())
        lines += [(kind, f"{folder}: {reason}") for folder, reason in reasons[:most]]
        if len(reasons) > most:
            lines.append((kind, f"and {len(reasons) - most} more: --verbose"))
    say_each(lines)
