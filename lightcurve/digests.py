"""Digests of values and files: what is the same need not be computed again."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np


def digest(value: object) -> str:
    """Hash plain values, arrays, and dataclasses and tuples of them.

    Returns
    -------
    str
        SHA-256, hexadecimal; the same for the same content in any process.

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
    """Tell whether a file is what it was, without reading it.

    Returns
    -------
    str
        Its size and the time it was last changed; ``"missing"`` where it is not there.
    """
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
