"""From a service's table, with its names and units, to a catalogue with ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.catalogs.hostile import clean, numbers, texts
from lightcurve.catalogs.motion import UNKNOWN_MOTION_MAS, moved
from lightcurve.catalogs.service import Catalog, Column, Field, Wanted
from lightcurve.constants import J2000_JD, MJD_ZERO, YEAR_DAYS
from lightcurve.coordinates import unit_vectors
from lightcurve.errors import CatalogError

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a service's table keeps what every catalogue has.

    Attributes
    ----------
    ids : str
        Column of identifiers; empty when there is none and rows are numbered.
    ra, dec : str
        Columns in degrees, ICRS or FK5 J2000 (the same to 0.03"). Other names that the server may
        use are divided by ``|``.
    errors : tuple of str
        Columns of the errors of the position in each coordinate, one standard deviation.
    error_unit : str
        Taken where the answer names none.
    error_arcsec : float
        Taken where there is no error; also the least believed.
    epoch : float or str
        Julian year of the positions, or the column with it (Julian years, or MJD).
    motion : tuple of str
        Columns of the proper motions (mas/yr, that in right ascension times cos dec), or none.
    columns : tuple of Wanted
    still : bool
        Galaxies do not move: an unknown proper motion adds nothing to the error.
    """

    ids: str
    ra: str
    dec: str
    errors: tuple[str, ...] = ()
    error_unit: str = "arcsec"
    error_arcsec: float = 0.1
    epoch: float | str = 2000.0
    motion: tuple[str, ...] = ()
    columns: tuple[Wanted, ...] = ()
    still: bool = False

    def names(self) -> list[str]:
        """Return every column of the service that is used, each once."""
        fixed = [self.ids, self.ra, self.dec, *self.errors, *self.motion]
        fixed += [self.epoch] if isinstance(self.epoch, str) else []
        names = [n.partition("|")[0] for n in (*fixed, *(w.theirs for w in self.columns))]
        return list(dict.fromkeys(n for n in names if n))


def build(table: Table, layout: Layout, name: str, title: str, field: Field) -> Catalog:
    """Make a catalogue of a service's table, at the epoch of the frame.

    name, title: of the service.
    Without rows that have no position; with a note for each column that was missing.
    Raises CatalogError when there is no column of positions.
    """
    known = spellings(table)
    ra, dec = (_position(table, known, c, title) for c in (layout.ra, layout.dec))
    dec = np.where(np.abs(dec) <= 90, dec, np.nan)
    notes: list[str] = []
    columns = {w.ours: _column(table, known, w, notes) for w in layout.columns}
    epoch = _epoch(table, known, layout, notes)
    motion = [
        _column(table, known, Wanted(m, m, "mas / yr"), notes).values for m in layout.motion
    ] or [np.full(len(ra), np.nan)] * 2
    years = field.epoch_jyear - epoch
    ra, dec = moved(ra, dec, motion[0], motion[1], years)
    error = _errors(table, known, layout, notes, len(ra))
    unknown = ~np.isfinite(motion[0] + motion[1]) & (not layout.still)
    drift = np.where(unknown, UNKNOWN_MOTION_MAS / 1000 * np.abs(years), 0.0)
    catalog = Catalog(
        name,
        title,
        _ids(table, known, layout, notes),
        ra,
        dec,
        np.hypot(error, drift),
        field.epoch_jyear,
        columns,
        tuple(notes),
    )
    placed = np.isfinite(ra) & np.isfinite(dec)
    return catalog if placed.all() else catalog.rows(placed)


def within(catalog: Catalog, field: Field) -> Catalog:
    """Leave out what is not in the field: motion carried it out, or the answer was of more."""
    centre = unit_vectors(field.ra_deg, field.dec_deg)
    chord = np.linalg.norm(unit_vectors(catalog.ra_deg, catalog.dec_deg) - centre, axis=1)
    inside = chord <= 2 * np.sin(np.radians(min(field.radius_deg, 180.0)) / 2) + 1e-9
    return catalog if inside.all() else catalog.rows(inside)


def spellings(table: Table) -> dict[str, str]:
    """List the names of a table's columns as they stand and without regard to case.

    Spelling to name. A name as it stands wins: Gmag is not gmag, nor is upmag uPmag.
    """
    loose = {plain(n): n for n in reversed(table.colnames)}
    return loose | {n: n for n in table.colnames}


def julian_years(values: np.ndarray) -> np.ndarray:
    """Read epochs of positions, written as Julian years or as modified Julian dates.

    values: (n,) array.
    Returns (n,) array, 2000 where a value is neither (1800 to 2200, or MJD of 1900 to 2100).
    """
    years = np.where((values >= 1800) & (values <= 2200), values, np.nan)
    dates = (values > 15000) & (values < 88000)
    years = np.where(dates, 2000 + (values + MJD_ZERO - J2000_JD) / YEAR_DAYS, years)
    return np.where(np.isfinite(years), years, 2000.0)


def find(known: dict[str, str], name: str) -> str | None:
    """Find a column by name, whatever its case and punctuation.

    known: of `spellings`; name: or several, divided by ``|``, the best first.
    """
    for spelling in filter(None, name.split("|")):
        for way in (spelling, plain(spelling)):
            if way in known:
                return known[way]
    return None


def plain(name: str) -> str:
    """Spell a name without regard to case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _position(table: Table, known: dict[str, str], name: str, title: str) -> np.ndarray:
    found = find(known, name)
    if found is None:
        there = ", ".join(clean(n) for n in table.colnames[:6])
        msg = f"the answer has no column {name} (it has {there} ...): the service has changed"
        raise CatalogError(title, msg)
    return numbers(table, found)


def _column(table: Table, known: dict[str, str], wanted: Wanted, notes: list[str]) -> Column:
    found = find(known, wanted.theirs)
    if found is None:
        notes.append(f"no column {wanted.theirs}")
        empty = np.full(len(table), "", "U1") if wanted.text else np.full(len(table), np.nan)
        return Column(empty, wanted.unit, wanted.description)
    if wanted.text:
        return Column(texts(table, found), wanted.unit, wanted.description)
    try:
        values = numbers(table, found) * _factor(table[found].unit, wanted.unit)
    except ValueError as error:
        notes.append(f"column {wanted.theirs} not used: {error}")
        values = np.full(len(table), np.nan)
    return Column(values, wanted.unit, wanted.description)


def _factor(theirs: object, ours: str) -> float:
    """Return what turns their unit into ours; 1 where either is not named."""
    from astropy import units

    if theirs is None or not ours or not str(theirs):
        return 1.0
    try:
        return units.Unit(str(theirs)).to(ours)
    except (ValueError, units.UnitConversionError) as error:
        msg = f"its unit is {clean(str(theirs))}, not {ours}"
        raise ValueError(msg) from error


def _ids(table: Table, known: dict[str, str], layout: Layout, notes: list[str]) -> np.ndarray:
    found = find(known, layout.ids)
    if found is not None:
        return texts(table, found)
    if layout.ids:
        notes.append(f"no column {layout.ids}: rows are numbered")
    return np.array([str(i + 1) for i in range(len(table))], dtype=str)


def _epoch(
    table: Table, known: dict[str, str], layout: Layout, notes: list[str]
) -> np.ndarray | float:
    if not isinstance(layout.epoch, str):
        return layout.epoch
    values = _column(table, known, Wanted(layout.epoch, "epoch"), notes).values
    return julian_years(values)


def _errors(
    table: Table, known: dict[str, str], layout: Layout, notes: list[str], n: int
) -> np.ndarray:
    """Take the larger of the errors in the two coordinates, never less than the layout's."""
    worst = np.full(n, layout.error_arcsec)
    for name in layout.errors:
        found = find(known, name)
        unit = getattr(table[found], "unit", None) if found else None
        values = _column(table, known, Wanted(name, name, "arcsec"), notes).values
        if found and unit is None:
            values = values * _factor(layout.error_unit, "arcsec")
        worst = np.fmax(worst, values)
    return worst
