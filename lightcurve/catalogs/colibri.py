"""Astro-COLIBRI: transients reported within two months of the frame."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any, SupportsFloat

import numpy as np

from lightcurve.catalogs.http_cache import connected
from lightcurve.catalogs.layout import (
    Catalog,
    Column,
    Field,
    Link,
    Role,
    Route,
    Server,
    Service,
    Skip,
    Wanted,
)
from lightcurve.catalogs.read_votable import clean
from lightcurve.core.constants import DAY_S, UNIX_ZERO_JD
from lightcurve.core.errors import CatalogError

NAME, TITLE = "colibri", "Astro-COLIBRI"
SERVER = Server("colibri", "https://astro-colibri.science/cone_search")
KEY = "ASTROCOLIBRI_API"
OF_KEY = re.compile(r"\b(uid|user|key|token|auth\w*)\b", re.IGNORECASE)
DAYS = 60
MAX_EVENTS = 10_000
COLUMNS = (
    Wanted("classification", "classification", "", "Class, where one is known", text=True),
    Wanted("type", "type", "", "Kind of event", text=True),
    Wanted("observatory", "observatory", "", "Who reported it", text=True),
    Wanted("time", "time", "", "When it was seen first, UTC", text=True),
    Wanted("redshift", "redshift", "", "Redshift"),
)


def _request(field: Field, _max_rows: int) -> str:
    """Write the question without the key, which must not reach the memory on disk."""
    if field.mid_jd_utc is None:
        raise Skip(TITLE, "the time of the frame is not known")
    if not os.environ.get(KEY):
        raise Skip(TITLE, f"no key: put yours in the environment as {KEY}")
    seconds = round((field.mid_jd_utc - UNIX_ZERO_JD) * DAY_S)
    middle = datetime.fromtimestamp(seconds, UTC).replace(hour=0, minute=0, second=0)
    span = timedelta(days=DAYS)
    times = {"min": (middle - span).isoformat(), "max": (middle + span).isoformat()}
    cone = {
        "type": "cone",
        "position": {"ra": round(field.ra_deg, 6), "dec": round(field.dec_deg, 6)},
        "radius": round(field.radius_deg, 6),
    }
    # Sent openly: without a filter the server applies those saved in the user's application.
    everything = {"type": "TrueSpecification", "isActivated": True, "defaultState": False}
    question = {"time_range": times, "properties": cone, "filter": everything}
    return json.dumps({**question, "return_format": "json"}, sort_keys=True)


def _send(link: Link, request: str) -> bytes:
    question = {"uid": os.environ.get(KEY, ""), **json.loads(request)}
    with connected(TITLE, link) as http:
        # A redirection would carry the key to another server.
        reply = http.ask("POST", link.server, json=question, allow_redirects=False)
    if 300 <= reply.status < 400:
        raise CatalogError(TITLE, "has moved to another address: not followed, with your key")
    said = _complaint(reply.body)
    if reply.status in {401, 403} or (reply.status != 404 and OF_KEY.search(said)):
        raise CatalogError(TITLE, f"does not accept the key in {KEY}")
    if reply.status >= 400 or said:
        told = f": {said}" if said else ""
        raise CatalogError(TITLE, f"answered HTTP {reply.status}{told}")
    return reply.body


def _complaint(body: bytes) -> str:
    """Find what the service says in place of events; empty where it sends some, or no text."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict) or "voevents" in answer:
        return ""
    said = (answer.get(name) for name in ("error", "message", "detail", "msg"))
    return clean(next((text for text in said if isinstance(text, str)), ""))


def _read(body: bytes, field: Field) -> Catalog:
    try:
        answer = json.loads(body)
        events = answer["voevents"] or []
        rows = [e for e in events[:MAX_EVENTS] if isinstance(e, dict)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"answer is not a list of events ({len(body)} bytes): the service has changed"
        raise CatalogError(TITLE, msg) from error
    ra, dec, error_deg = (_numbers(rows, key) for key in ("ra", "dec", "err"))
    placed = np.isfinite(ra) & (np.abs(dec) <= 90)
    columns = {
        w.ours: Column((_texts if w.text else _numbers)(rows, w.theirs), w.unit, w.description)
        for w in COLUMNS
    }
    catalog = Catalog(
        NAME,
        TITLE,
        _texts(rows, "source_name"),
        ra % 360,
        dec,
        np.fmax(np.nan_to_num(error_deg) * 3600, 1.0),
        field.epoch_jyear,
        columns,
    )
    return catalog.rows(placed)


def _numbers(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    def number(value: object) -> float:
        try:
            found = float(value) if isinstance(value, str | SupportsFloat) else float("nan")
        except (ValueError, OverflowError):
            return float("nan")
        return found if np.isfinite(found) else float("nan")

    return np.array([number(row.get(key)) for row in rows], dtype=float)


def _texts(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    found = [clean(str(row.get(key) or "")) for row in rows]
    # The service writes the word None where it has nothing.
    return np.array(["" if text == "None" else text for text in found], dtype=str)


SERVICE = Service(
    NAME,
    TITLE,
    "Reichherzer et al. 2021, ApJS 256, 5",
    Role.EVENTS,
    (Route(SERVER, _request, _send, _read),),
    COLUMNS,
    key=KEY,
)
