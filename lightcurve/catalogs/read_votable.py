"""Answers of servers and files of strangers become plain numbers and clean text, or an error."""

from __future__ import annotations

import re
import threading
import unicodedata
from io import BytesIO
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np

from lightcurve.core.errors import CatalogError
from lightcurve.core.library_warnings import quietly

if TYPE_CHECKING:
    from astropy.io.votable.tree import VOTableFile
    from astropy.table import Table

MAX_TEXT = 200
MAX_ROWS = 1_000_000
# Held while an answer is read: filters of warnings and settings of astropy belong to the whole
# process, and answers come in several threads.
READING = threading.RLock()
# A VOTable may name a file or an address to read its numbers from, and XML may define entities.
_REACHES_OUT = re.compile(rb"<(?:\w+:)?STREAM\b[^>]*\bhref\s*=|<!ENTITY", re.IGNORECASE)


def clean(text: str) -> str:
    """Make retrieved text one line of 200 characters at most, without control characters."""
    kept = (c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * MAX_TEXT])
    return " ".join("".join(kept).split())[:MAX_TEXT]


def read_votable(body: bytes, service: str) -> Table:
    """Read the first table of a VOTable as `first_table` does; one without is a CatalogError."""
    table = first_table(body, service)
    if table is None:
        raise CatalogError(service, "answer holds no table")
    return table


def first_table(body: bytes, service: str) -> Table | None:
    """Read the first table of a VOTable, if it has any, without following what it points to.

    Raises CatalogError when it is not a whole VOTable, or is the server's report of an error.
    """
    if _REACHES_OUT.search(body):
        raise CatalogError(service, "answer points to other files or defines entities: refused")
    if not body.strip():
        raise CatalogError(service, "answered with nothing at all")
    try:
        with READING:
            # Servers break VOTable's rules in a hundred ways: what can be read is taken.
            table, _ = quietly(lambda: _first_table(body, service))
    except CatalogError:
        raise
    except Exception as error:  # hostile XML makes the parser raise anything
        msg = f"answer is not a whole VOTable ({len(body)} bytes, {type(error).__name__})"
        raise CatalogError(service, msg) from error
    if table is not None and len(table) > MAX_ROWS:
        raise CatalogError(service, f"answer has {len(table)} rows: ask for a smaller field")
    return table


def _first_table(body: bytes, service: str) -> Table | None:
    from astropy.io import votable

    whole = votable.parse(BytesIO(body), verify="ignore", invalid="mask")
    _complain(whole, service)
    first = next(iter(whole.iter_tables()), None)
    return None if first is None else first.to_table(use_names_over_ids=True)


def _complain(whole: VOTableFile, service: str) -> None:
    """Raise what the server says went wrong, by the rules of TAP and in VizieR's manner."""
    infos = [*whole.infos, *(info for part in whole.resources for info in part.infos)]
    for info in infos:
        name, value = (info.name or "").upper(), str(info.value or "").upper()
        if name == "ERROR" or (name == "QUERY_STATUS" and value not in {"OK", "OVERFLOW"}):
            text = clean(str(info.content or info.value))
            raise CatalogError(service, f"reports an error: {text}")


def overflowed(body: bytes) -> bool:
    """Tell whether the server says that it left rows of this VOTable out."""
    return re.search(rb'value\s*=\s*"OVERFLOW"', body) is not None


def numbers(table: Table, name: str) -> np.ndarray:
    """Read a column as floats, NaN where masked, infinite or not a number.

    Raises KeyError when there is no such column; ValueError with more than one value in a row.
    """
    column = table[name]
    values = np.ma.array(np.asarray(column), mask=getattr(column, "mask", False))
    if values.ndim != 1:
        msg = f"column {name} has {values.ndim} dimensions"
        raise ValueError(msg)
    plain = values.filled("" if values.dtype.kind in "OUS" else values.fill_value)
    if values.dtype.kind in "OUS":
        found = np.array([_number(v) for v in plain.tolist()], dtype=float)
    else:
        found = plain.astype(float)
    found[np.ma.getmaskarray(values) | ~np.isfinite(found)] = np.nan
    return found


def _number(value: object) -> float:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    try:
        return float(value) if isinstance(value, str | SupportsFloat) else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def texts(table: Table, name: str) -> np.ndarray:
    """Read a column as clean text, empty where masked; KeyError when there is no such column."""
    values = np.ma.asarray(table[name])
    if not len(table):
        return np.zeros(0, dtype="U1")
    missing = np.asarray(np.ma.getmaskarray(values).reshape(len(table), -1).all(axis=1))
    rows = zip(values.data.tolist(), list(missing), strict=True)
    return np.array(["" if gone else _text(value) for value, gone in rows], dtype=str)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return clean(str(value))
