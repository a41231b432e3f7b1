"""Text as tables have it: cells, lines, and numbers that read back to the last bit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.files import read_bytes

__all__ = [
    "MISSING",
    "cell",
    "csv_rows",
    "csv_text",
    "joined",
    "parse_numbers",
    "printable",
    "read_text",
]

# What stands for no number, in small letters.
MISSING = {"", "nan", "-nan", "null", "none", "n/a", "na", "inf", "-inf", "infinity", "-infinity"}


def cell(value: Any) -> str:
    """Turn a number, text or None into a table cell.

    Returns
    -------
    str
        The shortest text that reads back as the same number; empty for None and NaN; line breaks
        and tabs in text become spaces.
    """
    if isinstance(value, (float, np.floating)):  # most are
        number = float(value)
        return "" if number != number else repr(number)  # noqa: PLR0124  NaN is not itself
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return joined(value)


def joined(text: object) -> str:
    """Write text in one line, with one blank where it had blanks and line breaks."""
    return " ".join(str(text).split())


def printable(text: str) -> str:
    """Put a question mark for each character that does not print, which XML may not allow."""
    return "".join(c if c.isprintable() else "?" for c in text)


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out a table of values, as `cell` takes them, with one header line.

    Lines end in a line feed; cells that hold commas or quotes are quoted.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def read_text(path: str | Path, *, what: str = "a table", max_bytes: int = 300_000_000) -> str:
    """Read a text file whatever its encoding, byte-order mark and line ends.

    Parameters
    ----------
    what : str
        What it should be, for the error.

    Raises
    ------
    InputError
        When it is missing, too large, or no text.
    """
    path = Path(path)
    data = read_bytes(path, what, max_bytes=max_bytes)
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # every byte has a meaning there; only labels can suffer
    if "\x00" in text:
        msg = f"{path.name}: holds binary data, not {what}"
        raise InputError(msg)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def csv_rows(lines: Iterable[str], name: str, delimiter: str = ",") -> list[list[str]]:
    """Cut the lines of the file `name` into cells, minding quotes; empty lines are left out.

    Raises
    ------
    InputError
        When the quotes make no sense.
    """
    try:
        cut = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " ")
        return [row for row in cut if row]
    except csv.Error as error:
        msg = f"{name}: cannot be cut into cells: {error}"
        raise InputError(msg) from error


def parse_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Turn n cells into numbers (n,), NaN for empty ones; None when one of them is a word.

    A decimal comma is understood.
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
