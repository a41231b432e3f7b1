"""One folder for everything fetched from outside."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the user's cache folder, made if it was not there.

    Returns
    -------
    Path
        ``LIGHTCURVE_CACHE_DIR`` from the environment, else what the system calls for.
    """
    from platformdirs import user_cache_path

    named = os.environ.get("LIGHTCURVE_CACHE_DIR")
    folder = Path(named) if named else user_cache_path("lightcurve", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
