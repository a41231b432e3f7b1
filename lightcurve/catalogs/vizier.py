"""Questions in ADQL to any server that speaks TAP, and to the catalogues that VizieR keeps."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlencode

import numpy as np

from lightcurve.catalogs.http_cache import POLL_S, body_of, connected
from lightcurve.catalogs.layout import (
    Catalog,
    Field,
    Layout,
    Link,
    Role,
    Route,
    Server,
    Service,
    build,
)
from lightcurve.catalogs.read_votable import first_table, overflowed, read_votable
from lightcurve.core.errors import CatalogError, WebError

SERVER = Server("vizier", "https://tapvizier.cds.unistra.fr/TAPVizieR/tap")
MIRRORS = (
    Server("vizier_cds", "https://vizier.cds.unistra.fr/viz-bin/votable"),
    Server("vizier_cfa", "https://vizier.cfa.harvard.edu/viz-bin/votable"),
    Server("vizier_nao", "https://vizier.nao.ac.jp/viz-bin/votable"),
)
Where = tuple[tuple[str, str, float], ...]  # conditions: column, sign, value
# The whole of a small catalogue is never cut.
MIN_ROWS = 2000


def cone(field: Field, ra: str, dec: str) -> str:
    """Write the condition, in ADQL, that a position lies in the field."""
    centre = f"{field.ra_deg:.6f}, {field.dec_deg:.6f}"
    return (
        f"1=CONTAINS(POINT('ICRS', {ra}, {dec}), CIRCLE('ICRS', {centre}, {field.radius_deg:.6f}))"
    )


def ask(link: Link, adql: str) -> bytes:
    """Ask and wait for the VOTable (or the report of an error) on the same connection."""
    from pyvo.dal import TAPService

    with connected(link.server, link) as http:
        service = TAPService(link.server, session=http)
        query = service.create_query(adql, maxrec=max(link.max_rows, MIN_ROWS))
        with closing(query.execute_stream()) as stream:
            body = stream.read()
        # The report of a wrong question comes with status 400 and says more than the number.
        if b"QUERY_STATUS" not in body:
            query.raise_if_error()
        return body


def ask_later(link: Link, adql: str) -> bytes:
    """Ask, then come back until the answer is there: for servers that cut direct answers short."""
    from pyvo.dal import TAPService
    from pyvo.dal.exceptions import DALAccessError

    with connected(link.server, link) as http:
        job = TAPService(link.server, session=http).submit_job(adql, maxrec=link.max_rows)
        try:
            job.run()
            while job.phase in {"PENDING", "QUEUED", "EXECUTING", "UNKNOWN"}:
                if time.monotonic() > http.end:
                    msg = f"job not done within {link.timeout_s:g} s"
                    raise CatalogError(link.server, msg)
                time.sleep(min(POLL_S, link.timeout_s / 20))
            if job.phase != "COMPLETED":
                raise CatalogError(link.server, f"job ended as {job.phase}")
            response = http.get(job.result_uri)
            response.raise_for_status()
            return response.content
        finally:
            # The answer is here, or an error is on its way; the server deletes old jobs itself.
            with suppress(DALAccessError, WebError):
                job.delete()


def tap_route(
    server: Server,
    request: Callable[[Field, int], str],
    names: tuple[str, str],
    layout: Layout,
    send: Callable[[Link, str], bytes] = ask,
) -> Route:
    """Describe a way to a TAP server's VOTable; names: short name and title of the service."""

    def read(body: bytes, field: Field) -> Catalog:
        """Make a catalogue of the answer, with a note where the server left rows out."""
        catalog = build(read_votable(body, names[1]), layout, *names, field)
        if overflowed(body):
            more = "the server left rows out: ask for a smaller field"
            catalog = replace(catalog, notes=(*catalog.notes, more))
        return catalog

    return Route(server, request, send, read)


def vizier(
    names: tuple[str, str],
    table: str,
    layout: Layout,
    *,
    order: str = "",
    bright_first: str = "",
    where: Where = (),
) -> tuple[Route, ...]:
    """Describe the ways to a table of VizieR, ``"II/349/ps1"``: its TAP server, then the mirrors.

    names: as for `tap_route`. order: column by which rows are kept where there are too many,
    smallest first; bright_first: the same, of a table so large that sorting costs the server more
    than the search: it is asked to only where the rows were cut.
    """

    def request(field: Field, max_rows: int) -> str:
        chosen = ", ".join(f'"{n}"' for n in layout.names())
        condition = cone(field, f'"{layout.ra}"', f'"{layout.dec}"')
        condition += "".join(f' AND "{name}" {sign} {value:g}' for name, sign, value in where)
        last = f' ORDER BY "{order}"' if order else ""
        top = f'SELECT TOP {max_rows} {chosen} FROM "{table}"'  # noqa: S608 -- no user text
        return f"{top} WHERE {condition}{last}"

    def send(link: Link, question: str) -> bytes:
        body = _ask_tolerantly(link, question)
        if bright_first and _is_cut(body, link):
            body = _ask_tolerantly(link, f'{question} ORDER BY "{bright_first}"')
        return body

    mirrors = (_mirror(one, names, table, layout, order or bright_first, where) for one in MIRRORS)
    return (tap_route(SERVER, request, names, layout, send), *mirrors)


def _mirror(
    server: Server,
    names: tuple[str, str],
    table: str,
    layout: Layout,
    order: str,
    where: Where,
) -> Route:
    """Describe a way by VizieR's own protocol (ASU), which all its mirrors speak."""

    def request(field: Field, max_rows: int) -> str:
        question = [
            ("-source", table),
            ("-c", f"{field.ra_deg:.6f} {field.dec_deg:+.6f}"),
            ("-c.rd", f"{field.radius_deg:.6f}"),
            ("-out.max", str(max_rows)),
            *(("-out", name) for name in layout.names()),
            *(("-sort", name) for name in [order] if name),
            *((name, f"{sign.removeprefix('=')}{value:g}") for name, sign, value in where),
        ]
        return urlencode(question)

    def send(link: Link, question: str) -> bytes:
        return body_of(names[1], link, question)

    def read(body: bytes, field: Field) -> Catalog:
        from astropy.table import Table

        # Of a field without any object it sends no table at all.
        found = first_table(body, names[1])
        empty = Table({name: np.zeros(0) for name in layout.names()})
        return build(empty if found is None else found, layout, *names, field)

    return Route(server, request, send, read)


def _is_cut(body: bytes, link: Link) -> bool:
    """Tell whether an answer may lack rows: those it has are then of one part of the field."""
    return overflowed(body) or len(read_votable(body, link.server)) >= link.max_rows


def survey(
    name: str,
    title: str,
    reference: str,
    table: str,
    layout: Layout,
    *,
    role: Role = Role.STARS,
    order: str = "",
    bright_first: str = "",
    where: Where = (),
    bands: Mapping[str, str] = MappingProxyType({}),
    reach_deg: tuple[float, float] = (-90.0, 90.0),
    saturation_mag: float = -math.inf,
    weight: int = 0,
) -> Service:
    """Describe a catalogue that is asked for at VizieR alone; see `Service` and `vizier`."""
    routes = vizier(
        (name, title), table, layout, order=order, bright_first=bright_first, where=where
    )
    return Service(
        name,
        title,
        reference,
        role,
        routes,
        layout.columns,
        bands=bands,
        reach_deg=reach_deg,
        saturation_mag=saturation_mag,
        weight=weight,
    )


def _ask_tolerantly(link: Link, request: str) -> bytes:
    """Ask for the columns; if the server refuses, as for one it does not know, for all it has."""
    body = ask(link, request)
    try:
        read_votable(body, link.server)
    except CatalogError:
        if b"QUERY_STATUS" not in body:
            raise
        everything = re.sub(r"^(SELECT TOP \d+) .*? (FROM )", r"\1 * \2", request, count=1)
        return ask(link, everything)
    return body
