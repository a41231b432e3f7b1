"""A field asked for, a catalogue, a report; and from a service's table to a catalogue of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.catalogs.motion import UNKNOWN_MOTION_MAS, moved
from lightcurve.catalogs.read_votable import clean, numbers, texts
from lightcurve.core.constants import J2000_JD, MJD_ZERO, YEAR_DAYS
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Site
from lightcurve.core.errors import CatalogError

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Catalog", "Field", "Outcome", "Role", "ServiceReport"]

GEOCENTRE = "500"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column to take from a service.

    theirs, ours : its name there and here.
    """

    theirs: str
    ours: str
    unit: str = ""  # here; an answer in another unit is converted
    description: str = ""
    text: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """The piece of sky and the moment asked about.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Centre, ICRS.
    radius_deg : float
        Of the cone that holds the frame.
    epoch_jyear : float
        Julian year of the frame; stars are moved to it.
    mid_jd_utc : float or None
        Middle of the exposure; solar-system objects and alerts are not asked for without it.
    site_code : str or None
        Observatory code of the Minor Planet Center.
    site : Site or None
        Used for the parallax of solar-system objects where there is no code.
    """

    ra_deg: float
    dec_deg: float
    radius_deg: float
    epoch_jyear: float
    mid_jd_utc: float | None = None
    site_code: str | None = None
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a catalogue."""

    values: np.ndarray  # (n,), float64 with NaN where there is no value, or str with ``""``
    unit: str = ""  # as astropy writes it; empty for none
    description: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Stars or other objects of one catalogue in one field.

    Attributes
    ----------
    name : str
        The service's short name, ``"gaia"``; ``"file"`` for one given by hand.
    title : str
        For people, ``"Gaia DR3"``.
    ids : (n,) str array
    ra_deg, dec_deg : (n,) float arrays
        ICRS, at `epoch_jyear` where the proper motion is known, else at the catalogue's own.
    error_arcsec : (n,) float array
        One standard deviation of the position in one coordinate, with what an unknown proper
        motion may have done since.
    epoch_jyear : float
        Of the positions.
    columns : mapping of str to Column
        Everything else; names differ by more than the case of their letters.
    notes : tuple of str
        What a reader must know: columns that were missing, rows left out.
    """

    name: str
    title: str
    ids: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    error_arcsec: np.ndarray
    epoch_jyear: float
    columns: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ra_deg)

    def number(self, name: str) -> np.ndarray:
        """Return a column of numbers, all NaN where the catalogue does not have it."""
        column = self.columns.get(name)
        if column is None or column.values.dtype.kind != "f":
            return np.full(len(self), np.nan)
        return column.values

    def text(self, name: str) -> np.ndarray:
        """Return a column of text, all empty where the catalogue does not have it."""
        column = self.columns.get(name)
        if column is None or column.values.dtype.kind != "U":
            return np.full(len(self), "", dtype="U1")
        return column.values

    def rows(self, chosen: np.ndarray) -> Catalog:
        """Return the catalogue with only some of its rows: (m,) int or (n,) bool."""
        return Catalog(
            self.name,
            self.title,
            self.ids[chosen],
            self.ra_deg[chosen],
            self.dec_deg[chosen],
            self.error_arcsec[chosen],
            self.epoch_jyear,
            {
                name: Column(column.values[chosen], column.unit, column.description)
                for name, column in self.columns.items()
            },
            self.notes,
        )


class Outcome(StrEnum):
    """What became of a question."""

    OK = "ok"
    EMPTY = "empty"  # asked, nothing there
    CACHED = "cached"  # not asked again
    SKIPPED = "skipped"  # nothing was asked
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What became of one question to one service.

    Attributes
    ----------
    n : int
        Rows.
    reason : str
        Why it failed or was skipped, how old the remembered answer is, what is missing.
    server : str
        Address asked, without key.
    """

    name: str
    title: str
    status: Outcome
    n: int
    reason: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """How a server is reached."""

    server: str  # base address
    timeout_s: float  # for the whole answer
    max_rows: int  # more are not asked for


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked; settings may give another address under its name."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way to an answer."""

    server: Server
    # ``request(field, max_rows)`` gives the text of the question; the same text is the same
    # question. Raises `Skip` where the question makes no sense
    request: Callable[[Field, int], str]
    send: Callable[[Link, str], bytes]  # ``send(link, request)`` gives the bytes of the answer
    read: Callable[[bytes, Field], Catalog]  # ``read(body, field)`` makes the catalogue; pure


class Role(Enum):
    """What a catalogue is good for."""

    STARS = "stars"  # a survey: what it lacks is new, and a WCS is refined with it
    OBJECTS = "objects"  # who is there
    EVENTS = "events"  # what was reported there


@dataclass(frozen=True, slots=True)
class Service:
    """A catalogue or service, the ways to it, tried in turn, and all that is to be known of it.

    name, title : as typed, and for people.
    """

    name: str
    title: str
    reference: str  # to cite
    role: Role
    routes: tuple[Route, ...]
    columns: tuple[Wanted, ...]  # what it tells of each star or object beside its place
    # bands of its magnitudes (as `lightcurve.catalogs.bands` spells them) to columns
    bands: Mapping[str, str] = field(default_factory=dict)
    reach_deg: tuple[float, float] = (-90.0, 90.0)  # declinations that it covers
    saturation_mag: float = -np.inf  # brighter stars are saturated in its images
    # asked for every frame, not only where standards are wanted, as all but surveys are
    always: bool = False
    # its stars alone check and refine a plate solution, and place those of a sequence
    reference_frame: bool = False
    weight: int = 0  # of what it calls an object that others know as well
    key: str = ""  # environment variable of the key that it asks for

    @property
    def help(self) -> str:
        """What it is, in a word."""
        return self.title

    @property
    def in_markdown(self) -> str:
        """Its row of the manual's table."""
        told = ", ".join(
            f"`{c.ours}`" + (f" ({c.unit})" if c.unit else "")
            for c in self.columns
            if not c.ours.endswith("_err")
        )
        key = f" (key in `{self.key}`)" if self.key else ""
        return f"| `{self.name}` | {self.title}{key}: {self.reference} | {told} |"


class Skip(CatalogError):  # noqa: N818 -- not an error of the service: nothing was asked
    """There is a reason not to ask a service."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a service's table keeps what every catalogue has.

    ra, dec : columns in degrees, ICRS or FK5 J2000 (the same to 0.03"). Other names that the
        server may use are divided by ``|``.
    """

    ids: str  # column of identifiers; empty when there is none and rows are numbered
    ra: str
    dec: str
    # columns of the errors of the position in each coordinate, one standard deviation
    errors: tuple[str, ...] = ()
    error_unit: str = "arcsec"  # taken where the answer names none
    error_arcsec: float = 0.1  # taken where there is no error; also the least believed
    # Julian year of the positions, or the column with it (Julian years, or MJD)
    epoch: float | str = 2000.0
    # columns of the proper motions (mas/yr, that in right ascension times cos dec), or none
    motion: tuple[str, ...] = ()
    columns: tuple[Wanted, ...] = ()
    still: bool = False  # galaxies do not move: an unknown proper motion adds nothing to the error

    def names(self) -> list[str]:
        """Return every column of the service that is used, each once."""
        fixed = [self.ids, self.ra, self.dec, *self.errors, *self.motion]
        fixed += [self.epoch] if isinstance(self.epoch, str) else []
        names = [n.partition("|")[0] for n in (*fixed, *(w.theirs for w in self.columns))]
        return list(dict.fromkeys(n for n in names if n))


def build(table: Table, layout: Layout, name: str, title: str, field: Field) -> Catalog:
    """Make a catalogue of a service's table at the frame's epoch, without rows without position.

    It notes each column that was missing; without one of positions it raises CatalogError.
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

    A name as it stands wins: Gmag is not gmag, nor is upmag uPmag.
    """
    loose = {plain(n): n for n in reversed(table.colnames)}
    return loose | {n: n for n in table.colnames}


def julian_years(values: np.ndarray) -> np.ndarray:
    """Read epochs of positions, Julian years (1800 to 2200) or MJD (1900 to 2100); else 2000."""
    years = np.where((values >= 1800) & (values <= 2200), values, np.nan)
    dates = (values > 15000) & (values < 88000)
    years = np.where(dates, 2000 + (values + MJD_ZERO - J2000_JD) / YEAR_DAYS, years)
    return np.where(np.isfinite(years), years, 2000.0)


def find(known: dict[str, str], name: str) -> str | None:
    """Find a column by name, or several divided by ``|``, whatever its case and punctuation."""
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
