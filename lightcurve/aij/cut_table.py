"""The text of any table cut into header, units and rows, and what its comments tell.

The rows are found first, by their numbers: what stands above them is title, header, or units.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lightcurve.core.data import Note
from lightcurve.core.errors import InputError
from lightcurve.core.table_text import MISSING, csv_rows, parse_numbers

MARKS = ("#", "%", "!", "//", '"#')
TOLD = re.compile(r"\W{0,6}([A-Za-z][\w /-]*?)\s*[=:]\s*([^,;}]*)[,;}]*")
ISO = re.compile(r"\d{4}-\d\d-\d\d")
SAMPLE = 400  # rows, of the end and the beginning, tell how a table is cut
SEPARATORS = ("\t", ";", "|", ",", " ")
COMMON = 0.5  # share of the lines with as many cells as most, in a table that is cut rightly
AAVSO_EXTENDED = (
    *("NAME", "DATE", "MAG", "MERR", "FILT", "TRANS", "MTYPE", "CNAME", "CMAG", "KNAME", "KMAG"),
    *("AMASS", "GROUP", "CHART", "NOTES"),
)
UNITS = re.compile(
    r"\W*|[\[(].*[\])]|days?|[dhsm]|min(utes)?|sec(onds)?|m?mags?|pp[tm]|adu(/s)?|counts?"
    r"|e-?(/s)?|electron( */ *s)?|pix(els?)?|px|arcsec|deg|b?m?jd(_?utc|_?tdb)?|b[tk]jd"
    r"|[bh]?jd *- *24\d{5}(\.\d+)?( *,? *days)?|none|dimensionless|rel(ative)?|normali[sz]ed",
    re.IGNORECASE,
)
ECSV_COLUMN = re.compile(r"#\s*- \{name: ([^,}]+),(?: unit: ([^,}]+),)?.*\}")
ECSV_FORMAT = re.compile(r"#\s+format: (btjd|bkjd)\s*")


@dataclass(frozen=True, slots=True)
class CutTable:
    """A table as text.

    header : names of the columns; empty where the table has none.
    units : by column, where a row of them, or an ECSV's head, tells.
    told : from lines such as ``#KEY=value`` and ``Key: value``; keys in capitals.
    """

    header: list[str]
    rows: list[list[str]]
    units: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)


def cut_table(lines: Sequence[str], name: str, notes: list[Note]) -> CutTable:
    """Cut the lines of the file `name`, none of them empty.

    What is odd is added to the notes. Raises InputError where there is no table in them, or rows
    have more cells than there are columns.
    """
    comments = [line for line in lines if line.startswith(MARKS)]
    body = [line for line in lines if not line.startswith(MARKS)]
    if not body:
        msg = f"{name}: empty, no table in it"
        raise InputError(msg)
    separator, width = _how_cut(body, name)
    cut = [_cells(line, separator, name) for line in body]
    start = next((k for k, row in enumerate(cut) if _holds_data(row, width)), 1)
    above, rows = body[:start], cut[start:]
    told = told_by([*comments, *above])
    header, units, used = _header(above, comments, separator, width, told, name)
    if len(header) < 2 and (width < 2 or not rows):
        what = f"not a table, its first line has a single cell: {body[0][:40]!r}"
        msg = f"{name}: {what if width < 2 else 'a header but no rows'}"
        raise InputError(msg)
    repeated = [_cells(line, separator, name) for line in used]
    rows = [row for row in rows if row not in repeated]
    rows = _fit_rows(len(header or rows[0]), rows, separator, name, notes) if rows else rows
    return CutTable(header, rows, _units_of_ecsv(comments) | units, told)


def told_by(lines: Sequence[str]) -> dict[str, str]:
    """Read what lines say of the table; of a key that is repeated the first counts."""
    found = [m.groups() for line in lines if (m := TOLD.fullmatch(line.strip().strip('"')))]
    told = {key.upper(): value.strip().strip("'\" ") for key, value in reversed(found)}
    formats = [m[1] for line in lines if (m := ECSV_FORMAT.fullmatch(line))]
    return told | ({"TIME FORMAT": formats[0]} if formats else {})


def _units_of_ecsv(comments: Sequence[str]) -> dict[str, str]:
    found = [m for line in comments if (m := ECSV_COLUMN.fullmatch(line.rstrip()))]
    return {m[1]: m[2].strip("'\" ") for m in found if m[2]}


def _cells(line: str, separator: str, name: str) -> list[str]:
    if separator == " ":
        return re.split(r"[ \t]+", line.strip())
    if separator == "\t":
        return [c.strip().strip('"') for c in line.split("\t")]
    return [c.strip() for c in csv_rows([line], name, separator)[0]]


def _how_cut(body: Sequence[str], name: str) -> tuple[str, int]:
    """Find the separator by which rows are alike, and most of their cells numbers; and how many."""
    sample = body if len(body) <= SAMPLE else [*body[: SAMPLE // 2], *body[-SAMPLE // 2 :]]
    best, separator, width = 0.0, " ", 0
    for tried in SEPARATORS:
        if tried != " " and not any(tried in line for line in sample):
            continue
        cut = [_cells(line, tried, name) for line in sample]
        most, often = Counter(map(len, cut)).most_common(1)[0]
        if most < 2 or often < COMMON * len(cut):
            continue
        alike = [cell for row in cut if len(row) == most for cell in row]
        share = sum(is_number(cell) or not cell for cell in alike) / len(alike) * often / len(cut)
        if share > best + 0.01 or not width:
            best, separator, width = share, tried, most
    if not width:  # rows of any length: by what the first line has
        separator = max(SEPARATORS[:-1], key=body[0].count)
        separator = separator if separator in body[0] else " "
        width = len(_cells(body[0], separator, name))
    return separator, width


def is_number(text: str) -> bool:
    """Tell whether a cell holds a number, in the marks of any country, or says that it has none."""
    return text.strip().lower() in MISSING or parse_numbers([text], comma_is_point=True) is not None


def _holds_data(row: Sequence[str], width: int) -> bool:
    """Whether a row is one of numbers: two of them, or one and a date."""
    filled = [cell for cell in row if cell.lower() not in MISSING]
    found = sum(is_number(cell) or bool(ISO.match(cell)) for cell in filled)
    return found >= 2 and abs(len(row) - width) <= width // 2


def _header(
    above: Sequence[str],
    comments: Sequence[str],
    separator: str,
    width: int,
    told: Mapping[str, str],
    name: str,
) -> tuple[list[str], dict[str, str], list[str]]:
    """Choose the names of the columns among the lines above the rows, or of the last comments.

    Gives the names, units by name, and the lines they are from.
    """
    lines = [(line, _named(line, separator, width, name)) for line in above]
    found = [(line, cells) for line, cells in lines if cells]
    if not found:
        bare = [(line, line.lstrip('#%!/" ')) for line in comments if not line.startswith("# AIJ_")]
        lines = [(line, _named(text, separator, width, name)) for line, text in bare[-2:]]
        found = [one for one in lines if one[1]]
        if found and found[-1][0] != bare[-1][0]:
            found = []  # not the one just above the numbers
    if not found and told.get("TYPE", "").upper() == "EXTENDED" and width == len(AAVSO_EXTENDED):
        return [*AAVSO_EXTENDED], {}, []
    if not found:
        return [], {}, []
    (line, cells), used = found[-1], [found[-1][0]]
    units: dict[str, str] = {}
    if len(found) > 1 and all(UNITS.fullmatch(c) for c in cells):
        above_it, names = found[-2]
        units = dict(zip(names, (c.strip("[]() ") for c in cells), strict=False))
        cells, used = names, [above_it, line]
    return cells, {k: v for k, v in units.items() if v}, used


def _named(line: str, separator: str, width: int, name: str) -> list[str]:
    """Cut a line that may name the columns: as many cells as rows have; empty where it does not.

    A last cell may be empty, and rows of R have their own names first, which the header leaves out.
    """
    for tried in (separator, *(s for s in SEPARATORS if s != separator)):
        cells = _cells(line, tried, name) if tried == " " or tried in line else []
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if len(cells) == width or (tried == separator and len(cells) == width - 1 > 1):
            return cells if not all(map(is_number, cells)) else []
    return []


def _fit_rows(
    width: int, rows: list[list[str]], separator: str, name: str, notes: list[Note]
) -> list[list[str]]:
    """Bring rows to the length of the header, where that shifts no cell into another column."""
    rows = [_without_end(row, width) for row in rows]
    if all(len(row) == width + 1 for row in rows):
        numbered = [row[0].strip('"') for row in rows]
        if numbered in ([str(k + 1) for k in range(len(rows))], [str(k) for k in range(len(rows))]):
            return [row[1:] for row in rows]  # R's names of rows, and an index
    for number, row in enumerate(rows, start=1):
        if len(row) > width:
            msg = (
                f"row {number} has {len(row)} cells and the header {width}: commas within numbers "
                "that commas part, or a blank in a cell?"
            )
            raise InputError(msg, file=name)
    short = [k for k, row in enumerate(rows, start=1) if len(row) < width]
    if not short:
        return rows
    if separator == " ":  # nobody knows which cell is missing
        text = f"{len(short)} rows (first: {short[0]}) lack cells, of columns unknown: left out"
        rows = [row if len(row) == width else [""] * width for row in rows]
    else:
        text = (
            f"{len(short)} rows (first: {short[0]}) do not have the header's {width} cells; "
            "what is missing is NaN"
        )
        rows = [row + [""] * (width - len(row)) for row in rows]
    notes.append(Note(text))
    return rows


def _without_end(row: list[str], width: int) -> list[str]:
    """Leave out empty cells beyond the header: each line ends in a separator."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return row
