"""What every catalogue and service speaks: a field asked for, a catalogue, a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from lightcurve.data import Site
from lightcurve.errors import CatalogError

GEOCENTRE = "500"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column to take from a service.

    Attributes
    ----------
    theirs, ours : str
        Its name there and here.
    unit : str
        Here; an answer in another unit is converted.
    description : str
    text : bool
    """

    theirs: str
    ours: str
    unit: str = ""
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
    """One column of a catalogue.

    Attributes
    ----------
    values : (n,) array
        float64 with NaN where there is no value, or str with ``""``.
    unit : str
        As astropy writes it; empty for none.
    description : str
    """

    values: np.ndarray
    unit: str = ""
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
        """Return a column of numbers, all NaN where the catalogue does not have it.

        Returns
        -------
        (n,) float array
        """
        column = self.columns.get(name)
        if column is None or column.values.dtype.kind != "f":
            return np.full(len(self), np.nan)
        return column.values

    def text(self, name: str) -> np.ndarray:
        """Return a column of text, all empty where the catalogue does not have it.

        Returns
        -------
        (n,) str array
        """
        column = self.columns.get(name)
        if column is None or column.values.dtype.kind != "U":
            return np.full(len(self), "", dtype="U1")
        return column.values

    def rows(self, chosen: np.ndarray) -> Catalog:
        """Return the catalogue with only some of its rows.

        Parameters
        ----------
        chosen : (m,) int array or (n,) bool array
        """
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


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What became of one question to one service.

    Attributes
    ----------
    name, title : str
    status : str
        ``"ok"``, ``"empty"`` (asked, nothing there), ``"cached"`` (not asked again),
        ``"skipped"`` (nothing was asked) or ``"failed"``.
    n : int
        Rows.
    reason : str
        Why it failed or was skipped, how old the remembered answer is, what is missing.
    server : str
        Address asked, without key.
    """

    name: str
    title: str
    status: str
    n: int
    reason: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """How a server is reached.

    Attributes
    ----------
    server : str
        Base address.
    timeout_s : float
        For the whole answer.
    max_rows : int
        More are not asked for.
    """

    server: str
    timeout_s: float
    max_rows: int


@dataclass(frozen=True, slots=True)
class Route:
    """One way to an answer.

    Attributes
    ----------
    server : str
        Key in `lightcurve.catalogs.servers.SERVERS`.
    request : callable
        ``request(field, max_rows)`` gives the text of the question; the same text is the same
        question.  Raises `Skip` where the question makes no sense.
    send : callable
        ``send(link, request)`` gives the bytes of the answer.
    read : callable
        ``read(body, field)`` makes the catalogue; pure.
    """

    server: str
    request: Callable[[Field, int], str]
    send: Callable[[Link, str], bytes]
    read: Callable[[bytes, Field], Catalog]


class Role(Enum):
    """What a catalogue is good for."""

    STARS = "stars"  # a survey: what it lacks is new, and a WCS is refined with it
    OBJECTS = "objects"  # who is there
    EVENTS = "events"  # what was reported there


@dataclass(frozen=True, slots=True)
class Service:
    """A catalogue or service, the ways to it, tried in turn, and all that is to be known of it.

    Attributes
    ----------
    name, title : str
        As typed, and for people.
    reference : str
        To cite.
    role : Role
    routes : tuple of Route
    columns : tuple of Wanted
        What it tells of each star or object beside its place.
    bands : mapping of str to str
        Bands of its magnitudes (as `lightcurve.catalogs.recipes` spells them) to columns.
    reach_deg : tuple of float
        Declinations that it covers.
    saturation_mag : float
        Brighter stars are saturated in its images.
    always : bool
        Asked for every frame, not only where standards are wanted, as all but surveys are.
    weight : int
        Of what it calls an object that others know as well.
    key : str
        Environment variable of the key that it asks for.
    """

    name: str
    title: str
    reference: str
    role: Role
    routes: tuple[Route, ...]
    columns: tuple[Wanted, ...]
    bands: Mapping[str, str] = field(default_factory=dict)
    reach_deg: tuple[float, float] = (-90.0, 90.0)
    saturation_mag: float = -np.inf
    always: bool = False
    weight: int = 0
    key: str = ""

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
