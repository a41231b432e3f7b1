"""ExoClock's list of planets, whose ephemerides follow what is observed.

https://www.exoclock.space/database/planets_json (Kokori et al. 2023, ApJS 265, 4)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lightcurve.catalogs.http_cache import body_of
from lightcurve.catalogs.known_planets import scale_error_days
from lightcurve.catalogs.layout import Link, Server
from lightcurve.core.coordinates import read_angle
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

__all__ = ["CLOCK", "list_clocks"]

CLOCK = "ExoClock"
SERVER = Server("exoclock", "https://www.exoclock.space/database/planets_json")
# Name in a planet file to theirs; errors are in THEIRS_e1 and THEIRS_e2.
COLUMNS = {
    "period_days": "ephem_period",
    "t0_bjd_tdb": "ephem_mid_time",
    "rp_over_rs": "rp_over_rs",
    "a_over_rs": "sma_over_rs",
    "inclination_deg": "inclination",
    "eccentricity": "eccentricity",
    "omega_deg": "periastron",
    "teff_k": "teff",
    "logg": "logg",
    "g_mag": "gaia_g_mag",
}


def list_clocks(settings: CatalogSettings) -> list[dict[str, Any]]:
    """Ask for all planets of ExoClock.

    Returns
    -------
    list of dict
        As planet files have them; without those whose epochs are in another scale than BJD_TDB,
        and those that have no name and place.

    Raises
    ------
    CatalogError
        When it cannot be asked, or its answer is no list of planets.
    """
    server = settings.servers.get(SERVER.name, SERVER.address)
    body = body_of(CLOCK, Link(server, settings.timeout_s, 0), {})
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        msg = f"sent {len(body)} bytes that are no JSON"
        raise CatalogError(CLOCK, msg) from error
    entries = content.values() if isinstance(content, dict) else []
    found = [_values(entry) for entry in entries if isinstance(entry, dict)]
    return [values for values in found if values]


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        place = {
            "ra": read_angle(entry["ra_j2000"], hours=True),
            "dec": read_angle(entry["dec_j2000"], hours=False),
        }
        name = entry["name"].strip()
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    if scale_error_days(str(entry.get("ephem_mid_time_format"))):
        return {}
    values: dict[str, Any] = {"name": name, **place}
    for ours, theirs in COLUMNS.items():
        values[ours] = _number(entry.get(theirs))
        errors = [_number(entry.get(f"{theirs}_e{k}")) for k in (1, 2)]
        known = [abs(error) for error in errors if error]
        values[f"{ours}_err"] = sum(known) / len(known) if known else None
    return values


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
