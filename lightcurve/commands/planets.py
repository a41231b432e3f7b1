"""`lightcurve planets`: what is known of planets that transit, and where it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lightcurve.commands.completion import planets
from lightcurve.commands.options import Json, takes_settings
from lightcurve.commands.shell import in_digits, print_json, print_table

if TYPE_CHECKING:
    from lightcurve.catalogs.known_planets import KnownPlanet, Table
    from lightcurve.core.settings import Settings

SHOWN = (
    *("ra", "dec", "period_days", "t0_bjd_tdb", "t0_bjd_tdb_err", "rp_over_rs", "a_over_rs"),
    "inclination_deg",
)
DIGITS = 13  # an epoch to the microday


class _ShowsByDefault(TyperGroup):
    """A group whose verb `show` need not be typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb in, where the first word is none."""
        own = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if args and args[0] in own else ["show", *args])


group = typer.Typer(
    cls=_ShowsByDefault,
    help="Known transiting planets: `planets NAME`, `planets --near RA,DEC`, `planets refresh`; "
    "`planets keys` lists what a planet file may hold.",
)


@group.command("show")
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A planet, or a star: HAT-P-32 b, however spelt.", autocompletion=planets
        ),
    ] = None,
    *,
    near: Annotated[
        str | None, typer.Option(help="Around this place: 'RA,DEC', as --ra and --dec take them.")
    ] = None,
    radius: Annotated[float, typer.Option(help="As far from it, degrees.")] = 1.0,
    json: Json = False,
) -> None:
    """Show what is known of a planet, a star's planets, or those near a place, and its source."""
    from lightcurve.setup.planet_table import find_known

    found, table = find_known(name, near, radius)
    if json:
        print_json({"table": _table(table), "planets": [planet.values for planet in found]})
        return
    if len(found) == 1:
        rows = [[key, in_digits(value, DIGITS)] for key, value in found[0].values.items()]
        print_table(found[0].name, ["", ""], rows)
        return
    if found:
        print_table("Known planets", ["name", *SHOWN], map(_row, found))
    elif near is not None:
        typer.echo(f"no known planet within {radius:g} degrees of {near}")
    typer.echo(f"{len(table.planets)} planets are known: {table.origin}")


@group.command("refresh")
@takes_settings("catalogs.offline")
def refresh(*, settings: Settings, json: Json = False) -> None:
    """Ask the NASA Exoplanet Archive and ExoClock for all planets, and keep them in the cache.

    What they send is not taken where it cannot be whole.
    """
    from lightcurve.setup.planet_table import refresh as make_anew

    table = make_anew(settings.catalogs)
    if json:
        print_json({"table": _table(table)})
        return
    typer.echo(f"{len(table.planets)} planets: {table.origin}")


@group.command("keys")
def keys(*, json: Json = False) -> None:
    """List what a planet file may hold, with units; errors stand beside as NAME_err."""
    from lightcurve.transit.keys import KEYS

    names = ("name", "unit", "range", "what it is")
    if json:
        print_json({"keys": [dict(zip(names, key.row, strict=True)) for key in KEYS]})
        return
    rows = [list(key.row) for key in KEYS]
    print_table("A planet file, beside name, ra and dec", list(names), rows)


def _table(table: Table) -> dict[str, Any]:
    return {"planets": len(table.planets), "origin": table.origin, "date": table.date}


def _row(planet: KnownPlanet) -> list[Any]:
    return [planet.name, *(in_digits(planet.values.get(name), DIGITS) for name in SHOWN)]
