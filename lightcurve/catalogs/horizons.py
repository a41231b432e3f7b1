"""JPL Horizons: the path of a known asteroid or comet, as seen from where the frames were made."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightcurve.catalogs.ephemeris import Ephemeris, stretches, viewpoint
from lightcurve.catalogs.http_cache import body_of, recall, remember
from lightcurve.catalogs.layout import GEOCENTRE, Link, Server
from lightcurve.core.data import Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

__all__ = ["ask_horizons"]

TITLE = "Horizons"
SERVER = Server("horizons", "https://ssd.jpl.nasa.gov/api/horizons.api")
STEP_MIN = 10  # close enough for a cubic between the places; see `lightcurve.astrometry.track`
MARGIN_DAYS = 2 * STEP_MIN / 1440
SAID = re.compile(r"no matches|not found|multiple|no ephemeris|error|cannot", re.IGNORECASE)
COLUMNS = ("Date_________JDUT", "R.A._(ICRF)", "DEC_(ICRF)")


def ask_horizons(
    name: str,
    times_jd_utc: Sequence[float],
    settings: CatalogSettings,
    *,
    site: Site | None = None,
    mpc_code: str | None = None,
) -> Ephemeris:
    """Ask where an object was, every ten minutes of each night of some times: a question a night.

    Parameters
    ----------
    name : str
        Number, name or designation of an asteroid or a comet.
    site, mpc_code : Site, str, optional
        From where; the code of the observatory wins. Neither: from the Earth's centre.

    Raises
    ------
    CatalogError
        When the object is unknown or the name is that of several, or the service cannot or may not
        be asked.
    """
    told = [_night(name, span, settings, site, mpc_code) for span in stretches(times_jd_utc)]
    # Margins of two nights may overlap, and no time may come twice.
    jd, first = np.unique(np.concatenate([one.jd_utc for one in told]), return_index=True)
    ra, dec = (
        np.concatenate([getattr(one, column) for one in told])[first]
        for column in ("ra_deg", "dec_deg")
    )
    return replace(told[0], jd_utc=jd, ra_deg=ra, dec_deg=dec)


def _night(
    name: str,
    span: tuple[float, float],
    settings: CatalogSettings,
    site: Site | None,
    mpc_code: str | None,
) -> Ephemeris:
    address = settings.servers.get(SERVER.name, SERVER.address)
    question, seen_from = _question(name, span, site, mpc_code)
    kept = recall(address, question)
    if kept is not None:
        return _read(kept.body, name, seen_from)
    if settings.offline:
        msg = f"was not asked for {name!r} before, and may not be: give two places by --at"
        raise CatalogError(TITLE, msg)
    body = body_of(TITLE, Link(address, settings.timeout_s, 1), json.loads(question))
    ephemeris = _read(body, name, seen_from)
    remember(address, question, body)
    return ephemeris


def _question(
    name: str, span: tuple[float, float], site: Site | None, mpc_code: str | None
) -> tuple[str, str]:
    """Let astroquery write the question; and say from where."""
    from astroquery.jplhorizons import Horizons

    location: str | dict[str, float] = mpc_code or GEOCENTRE
    if site is not None and not mpc_code:
        location = {
            "lon": site.longitude_deg, "lat": site.latitude_deg, "elevation": site.height_m / 1000,
        }  # fmt: skip
    day = 24 * 60 / STEP_MIN  # steps; whole ones, so that two runs ask the same
    start = math.floor((span[0] - MARGIN_DAYS) * day) / day
    stop = math.ceil((span[1] + MARGIN_DAYS) * day) / day
    epochs = {
        "start": iso_from_jd(start).replace("T", " "), "stop": iso_from_jd(stop).replace("T", " "),
        "step": f"{STEP_MIN}m",
    }  # fmt: skip
    asked = Horizons(id=name, location=location, epochs=epochs, id_type="smallbody")
    payload = asked.ephemerides_async(quantities="1", extra_precision=True, get_query_payload=True)
    question = json.dumps({k: str(v) for k, v in dict(payload).items()}, sort_keys=True)
    return question, viewpoint(site, mpc_code)


def _read(body: bytes, name: str, seen_from: str) -> Ephemeris:
    """Read the table between the service's marks."""
    text = body.decode("utf-8", "replace")
    head, mark, rest = text.partition("$$SOE")
    if not mark:
        raise CatalogError(TITLE, f"has no places of {name!r}: {_why_not(text)}")
    header = next((line for line in reversed(head.splitlines()) if COLUMNS[0] in line), "")
    names = [cell.strip() for cell in header.split(",")]
    try:
        which = [names.index(column) for column in COLUMNS]
        rows = [
            [float(row[k]) for k in which]
            for row in csv.reader(rest.partition("$$EOE")[0].strip().splitlines())
        ]
        jd, ra, dec = np.array(rows).T
    except (ValueError, IndexError) as error:
        raise CatalogError(TITLE, "sent a table that cannot be read: it has changed") from error
    if not np.isfinite(rows).all() or len(jd) < 2 or (np.diff(jd) <= 0).any():
        raise CatalogError(TITLE, "sent a table without places in the order of time")
    told = re.search(r"^Target body name:\s*(.*?)\s*(\{|$)", head, re.MULTILINE)
    title = "".join(c for c in told[1] if c.isprintable())[:60] if told else name
    return Ephemeris(_designation(title), title, jd, ra, dec, seen_from, f"JPL {TITLE}")


def _designation(title: str) -> str:
    """Take the number out of ``1 Ceres (A801 AA)``, else the designation out of ``(2004 MN4)``."""
    number = re.match(r"(\d+[IPD]?)[ /]", title)
    if number:
        return number[1]
    provisional = re.search(r"\(?((?:[ADCPX]/)?\d{4} [A-Z]{1,2}\d*)\)?", title)
    return provisional[1] if provisional else title


def _why_not(text: str) -> str:
    """Take what the service says of a name that it cannot follow."""
    for line in text.splitlines():
        words = " ".join("".join(c if c.isprintable() else " " for c in line).split())
        if SAID.search(words):
            return words[:150] + "; a number or a designation names one alone"
    return "its answer has no table"
