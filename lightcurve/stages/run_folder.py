"""What a run left in its folder, read back."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from lightcurve.errors import InputError

MAX_BYTES = 50_000_000


def read_record(folder: Path) -> dict[str, Any]:
    """Read run.toml.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        Empty where there is no such file.

    Raises
    ------
    InputError
        When there is one that cannot be read.
    """
    path = folder / "run.toml"
    text = _text(path)
    try:
        return {} if text is None else tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not TOML: {error}"
        raise InputError(msg) from error


def read_fit_json(folder: Path) -> dict[str, Any] | None:
    """Read fit.json.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict or None
        None where there is no such file.

    Raises
    ------
    InputError
        When there is one that cannot be read.
    """
    path = folder / "fit.json"
    text = _text(path)
    try:
        content = None if text is None else json.loads(text)
    except ValueError as error:
        msg = f"{path}: not JSON: {error}"
        raise InputError(msg) from error
    if content is not None and not isinstance(content, dict):
        msg = f"{path}: not a fit of ours"
        raise InputError(msg)
    return content


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            msg = f"{path}: over {MAX_BYTES} bytes, not a file of a run"
            raise InputError(msg)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from error
