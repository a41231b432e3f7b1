"""`lightcurve tonight`: the transits that can be seen from a site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightcurve.commands.completion import planets as known_planets
from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, a_folder, takes_settings
from lightcurve.commands.shell import bar, print_json, print_table, say, say_each

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.tonight.story import Ahead

LIMITS = "What is asked of a transit"


@takes_settings("site", "camera.telescope_diameter_m", "time.exposure_s")
def tonight(
    *,
    settings: Settings,
    site: Annotated[
        str | None,
        typer.Option("--site", help="An observatory, or 'LATITUDE,LONGITUDE,HEIGHT' (east)."),
    ] = None,
    planet: Annotated[
        list[str] | None,
        typer.Option(
            "--planet", help="A planet or star by name, or a planet file; repeat. Not given, all.",
            autocompletion=known_planets,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All known planets, as without --planet.")
    ] = False,
    date: Annotated[
        str | None, typer.Option("--date", help="Of the evening at the site, 2026-11-30; tonight.")
    ] = None,
    nights: Annotated[int, typer.Option("--nights", help="So many, from that one on.")] = 1,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--runs", help="Earlier run folders, or one of them all: your noise; repeat."),
    ] = None,
    altitude: Annotated[
        float, typer.Option("--altitude", help="Degrees, at least.", rich_help_panel=LIMITS)
    ] = 30.0,
    sun: Annotated[
        float, typer.Option("--sun", help="Altitude of the Sun, at most.", rich_help_panel=LIMITS)
    ] = -12.0,
    moon: Annotated[
        float, typer.Option("--moon", help="Degrees from it while it is up, at least.",
                            rich_help_panel=LIMITS),
    ] = 0.0,
    share: Annotated[
        float, typer.Option("--share", help="Of the transit that is seen, 0 to 1, at least.",
                            rich_help_panel=LIMITS),
    ] = 0.5,
    baseline: Annotated[
        float, typer.Option("--baseline", help="Minutes wanted before and after it.",
                            rich_help_panel=LIMITS),
    ] = 45.0,
    faintest: Annotated[
        float | None, typer.Option("--faintest", help="Gaia G of the star, at most.",
                                   rich_help_panel=LIMITS),
    ] = None,
    depth: Annotated[
        float, typer.Option("--depth", help="Per cent, at least.", rich_help_panel=LIMITS)
    ] = 0.0,
    sort: Annotated[
        str, typer.Option("--sort", help="score (S/N of the depth), time or name.")
    ] = "score",
    zone: Annotated[
        str | None, typer.Option("--zone", help="Of local times, Europe/Berlin; this machine's.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Rows shown of a night.")] = 25,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=a_folder, help="Folder for JSON, CSV, .ics, figures."),
    ] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """List the transits that a site can see: when, how high, how much, how precise; offline.

    Example: lightcurve tonight --site 'Kitt Peak' --faintest 13 --depth 0.5 --out PLAN
    """
    if planet and everything:
        msg = "give --planet or --all, not both"
        raise typer.BadParameter(msg)
    with LINE.show("starting"):  # imports take a while
        from lightcurve.tonight.story import plan_ahead
        from lightcurve.tonight.transits import Limits

    limits = Limits(altitude, sun, moon, share, baseline, faintest, depth)
    plan = plan_ahead(
        settings, site=site, planets=tuple(planet or ()), date=date, nights=nights,
        runs=tuple(runs or ()), limits=limits, sort=sort, zone=zone, out=out, progress=bar,
    )  # fmt: skip
    if json:
        from lightcurve.tonight.products import plan_values

        print_json(plan_values(plan))
        return
    _show(plan, most)


def _show(plan: Ahead, most: int) -> None:
    """Show a plan to people."""
    from lightcurve.tonight.products import SHOWN, night_words, shown_rows

    place = (
        f"{plan.site.latitude_deg:+.4f} {plan.site.longitude_deg:+.4f}, {plan.site.height_m:g} m"
    )
    for night in plan.nights:
        if not night.chances:
            say(night_words(night, plan))
            continue
        print_table(night_words(night, plan), list(SHOWN), shown_rows(night, plan.zone, most),
                    whole={"planet", "flip", "altitude"})  # fmt: skip
        if len(night.chances) > most:
            say(f"and {len(night.chances) - most} more: --most, --out or --json")
    say_each(
        [
            ("site", f"{plan.site.name} {place} ({plan.site_source})".strip()),
            ("planets", f"{plan.n_planets}: {plan.planets_source}"),
            ("errors", plan.promise.source),
        ]
    )
    if plan.products.paths:
        say(f"written to {plan.products.folder}: {', '.join(sorted(plan.products.paths))}")
