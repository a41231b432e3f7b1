"""Text as tables have it: cells, lines, and numbers that read back to the last bit."""

from __future__ import annotations

import csv
import io
import re
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
    "decimal_comma",
    "joined",
    "parse_numbers",
    "printable",
    "read_text",
]

# What stands for no number, in small letters.
MISSING = {
    *("", "nan", "-nan", "null", "none", "n/a", "na", "inf", "-inf", "infinity", "-infinity"),
    *("--", "---", "...", "<na>", "masked", "#n/a", "#div/0!", "#value!", "#num!", "#ref!"),
}
NUMBER = re.compile(r"[+\u2212-]?[\d.,'\u2019\u00a0\u202f\u2009]*\d[.,]?([eEdD][+-]?\d+)?")
GROUP = re.compile(r"(?<=\d)['\u2019\u00a0\u202f\u2009](?=\d{3})")
THOUSANDS = re.compile(r"[+\u2212-]?[1-9]\d{0,2}(,\d{3})+")  # as it may also be a decimal comma


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


def parse_numbers(cells: Sequence[str], *, comma_is_point: bool | None = None) -> np.ndarray | None:
    """Turn n cells into numbers (n,), NaN for empty ones; None when one of them is a word.

    Decimal commas, thousands set apart by commas, points, apostrophes or narrow blanks, and
    exponents with a D are understood. comma_is_point: what a comma is where these cells do not tell
    (``1,234``); without it they are words.
    """
    values = [c if c.strip().lower() not in MISSING else "nan" for c in cells]
    try:
        return np.array(values, dtype=float)
    except ValueError:
        pass
    values = [_plain_number(value) for value in values]
    known = decimal_comma(values)
    comma_is_point = comma_is_point if known is None else known
    if comma_is_point:
        values = [value.replace(".", "").replace(",", ".") for value in values]
    elif comma_is_point is False:
        values = [value.replace(",", "") for value in values]
    try:
        return np.array(values, dtype=float)
    except ValueError:
        return None


def _plain_number(text: str) -> str:
    """Write a number without what sets thousands apart, with a plain minus and exponent."""
    text = text.strip()
    if not NUMBER.fullmatch(text):
        return text
    return re.sub(r"(?<=\d)[dD](?=[+-]?\d)", "e", GROUP.sub("", text).replace("\u2212", "-"))


def decimal_comma(cells: Sequence[str]) -> bool | None:
    """Tell whether commas stand for the decimal point, by those that can be nothing else.

    None where nothing tells: there is no comma, or all are as in ``1,234``, or they contradict.
    """
    commas = [cell.strip() for cell in cells if "," in cell]
    either = [text for text in commas if THOUSANDS.fullmatch(text) and text.count(",") == 1]
    thousands = [t for t in commas if t.count(",") > 1 or "." in t.rpartition(",")[2]]  # 1,234.5
    point = len(commas) - len(either) - len(thousands)  # 0,998 and 2459000,123 and 1.234,5
    return None if bool(thousands) == bool(point) else bool(point)
