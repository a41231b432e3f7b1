"""Reduce a night while it is being observed: again and again, as frames come in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import file_state
from lightcurve.frames.read import is_image_name

__all__ = ["watch_folder"]

log = logging.getLogger(__name__)
T = TypeVar("T")


def watch_folder(
    folder: Path,
    reduce: Callable[[], T],
    *,
    poll_s: float = 10.0,
    idle_s: float = 3600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[T]:
    """Reduce a folder each time it has changed and is quiet again.

    Frames that were measured are not measured again, so that a pass costs what the new frames
    cost, and the comparison and figures of the whole.

    Parameters
    ----------
    reduce : callable
        Reduces the folder as it is; an error of it (too few frames yet, no star in the clouds) is
        told, and the next pass tries again.
    poll_s : float
        Seconds between looks.
    idle_s : float
        So long without a new frame ends the night.
    sleep : callable
        Waits for so many seconds.

    Yields
    ------
    object
        What each pass that went well gave.

    Raises
    ------
    InputError
        When there is no such folder.
    """
    done: dict[Path, str] = {}
    seen = _state(folder)
    quiet = 0.0
    while quiet <= idle_s:
        sleep(poll_s)
        now = _state(folder)
        # A frame still growing is left for the next look.
        settled = now == seen
        seen = now
        if settled and now != done:
            done, quiet = now, 0.0
            try:
                yield reduce()
            except LightcurveError as error:
                log.warning("not yet: %s", error)
        else:
            quiet = quiet + poll_s if settled else 0.0


def _state(folder: Path) -> dict[Path, str]:
    if not folder.is_dir():
        msg = f"{folder}: there is no such folder"
        raise InputError(msg)
    return {path: file_state(path) for path in sorted(folder.rglob("*")) if is_image_name(path)}
