"""The index of a survey: one SQLite file with a row a night and a row a light curve.

One process writes, others may read meanwhile: the file is locked for the moment of a change alone,
and the writer holds a lock on a file of its own beside it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import Field, astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from lightcurve.core.errors import InputError, Why

__all__ = [
    "INDEX",
    "RUNS",
    "CurveRow",
    "NightRow",
    "State",
    "SurveyIndex",
    "curves_of",
    "index_of",
    "nights_of",
    "open_index",
]

INDEX, LOCK = "survey.sqlite", "survey.lock"
RUNS = "runs"  # the folder beside it, of all run folders
VERSION = 1  # of the tables
PATIENCE_S = 60.0  # until a reader has done
KINDS: dict[object, str] = {
    "str": "TEXT",
    "int": "INTEGER",
    "float": "REAL",
    "float | None": "REAL",
}
TYPES: dict[object, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "float | None": (float, int, type(None)),
}
# What could run forever, or change what is written, where rows are read or kept.
FOREIGN = """SELECT name FROM sqlite_master WHERE type = 'trigger'
             OR (type <> 'table' AND name COLLATE NOCASE IN ('nights', 'curves'))"""


class State(StrEnum):
    """What became of a night, or of a light curve."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NightRow:
    """A folder of frames.

    Attributes
    ----------
    folder : str
        Whole path.
    run : str
        Folder of its products, below that of the survey.
    digest : str
        Of the names, sizes and times of its files, and of the settings.
    frames, bytes : int
        Images in it, calibration frames, too, and what they take.
    state : str
        One of `State`.
    seconds, processor_s : float
        That its reduction took, and those of a processor.
    memory_mb : float
        Of the process that did it, at most until then.
    finished : float
        Unix time.
    worker : str
        Host and process that did it.
    reason : str
        Why it failed, or waits.
    """

    folder: str
    run: str
    digest: str
    frames: int
    bytes: int
    state: str = State.WAITING
    seconds: float = 0.0
    processor_s: float = 0.0
    memory_mb: float = 0.0
    finished: float = 0.0
    worker: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CurveRow:
    """A light curve of a folder: a set of its frames.

    Attributes
    ----------
    label : str
        What tells it from the others of the folder; empty where it is the only one.
    run : str
        Its run folder, below that of the survey.
    scatter_percent : float or None
        Of the residuals, or without a fit from point to point.
    numbers : str
        All that the run told, as JSON.
    """

    folder: str
    label: str
    run: str
    state: str
    reason: str = ""
    target: str = ""
    ra_deg: float | None = None
    dec_deg: float | None = None
    filter: str = ""
    night: str = ""
    frames: int = 0
    measured: int = 0
    first_bjd_tdb: float | None = None
    last_bjd_tdb: float | None = None
    scatter_percent: float | None = None
    mid_time_bjd_tdb: float | None = None
    mid_time_err_days: float | None = None
    rp_over_rs: float | None = None
    rp_over_rs_err: float | None = None
    verdict: str = ""
    numbers: str = "{}"


def _table(name: str, row: type, key: str) -> str:
    columns = ", ".join(f"{one.name} {KINDS[one.type]}" for one in fields(row))
    return f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({key}))"


def _insert(table: str, row: type) -> str:
    places = ", ".join("?" for _ in fields(row))
    return f"INSERT OR REPLACE INTO {table} VALUES ({places})"  # noqa: S608  (our own names)


class SurveyIndex:
    """An index that is open for writing; connection: made by `open_index`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def nights(self) -> dict[str, NightRow]:
        """Give all nights by their folder; raises InputError for what is no index."""
        with _as_index(INDEX):
            return {row.folder: row for row in _rows(self._connection, "nights", NightRow)}

    def put(self, nights: Sequence[NightRow]) -> None:
        """Keep nights as they are; raises InputError where they cannot be written."""
        with self._changed():
            self._connection.executemany(_insert("nights", NightRow), map(astuple, nights))

    def finish(self, night: NightRow, curves: Sequence[CurveRow]) -> None:
        """Keep what became of a night, and its light curves in place of those it had, at once.

        Raises InputError where they cannot be written: a full disk, for one.
        """
        with self._changed():
            self._connection.execute("DELETE FROM curves WHERE folder = ?", (night.folder,))
            self._connection.execute(_insert("nights", NightRow), astuple(night))
            self._connection.executemany(_insert("curves", CurveRow), map(astuple, curves))

    @contextmanager
    def _changed(self) -> Iterator[None]:
        try:
            with self._connection:
                yield
        except sqlite3.DatabaseError as error:
            msg = f"{INDEX}: {error}; what it has stays, the same command goes on from there"
            raise InputError(msg) from error


@contextmanager
def open_index(out: Path) -> Iterator[SurveyIndex]:
    """Open the index of a survey for writing, for one process at a time; made if need be.

    out: the folder of the survey, which exists.

    Raises
    ------
    InputError
        When another process writes it, or it cannot be written, or is no such index.
    """
    with _locked(out / LOCK), closing(_connect(out / INDEX, "rwc")) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")  # its log would need shared memory
            with connection:
                connection.execute(_table("nights", NightRow, "folder"))
                connection.execute(_table("curves", CurveRow, "folder, label"))
                connection.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            msg = f"{out / INDEX}: cannot be written ({error}); choose another --out"
            raise InputError(msg) from error
        yield SurveyIndex(connection)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock as long as the block lasts: the system gives it up when this process ends."""
    try:
        connection = sqlite3.connect(path, timeout=0.5)
    except sqlite3.Error as error:
        msg = f"{path}: {error}; choose another --out"
        raise InputError(msg) from error
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            msg = f"{path}: {error}; is another survey writing into this folder? another --out"
            raise InputError(msg, why=Why.HELD) from error
        yield


@contextmanager
def _as_index(path: Path | str) -> Iterator[None]:
    """Refuse what does not read as an index, as InputError."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        msg = f"{path}: no index of a survey ({error})"
        raise InputError(msg) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    with _as_index(path):
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True,
                                     timeout=PATIENCE_S)  # fmt: skip
        try:
            _check_tables(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _check_tables(path: Path, connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        msg = f"{path}: written by a newer lightcurve (tables of version {version})"
        raise InputError(msg)
    if foreign := connection.execute(FOREIGN).fetchone():
        msg = f"{foreign[0]!r} in it is a view or a trigger"
        raise ValueError(msg)


def _rows(connection: sqlite3.Connection, table: str, row: type) -> list[Any]:
    """Read a table; raises ValueError where a value is none of its kind."""
    columns = fields(row)
    names = ", ".join(one.name for one in columns)
    rows = connection.execute(f"SELECT {names} FROM {table}")  # noqa: S608
    return [row(*map(_checked, columns, values)) for values in rows]


def _checked(column: Field[Any], value: Any) -> Any:
    """Hold a value against what this program writes: anyone may have written the file."""
    good = isinstance(value, TYPES[column.type])
    if isinstance(value, float) and not math.isfinite(value):
        value, good = None, column.type == "float | None"
    elif column.name == "state":
        good &= value in set(State)
    elif column.name == "run":
        good = good and _is_below(value)
    if not good:
        msg = f"{column.name} is {value!r}"
        raise ValueError(msg)
    return value


def _is_below(run: str) -> bool:
    """Say whether a run folder is below that of the survey."""
    parts = PurePosixPath(run).parts
    return bool(parts) and parts[0] == RUNS and ".." not in parts and "\0" not in run


def index_of(path: Path) -> Path | None:
    """Find the index of a survey: a file of that name, or in a folder; None where there is none."""
    file = path / INDEX if path.is_dir() else path
    return file if file.name == INDEX and file.is_file() else None


def _read(index: Path, table: str, row: type) -> list[Any]:
    with closing(_connect(index, "ro")) as connection, _as_index(index):
        return _rows(connection, table, row)


def nights_of(index: Path) -> list[NightRow]:
    """Read the nights of a survey, also while it goes on.

    Raises InputError for what is no index.
    """
    return _read(index, "nights", NightRow)


def curves_of(index: Path) -> list[CurveRow]:
    """Read the light curves of a survey, as `nights_of` does its nights."""
    return _read(index, "curves", CurveRow)
