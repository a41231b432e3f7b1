"""Known transiting planets, as they come with the package: by name, or by a place on the sky.

Values of the NASA Exoplanet Archive's table of composite parameters; ephemerides of ExoClock where
it has the planet. Made by `python -m benchmarks.known_planets`.
"""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart

__all__ = ["planets_near", "planets_of_star"]

FILE = Path(__file__).with_name("planets.csv.gz")
COLUMNS = (
    *("name", "ra", "dec", "period_days", "period_days_err", "t0_bjd_tdb", "t0_bjd_tdb_err"),
    *("rp_over_rs", "rp_over_rs_err", "a_over_rs", "a_over_rs_err"),
    *("inclination_deg", "inclination_deg_err", "eccentricity", "omega_deg"),
    *("teff_k", "logg", "feh", "source"),
)
SOURCES = {"N": "NASA Exoplanet Archive", "E": "NASA Exoplanet Archive, ephemeris of ExoClock"}
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
    return _table().get(key_of(name))


def planets_of_star(name: str) -> tuple[KnownPlanet, ...]:
    """Find the planets of a star by its name; the planet alone where it is a planet's."""
    one = planet_named(name)
    if one is not None:
        return (one,)
    key = key_of(name)
    return tuple(planet for planet in _table().values() if key and key_of(planet.star) == key)


def planets_near(ra_deg: float, dec_deg: float, radius_deg: float) -> tuple[KnownPlanet, ...]:
    """Find the planets within a circle on the sky, the nearest first."""
    here = (ra_deg, dec_deg)
    near = [
        (degrees_apart(here, (planet.ra_deg, planet.dec_deg)), key)
        for key, planet in _table().items()
        if abs(planet.dec_deg - dec_deg) <= radius_deg
    ]
    return tuple(_table()[key] for apart, key in sorted(near) if apart <= radius_deg)


@lru_cache(maxsize=1)
def _table() -> dict[str, KnownPlanet]:
    """Read the table, by the key of the name."""
    head, *lines = gzip.decompress(FILE.read_bytes()).decode().splitlines()
    dates = head.lstrip("# ")
    found: dict[str, KnownPlanet] = {}
    for row in csv.DictReader(lines):
        text = {"name": row["name"], "source": f"{SOURCES[row['source']]} (shipped: {dates})"}
        numbers = {key: float(row[key]) for key in COLUMNS[1:-1] if row[key]}
        values = {**text, **numbers}
        found[key_of(row["name"])] = KnownPlanet(row["name"], numbers["ra"], numbers["dec"], values)
    return found
