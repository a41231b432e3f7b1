"""A star's name to its coordinates: CDS Sesame, asked once and remembered."""

from __future__ import annotations

import re
from urllib.parse import quote

from lightcurve.catalogs.http_cache import body_of
from lightcurve.catalogs.known_planets import name_like
from lightcurve.catalogs.layout import Link
from lightcurve.core.cache import recall_entry, remember_entry
from lightcurve.core.data import Motion
from lightcurve.core.errors import CatalogError

__all__ = ["SERVER", "resolve_name"]

SERVICE = "Sesame"
SERVER = "https://cds.unistra.fr/cgi-bin/nph-sesame"
MEMORY = "names.json"
TIMEOUT_S = 20.0
NUMBER = rb"([+-]?\d{1,6}(?:\.\d*)?)(?=\s|$)"
ADVICE = "give --ra and --dec, or --planet"


def resolve_name(name: str, *, offline: bool = False) -> tuple[float, float, str, Motion | None]:
    """Find where an object is that SIMBAD, NED or VizieR know, and how it moves.

    RA, Dec (ICRS, of J2000), the source, and the motion, None where they know none.

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
        case [float(ra), float(dec), *of_motion] if len(of_motion) in {0, 3}:
            known = Motion(*of_motion) if of_motion else None
            return ra, dec, f"{SERVICE}, remembered for {name}", known
    if offline:
        msg = f"does not remember {name!r} and may not be asked: {ADVICE}{name_like(name)}"
        raise CatalogError(SERVICE, msg)
    ra, dec, motion = _ask(name)
    more = [motion.pm_ra_mas_yr, motion.pm_dec_mas_yr, motion.parallax_mas] if motion else []
    remember_entry(MEMORY, name, [ra, dec, *more])
    return ra, dec, f"{SERVICE} for {name}", motion


def _ask(name: str) -> tuple[float, float, Motion | None]:
    # Not through astropy: it reports an unknown name and a dead service as the same error.
    try:
        answer = body_of(SERVICE, Link(f"{SERVER}/A", TIMEOUT_S, 1), quote(name))
    except CatalogError as error:
        msg = f"{error.reason}, asked for {name!r}: {ADVICE}"
        raise CatalogError(SERVICE, msg) from error
    if not answer.lstrip().startswith(b"#"):
        # Some page of whoever stands between: it says nothing of the name.
        msg = f"sent {len(answer)} bytes that are no answer of its own: {ADVICE}"
        raise CatalogError(SERVICE, msg)
    found = re.search(rb"^%J\s+" + NUMBER + rb"\s+" + NUMBER, answer, re.MULTILINE)
    if found is None:
        msg = f"does not know {name!r}: check the spelling, or {ADVICE}{name_like(name)}"
        raise CatalogError(SERVICE, msg)
    proper = re.search(rb"^%P\s+" + NUMBER + rb"\s+" + NUMBER, answer, re.MULTILINE)
    parallax = re.search(rb"^%X\s+" + NUMBER, answer, re.MULTILINE)
    motion = None
    if proper is not None:
        plx = float(parallax[1]) if parallax else 0.0
        motion = Motion(float(proper[1]), float(proper[2]), plx)
    ra, dec = float(found[1]), float(found[2])
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise CatalogError(SERVICE, f"places {name!r} at {ra:g} {dec:+g}, nowhere: {ADVICE}")
    return ra, dec, motion
