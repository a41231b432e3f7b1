"""Results kept as they come: one SQLite file in the run folder.

A run that is killed at any moment goes on from the frames it had finished. A result is used again
only when the recipe and the file (its size and time of change) are the same as they were. Values
are stored as JSON and raw arrays, never as pickles.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import (
    Exposure,
    FoundBy,
    FrameKind,
    FrameResult,
    FrameStatus,
    Overhead,
    Picture,
    Registration,
    Site,
    StarPhotometry,
)
from lightcurve.core.errors import InputError, Why

NAME = "state.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
    path TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    result BLOB NOT NULL
)
"""
_NESTED = {
    "exposure": Exposure,
    "registration": Registration,
    "photometry": StarPhotometry,
    "site": Site,
    "field_picture": Picture,
    "target_picture": Picture,
}
_WORDS = {"kind": FrameKind, "status": FrameStatus, "found_by": FoundBy}


def encode_result(result: FrameResult) -> bytes:
    """Turn a result into bytes: a JSON line that describes it, then its arrays one by one.

    `decode_result` gives back the same values to the last bit.
    """
    arrays: list[np.ndarray] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(np.ascontiguousarray(value))
            return {"array": len(arrays) - 1}
        if isinstance(value, Why):
            return value.name
        if isinstance(value, np.generic):
            return value.item()
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, dict):
            return {str(name): str(entry) for name, entry in value.items()}
        return [plain(entry) for entry in value] if isinstance(value, tuple) else value

    head = {"value": plain(result)}
    head["arrays"] = [[a.dtype.str, a.shape] for a in arrays]
    return json.dumps(head).encode() + b"\n" + b"".join(a.tobytes() for a in arrays)


def decode_result(blob: bytes) -> FrameResult:
    """Turn bytes of `encode_result` back into the result."""
    line, _, body = blob.partition(b"\n")
    head = json.loads(line)
    arrays, offset = [], 0
    for kind, shape in head["arrays"]:
        count = int(np.prod(shape))
        array = np.frombuffer(body, dtype=np.dtype(kind), count=count, offset=offset)
        arrays.append(array.reshape(shape))
        offset += array.nbytes
    return _rebuild(FrameResult, head["value"], arrays)


def _rebuild(kind: type, values: dict[str, Any], arrays: list[np.ndarray]) -> Any:
    """Make a dataclass of `kind` again from plain values."""

    def revive(name: str, value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"array"}:
            return arrays[value["array"]]
        if isinstance(value, dict) and name in _NESTED:
            return _rebuild(_NESTED[name], value, arrays)
        if name in _WORDS:
            return _WORDS[name](value)
        if name == "why":
            return None if value is None else Why[value]
        if name == "overhead":
            return tuple(Overhead(**word) for word in value)
        return tuple(value) if isinstance(value, list) else value

    return kind(**{name: revive(name, value) for name, value in values.items()})


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
                "SELECT result FROM frames WHERE path = ? AND key = ?", (str(path), key)
            ).fetchone()
            return decode_result(row[0]) if row else None
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
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
                    (str(path), key, encode_result(result)),
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
    try:
        connection = sqlite3.connect(path, timeout=0.5)
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
        raise InputError(msg) from error
    except sqlite3.DatabaseError as error:
        msg = f"{path}: not a record of a run ({error}); delete it or choose another --out"
        raise InputError(msg) from error
    try:
        yield RunStore(connection)
    finally:
        connection.close()
