"""The story of nights to come: which transits a site can see, and what each promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np

from lightcurve.core.data import Products, Site
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.tonight.places import find_evening, find_planets, find_site, find_zone
from lightcurve.tonight.precision import Promise, by_photons, of_runs
from lightcurve.tonight.products import write_plan
from lightcurve.tonight.sky import NightSky, look_up
from lightcurve.tonight.transits import Chance, Limits, Planets, find_chances

__all__ = ["Ahead", "plan_ahead"]

MOST_NIGHTS = 1000
ORDERS = ("score", "time", "name")


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """A night to come, and the transits that can be seen in it, in the order wanted."""

    sky: NightSky
    chances: tuple[Chance, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """A plan.

    Attributes
    ----------
    site_source, planets_source : str
        What told them.
    n_planets : int
        That were looked at.
    promise : Promise
        What errors are expected by.
    zone : tzinfo or None
        Of local times; None for this machine's.
    nights : tuple of Night
        In the order of their dates, also those without a transit.
    products : Products
        What was written.
    """

    site: Site
    site_source: str
    n_planets: int
    planets_source: str
    limits: Limits
    promise: Promise
    zone: tzinfo | None
    nights: tuple[Night, ...]
    products: Products = NOTHING_WRITTEN


def plan_ahead(
    settings: Settings,
    *,
    site: str | None = None,
    planets: Sequence[str] = (),
    date: str | None = None,
    nights: int = 1,
    runs: Sequence[Path] = (),
    limits: Limits | None = None,
    sort: str = "score",
    zone: str | None = None,
    out: Path | None = None,
    now: datetime | None = None,
    progress: Progress = silent,
) -> Ahead:
    """Find the transits that can be seen from a site; no service is asked.

    Parameters
    ----------
    settings : Settings
        Its site, telescope and exposure are used.
    site : str, optional
        Name of an observatory, or ``LATITUDE,LONGITUDE,HEIGHT``; before that of the settings.
    planets : sequence of str
        Names of planets or stars, or planet files; none for all that are known.
    date : str, optional
        Of the first evening at the site; tonight if not given.
    runs : sequence of Path
        Earlier runs, by whose noise errors are expected.
    sort : str
        ``score`` (depth over its error), ``time`` or ``name``.
    zone : str, optional
        Of local times, ``Europe/Berlin``; this machine's if not given.
    out : Path, optional
        Gets tonight.json, .csv and .ics, and a figure of each night; made if need be.
    now : datetime, optional
        What it is now.

    Raises
    ------
    InputError
        When nothing tells the site, or something given cannot be.
    """
    if not 1 <= nights <= MOST_NIGHTS or sort not in ORDERS:
        msg = f"--nights {nights} is not within 1 to {MOST_NIGHTS}"
        raise InputError(
            msg if sort in ORDERS else f"--sort {sort}: not one of {', '.join(ORDERS)}"
        )
    limits, clock = limits or Limits(), find_zone(zone)
    learned = of_runs(runs, settings.time.exposure_s) if runs else None
    place, source = find_site(site, settings, learned.site if learned else None)
    first = find_evening(date, place, now)
    known, origin = find_planets(planets)
    promise, many = learned or by_photons(settings, place), Planets(known)
    days = [first + k for k in range(nights)]
    made = []
    for day in progress(days, "looking ahead", nights):
        sky = look_up(day, place)
        found = find_chances(many, sky, limits, promise)
        made.append(Night(sky, in_order(found, sort)))
    plan = Ahead(place, source, len(known), origin, limits, promise, clock, tuple(made))
    return plan if out is None else replace(plan, products=write_plan(out, plan, now))


def in_order(chances: Sequence[Chance], sort: str) -> tuple[Chance, ...]:
    """Put the transits of a night in order; those of unknown score by share and depth, last."""
    keys = {
        "score": lambda one: (
            -np.nan_to_num(one.score, nan=-1.0), -one.share * one.depth_percent, one.planet.name,
        ),
        "time": lambda one: (one.mid, one.planet.name),
        "name": lambda one: (one.planet.name, one.mid),
    }  # fmt: skip
    return tuple(sorted(chances, key=keys[sort]))
