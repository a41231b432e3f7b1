"""The words of other programs, read from `lightcurve/words` and checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter

from lightcurve.core.files import read_toml

__all__ = ["COLUMNS", "STRICT", "read_words"]

FOLDER = Path(__file__).parents[1] / "words"
STRICT = ConfigDict(extra="forbid")  # a typing mistake in a file is an error
Table = TypeVar("Table")


def read_words(name: str, table: type[Table]) -> Table:
    """Read a file of words into the frozen dataclass that says what it holds.

    Raises
    ------
    InputError
        When there is no such file; pydantic's error for one that holds something else.
    """
    content = read_toml(FOLDER / f"{name}.toml", "a table of words")
    return TypeAdapter(table).validate_python(content)


@dataclass(frozen=True, slots=True)
class TableNames:
    """Columns of light curves and measurements, best first."""

    __pydantic_config__ = STRICT

    times: tuple[str, ...]
    barycentric: tuple[str, ...]
    civil: tuple[str, ...]
    exposures: tuple[str, ...]
    fluxes: tuple[str, ...]
    errors: tuple[str, ...]
    magnitudes: tuple[str, ...]
    magnitude_errors: tuple[str, ...]
    own_fluxes: tuple[str, ...]
    quality: tuple[str, ...]
    good: tuple[str, ...]
    of_rows: tuple[str, ...]
    pipeline: tuple[str, str, str]  # time, flux, flux of the comparison star
    aliases: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MagnitudeNames:
    """Columns of one band."""

    __pydantic_config__ = STRICT

    band: str
    ours: str
    names: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True)
class OtherNames:
    """Columns of something else that a catalogue says of its stars."""

    __pydantic_config__ = STRICT

    ours: str
    names: tuple[str, ...]
    text: bool
    says: str


@dataclass(frozen=True, slots=True)
class CatalogNames:
    """Columns of catalogues given by hand."""

    __pydantic_config__ = STRICT

    ra: tuple[str, ...]
    dec: tuple[str, ...]
    ids: tuple[str, ...]
    motion_ra: tuple[str, ...]
    motion_dec: tuple[str, ...]
    error_ra: tuple[str, ...]
    error_dec: tuple[str, ...]
    epoch: tuple[str, ...]
    magnitudes_of_any_band: tuple[str, ...]
    magnitudes: tuple[MagnitudeNames, ...]
    others: tuple[OtherNames, ...]


@dataclass(frozen=True, slots=True)
class StarListNames:
    """Columns of lists of stars, and the words in them."""

    __pydantic_config__ = STRICT

    names: tuple[str, ...]
    roles: tuple[str, ...]
    pixels: Mapping[str, tuple[tuple[str, str], ...]]  # by how they are counted, x and y
    kinds: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """What columns are called."""

    __pydantic_config__ = STRICT

    tables: TableNames
    catalogs: CatalogNames
    stars: StarListNames


COLUMNS = read_words("columns", ColumnNames)
