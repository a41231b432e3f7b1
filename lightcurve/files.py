"""Text files written whole or not at all."""

from __future__ import annotations

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
