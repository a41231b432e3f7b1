"""The table of known planets: looked up, and made anew from the archive and ExoClock."""

from __future__ import annotations

import csv
import gzip
import io
import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lightcurve.catalogs.exoclock import CLOCK, list_clocks
from lightcurve.catalogs.exoplanet_archive import TITLE, list_planets
from lightcurve.catalogs.known_planets import (
    REFRESHED,
    TEXTS,
    KnownPlanet,
    Table,
    cached_file,
    key_of,
    name_like,
    planets_near,
    planets_of_star,
    read_table,
    the_table,
)
from lightcurve.core.cache import keep
from lightcurve.core.coordinates import parse_coordinates
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.settings import CatalogSettings
from lightcurve.transit.ephemeris import lacking
from lightcurve.transit.keys import KEYS, LIMITS

__all__ = ["find_known", "refresh"]

log = logging.getLogger(__name__)
EPHEMERIS = ("period_days", "period_days_err", "t0_bjd_tdb", "t0_bjd_tdb_err")
SIZE = {"rp_over_rs", "radius_jupiter", "radius_sun", "depth_percent"}
SHAPE = tuple(key.name for key in KEYS if key.shapes and key.name not in SIZE)
CLOCKED = f"{TITLE}, ephemeris of {CLOCK}"
FIRST = ("name", "ra", "dec", *EPHEMERIS)
DECIMALS = {"t0_bjd_tdb": 6, "period_days": 9, "ra": 5, "dec": 5}
PLACE = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}
LONGEST_NAME = 60
# Planets are added and hardly ever taken back. A new table has at least such a share of those of
# the old one, with the same period to within such a share: else an answer was cut short, or is of
# something else.
LEAST_KEPT, SAME_PERIOD = 0.9, 0.01


def find_known(
    name: str | None, near: str | None, radius_deg: float
) -> tuple[tuple[KnownPlanet, ...], Table]:
    """Look up known planets by the name of one or of its star, or around a place.

    Parameters
    ----------
    near : str or None
        ``"RA,DEC"`` as typed.

    Returns
    -------
    tuple of KnownPlanet, and Table
        None where nothing is asked for; and the table they are from.

    Raises
    ------
    InputError
        For a name that is not in the table, or a place that is none.
    """
    table = the_table()
    if near is not None:
        ra, comma, dec = near.partition(",")
        if name is not None or not comma:
            msg = f"give one of NAME and --near RA,DEC, got {name or ''} {near}"
            raise InputError(msg)
        return planets_near(*parse_coordinates(ra, dec), radius_deg), table
    if name is None:
        return (), table
    found = planets_of_star(name)
    if not found:
        msg = f"{name} is not among the {len(table.planets)} known planets ({table.origin}): "
        msg += f"lightcurve planets refresh asks for newer ones{name_like(name)}"
        raise InputError(msg)
    return found, table


def refresh(settings: CatalogSettings) -> Table:
    """Ask the NASA Exoplanet Archive and ExoClock for all planets, and keep the table.

    Returns
    -------
    Table
        The new one.

    Raises
    ------
    CatalogError
        When one of them cannot be asked or its answer is not to be trusted; the old table stays.
    InputError
        When the new one cannot be kept.
    """
    if settings.offline:
        msg = "planets refresh asks the NASA Exoplanet Archive and ExoClock: not with --offline"
        raise InputError(msg)
    old = the_table()
    planets = list_planets(settings)
    log.info("%s: %d planets", TITLE, len(planets))
    clocks = list_clocks(settings)
    log.info("%s: %d planets", CLOCK, len(clocks))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    body = pack(planets, clocks, f"{TITLE}, {today}; {CLOCK}, {today}")
    new = read_table(body, REFRESHED)
    _check(new, old, TITLE, "")
    _check(new, old, CLOCK, CLOCKED)
    if trouble := keep(cached_file(), gzip.compress(body, mtime=0)):
        msg = f"{cached_file()}: the new table cannot be kept: {trouble}"
        raise InputError(msg)
    return new


def _check(new: Table, old: Table, title: str, source: str) -> None:
    """Refuse a table that lacks too many planets of the old one whose source begins so."""
    of = {k: p for k, p in old.planets.items() if p.values["source"].startswith(source)}
    kept = sum(
        key in new.planets
        and new.planets[key].values["source"].startswith(source)
        and math.isclose(_period(new.planets[key]), _period(planet), rel_tol=SAME_PERIOD)
        for key, planet in of.items()
    )
    if kept < LEAST_KEPT * len(of):
        msg = f"sent {kept} of {len(of)} planets known before: the old table stays ({old.origin})"
        raise CatalogError(title, msg)


def _period(planet: KnownPlanet) -> float:
    return float(planet.values["period_days"])


def pack(
    planets: Iterable[Mapping[str, Any]], clocks: Iterable[Mapping[str, Any]], origin: str
) -> bytes:
    """Join both lists to the text of a table.

    The archive's values, where it has none ExoClock's; the ephemeris is ExoClock's, whose epochs
    are the newer ones and all in BJD_TDB. Values that cannot be are left out, and so is a planet
    without one that a transit needs.

    Parameters
    ----------
    planets, clocks : iterable of mapping
        As planet files have them, from the archive and from ExoClock; None for no value.
    origin : str
        What they are, with dates.

    Returns
    -------
    bytes
        CSV under a line with `origin`.
    """
    theirs = {key_of(entry["name"]): _possible(entry) for entry in clocks}
    rows = {key_of(entry["name"]): _possible(entry) for entry in planets}
    joined = {key: _joined(rows.get(key), theirs.get(key)) for key in sorted({*rows, *theirs})}
    whole = [row for row in joined.values() if not lacking(row.keys())]
    names = {name for row in whole for name in row} - {*FIRST, "source"}
    text = io.StringIO()
    text.write(f"# {origin}\n")
    columns = [*FIRST, *sorted(names), "source"]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _shown(name, row[name]) for name in row} for row in whole)
    return text.getvalue().encode()


def _joined(row: dict[str, Any] | None, clock: dict[str, Any] | None) -> dict[str, Any]:
    if clock is None or not clock.keys() >= {"period_days", "t0_bjd_tdb"}:
        return row or {}
    if not row:  # not there, or refused
        return {**clock, "source": CLOCK}
    # A shape is of one fit: half of it from the one and half from the other would be of none.
    path = {"a_over_rs", "inclination_deg"}
    whole = row.keys() >= path or not clock.keys() >= path
    theirs = {*EPHEMERIS, *(() if whole else (n + end for n in SHAPE for end in ("", "_err")))}
    rest = {name: value for name, value in row.items() if name not in theirs}
    source = str(row["source"]).replace(TITLE, CLOCKED, 1)
    source += "" if whole else f"; shape of {CLOCK}"
    # An error belongs to its value: where the archive has one and no error, ExoClock's is no help.
    more = {n: v for n, v in clock.items() if n.removesuffix("_err") not in rest or n in theirs}
    return {**rest, **more, "source": source}


def _possible(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what cannot be."""
    limits = {**LIMITS, **PLACE}
    possible: dict[str, Any] = {k: entry[k] for k in TEXTS if k in entry}
    if len(entry["name"]) > LONGEST_NAME or not entry["name"].isprintable():
        return {}
    for name, value in entry.items():
        low, high = limits.get(name.removesuffix("_err"), (math.inf, -math.inf))
        if name.endswith("_err"):
            low, high = 0.0, high - low
        if value is not None and name not in TEXTS and low <= value <= high:
            possible[name] = value
    return possible


def _shown(name: str, value: Any) -> str:
    """Write a number as short as it is known."""
    if name in TEXTS:
        return str(value)
    return f"{value:.{DECIMALS[name]}f}".rstrip("0") if name in DECIMALS else f"{value:.4g}"
