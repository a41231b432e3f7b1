"""What a plan is made for: which site, which planets, which night, and whose clock."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from lightcurve.catalogs.known_planets import KnownPlanet, the_table
from lightcurve.core.constants import DAY_S, UNIX_ZERO_JD
from lightcurve.core.data import Planet, Site
from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import InputError
from lightcurve.core.registry import did_you_mean
from lightcurve.core.settings import Settings
from lightcurve.frames.location import parse_site
from lightcurve.imports.formats import read_any_planet
from lightcurve.setup.planet_table import find_known
from lightcurve.tonight.sky import evening_of
from lightcurve.transit.ephemeris import make_planet

log = logging.getLogger(__name__)
FILES = {".toml", ".json", ".yaml", ".yml"}


def find_site(text: str | None, settings: Settings, of_runs: Site | None) -> tuple[Site, str]:
    """Settle where the telescope stands, and what tells it.

    Raises InputError where nothing does.
    """
    if text:
        return parse_site(text), "--site"
    known = (
        (settings.site.site(), "option --latitude or settings"),
        (settings.equipment.site.site(), "your equipment"),
        (of_runs, "the earlier runs"),
    )
    for site, source in known:
        if site is not None:
            east = (site.longitude_deg + 180) % 360 - 180
            return Site(site.latitude_deg, east, site.height_m, site.name), source
    msg = "where? give --site with the name of an observatory or 'LATITUDE,LONGITUDE,HEIGHT' (east)"
    raise InputError(msg)


def find_planets(names: Sequence[str]) -> tuple[tuple[Planet, ...], str]:
    """Find planets by name or file; none stand for all that are known. Also says what they are of.

    Raises InputError for a name that is not known, or a file that is no planet's.
    """
    if not names:
        table = the_table()
        known = [planet for one in table.planets.values() if (planet := _possible(one)) is not None]
        if lost := len(table.planets) - len(known):
            log.warning("%d planets of the table have values that cannot be: left out", lost)
        return tuple(known), table.origin
    found: dict[str, Planet] = {}
    for name in names:
        for planet in _named(name):
            found[planet.name] = planet
    sources = dict.fromkeys(planet.source for planet in found.values())
    return tuple(found.values()), "; ".join(sources)


def _possible(known: KnownPlanet) -> Planet | None:
    """Check the values of a known planet; None where one of them cannot be."""
    try:
        return make_planet(known.values, known.name)
    except InputError:
        return None


def _named(name: str) -> list[Planet]:
    path = Path(name).expanduser()
    if path.suffix.lower() in FILES or path.is_file():
        return [read_any_planet(path)]
    return [make_planet(one.values, one.name) for one in find_known(name, None, 0.0)[0]]


def find_evening(date: str | None, site: Site, now: datetime | None = None) -> float:
    """Settle the first night: JD of the noon at Greenwich on the date of its evening.

    Not given, the one that goes on at the site, or is next. Raises InputError for what is no date.
    """
    if date is None:
        seconds = (now or datetime.now(UTC)).timestamp()
        return evening_of(UNIX_ZERO_JD + seconds / DAY_S, site)
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date, re.ASCII):
            raise ValueError(date)
        return jd_from_iso(date) + 0.5
    except ValueError as error:
        msg = f"--date {date}: no date of an evening such as 2026-11-30"
        raise InputError(msg) from error


def find_zone(name: str | None) -> tzinfo | None:
    """Find a time zone by name; not given, that of this machine (None).

    Raises InputError where there is no such zone.
    """
    if name is None:
        return None
    if name not in available_timezones():
        near = did_you_mean(name, available_timezones())
        msg = f"--zone {name}: no time zone such as Europe/Berlin{near}"
        raise InputError(msg)
    return ZoneInfo(name)


def local_time(jd: float, zone: tzinfo | None) -> datetime:
    """Give the time of day of a zone, to the second; jd: UTC."""
    utc = datetime.fromtimestamp(round((jd - UNIX_ZERO_JD) * DAY_S), UTC)
    return utc.astimezone(zone)
