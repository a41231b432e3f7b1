"""What is told while work goes on: how far it is, how long stages took, a run's messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from lightcurve.core.constants import __version__
from lightcurve.core.errors import InputError

__all__ = ["Clock", "Progress", "open_log", "silent"]

T = TypeVar("T")
log = logging.getLogger(__name__)


class Progress(Protocol):
    """Pass `items` on one by one while showing `description` and how many of `total` are done."""

    def __call__(
        self, items: Iterable[T], description: str, total: int | None = None
    ) -> Iterator[T]:
        """Yield every item of `items`."""


def silent(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass items on without a word."""
    del description, total
    yield from items


@dataclass
class Clock:
    """How long each stage took."""

    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block as `stage`."""
        start = time.perf_counter()
        yield
        self.timings_s[stage] = time.perf_counter() - start
        log.info("%s: %.2f s", stage, self.timings_s[stage])


@contextmanager
def open_log(folder: Path) -> Iterator[None]:
    """Make the run folder and keep the program's messages in its run.log, each once.

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
    kept = [getattr(other, "baseFilename", None) for other in root.handlers]
    if handler.baseFilename in kept:  # open already, around this
        handler.close()
        yield
        return
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
