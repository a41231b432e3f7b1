"""SkyBoT: asteroids, comets and planets at the middle of the exposure, from where it was made."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.catalogs.ephemeris import Ephemeris, stretches, viewpoint
from lightcurve.catalogs.http_cache import body_of, recall, remember
from lightcurve.catalogs.layout import (
    GEOCENTRE,
    Catalog,
    Field,
    Layout,
    Link,
    Role,
    Route,
    Server,
    Service,
    Skip,
    Wanted,
    build,
)
from lightcurve.catalogs.motion import topocentric
from lightcurve.catalogs.read_votable import clean, read_votable, texts
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Site
from lightcurve.core.errors import CatalogError
from lightcurve.core.settings import CatalogSettings

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["ask_skybot"]

NAME, TITLE = "skybot", "SkyBoT"
SERVER = Server("skybot", "https://ssp.imcce.fr/webservices/skybot/api/conesearch.php")
MAX_RADIUS_DEG = 10.0
PATH_RADIUS_DEG = 1.5  # about where a header points, which may be off by much of a degree
NODE_DAYS = 1 / 24  # of a path: parallax bends it over hours
FEWEST_NODES = 4  # that a cubic needs
NONE_FOUND = b"No solar system object was found"
LAYOUT = Layout(
    ids="Name",
    ra="ra_deg",
    dec="dec_deg",
    errors=("ErrPos",),
    error_arcsec=0.5,
    still=True,
    columns=(
        Wanted("Num", "number", "", "Number, where it has one", text=True),
        Wanted("Class", "type", "", "Kind of orbit", text=True),
        Wanted("Mv", "v_mag", "mag", "V predicted"),
        Wanted("dRAcosDEC|dracosdec", "rate_ra", "arcsec / h", "Motion in RA times cos dec"),
        Wanted("dDEC|ddec", "rate_dec", "arcsec / h", "Motion in declination"),
        Wanted("dgeo", "distance", "AU", "Distance from the Earth"),
        Wanted("dhelio", "sun_distance", "AU", "Distance from the Sun"),
    ),
)


def _request(field: Field, _max_rows: int) -> str:
    """Let astroquery write the question."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from astroquery.imcce import Skybot

    if field.mid_jd_utc is None:
        raise Skip(TITLE, "the time of the frame is not known")
    if field.radius_deg > MAX_RADIUS_DEG:
        raise Skip(TITLE, f"the field is larger than {MAX_RADIUS_DEG:g} degrees")
    question = Skybot.cone_search_async(
        SkyCoord(field.ra_deg, field.dec_deg, unit="deg"),
        field.radius_deg * u.deg,
        Time(round(field.mid_jd_utc, 6), format="jd", scale="utc"),
        location=(field.site_code or GEOCENTRE).upper(),
        get_query_payload=True,
    )
    return json.dumps({k: str(v) for k, v in question.items()}, sort_keys=True)


def _send(link: Link, request: str) -> bytes:
    return body_of(TITLE, link, json.loads(request))


def _said(body: bytes) -> None:
    """Raise what the service says in plain text, where it found objects nowhere for an error."""
    flag = re.search(rb"^# *Flag: *(-?\d+)", body, re.MULTILINE)
    if flag is not None and int(flag[1]) < 0:
        text = clean(body.decode("utf-8", "replace").strip().rpartition("\n")[2])
        raise CatalogError(TITLE, f"reports an error: {text}")


def _read(body: bytes, field: Field) -> Catalog:
    _said(body)
    # Where there is no object it sends nothing, or that there is none in plain text.
    nothing = not body.strip() or body.lstrip().startswith(b"#") or NONE_FOUND in body
    table = _empty() if nothing else read_votable(body, TITLE)
    _degrees(table)
    # Positions are of the moment, not of an epoch: nothing is moved.
    layout = replace(LAYOUT, epoch=field.epoch_jyear)
    catalog = build(table, layout, NAME, TITLE, field)
    if not len(catalog):
        return catalog
    if field.site_code:
        note = f"seen from observatory {field.site_code.upper()}"
        return replace(catalog, notes=(*catalog.notes, note))
    if field.site is None:
        note = "seen from the Earth's centre: give the site, a near object may be elsewhere"
        return replace(catalog, notes=(*catalog.notes, note))
    distance = catalog.number("distance")
    ra, dec = topocentric(
        catalog.ra_deg, catalog.dec_deg, distance, field.site, field.mid_jd_utc or float("nan")
    )
    note = f"moved from the Earth's centre to the site, by up to {_largest(catalog, ra, dec):.1f}\""
    return replace(catalog, ra_deg=ra, dec_deg=dec, notes=(*catalog.notes, note))


def _empty() -> Table:
    from astropy.table import Table

    return Table({name: np.zeros(0) for name in ("RA", "DEC", *LAYOUT.names())})


def _largest(catalog: Catalog, ra: np.ndarray, dec: np.ndarray) -> float:
    along = (ra - catalog.ra_deg + 180) % 360 - 180
    shift = np.hypot(along * np.cos(np.radians(dec)), dec - catalog.dec_deg)
    return float(np.max(shift) * 3600)


def _degrees(table: Table) -> None:
    """Add the positions in degrees: the service writes hours and degrees, minutes, seconds."""
    from astropy import units
    from astropy.coordinates import Angle

    if not {"RA", "DEC"} <= set(table.colnames):
        raise CatalogError(TITLE, "the answer has no columns RA and DEC: the service has changed")
    for name, unit, new in (("RA", "hourangle", "ra_deg"), ("DEC", "deg", "dec_deg")):
        try:
            table[new] = Angle([t.replace(" ", ":") for t in texts(table, name)], unit).deg
            table[new].unit = units.deg
        except ValueError as error:
            msg = f"column {name} is not an angle: the service has changed"
            raise CatalogError(TITLE, msg) from error


SERVICE = Service(
    NAME,
    TITLE,
    "Berthier et al. 2006, ASPC 351, 367",
    Role.OBJECTS,
    (Route(SERVER, _request, _send, _read),),
    LAYOUT.columns,
    weight=1,
)


def ask_skybot(
    name: str,
    seen: Sequence[tuple[float, float, float]],
    settings: CatalogSettings,
    *,
    site: Site | None = None,
    mpc_code: str | None = None,
) -> Ephemeris:
    """Ask where an object was, among all that it knows about where the telescope pointed.

    Parameters
    ----------
    name : str
        Number, name or designation of an asteroid or a comet.
    seen : sequence of (float, float, float)
        Of each frame the time (JD UTC), and where it points, degrees. Each night is asked for every
        hour, a field about the place of the frame that is nearest in time.
    site, mpc_code : Site, str, optional
        From where; the code of the observatory wins. Neither: from the Earth's centre.

    Raises
    ------
    CatalogError
        When the object is not there, or the service cannot or may not be asked.
    """
    if not seen:
        raise CatalogError(TITLE, "is asked about where frames point to, and no header tells it")
    rows = []
    for first, last in stretches([jd for jd, _, _ in seen]):
        low, high = first - NODE_DAYS / 2, last + NODE_DAYS / 2
        n = max(FEWEST_NODES, math.ceil((high - low) / NODE_DAYS) + 1)
        for when in np.linspace(low, high, n).round(6):
            _, ra, dec = min(seen, key=lambda one: abs(one[0] - when))
            year = 2000 + (when - J2000_JD) / YEAR_DAYS
            field = Field(ra, dec, PATH_RADIUS_DEG, year, float(when), mpc_code, site)
            rows.append((float(when), *_named(_objects(field, settings), name, field)))
    jd, numbers, titles, ras, decs = zip(*rows, strict=True)
    return Ephemeris(
        numbers[0] or titles[0], titles[0], np.array(jd), np.array(ras), np.array(decs),
        viewpoint(site, mpc_code), TITLE,
    )  # fmt: skip


def _objects(field: Field, settings: CatalogSettings) -> Catalog:
    """Ask for all objects of a field, or remember them."""
    address = settings.servers.get(SERVER.name, SERVER.address)
    question = _request(field, 0)
    kept = recall(address, question)
    if kept is not None:
        return _read(kept.body, field)
    if settings.offline:
        msg = "was not asked about this field before, and may not be: give two places by --at"
        raise CatalogError(TITLE, msg)
    body = _send(Link(address, settings.timeout_s, 1), question)
    catalog = _read(body, field)
    remember(address, question, body)
    return catalog


def _named(catalog: Catalog, name: str, field: Field) -> tuple[str, str, float, float]:
    """Take an object out by number or name: its number, name and place, degrees."""
    wanted = " ".join(name.translate(str.maketrans("()", "  ")).casefold().split())
    numbers = catalog.columns["number"].values if len(catalog) else np.zeros(0, str)
    for k, (number, title) in enumerate(zip(numbers, catalog.ids, strict=True)):
        names = (number, title, f"{number} {title}")
        if wanted in {" ".join(str(one).casefold().split()) for one in names}:
            told = str(number) if str(number).strip("- ") else ""
            return told, str(title), float(catalog.ra_deg[k]), float(catalog.dec_deg[k])
    msg = (
        f"has no {name!r} among {len(catalog)} objects within {field.radius_deg:g} degrees of "
        f"{field.ra_deg:.3f} {field.dec_deg:+.3f} at JD {field.mid_jd_utc:.4f}"
    )
    raise CatalogError(TITLE, msg)
