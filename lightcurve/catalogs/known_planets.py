"""Known transiting planets: by name, or by a place on the sky.

The table comes with the package; a newer one in the user's cache takes its place. Values of the
NASA Exoplanet Archive's table of composite parameters; ephemerides of ExoClock where it has the
planet. Made by `lightcurve.setup.planet_table`.
"""

from __future__ import annotations

import csv
import gzip
import logging
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightcurve.core.cache import cache_dir
from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart

__all__ = [
    "REFRESHED",
    "TEXTS",
    "KnownPlanet",
    "Table",
    "cached_file",
    "key_of",
    "name_like",
    "planets_near",
    "planets_of_star",
    "read_table",
    "the_table",
]

log = logging.getLogger(__name__)
FILE = Path(__file__).with_name("planets.csv.gz")
MAX_BYTES = 50_000_000
LIKE = 0.75  # of 1, how like a name must be to be meant
TEXTS = ("name", "source")
SHIPPED, REFRESHED = "shipped", "refreshed"
# Seconds by which an epoch may be off that does not name its scale: TDB is 69 s ahead of UTC, HJD
# is within 4 s of BJD, and a JD that was never taken to the Sun is up to 499 s off.
BARYCENTRIC_S, HELIOCENTRIC_S, GEOCENTRIC_S = 70.0, 74.0, 504.0


@dataclass(frozen=True, slots=True)
class KnownPlanet:
    """A planet of the table.

    values : as a planet file has them, with ``source``.
    """

    name: str
    ra_deg: float
    dec_deg: float
    values: dict[str, Any]

    @property
    def star(self) -> str:
        """Name of its star: the planet's without its letter."""
        return re.sub(r"\s*[b-i]$", "", self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of known planets.

    origin : what of, with the dates of it.
    date : of its older part, ``2026-06-09``.
    planets : by the key of the name.
    refreshed : it was asked for on this machine.
    """

    origin: str
    date: str
    planets: dict[str, KnownPlanet]
    refreshed: bool

    @property
    def age_days(self) -> float:
        """Days since then."""
        then = datetime.fromisoformat(self.date).replace(tzinfo=UTC)
        return (datetime.now(UTC) - then).total_seconds() / DAY_S


def key_of(name: str) -> str:
    """Write a name as names are compared: ``HAT-P-32 b`` and ``HATP32b`` alike."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def scale_error_days(scale: str) -> float:
    """Say by how many days an epoch may be off whose time scale has this name."""
    words = set(re.split(r"[^A-Z]+", scale.upper()))
    if "TDB" in words and "BJD" in words:
        return 0.0
    if "HJD" in words:
        return HELIOCENTRIC_S / DAY_S
    return (GEOCENTRIC_S if words == {"JD"} else BARYCENTRIC_S) / DAY_S


def planet_named(name: str) -> KnownPlanet | None:
    """Find a planet by its name, however that is spelt; None for another name."""
    return the_table().planets.get(key_of(name))


def planets_of_star(name: str) -> tuple[KnownPlanet, ...]:
    """Find the planets of a star by its name; the planet alone where it is a planet's."""
    one = planet_named(name)
    if one is not None:
        return (one,)
    key, known = key_of(name), the_table().planets.values()
    return tuple(planet for planet in known if key and key_of(planet.star) == key)


def name_like(name: str) -> str:
    """End the error about an unknown name with the planet or star most like it, if any is."""
    known = the_table().planets
    spelt = {key_of(planet.star): planet.star for planet in known.values()}
    spelt |= {key: planet.name for key, planet in known.items()}
    near = get_close_matches(key_of(name), spelt, n=1, cutoff=LIKE)
    return f"; did you mean {spelt[near[0]]}?" if near else ""


def planets_near(ra_deg: float, dec_deg: float, radius_deg: float) -> tuple[KnownPlanet, ...]:
    """Find the planets within a circle on the sky, the nearest first."""
    here, known = (ra_deg, dec_deg), the_table().planets
    near = [
        (degrees_apart(here, (planet.ra_deg, planet.dec_deg)), key)
        for key, planet in known.items()
        if abs(planet.dec_deg - dec_deg) <= radius_deg
    ]
    return tuple(known[key] for apart, key in sorted(near) if apart <= radius_deg)


def cached_file() -> Path:
    """Name the file in the user's cache that a newer table is kept in, there or not."""
    return cache_dir() / FILE.name


def the_table() -> Table:
    """Give the table that came with the package, or that of the cache if it is not older."""
    shipped, path = _remembered(FILE, 0), cached_file()
    try:
        cached = _remembered(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return shipped
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "damaged"
        log.warning(
            "%s cannot be read (%s): the planets that come with the program serve", path, reason
        )
        return shipped
    return cached if cached.date >= shipped.date else shipped


@lru_cache(maxsize=2)
def _remembered(path: Path, _changed: int) -> Table:
    with gzip.open(path) as file:
        return read_table(file.read(MAX_BYTES), SHIPPED if path == FILE else REFRESHED)


def read_table(body: bytes, how: str) -> Table:
    """Read the text of a table.

    how : `SHIPPED` or `REFRESHED`. Raises ValueError or KeyError where it is no such table.
    """
    head, *lines = body.decode().splitlines()
    origin = f"{head.lstrip('# ')}; {how}"
    planets: dict[str, KnownPlanet] = {}
    for row in csv.DictReader(lines):
        numbers = {key: float(text) for key, text in row.items() if text and key not in TEXTS}
        values = {"name": row["name"], "source": f"{row['source']} ({origin})", **numbers}
        known = KnownPlanet(row["name"], numbers["ra"], numbers["dec"], values)
        planets[key_of(known.name)] = known
    dates = map(datetime.fromisoformat, re.findall(r"\d{4}-\d\d-\d\d", head))
    date = f"{min(dates):%Y-%m-%d}"
    return Table(origin, date, planets, how == REFRESHED)
