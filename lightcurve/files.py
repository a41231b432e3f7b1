"""Text files: written whole or not at all, read only where they are of a likely size."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from lightcurve.errors import InputError


def write_text(path: str | Path, text: str) -> Path:
    """Write a file in one step: a reader sees the old one or the new one, never half of it.

    Parameters
    ----------
    path : path-like
        Its folder exists.
    text : str
        Line ends are written as they stand.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    path = Path(path)
    # Always the same name beside it: what a killed run leaves is overwritten by the next.
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"{path}: cannot be written: {error.strerror}; is the disk full? try another --out"
        raise InputError(msg) from error
    return path


def read_text(path: str | Path, what: str, *, max_bytes: int = 1_000_000) -> str:
    """Read a small text file.

    Parameters
    ----------
    path : path-like
    what : str
        What it should be, for the error: ``"a planet file"``.
    max_bytes : int
        Larger files are refused.

    Returns
    -------
    str
        Without byte-order mark.

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
    path : path-like
    what : str
        What it should be, for the error.
    max_bytes : int
        Larger files are refused.

    Returns
    -------
    dict

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
