"""The cells of an AstroImageJ table: separators, headers and spellings of any version."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lightcurve.data import Note
from lightcurve.errors import InputError
from lightcurve.formats.text import csv_rows

STAR_COLUMN = re.compile(r"^(?P<quantity>.+)_(?P<star>[TC]\d+)(?P<suffix>(_[a-z]+)*)$")

ALIASES = {
    "err_rel_flux": "rel_flux_err",
    "rel_flux_error": "rel_flux_err",
    "airmass": "AIRMASS",
    "label": "Label",
}

MISSING = {"", "nan", "-nan", "null", "none", "n/a", "na", "inf", "-inf", "infinity", "-infinity"}


def split_cells(lines: list[str], name: str) -> list[list[str]]:
    """Cut lines into cells by the separator of the first one.

    lines: without empty lines.
    """
    if not lines:
        msg = f"{name}: empty, no table in it"
        raise InputError(msg)
    first = lines[0]
    headerless = all(_is_number(c) for c in re.split(r"[\s,;]+", first.strip()))
    if "\t" in first and not headerless:
        return [[c.strip().strip('"') for c in line.split("\t")] for line in lines]
    if "," in first or ";" in first:
        delimiter = "," if first.count(",") >= first.count(";") else ";"
        return [[c.strip() for c in row] for row in csv_rows(lines, name, delimiter)]
    return [line.split() for line in lines]


def uncomment(lines: list[str]) -> list[str]:
    """Leave comments out, but keep the one that names the columns of bare numbers below it.

    lines: without empty lines.
    """
    body = [line for line in lines if not line.startswith("#")]
    comments = [line for line in lines if line.startswith("#") and not line.startswith("# AIJ_")]
    if not body or not comments:
        return body
    first, last = (re.split(r"[\s,;]+", x.strip()) for x in (body[0], comments[-1].lstrip("# ")))
    named = all(map(_is_number, first)) and len(last) >= len(first) > 1
    return [comments[-1].lstrip("# "), *body] if named else body


def take_header(
    rows: list[list[str]], columns: Sequence[str] | None, name: str
) -> tuple[list[str], list[list[str]]]:
    """Separate the header from the rows; where tables were joined, drop its repetitions.

    columns: names given by the user.
    Returns header: other spellings resolved.
    """
    first = rows[0]
    if len(first) < 2:
        msg = f"{name}: not a table, its first line has a single cell: {first[0][:40]!r}"
        raise InputError(msg)
    if all(_is_number(c) for c in first):
        if columns is None:
            msg = (
                f"{name}: no header line, {len(first)} columns starting {', '.join(first[:3])}; "
                "name them with --columns, such as BJD_TDB,rel_flux_T1,rel_flux_err_T1"
            )
            raise InputError(msg)
        _check_number(columns, first, name)
        return [_canonical(c) for c in columns], rows
    body = [row for row in rows[1:] if row != first]
    if not body:
        msg = f"{name}: a header but no rows"
        raise InputError(msg)
    names = columns or first
    _check_number(names, first, name)
    return [_canonical(c) for c in names], body


def _check_number(names: Sequence[str], first: Sequence[str], name: str) -> None:
    if len(names) != len(first):
        msg = f"{name}: {len(names)} names in --columns for {len(first)} columns"
        raise InputError(msg)


def _canonical(name: str) -> str:
    """Resolve other spellings of AstroImageJ's names."""
    name = name.strip().strip('"')
    match = STAR_COLUMN.match(name)
    if match is None:
        return ALIASES.get(name.lower(), name)
    quantity = match["quantity"]
    lowered = quantity.lower()
    quantity = ALIASES.get(
        lowered, lowered if lowered in {"rel_flux", "rel_flux_err"} else quantity
    )
    return f"{quantity}_{match['star']}{match['suffix']}"


def gather_columns(
    header: list[str], rows: list[list[str]], notes: list[Note]
) -> dict[str, list[str]]:
    """Turn rows into columns; of a repeated name the first counts, row numbers are left out.

    notes: what was odd is appended.
    """
    width = len(header)
    ragged = [k for k, row in enumerate(rows, start=1) if len(row) != width]
    if ragged:
        text = (
            f"{len(ragged)} rows (first: {ragged[0]}) do not have the header's {width} cells; "
            "what is missing is NaN"
        )
        notes.append(Note(text))
        rows = [row[:width] + [""] * (width - len(row)) for row in rows]
    table: dict[str, list[str]] = {}
    for column, values in zip(header, zip(*rows, strict=True), strict=True):
        if not column:
            continue
        if column in table:
            same = "the same values" if table[column] == list(values) else "other values"
            text = f"column {column} stands twice, the second time with {same}"
            notes.append(Note(text, subject=column))
        else:
            table[column] = list(values)
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.strip().lower() in MISSING
    return True


def parse_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Turn cells into numbers.

    Returns
    -------
    (n,) float array or None
        NaN for empty cells; None when one of them is a word. A decimal comma is understood.
    """
    values = [c if c.strip().lower() not in MISSING else "nan" for c in cells]
    try:
        return np.array(values, dtype=float)
    except ValueError:
        pass
    # Spreadsheets of many countries write a comma for the point.
    if all(v.count(",") + v.count(".") <= 1 for v in values):
        values = [v.replace(",", ".") for v in values]
    try:
        return np.array(values, dtype=float)
    except ValueError:
        return None
