"""Any catalogue that VizieR keeps, by its TAP server."""

from __future__ import annotations

import re
from dataclasses import replace

from lightcurve.catalogs.hostile import overflowed, read_votable
from lightcurve.catalogs.layout import Layout, build
from lightcurve.catalogs.service import Catalog, Field, Link, Route
from lightcurve.catalogs.tap import ask, cone
from lightcurve.errors import CatalogError


def vizier(
    name: str, title: str, table: str, layout: Layout, *, order: str = "", where: str = ""
) -> Route:
    """Describe a catalogue of VizieR.

    name, title: of the service; table: as ``"II/349/ps1"``; order: column by which rows are kept
    where there are too many, smallest first; where: further condition, ADQL.
    """

    def request(field: Field, max_rows: int) -> str:
        return adql(table, layout.names(), field, layout, max_rows, order=order, where=where)

    def read(body: bytes, field: Field) -> Catalog:
        return read_rows(body, layout, name, title, field)

    return Route("vizier", request, _ask_tolerantly, read)


def adql(
    table: str,
    names: list[str],
    field: Field,
    layout: Layout,
    max_rows: int,
    *,
    order: str = "",
    where: str = "",
) -> str:
    """Write the question for one cone of one table.

    names: columns; order, where: as `vizier`.
    """
    chosen = ", ".join(f'"{n}"' for n in names)
    condition = cone(field, f'"{layout.ra}"', f'"{layout.dec}"')
    condition += f" AND {where}" if where else ""
    order = f' ORDER BY "{order}"' if order else ""
    top = f'SELECT TOP {max_rows} {chosen} FROM "{table}"'  # noqa: S608 -- no user text
    return f"{top} WHERE {condition}{order}"


def _ask_tolerantly(link: Link, request: str) -> bytes:
    """Ask for the columns; if the server refuses, as for one it does not know, for all it has.

    request: ``SELECT TOP n columns FROM ...``.
    """
    body = ask(link, request)
    try:
        read_votable(body, link.server)
    except CatalogError:
        if b"QUERY_STATUS" not in body:
            raise
        everything = re.sub(r"^(SELECT TOP \d+) .*? (FROM )", r"\1 * \2", request, count=1)
        return ask(link, everything)
    return body


def read_rows(body: bytes, layout: Layout, name: str, title: str, field: Field) -> Catalog:
    """Make a catalogue of a VOTable.

    With a note where the server left rows out.
    """
    catalog = build(read_votable(body, title), layout, name, title, field)
    if overflowed(body):
        more = "the server left rows out: ask for a smaller field"
        catalog = replace(catalog, notes=(*catalog.notes, more))
    return catalog
