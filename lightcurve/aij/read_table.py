"""AstroImageJ's measurement tables, read: any version, separator, extension and set of columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.cut_table import CutTable, cut_table
from lightcurve.aij.relative_flux import ratio
from lightcurve.core.constants import DAY_S, MJD_ZERO
from lightcurve.core.data import About, Note
from lightcurve.core.errors import InputError
from lightcurve.core.table_text import decimal_comma, parse_numbers, read_text
from lightcurve.core.times import only_julian_dates
from lightcurve.core.words import COLUMNS

__all__ = [
    "COARSE_DAYS",
    "STAR_COLUMN",
    "TIMES",
    "AijTable",
    "read_aij_table",
    "relative_flux",
    "table_of_columns",
]

STAR_COLUMN = re.compile(r"^(?P<quantity>.+)_(?P<star>[TC]\d+)(?P<suffix>(_[a-z]+)*)$")
TIMES = COLUMNS.tables.times
WANTED = ("Label", "JD_UTC", "BJD_TDB", "AIRMASS", "EXPTIME", "Source_Radius", "Sky_Rad(min)")
WANTED_PER_STAR = ("Source-Sky", "Source_Error", "rel_flux", "rel_flux_err", "X(FITS)", "RA")
SHORT_DATES = {"J.D.-2400000": 2400000.0, "MJD": MJD_ZERO}
LOWEST_MJD, HIGHEST_MJD = 10000, 100000
AAVSO_DATES = {"JD": "JD_UTC", "HJD": "HJD_UTC"}  # UTC by its rules, where none is told
COARSE_DAYS = 0.0005  # half of the last of three decimals


def name_columns(cut: CutTable, columns: Sequence[str] | None, name: str) -> list[str]:
    """Take the names of the columns: those given, else the header's.

    Raises InputError where there are none, or another number than of columns.
    """
    width = len(cut.header or cut.rows[0])
    if columns is None and not cut.header:
        msg = (
            f"{name}: no header line, {width} columns starting {', '.join(cut.rows[0][:3])}; "
            "name them with --columns, such as BJD_TDB,rel_flux_T1,rel_flux_err_T1 or "
            "JD_UTC,mag,mag_err"
        )
        raise InputError(msg)
    if columns is not None and len(columns) != width:
        msg = f"{name}: {len(columns)} names in --columns for {width} columns"
        raise InputError(msg)
    if not cut.rows:
        msg = f"{name}: a header but no rows"
        raise InputError(msg)
    return [_canonical(c) for c in columns or cut.header]


def _canonical(name: str) -> str:
    """Resolve other spellings of AstroImageJ's names."""
    name = name.strip().strip('"')
    match = STAR_COLUMN.match(name)
    if match is None:
        return COLUMNS.tables.aliases.get(name.lower(), name)
    quantity = match["quantity"]
    lowered = quantity.lower()
    quantity = COLUMNS.tables.aliases.get(
        lowered, lowered if lowered in {"rel_flux", "rel_flux_err"} else quantity
    )
    return f"{quantity}_{match['star']}{match['suffix']}"


def gather_columns(
    header: list[str], rows: list[list[str]], notes: list[Note]
) -> dict[str, list[str]]:
    """Turn rows into columns; of a repeated name the first counts, row numbers are left out."""
    table: dict[str, list[str]] = {}
    for column, values in zip(header, zip(*rows, strict=True), strict=True):
        if not column:
            continue
        if column in table:
            equal = table[column] == list(values)
            same = "the same values" if equal else "other values"
            text = f"column {column} stands twice, the second time with {same}"
            about = About.ANYTHING if equal else About.TWO_COLUMNS
            notes.append(Note(text, about=about, subject=column))
        else:
            table[column] = list(values)
    return table


@dataclass(frozen=True, slots=True, eq=False)
class AijTable:
    """A measurement table.

    Attributes
    ----------
    name : str
        Of the file.
    labels : (n_row,) str array
        File names of the frames; empty where the table has none.
    stars : tuple of str
        ``"T1"``, ``"C2"`` ... in order of their number.
    columns : mapping of str to (n_row,) float array
        Every numeric column by its name in the table (aliases resolved); NaN where empty.
    words : mapping of str to (n_row,) str array
        Columns that are not numbers.
    metadata : mapping of str to str
        From ``# AIJ_<key> <value>`` lines.
    missing : tuple of str
        What the table lacks of the usual columns.
    unusable : tuple of Note
        What it has but cannot be used, and why.
    told : mapping of str to str
        From lines such as ``#KEY=value`` and ``#Key: value``; keys in capitals.
    units : mapping of str to str
        By column, where the table tells.
    """

    name: str
    labels: np.ndarray
    stars: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    words: Mapping[str, np.ndarray]
    metadata: Mapping[str, str]
    missing: tuple[str, ...]
    unusable: tuple[Note, ...]
    told: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)

    @property
    def comparisons(self) -> tuple[str, ...]:
        """Stars that were C apertures."""
        return tuple(star for star in self.stars if star[0] == "C")

    def star(self, quantity: str, star: str = "T1") -> np.ndarray:
        """Take one star's column, such as ``"Source-Sky"``; NaN where the table has none."""
        return self.columns.get(f"{quantity}_{star}", np.full(len(self), np.nan))

    def block(self, quantity: str, stars: Sequence[str] | None = None) -> np.ndarray:
        """Take one quantity of several stars, by default all: (n_row, n_star), NaN without it."""
        columns = [self.star(quantity, star) for star in (self.stars if stars is None else stars)]
        return np.stack(columns, axis=1) if columns else np.empty((len(self), 0))

    def times(self) -> dict[str, np.ndarray]:
        """Take the time columns that hold times, the most useful first, as full Julian dates.

        NaN where the table has none; ``JD_UTC`` from ``J.D.-2400000`` where that has more decimals.
        """
        known = _ignoring_case(self.columns)
        found = {n: _julian(n, self.columns[known[n]]) for n in TIMES if n in known}
        found = {n: values for n, values in found.items() if np.isfinite(values).any()}
        short = found.pop("J.D.-2400000", None)
        if short is not None:
            given = found.get("JD_UTC")
            if given is None or (_is_coarse(given) and not _is_coarse(short)):
                found["JD_UTC"] = short + 2400000.0
        return found


def read_aij_table(path: str | Path, *, columns: Sequence[str] | None = None) -> AijTable:
    """Read a measurement table.

    Parameters
    ----------
    path : path-like
        Text separated by tabs, commas or spaces, whatever its extension.
    columns : sequence of str, optional
        Names of the columns of a table without header.

    Raises
    ------
    InputError
        When it is no table, or has no header and `columns` is not given or does not fit.
    """
    name = Path(path).name
    lines = [line for line in read_text(path).split("\n") if line.strip()]
    metadata = dict(_metadata(line) for line in lines if line.startswith("# AIJ_"))
    notes: list[Note] = []
    cut = cut_table(lines, name, notes)
    header = _name_dates(name_columns(cut, columns, name), cut.told, name)
    units = {new: cut.units[old] for old, new in zip(cut.header, header, strict=False)
             if old in cut.units}  # fmt: skip
    cells = gather_columns(header, cut.rows, notes)
    table = table_of_cells(name, cells, notes, told=cut.told, units=units)
    return replace(table, metadata=metadata)


def table_of_cells(
    name: str,
    cells: Mapping[str, Sequence[str]],
    notes: Sequence[Note] = (),
    *,
    told: Mapping[str, str],
    units: Mapping[str, str],
) -> AijTable:
    """Make a table of its columns of text: numbers where all of a column are, else words.

    cells: text by column, all of one length. notes: what was odd so far.
    """
    notes, numbers, words = list(notes), {}, {}
    comma_is_point = decimal_comma([c for values in cells.values() for c in values])
    for column, values in cells.items():
        # "<14.5": fainter than that, no measurement
        bare = ["" if value[:1] in {"<", ">"} else value for value in values]
        array = parse_numbers(bare, comma_is_point=comma_is_point)
        if array is None or column == "Label":
            words[column] = np.array(values, dtype=str)
        else:
            numbers[column] = array
    return _made_of(name, numbers, words, notes, told, units)


def table_of_columns(
    name: str,
    columns: Mapping[str, np.ndarray],
    notes: Sequence[Note] = (),
    *,
    told: Mapping[str, str],
    units: Mapping[str, str],
) -> AijTable:
    """Make a table of columns that are numbers or words already.

    columns: (n_row,) arrays by name, of numbers, truth values or text. notes, told, units: as of
    `table_of_cells`.
    """
    numbers = {n: v.astype(float) for n, v in columns.items() if v.dtype.kind in "biuf"}
    words = {n: v.astype(str) for n, v in columns.items() if v.dtype.kind in "SU"}
    return _made_of(name, numbers, words, notes, told, units)


def _made_of(
    name: str,
    numbers: dict[str, np.ndarray],
    words: dict[str, np.ndarray],
    notes: Sequence[Note],
    told: Mapping[str, str],
    units: Mapping[str, str],
) -> AijTable:
    stars, names = _stars(numbers), {*numbers, *words}
    n_row = len(next(iter((*numbers.values(), *words.values())), ()))
    return AijTable(
        name=name,
        labels=words.pop("Label", np.full(n_row, "", dtype=str)),
        stars=stars,
        columns=numbers,
        words=words,
        metadata={},
        missing=_missing(names, stars),
        unusable=(*notes, *_unusable(numbers, words)),
        told=told,
        units=units,
    )


def _name_dates(header: list[str], told: Mapping[str, str], name: str) -> list[str]:
    """Call a column DATE or Time by what the comments of AAVSO's and ExoClock's files say it is.

    Raises InputError where a column says otherwise itself.
    """
    extended = told.get("DATE", "") if told.get("TYPE", "").upper() == "EXTENDED" else ""
    kind = told.get("DATE_TYPE", extended) or told.get("TIME FORMAT", "").split(" ")[0]
    if not kind:
        return header
    kind = AAVSO_DATES.get(kind.upper(), kind)
    named = [column for column in header if column.upper() in {"BJD_TDB", "HJD_UTC", "JD_UTC"}]
    if "DATE_TYPE" in told and named and kind.upper() not in map(str.upper, named):
        msg = f"its comments say that its dates are {kind}, and a column is {named[0]}: which?"
        raise InputError(msg, file=name)
    return [kind if column.upper() in {"DATE", "TIME"} else column for column in header]


def _metadata(line: str) -> tuple[str, str]:
    key, _, value = line.removeprefix("# AIJ_").partition(" ")
    return key, value.strip()


def _stars(columns: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    found = {m["star"] for m in map(STAR_COLUMN.match, columns) if m}
    return tuple(sorted(found, key=lambda star: (int(star[1:]), star[0])))


def _ignoring_case(names: Iterable[str]) -> dict[str, str]:
    """Name of each column by its capitals; the one that is written so counts first."""
    names = list(names)
    return {n.upper(): n for n in names} | {n: n for n in names}


def _julian(name: str, values: np.ndarray) -> np.ndarray:
    """Keep what can be the date of an observation; MJD and J.D.-2400000 are shorter."""
    offset = SHORT_DATES.get(name, 0.0)
    return only_julian_dates(values + offset) - offset


def _is_coarse(values: np.ndarray) -> bool:
    """Whether times were cut to three decimals or fewer."""
    finite = values[np.isfinite(values)]
    return bool(np.all(np.abs(finite - np.round(finite, 3)) < 1e-7)) and finite.size > 2


def _missing(columns: set[str], stars: tuple[str, ...]) -> tuple[str, ...]:
    known = _ignoring_case(columns)
    lacking = [name for name in WANTED if name not in known]
    for quantity in WANTED_PER_STAR:
        without = [star for star in stars if f"{quantity}_{star}" not in columns]
        if without and len(without) == len(stars):
            lacking.append(f"{quantity} of every star")
        elif without:
            lacking.append(f"{quantity} of {', '.join(without)}")
    return (*lacking, *(() if stars else ("columns of any star (such as rel_flux_T1)",)))


def _unusable(
    columns: Mapping[str, np.ndarray], words: Mapping[str, np.ndarray]
) -> tuple[Note, ...]:
    notes = []
    for name in (n for n in TIMES if n in columns):
        values = columns[name]
        odd = values[np.isfinite(values) & np.isnan(_julian(name, values)) & (values != 0)]
        if odd.size:
            what = f"{name} {odd[0]:.10g} is no Julian date"
            hint = ": MJD?" if LOWEST_MJD < odd[0] < HIGHEST_MJD else ""
            text = f"{what}{hint}" + (f" ({odd.size} rows)" if odd.size > 1 else "")
            notes.append(Note(text, about=About.NOT_JULIAN, subject=name))
        elif not (np.nan_to_num(values) != 0).any():
            notes.append(Note(f"{name} holds no times (all zero or empty)", subject=name))
        elif _is_coarse(columns[name]):
            text = f"{name} is cut to 3 decimals: good to {COARSE_DAYS * DAY_S:.0f} s only"
            notes.append(Note(text, about=About.COARSE_TIMES, subject=name))
    notes += [
        Note(f"column {name} holds words where numbers are due", subject=name)
        for name in TIMES
        if name in words
    ]
    empty = [n for n, values in columns.items() if n not in TIMES and np.isnan(values).all()]
    if empty:
        shown = ", ".join(empty[:6]) + (f" and {len(empty) - 6} more" if len(empty) > 6 else "")
        notes.append(Note(f"columns without a single number: {shown}"))
    return tuple(notes)


def relative_flux(
    table: AijTable, target: str = "T1", comparisons: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Form the relative flux again from the table's own fluxes and errors.

    Parameters
    ----------
    target : str
        ``"T1"``, or any star.
    comparisons : sequence of str, optional
        By default the table's C stars; the target is never its own.

    Returns
    -------
    flux, flux_err : (n_row,) float arrays
        Plain sum ensemble and its error; not normalised.

    Raises
    ------
    InputError
        When a star or its Source-Sky column is not in the table.
    """
    chosen = [s for s in (comparisons or table.comparisons) if s != target]
    absent = [s for s in (target, *chosen) if f"Source-Sky_{s}" not in table.columns]
    if absent or not chosen:
        what = f"no Source-Sky_{', Source-Sky_'.join(absent)}" if absent else "no comparison star"
        stars = ", ".join(table.stars) or "none"
        msg = f"{what}, so no relative flux can be formed; its stars are: {stars}"
        raise InputError(msg, file=table.name)
    total = table.block("Source-Sky", chosen).sum(axis=1)
    total_err = np.sqrt((table.block("Source_Error", chosen) ** 2).sum(axis=1))
    flux, error = table.star("Source-Sky", target), table.star("Source_Error", target)
    return ratio(flux, error, total, total_err)
