"""Text files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"{path}: cannot be written: {error.strerror}; is the disk full?"
        raise InputError(msg) from error
    return path


def _umask() -> int:
    """Read the process's mask; there is no other way than to set it and put it back."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
