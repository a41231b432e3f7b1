"""One folder for all that is fetched from outside; that it is of no use costs the memory alone."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from lightcurve.core.errors import InputError
from lightcurve.core.files import write_whole

__all__ = ["cache_dir", "keep", "recall_entry", "remember_entry"]

log = logging.getLogger(__name__)
VARIABLE = "LIGHTCURVE_CACHE_DIR"


def cache_dir() -> Path:
    """Name the user's cache folder (``LIGHTCURVE_CACHE_DIR``, or the system's), there or not."""
    from platformdirs import user_cache_path

    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_cache_path("lightcurve", appauthor=False)


def keep(path: Path, content: bytes) -> str:
    """Write a file of the cache, whole or not at all.

    Its folder is made if need be; other processes may be writing the same file.

    Returns
    -------
    str
        Empty, or why it could not be kept: a full disk costs the memory, not the run.
    """
    try:
        write_whole(path, lambda file: file.write(content), parents=True, shared=True)
    except InputError as error:
        cause = error.__cause__
        return str(getattr(cause, "strerror", None) or cause)
    return ""


def recall_entry(file: str, key: str) -> Any:
    """Look for what was remembered under a name, in a file of the cache such as ``"names.json"``.

    Returns
    -------
    object or None
        As `remember_entry` was given it, as far as JSON keeps that. None too where the file
        cannot be read, which is told in the log: it is then asked anew.
    """
    return _read(cache_dir() / file).get(key)


def remember_entry(file: str, key: str, value: object) -> None:
    """Remember what JSON can hold under a name; the log tells when that is not possible."""
    path = cache_dir() / file
    content = json.dumps(_read(path) | {key: value}, indent=1, sort_keys=True)
    if trouble := keep(path, content.encode()):
        log.warning("%s not remembered: %s: %s; set %s", key, path, trouble, VARIABLE)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged"
        log.warning("%s cannot be read (%s): nothing in it is remembered", path, reason)
        return {}
    return content if isinstance(content, dict) else {}
