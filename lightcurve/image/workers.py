"""Frames of a sequence, measured here or by processes side by side; what each gives is the same.

The first frame that is solved is measured here: the others are placed by its stars, and do not
depend on one another but for that.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightcurve.calib.library import Library
from lightcurve.core.algebra import one_thread
from lightcurve.core.errors import FrameError, LightcurveError, Why
from lightcurve.core.guard import guard_frame
from lightcurve.core.processes import DIED, FORKS, surviving, usable, warm
from lightcurve.core.progress import Clock, keep_messages, tell
from lightcurve.core.settings import Settings
from lightcurve.image.locate import Sighted
from lightcurve.image.reduced import summarise
from lightcurve.image.story import measure_image

log = logging.getLogger(__name__)
# Fewer are measured here before a process more has loaded what it needs, or was forked.
FRAMES_PER_WORKER, FRAMES_PER_FORK = 15, 6
LOADED = (__name__, "scipy.ndimage", "scipy.spatial", "sep", "astropy.io.fits", "threadpoolctl")


@dataclass(frozen=True, slots=True)
class Told:
    """A frame measured elsewhere: its row or what it failed by, and the messages meanwhile."""

    row: dict[str, Any] | LightcurveError
    messages: list[logging.LogRecord]


@dataclass(frozen=True, slots=True, eq=False)
class Measuring:
    """What is done with each frame.

    like: a frame by whose stars others are placed.
    """

    settings: Settings
    library: Library
    like: Sighted | None = None

    def here(self, file: Path) -> tuple[dict[str, Any], Sighted | None]:
        """Measure a frame: its row, and what others may be placed by, the same in any process."""
        with one_thread():
            masters = self.library.masters_for(file)
            reduced = measure_image(file, self.settings, Clock(), masters=masters, like=self.like)
        # A WCS that was sent to another process lacks its last digits: let it lack them here.
        like = self.like or _as_sent(Sighted.of(reduced.prepared, reduced.placed))
        return dict(summarise(reduced)), like

    def __call__(self, files: Sequence[Path]) -> list[Told]:
        """Measure frames for another process."""
        return [self._told(file) for file in files]

    def _told(self, file: Path) -> Told:
        with keep_messages() as messages:
            try:
                with guard_frame(file):
                    return Told(self.here(file)[0], messages)
            except LightcurveError as error:
                return Told(error, messages)


def _as_sent(like: Sighted | None) -> Sighted | None:
    return pickle.loads(pickle.dumps(like))  # noqa: S301  (our own)


def count(frames: int, settings: Settings) -> int:
    """Count the processes that measure so many frames: those wanted, or that they are worth."""
    worth = frames // (FRAMES_PER_FORK if FORKS else FRAMES_PER_WORKER)
    return min(settings.workers or max(1, min(usable(), worth)), frames)


class Frames:
    """Frames of a sequence that are asked for one by one; closing it ends all work on others.

    Once one of them is solved, processes measure those to come, where they are worth it.

    to_come: those that will be asked for, in their order; others may be, too.
    sight: the frame by whose stars others are placed: that of an earlier run, or None yet.
    """

    def __init__(
        self, to_come: Iterable[Path], settings: Settings, sight: Path | None = None
    ) -> None:
        self._settings, self._to_come = settings, dict.fromkeys(to_come)
        self.sight, self._passed = sight, False
        self._like: Sighted | None = None
        self._elsewhere: set[Path] = set()
        self._come: dict[Path, Told] = {}
        self._coming: Generator[tuple[Path, Told | None], None, None] | None = None
        if count(len(self._to_come), settings) > 1:
            warm(*LOADED)  # while the first is measured

    def measure(self, file: Path, library: Library) -> dict[str, Any]:
        """Measure a frame, or wait for the process that does: its row.

        Raises LightcurveError when the frame fails.
        """
        if self._passed and self._like is None:
            self._see_again(library)
        measuring = Measuring(self._settings, library, self._like)
        if self._like is not None and self._coming is None:
            self._go_ahead(measuring)
        self._to_come.pop(file, None)
        told = self._wait_for(file) if file in self._elsewhere else None
        if told is None:
            row, like = measuring.here(file)
            if self.sight is None and like is not None:
                self.sight, self._like = file, like
            return row
        tell(told.messages)
        if isinstance(told.row, LightcurveError):
            raise told.row
        return told.row

    def pass_by(self, file: Path) -> None:
        """Leave out a frame that was measured before; those after it may be placed by it."""
        self._passed = self._passed or file == self.sight

    def _see_again(self, library: Library) -> None:
        """Measure the frame again that an earlier run placed others by; if it fails, drop it."""
        if self.sight is not None:
            log.info("%s: others were placed by it, and are again", self.sight.name)
            with suppress(LightcurveError), guard_frame(self.sight):
                self._like = Measuring(self._settings, library).here(self.sight)[1]
        if self._like is None:
            self.sight = None

    def close(self) -> None:
        """End the processes."""
        if self._coming is not None:
            self._coming.close()

    def _go_ahead(self, measuring: Measuring) -> None:
        files = list(self._to_come)
        n = count(len(files), self._settings)
        self._coming = surviving([(file,) for file in files], measuring, n)
        if n > 1:
            log.info("%d processes measure", n)
            self._elsewhere.update(files)

    def _wait_for(self, file: Path) -> Told | None:
        """Take what comes until the frame has; None where no more processes can be had."""
        self._elsewhere.remove(file)
        with suppress(OSError):
            while file not in self._come and self._coming and (come := next(self._coming, None)):
                other, told = come
                self._come[other] = told or Told(FrameError(other, DIED, why=Why.DIED), [])
        return self._come.pop(file, None)
