"""Results kept as they come: one SQLite file in the run folder.

A run that is killed at any moment goes on from the frames it had finished. A result is used again
only when the recipe and the file (its size and time of change) are the same as they were.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from lightcurve.core.codec import Codec, OtherLayoutError, SpoiltError
from lightcurve.core.data import FrameResult
from lightcurve.core.errors import InputError, Why

NAME = "state.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
    path TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    result BLOB NOT NULL
)
"""
_FORMAT = 2  # of the results: those of another are measured anew
_CODEC = Codec()


def encode_result(result: FrameResult) -> bytes:
    """Turn a result into bytes; `decode_result` gives back the same values to the last bit."""
    return b"".join(_CODEC.encode(result))


def decode_result(blob: bytes) -> FrameResult:
    """Turn bytes of `encode_result` back into the result; SpoiltError where they are none."""
    return _CODEC.decode(FrameResult, blob)


def _of_format(key: str) -> str:
    return f"{_FORMAT} {key}"


class RunStore:
    """The run folder's record of finished frames; connection: made by `open_store`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, path: Path, key: str) -> FrameResult | None:
        """Look up a finished frame.

        key: recipe and state of the file; another key means measuring anew.
        Raises InputError when the record is damaged.
        """
        try:
            row = self._connection.execute(
                "SELECT result FROM frames WHERE path = ? AND key = ?", (str(path), _of_format(key))
            ).fetchone()
            return decode_result(row[0]) if row else None
        except OtherLayoutError:  # of another version: to be measured anew
            return None
        except (sqlite3.DatabaseError, SpoiltError) as error:
            msg = f"{NAME} in the run folder is damaged ({error}); delete it and run again"
            raise InputError(msg) from error

    def put(self, path: Path, key: str, result: FrameResult) -> None:
        """Keep a finished frame, at once and whole.

        Raises InputError when it cannot be written: a full disk, for one.
        """
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT OR REPLACE INTO frames VALUES (?, ?, ?)",
                    (str(path), _of_format(key), encode_result(result)),
                )
        except sqlite3.DatabaseError as error:
            msg = f"{NAME}: {error}; frames kept so far stay, the same command goes on from there"
            raise InputError(msg) from error


@contextmanager
def open_store(folder: Path) -> Iterator[RunStore]:
    """Open the record of a run folder, for one process at a time.

    folder: exists and can be written. Raises InputError when another run holds it, or it cannot be
    written.
    """
    path = folder / NAME
    with ExitStack() as held:
        try:
            connection = held.enter_context(closing(sqlite3.connect(path, timeout=0.5)))
            # The exclusive lock lets the write-ahead log work without shared memory, hence on a
            # network share too, and keeps a second run out.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
            connection.execute("BEGIN EXCLUSIVE")
            connection.commit()
        except sqlite3.OperationalError as error:
            msg = f"{path}: {error}; is another run writing into this folder? choose another --out"
            raise InputError(msg, why=Why.HELD) from error
        except sqlite3.DatabaseError as error:
            msg = f"{path}: not a record of a run ({error}); delete it or choose another --out"
            raise InputError(msg) from error
        yield RunStore(connection)
