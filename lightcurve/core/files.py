"""Files written whole or not at all, text files of a likely size, and digests of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lightcurve.core.errors import InputError

__all__ = [
    "digest",
    "file_state",
    "json_text",
    "read_text",
    "read_toml",
    "write_text",
    "write_whole",
]


def write_whole(
    path: str | Path,
    write: Callable[[BinaryIO], object],
    *,
    parents: bool = False,
    shared: bool = False,
) -> Path:
    """Write a file in one step: a reader sees the old one or the new one, never half of it.

    It is written beside its place, brought to the disk, and put in place. Nothing is left
    behind where that fails.

    Parameters
    ----------
    write : callable
        Is given the open file; what it raises, other than an OSError, is passed on.
    parents : bool
        Make its folder if need be; else that must exist.
    shared : bool
        Another process may be writing the same file: each then writes under a name of its own,
        and the last one stays. Else the name is always the same, so that what a killed run
        leaves is overwritten by the next.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    path = Path(path)
    mark = f".{secrets.token_hex(8)}" if shared else ""
    temporary = path.with_name(f".{path.name}{mark}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            _discard(temporary)
            raise
    except OSError as error:
        reason = error.strerror or error
        msg = f"{path}: cannot be written: {reason}; is the disk full? try another --out"
        raise InputError(msg) from error
    return path


def _discard(path: Path) -> None:
    # That it cannot be removed either must not hide why it could not be written.
    with suppress(OSError):
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file, its line ends as they stand, in one step, as `write_whole` does.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    return write_whole(path, lambda file: file.write(text.encode()))


def read_text(path: str | Path, what: str, *, max_bytes: int = 1_000_000) -> str:
    """Read a small text file, without its byte-order mark.

    Parameters
    ----------
    what : str
        What it should be, for the error: ``"a planet file"``.

    Raises
    ------
    InputError
        When it is missing, too large, or not UTF-8.
    """
    path = Path(path)
    try:
        if path.stat().st_size > max_bytes:
            msg = f"{path}: over {max_bytes} bytes, not {what}"
            raise InputError(msg)
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"{path}: cannot be read as {what}: {reason}"
        raise InputError(msg) from error


def read_toml(path: str | Path, what: str, *, max_bytes: int = 1_000_000) -> dict[str, Any]:
    """Read a small TOML file.

    Parameters
    ----------
    what : str
        What it should be, for the error.

    Raises
    ------
    InputError
        When it is missing, too large, or not TOML.
    """
    text = read_text(path, what, max_bytes=max_bytes)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: cannot be read as {what}: {error}"
        raise InputError(msg) from error


def digest(value: object) -> str:
    """Hash plain values, arrays, and dataclasses and tuples of them: SHA-256, hexadecimal.

    The same content gives the same in any process.

    Raises
    ------
    TypeError
        For what is none of these.
    """
    total = hashlib.sha256()

    def add(part: object) -> None:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).data)
        elif is_dataclass(part):
            for entry in fields(part):
                total.update(entry.name.encode())
                add(getattr(part, entry.name))
        elif isinstance(part, (tuple, list)):
            total.update(f"{len(part)}".encode())
            for entry in part:
                add(entry)
        elif isinstance(part, (str, int, float, bool, type(None), np.generic, dict)):
            total.update(repr(part).encode())
        else:
            # The text of an unknown object may hold its address, another in each process.
            msg = f"cannot digest {type(part)}"
            raise TypeError(msg)

    add(value)
    return total.hexdigest()


def file_state(path: Path) -> str:
    """Tell whether a file is what it was: its size and time of last change, or ``"missing"``."""
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def json_text(value: Any, indent: int | None = None) -> str:
    """Write numbers, texts, lists, mappings, arrays and paths as JSON, with a line break after.

    Parameters
    ----------
    indent : int, optional
        Blanks a level; without it all stands on one line.

    Returns
    -------
    str
        NaN and infinity are null.
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Turn arrays, numpy scalars, paths and what is not finite into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
