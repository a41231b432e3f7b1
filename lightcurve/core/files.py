"""Files written whole or not at all, text files of a likely size, and digests of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import select
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from errno import ETIMEDOUT
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import numpy as np

from lightcurve.core.errors import InputError

__all__ = [
    "digest",
    "file_state",
    "json_text",
    "read_bytes",
    "read_text",
    "read_toml",
    "write_text",
    "write_whole",
]

STREAM_S = 10.0  # for all that comes through a pipe: a program that makes a file needs seconds
BLOCK = 1 << 16


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
    return write_whole(path, lambda file: file.write(text.encode(errors="replace")))


def read_bytes(path: str | Path, what: str, *, max_bytes: int) -> bytes:
    """Read a file, a pipe or a device to its end, within limits of size and, of these, of time.

    What came through a pipe is kept, for it comes once: asked again, it is the same.

    Parameters
    ----------
    what : str
        What it should be, for the error: ``"a planet file"``.

    Raises
    ------
    InputError
        When it is missing, no file, too large, or nobody writes to it.
    """
    path = Path(path)
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind):
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = file.read(max_bytes + 1) if size <= max_bytes else b""
            too_large = max(size, len(data)) > max_bytes
        else:
            data = _read_stream(path, max_bytes + 1)
            too_large = len(data) > max_bytes
    except OSError as error:
        msg = f"{path}: cannot be read as {what}: {error.strerror or error}"
        raise InputError(msg) from error
    if too_large:
        msg = f"{path}: over {_in_units(max_bytes)}, too large for {what}"
        raise InputError(msg)
    return data


def _in_units(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1e5 else f"{size} bytes"


_CAME: dict[Path, bytes] = {}  # through pipes, by their names


def _read_stream(path: Path, most: int) -> bytes:
    """Read up to `most` bytes of a pipe or device; what came before where there is no more."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        data = b"".join(_pieces(number, most, 0.0 if path in _CAME else STREAM_S))
    finally:
        os.close(number)
    if data or path not in _CAME:
        _CAME[path] = data
    return _CAME[path]


def _pieces(number: int, left: int, wait_s: float) -> Iterator[bytes]:
    """Read what is open without blocking: to its end, to so many bytes, or until time is up."""
    end = monotonic() + STREAM_S
    while left:
        if not select.select([number], [], [], wait_s)[0]:
            if not wait_s:
                return
            raise TimeoutError(ETIMEDOUT, f"nothing more is written into it within {STREAM_S:g} s")
        try:
            piece = os.read(number, min(left, BLOCK))
        except BlockingIOError:
            continue
        if not piece:
            return
        left -= len(piece)
        wait_s = max(end - monotonic(), 0.01)
        yield piece


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
    try:
        text = read_bytes(path, what, max_bytes=max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: cannot be read as {what}: it is not UTF-8 text"
        raise InputError(msg) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
    return parse_toml(read_text(path, what, max_bytes=max_bytes), path, what)


def parse_toml(text: str, path: str | Path, what: str) -> dict[str, Any]:
    """Take the text of a TOML file apart.

    path, what : str
        Its file, and what that should be, for the error.

    Raises
    ------
    InputError
        When it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of numbers of thousands of digits, too
        why = "nested too deep" if isinstance(error, RecursionError) else error
        msg = f"{path}: cannot be read as {what}: {why}"
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
    if isinstance(value, (str, int, bool, type(None))):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
