"""The program's messages of a run, kept in its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightcurve.constants import __version__
from lightcurve.errors import InputError


@contextmanager
def open_log(folder: Path) -> Iterator[None]:
    """Make the run folder and keep the program's messages in its run.log.

    Raises
    ------
    InputError
        When the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "run.log", mode="a", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write into {folder}: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger("lightcurve")
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.info("lightcurve %s starts", __version__)
    try:
        yield
    except Exception as error:
        # Whatever ends the run belongs in its log, a bug as well, and goes on its way from here.
        # To the file alone: whoever started this shows the error itself.
        handler.handle(root.makeRecord(root.name, logging.ERROR, "", 0, "%s", (error,), None))
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
