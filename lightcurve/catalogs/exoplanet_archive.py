"""Planets by name: the NASA Exoplanet Archive, asked by TAP and remembered.

https://exoplanetarchive.ipac.caltech.edu/docs/API_PS_columns.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lightcurve.catalogs.layout import Link, Server
from lightcurve.catalogs.read_votable import clean, read_votable
from lightcurve.catalogs.vizier import ask
from lightcurve.core.cache import recall_entry, remember_entry
from lightcurve.core.constants import DAY_S
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

__all__ = ["TITLE", "find_planet", "list_planets"]

TITLE = "NASA Exoplanet Archive"
SERVER = Server("exoplanet-archive", "https://exoplanetarchive.ipac.caltech.edu/TAP")
MEMORY = "planets.json"
TABLE = "pscomppars"  # one row a planet, each value from the publication thought best
# Name in a planet file to the archive's column; errors are in COLUMNerr1 and COLUMNerr2.
COLUMNS = {
    "period_days": "pl_orbper",
    "t0_bjd_tdb": "pl_tranmid",
    "rp_over_rs": "pl_ratror",
    "a_over_rs": "pl_ratdor",
    "inclination_deg": "pl_orbincl",
    "eccentricity": "pl_orbeccen",
    "omega_deg": "pl_orblper",
    "teff_k": "st_teff",
    "logg": "st_logg",
    "feh": "st_met",
    "pm_ra_mas_yr": "sy_pmra",
    "pm_dec_mas_yr": "sy_pmdec",
    "parallax_mas": "sy_plx",
    "g_mag": "sy_gaiamag",
}
# It does not tell the epoch of its places: they are Gaia DR2's, as GJ 1214 and TRAPPIST-1 show.
EPOCH_YEAR = 2015.5
OTHERS = ("pl_name", "ra", "dec", "pl_tranmid_systemref")
# What stands in for a value that it lacks: of several sets the first that is there. Those of one
# row are from many papers, so that no more are taken than are needed.
STAND_INS: dict[str, tuple[dict[str, str], ...]] = {
    "rp_over_rs": (
        {"radius_jupiter": "pl_radj", "radius_sun": "st_rad"},
        {"depth_percent": "pl_trandep"},
    ),
    "a_over_rs": (
        {"semi_major_axis_au": "pl_orbsmax", "radius_sun": "st_rad"},
        {"density_g_cm3": "st_dens"},
        {"mass_sun": "st_mass", "radius_sun": "st_rad"},
        {"duration_hours": "pl_trandur"},
    ),
    "inclination_deg": ({"impact_parameter": "pl_imppar"}, {"duration_hours": "pl_trandur"}),
}
EXTRA = sorted({c for sets in STAND_INS.values() for one in sets for c in one.values()})
NEEDED = ("period_days", "t0_bjd_tdb", "rp_over_rs", "a_over_rs")
ADVICE = "give --planet FILE"
MAX_PLANETS = 50_000
UTC_SCALE_DAYS = 70 / DAY_S  # an epoch that does not name TDB may be off by so much


def find_planet(name: str, settings: CatalogSettings | None = None) -> dict[str, Any] | None:
    """Look a planet up.

    Parameters
    ----------
    name : str
        As the archive has it, ``"HAT-P-32 b"``; case and blanks do not matter.
    settings : CatalogSettings, optional
        For time-out, age of what is remembered, server, and whether to ask at all.

    Returns
    -------
    dict or None
        As a planet file has it, with ``source``; None when there is no such planet, or the name
        is not that of a planet (a star with a letter from b to i).

    Raises
    ------
    CatalogError
        When the archive cannot be reached and the planet is not in the cache, or it lacks a value
        without which no transit can be fitted.
    """
    known = regular_name(name)
    if known is None:
        return None
    settings = settings or CatalogSettings()
    remembered = recall_entry(MEMORY, known)
    if not (isinstance(remembered, dict) and {"asked", "row"} <= set(remembered)):
        remembered = None
    if remembered and (settings.offline or _age_days(remembered) <= settings.cache_days):
        return planet_values(remembered["row"], f"{TITLE}, asked {remembered['asked']}")
    if settings.offline:
        raise CatalogError(TITLE, f"does not remember {known!r} and may not be asked: {ADVICE}")
    try:
        # Quotes are doubled: that is how SQL writes one inside a text.
        rows = _ask("upper(pl_name)='{}'".format(known.replace("'", "''")), settings, 2)
    except CatalogError as error:
        if remembered is None:
            raise
        source = f"{TITLE}, asked {remembered['asked']} ({error.reason})"
        return planet_values(remembered["row"], source)
    if not rows:
        return None
    entry = {"asked": f"{datetime.now(UTC):%Y-%m-%d}", "row": rows[0]}
    remember_entry(MEMORY, known, entry)
    return planet_values(rows[0], f"{TITLE}, asked {entry['asked']}")


def regular_name(name: str) -> str | None:
    """Write a planet's name as the archive does, ``"HAT-P-32 B"``; None for what is none."""
    found = re.fullmatch(r"(.*\S)\s+([b-i])|(.*\d)([b-i])", name.strip())
    if found is None:
        return None
    star, letter = (found[1], found[2]) if found[1] else (found[3], found[4])
    return f"{' '.join(star.split())} {letter}".upper()


def planet_values(row: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Turn a row of the archive into the values of a planet file.

    ``source`` tells what was worked out from other columns. Raises CatalogError when a value is
    missing without which no transit can be fitted.
    """
    values, missing = _values(row, source)
    if missing:
        msg = f"lacks {', '.join(missing)} of {row['pl_name']}: {ADVICE}"
        raise CatalogError(TITLE, msg)
    return values


def _values(row: Mapping[str, Any], source: str) -> tuple[dict[str, Any], list[str]]:
    """Turn a row into values of a planet file, and name those that it lacks."""
    notes = [source]
    values = {"name": row["pl_name"], "ra": row["ra"], "dec": row["dec"]}
    values |= _with_errors(row, COLUMNS)
    if values.keys() & {"pm_ra_mas_yr", "pm_dec_mas_yr"}:
        values["epoch_year"] = EPOCH_YEAR
        notes.append(f"place taken to be of epoch {EPOCH_YEAR}")
    lacks = [name for name in NEEDED if name not in values]
    for name, sets in STAND_INS.items():
        there = [one for one in sets if all(row.get(c) is not None for c in one.values())]
        if name not in values and there:
            values |= _with_errors(row, there[0])
            lacks = [other for other in lacks if other != name]
    scale = str(row.get("pl_tranmid_systemref") or "")
    if "t0_bjd_tdb" in values and not ("BJD" in scale.upper() and "TDB" in scale.upper()):
        values["t0_bjd_tdb_err"] = math.hypot(values.get("t0_bjd_tdb_err", 0.0), UTC_SCALE_DAYS)
        notes.append(f"epoch in {scale or 'unnamed'} time, taken as BJD_TDB to 70 s")
    return values | {"source": "; ".join(notes)}, lacks


def _with_errors(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Take values, by their names in a planet file, with their errors out of a row."""
    values = {}
    for name, column in columns.items():
        if row.get(column) is not None:
            values[name] = row[column]
            error = _error(row, column)
            if error is not None:
                values[f"{name}_err"] = error
    return values


def _error(row: Mapping[str, Any], column: str) -> float | None:
    """Mean of the upper and lower error."""
    sides = [row.get(f"{column}err{k}") for k in (1, 2)]
    known = [abs(side) for side in sides if side]
    return sum(known) / len(known) if known else None


def list_planets(settings: CatalogSettings) -> list[dict[str, Any]]:
    """Ask for every planet that transits.

    Returns
    -------
    list of dict
        As planet files have them, with ``source``; one may lack what a transit needs.

    Raises
    ------
    CatalogError
        When the archive cannot be asked, or sends what it did not use to.
    """
    return [_values(row, TITLE)[0] for row in _ask("tran_flag=1", settings, MAX_PLANETS)]


def _ask(where: str, settings: CatalogSettings, max_rows: int) -> list[dict[str, Any]]:
    """Ask for the planets of which something holds, in SQL."""
    server = settings.servers.get(SERVER.name, SERVER.address)
    link = Link(server, settings.timeout_s, max_rows)
    numbers = [*COLUMNS.values(), *EXTRA]
    errors = [f"{column}err{k}" for column in numbers for k in (1, 2)]
    wanted = [*OTHERS, *numbers, *errors]
    adql = f"SELECT {','.join(wanted)} FROM {TABLE} WHERE {where}"  # noqa: S608  (quotes doubled)
    try:
        table = read_votable(ask(link, adql), TITLE)
    except CatalogError as error:
        raise CatalogError(TITLE, error.reason) from error
    columns = [column for column in wanted if column in table.colnames]
    rows = [{c: _plain(entry[c]) for c in columns} for entry in table[:max_rows]]
    if any(row.get(column) is None for row in rows for column in ("pl_name", "ra", "dec")):
        raise CatalogError(TITLE, f"sent a planet without its name and place: {ADVICE}")
    return rows


def _plain(value: Any) -> float | str | None:
    """Turn a cell into a number or clean text; None where it is masked or not finite."""
    import numpy as np

    if np.ma.is_masked(value):
        return None
    if isinstance(value, str):
        return clean(value) or None
    number = float(value)
    return number if math.isfinite(number) else None


def _age_days(entry: Mapping[str, Any]) -> float:
    asked = datetime.fromisoformat(entry["asked"]).replace(tzinfo=UTC)
    return (datetime.now(UTC) - asked).total_seconds() / DAY_S
