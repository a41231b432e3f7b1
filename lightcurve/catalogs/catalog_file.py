"""A catalogue given by hand: CSV, ECSV, FITS or VOTable, its columns known by their usual names."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.catalogs.layout import (
    Catalog,
    Field,
    Layout,
    Wanted,
    build,
    find,
    julian_years,
    plain,
    spellings,
    within,
)
from lightcurve.catalogs.read_votable import READING, clean, numbers, read_votable, texts
from lightcurve.core.coordinates import sexagesimal
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.files import read_bytes
from lightcurve.core.library_warnings import quietly
from lightcurve.core.words import COLUMNS

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["read_file", "read_listing"]

log = logging.getLogger(__name__)
NAME = "file"
MAX_BYTES = 500_000_000
MAX_KEPT = 10_000_000  # bytes of a file whose table is kept for the next frame
ERROR_ARCSEC = 0.1
MOST_FLAG = 9  # of one digit
ELSEWHERE_DEG = 0.1  # so far no star moves between the epochs of catalogues
SAME_DEG = 1e-6  # as far as places are cut
WORDS = COLUMNS.catalogs


def read_file(path: str | Path, field: Field | None = None, *, name: str = NAME) -> Catalog:
    """Read a catalogue given by hand; its notes say which columns were taken for what.

    Parameters
    ----------
    path : path-like
        Recognised by its contents: FITS, VOTable, ECSV, or text in columns divided by commas,
        semicolons, tabs or blanks. Positions in degrees, or right ascension in hours as
        ``02:04:10.3``.
    field : Field, optional
        Only stars in it are kept, moved to its epoch; without it all, at the catalogue's epoch.
    name : str
        The catalogue's short name; not that of a service.

    Raises
    ------
    InputError
        When it cannot be read, or has no positions.
    """
    path = Path(path)
    try:
        with READING:
            table, odd = quietly(lambda: _read_table(path))
        for warning in odd:
            log.info("%s: %s", path.name, warning)
        return replace(_catalog(table, path, field), name=name)
    except CatalogError as error:
        msg = f"{path.name}: {error.reason}"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path.name}: cannot be read: {error.strerror or error}"
        raise InputError(msg) from error


def read_listing(path: Path) -> tuple[Table, tuple[str, str] | None]:
    """Read any table, as `read_file` recognises it.

    Returns the table and the names of its columns of right ascension and declination, which are in
    degrees then; None where it has none. Raises InputError when it cannot be read.
    """
    try:
        with READING:
            table, _ = quietly(lambda: _read_table(path))
        places = _places(table, spellings(table), path.name)
    except CatalogError as error:
        msg = f"{path.name}: {error.reason}"
        raise InputError(msg) from error
    return table, places and places[:2]


def _read_table(path: Path) -> Table:
    """Read a table; of a file that has not changed since, the one read before."""
    found = path.stat()
    if found.st_size > MAX_BYTES:
        raise CatalogError(path.name, f"over {MAX_BYTES // 1_000_000} MB: cut it to your field")
    if found.st_size > MAX_KEPT:
        return _table_in(path)
    return _kept_table(path.absolute(), found.st_mtime_ns, found.st_size).copy()


@lru_cache(maxsize=4)
def _kept_table(path: Path, _changed_ns: int, _size: int) -> Table:
    return _table_in(path)


def _table_in(path: Path) -> Table:
    from astropy.table import Table

    body = read_bytes(path, "a catalogue", max_bytes=MAX_BYTES)
    head = body[:2000].lstrip()
    try:
        if head.startswith(b"SIMPLE"):
            return Table.read(BytesIO(body), format="fits")
        if head.startswith(b"<"):
            return read_votable(body, path.name)
        text = body.decode("utf-8-sig")
        if head.startswith(b"# %ECSV"):
            return Table.read(text, format="ascii.ecsv")
        return _read_text(text, path.name)
    except (CatalogError, InputError):
        raise
    except Exception as error:  # readers of tables raise anything on a damaged one
        msg = f"cannot be read as a table ({type(error).__name__}): save it as CSV or FITS"
        raise CatalogError(path.name, msg) from error


def _read_text(text: str, name: str) -> Table:
    """Read columns of text: the line of names tells what divides them."""
    import pandas as pd
    from astropy.table import Table

    lines = [line for line in text.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), None)
    if first is None:
        raise CatalogError(name, "holds no rows")
    # The names may stand behind the last comment sign, with numbers below.
    if first and re.match(r"\s*[-+\d.]", lines[first]):
        first -= 1
        lines[first] = lines[first].lstrip("# ")
    divider = next((d for d in ("\t", ",", ";") if d in lines[first]), r"\s+")
    rows = "\n".join(lines[first:])
    frame = pd.read_csv(
        StringIO(rows), sep=divider, dtype=str, keep_default_na=False, comment="#", engine="python"
    )
    return Table({str(c).strip(): frame[c].to_numpy(dtype=str) for c in frame.columns})


def _catalog(table: Table, path: Path, field: Field | None) -> Catalog:
    if not len(table):
        raise CatalogError(path.name, "holds no rows")
    known = spellings(table)
    places = _places(table, known, path.name)
    if places is None:
        there = ", ".join(clean(n) for n in table.colnames[:12])
        msg = f"no columns of positions among {there}: name them ra and dec, in degrees"
        raise CatalogError(path.name, msg)
    ra, dec, of_places = places
    taken = [f"{clean(ra)} and {clean(dec)} as places{of_places}"]
    epoch, told = _epoch(table, known, ra)
    motion = tuple(
        m for m in (find(known, "|".join(n)) for n in (WORDS.motion_ra, WORDS.motion_dec)) if m
    )
    errors = tuple(
        e for e in (find(known, "|".join(n)) for n in (WORDS.error_ra, WORDS.error_dec)) if e
    )
    layout = Layout(
        ids=find(known, "|".join(WORDS.ids)) or "",
        ra=ra,
        dec=dec,
        errors=errors,
        # Where the file names no unit: Gaia writes its errors in mas, under these names.
        error_unit="mas" if set(errors) & {"ra_error", "e_RA_ICRS"} else "arcsec",
        error_arcsec=ERROR_ARCSEC,
        epoch=epoch,
        motion=motion if len(motion) == 2 else (),
        columns=_columns(table, known, taken),
    )
    own = np.median(julian_years(numbers(table, epoch))) if isinstance(epoch, str) else epoch
    here = field or Field(0.0, 0.0, 180.0, float(own))
    catalog = build(table, layout, NAME, clean(path.name), here)
    notes = (*catalog.notes, told, "taken: " + ", ".join(taken))
    catalog = replace(catalog, notes=notes)
    return catalog if field is None else within(catalog, field)


def _places(table: Table, known: dict[str, str], source: str) -> tuple[str, str, str] | None:
    """Find right ascension and declination, in degrees from now on, and what else may be these.

    None where one is missing. Raises CatalogError where other columns tell of other places.
    """
    ra, dec = find(known, "|".join(WORDS.ra)), find(known, "|".join(WORDS.dec))
    if ra is None or dec is None:
        return None
    told = ""
    for name, words, factor in ((ra, WORDS.ra, 15.0), (dec, WORDS.dec, 1.0)):
        _refuse_twins(table, name, any_case=True)
        _in_degrees(table, name, factor, source)
        for other in _also(table, name, words):
            off = _apart(table, name, other, factor)
            if np.median(off) > ELSEWHERE_DEG:
                msg = f"{name} and {other} are other places: keep the column that is meant"
                raise CatalogError(source, clean(msg))
            if off.max() > SAME_DEG:
                told += f" ({clean(other)} is up to {3600 * off.max():.2g} arcsec off)"
    return ra, dec, told


def _also(table: Table, name: str, words: Sequence[str]) -> list[str]:
    """List other columns that are called as a coordinate is, and cannot be called so by chance."""
    known = {plain(word) for word in words if len(word) > len("delta") or word in {"RA", "DEC"}}
    return [n for n in table.colnames if plain(n) in known and plain(n) != plain(name)]


def _apart(table: Table, name: str, other: str, factor: float) -> np.ndarray:
    """How far two columns of angles differ: (n,) degrees, or one 0 where they have no row."""
    alone = table[[other]]
    try:
        _in_degrees(alone, other, factor, other)
        off = np.abs((numbers(alone, other) - numbers(table, name) + 180) % 360 - 180)
    except (CatalogError, ValueError):
        return np.zeros(1)
    return off[np.isfinite(off)] if np.isfinite(off).any() else np.zeros(1)


def _columns(table: Table, known: dict[str, str], taken: list[str]) -> tuple[Wanted, ...]:
    """Find magnitudes, their errors and the rest; each column of the file serves once."""
    wanted: list[Wanted] = []
    used: set[str] = set()
    exact = set(table.colnames)
    for one in WORDS.magnitudes:
        # Case matters here (Gmag, gmag), so only exact names, or others' in any case if long.
        there = next((n for n in one.names if n in exact), None)
        there = there or find(known, "|".join(n for n in one.names if len(n) > 5))
        if there is None or there in used or any(w.ours == one.ours for w in wanted):
            continue
        if not _may_be_magnitudes(table, there):
            continue
        _refuse_twins(table, there, any_case=False)  # V and v may be two bands
        used.add(there)
        taken.append(f"{clean(there)} as {one.band}")
        wanted.append(Wanted(there, one.ours, "mag", one.says))
        spellings = f"e_{there}|{there}_err|{there}_error|err_{there}|{there}Err|{there}err"
        error = next((e for e in spellings.split("|") if e in exact), None)
        if error:
            wanted.append(Wanted(error, f"{one.ours}_err", "mag", f"Error of {one.says}"))
    for other in WORDS.others:
        there = find(known, "|".join(other.names))
        if there:
            wanted.append(Wanted(there, other.ours, "", other.says, text=other.text))
    return tuple(wanted)


def _refuse_twins(table: Table, name: str, *, any_case: bool) -> None:
    """Refuse a column whose name stands there again, above other values; raises CatalogError.

    A name that stands twice in a line of text is ``V`` and ``V.1`` by now.
    """
    again = re.compile(rf"{re.escape(name)}([.]\d+)?", re.IGNORECASE if any_case else 0)
    same = [n for n in table.colnames if again.fullmatch(n)]
    if any(not np.array_equal(texts(table, n), texts(table, same[0])) for n in same[1:]):
        msg = f"columns {', '.join(map(clean, same))} of other values: keep the one that is meant"
        raise CatalogError(name, msg)


def _may_be_magnitudes(table: Table, name: str) -> bool:
    """Tell magnitudes from flags of the same short name, such as V of the VSX.

    A name that says magnitude is believed, and so is its unit. Others are flags or counts where all
    values are whole and small: magnitudes so bright and so round are those of no catalogue.
    """
    try:
        values = numbers(table, name)
    except ValueError:
        return False
    values = values[np.isfinite(values) & (values > -30) & (values < 40)]
    if not len(values):
        return False
    said = "mag" in name.lower() or str(getattr(table[name], "unit", "")) == "mag"
    return said or bool((values % 1).any() or values.max() > MOST_FLAG)


def _in_degrees(table: Table, name: str, factor: float, source: str) -> None:
    """Turn a column of sexagesimal text, or of hours, into degrees, in place."""
    column = table[name]
    if str(getattr(column, "unit", "")) in {"h", "hourangle", "hr"}:
        table[name] = numbers(table, name) * 15.0
        return
    if np.ma.asarray(column).dtype.kind not in "OUS":
        return
    values = numbers(table, name)
    for i in np.flatnonzero(~np.isfinite(values)):
        angle = sexagesimal(texts(table[i : i + 1], name)[0])
        if angle is not None:
            values[i] = factor * angle
    if not np.isfinite(values).any():
        raise CatalogError(source, f"column {name} holds no angles: give degrees")
    table[name] = values


def _epoch(table: Table, known: dict[str, str], ra: str) -> tuple[float | str, str]:
    """Find the epoch of the positions: a column, else what the file says, else 2000."""
    column = find(known, "|".join(WORDS.epoch))
    # The VSX has a column of this name for the times of maxima.
    if column is not None and (julian_years(numbers(table, column)) != 2000.0).any():
        return column, f"epoch of the positions from column {clean(column)}"
    said = f"{getattr(table[ra], 'description', '')} {table.meta.get('EPOCH', '')}"
    found = re.search(r"(?:epoch|Ep)\W{0,3}J?((?:19|20)\d\d(?:\.\d+)?)", said, re.IGNORECASE)
    found = found or re.search(r"\bJ?((?:19|20)\d\d\.\d+)", str(table.meta.get("EPOCH", "")))
    if found:
        return float(found[1]), f"epoch of the positions {found[1]}, from the description"
    return 2000.0, "epoch of the positions not stated: 2000.0 assumed"
