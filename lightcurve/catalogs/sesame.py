"""A star's name to its coordinates: CDS Sesame, asked once and remembered."""

from __future__ import annotations

import re
from urllib.parse import quote

from lightcurve.catalogs.http_cache import body_of
from lightcurve.catalogs.layout import Link
from lightcurve.core.cache import recall_entry, remember_entry
from lightcurve.core.errors import CatalogError

__all__ = ["resolve_name"]

SERVICE = "Sesame"
SERVER = "https://cds.unistra.fr/cgi-bin/nph-sesame"
MEMORY = "names.json"
TIMEOUT_S = 20.0
ADVICE = "give --ra and --dec, or --planet"


def resolve_name(name: str, *, offline: bool = False) -> tuple[float, float, str]:
    """Find where an object is that SIMBAD, NED or VizieR know: RA, Dec (ICRS), and the source.

    Parameters
    ----------
    offline : bool
        Only what is remembered may serve.

    Raises
    ------
    CatalogError
        When the name is unknown, or the service cannot or may not be asked.
    """
    match recall_entry(MEMORY, name):
        case [float(ra), float(dec)]:
            return ra, dec, f"{SERVICE}, remembered for {name}"
    if offline:
        msg = f"does not remember {name!r} and may not be asked: {ADVICE}"
        raise CatalogError(SERVICE, msg)
    ra, dec = _ask(name)
    remember_entry(MEMORY, name, [ra, dec])
    return ra, dec, f"{SERVICE} for {name}"


def _ask(name: str) -> tuple[float, float]:
    # Not through astropy: it reports an unknown name and a dead service as the same error.
    try:
        answer = body_of(SERVICE, Link(f"{SERVER}/A", TIMEOUT_S, 1), quote(name))
    except CatalogError as error:
        msg = f"{error.reason}, asked for {name!r}: {ADVICE}"
        raise CatalogError(SERVICE, msg) from error
    found = re.search(rb"^%J\s+([\d.]+)\s+([+-][\d.]+)", answer, re.MULTILINE)
    if found is None:
        msg = f"does not know {name!r}: check the spelling, or {ADVICE}"
        raise CatalogError(SERVICE, msg)
    return float(found[1]), float(found[2])
