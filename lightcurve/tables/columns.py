"""Our tables written and read.

They are plain CSV, so that every program opens them by name alone. What a CSV cannot say
stands beside them in ``csv-metadata.json``, laid out as the W3C's "Metadata Vocabulary for Tabular
Data" has it. Tables are read by the names of their columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.columns import TableFormat
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.quantities import Column
from lightcurve.core.table_text import csv_rows, csv_text, parse_numbers, read_text

__all__ = ["DESCRIPTION", "read_table", "write_table"]

DESCRIPTION = "csv-metadata.json"
CONFORMS = re.compile(r"(\S+) (\d+)\.(\d+)")
MAX_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class TableCells:
    """A table read: text by column."""

    name: str
    cells: Mapping[str, Sequence[str]]
    n_rows: int

    def words(self, column: str) -> np.ndarray:
        """Take a column as text; empty where the table does not have it."""
        return np.array(self.cells.get(column, [""] * self.n_rows), dtype=str)

    def numbers(self, column: str) -> np.ndarray:
        """Take a column as numbers; NaN where a cell is empty or the table does not have it."""
        cells = self.cells.get(column, [""] * self.n_rows)
        try:
            return np.array([float(c) if c.strip() else np.nan for c in cells], dtype=float)
        except ValueError as error:
            values = parse_numbers(cells)
            if values is None:
                msg = f"{self.name}: column {column}: {error}"
                raise InputError(msg) from error
            return values

    def values(self, column: str) -> np.ndarray:
        """Take a column as numbers, or as text where it holds words."""
        values = parse_numbers(self.cells[column])
        return self.words(column) if values is None else values


def write_table(path: str | Path, table: TableFormat, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a table of ours, and what its columns are beside it.

    Parameters
    ----------
    rows : iterable of mappings
        Column to value; a column that the format does not know stands at the end.
    """
    rows = list(rows)
    found = dict.fromkeys(name for row in rows for name in row)
    names = [c.name for c in table.columns if c.name in found or not rows]
    names += [name for name in found if name not in names]
    path = write_text(path, csv_text(names, ([row.get(n) for n in names] for row in rows)))
    _describe(path, table, names)
    return path


def _describe(path: Path, table: TableFormat, names: Sequence[str]) -> None:
    """Enter a table into the description of its folder."""
    known = {column.name: column for column in table.columns}
    columns = [_column_entry(known.get(name, Column(name, ""))) for name in names]
    entry = {
        "url": path.name,
        "dc:title": table.title,
        "dc:conformsTo": f"{table.name} {table.version[0]}.{table.version[1]}",
        "tableSchema": {"columns": columns},
    }
    try:
        others = [e for e in _described(path.parent) if e["url"] != path.name]
    except InputError:  # broken: better a new one of this table alone
        others = []
    content = {
        "@context": "http://www.w3.org/ns/csvw",
        "tables": sorted([*others, entry], key=lambda e: str(e["url"])),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_text(path.parent / DESCRIPTION, text + "\n")


def _column_entry(column: Column) -> dict[str, Any]:
    entry = {
        "name": column.name,
        "titles": column.name,
        "datatype": column.kind,
        "dc:description": column.description,
        "schema:unitText": column.unit,
    }
    return {key: value for key, value in entry.items() if value}


def _described(folder: Path) -> list[dict[str, Any]]:
    """Read the description of a folder's tables; empty where there is none."""
    path = folder / DESCRIPTION
    if not path.exists():
        return []
    try:
        content = json.loads(read_text(path, what="a description", max_bytes=MAX_BYTES))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: not JSON; without that file its tables are read by their columns alone"
        raise InputError(msg) from error
    tables = content.get("tables") if isinstance(content, dict) else None
    entries = tables if isinstance(tables, list) else []
    return [e for e in entries if isinstance(e, dict) and isinstance(e.get("url"), str)]


def described_as(path: Path) -> tuple[str, tuple[int, int]] | None:
    """Tell which of our tables a file is, and of which version; None where nothing says so."""
    for entry in _described(path.parent):
        if entry["url"] == path.name:
            found = CONFORMS.fullmatch(str(entry.get("dc:conformsTo", "")))
            return (found[1], (int(found[2]), int(found[3]))) if found else None
    return None


def read_table(path: str | Path, table: TableFormat) -> TableCells:
    """Read a table of ours by the names of its columns.

    Parameters
    ----------
    path : path-like
        Also one that a spreadsheet saved with another separator.

    Returns
    -------
    TableCells
        With the columns that the format does not know.

    Raises
    ------
    InputError
        When it is missing, of a newer layout, ragged, or lacks an essential column.
    """
    path = Path(path)
    _check_version(path, table)
    header, rows = cut_table(path, what=f"a table ({table.title.lower()})")
    header = as_spelt(header, table)
    if not rows and not header:
        msg = f"{path.name}: empty"
        raise InputError(msg)
    lacking = [name for name in table.essential if name not in header]
    if lacking:
        msg = (
            f"{path.name}: not a {table.name} of ours, it lacks {', '.join(lacking)}; "
            "--time, --flux and --error (in Python: time=, flux=, error=) name another's columns"
        )
        raise InputError(msg)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            msg = f"{path.name}: row {number} has {len(row)} cells, the header {len(header)}"
            raise InputError(msg)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    for name in header:
        same = [k for k, other in enumerate(header) if other.lower() == name.lower()]
        if any(columns[k] != columns[same[0]] for k in same):
            msg = f"{path.name}: two columns {name} of other values: leave one of them out"
            raise InputError(msg)
    return TableCells(path.name, dict(zip(header, columns, strict=True)), len(rows))


def cut_table(path: Path, *, what: str) -> tuple[list[str], list[list[str]]]:
    """Cut a table into its header and rows of cells; remarks may stand above the header."""
    lines = [line for line in read_text(path, what=what).split("\n") if line.strip()]
    start = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if start == len(lines):
        return [], []
    separator = max(",;\t", key=lines[start].count)
    if separator not in lines[start]:
        separator = " "
    header, *rows = csv_rows(lines[start:], path.name, separator)
    return [name.strip() for name in header], rows


def as_spelt(header: list[str], table: TableFormat) -> list[str]:
    """Spell names as the format does, where they differ by case alone and in no two columns."""
    ours = {column.name.lower(): column.name for column in table.columns}
    folded = [name.lower() for name in header]
    return [
        ours.get(low, name) if name not in ours.values() and folded.count(low) == 1 else name
        for name, low in zip(header, folded, strict=True)
    ]


def _check_version(path: Path, table: TableFormat) -> None:
    told = described_as(path)
    if told is None:
        return
    kind, version = told
    if kind != table.name:
        msg = f"{path.name}: {DESCRIPTION} beside it says that it is a {kind}, not a {table.name}"
        raise InputError(msg)
    if version[0] > table.version[0]:
        msg = (
            f"{path.name}: of layout {version[0]}.{version[1]}, and this lightcurve reads up to "
            f"{table.version[0]}.x: a newer lightcurve reads it"
        )
        raise InputError(msg)
