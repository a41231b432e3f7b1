"""Reduce a night while it is observed: a look costs what its new frames cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import file_state
from lightcurve.core.progress import Progress, each_once, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Known, list_files, take_inventory
from lightcurve.frames.read import is_image_name
from lightcurve.night.live import LiveLook, LiveNight, write_live_tables
from lightcurve.night.nights import reduce_nights
from lightcurve.night.reduced import Night
from lightcurve.night.sets import Reduced, find_sets, inventory_of
from lightcurve.night.stock import target_of
from lightcurve.setup.target import Target, find_target, is_told

__all__ = ["FolderLook", "Watch", "begin_watch", "finish_watch", "watch_folder"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class FolderLook:
    """A folder and its light curves at one look.

    Attributes
    ----------
    nights : tuple of LiveLook
        In order of time.
    files, growing : int
        Files seen, and those still being written.
    waiting : str
        What is awaited, where there is no light curve.
    quiet_s : float
        Since a file came or changed.
    """

    nights: tuple[LiveLook, ...] = ()
    files: int = 0
    growing: int = 0
    waiting: str = ""
    quiet_s: float = 0.0


@dataclass(slots=True)
class Watch:
    """A folder that fills, and all that is known of it."""

    folder: Path
    settings: Settings
    out: Path
    told: Target | None = None
    clock: Callable[[], float] = time.monotonic
    progress: Progress = silent
    _states: dict[Path, str] = field(default_factory=dict)
    _known: Known = field(default_factory=dict)
    _nights: list[LiveNight] = field(default_factory=list)
    _last: FolderLook = field(default_factory=FolderLook)
    _changed_at: float | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _log_kept: bool = False
    _done: tuple[dict[Path, str], frozenset[Path]] | None = None

    def look(self) -> FolderLook:
        """Look at the folder: what has settled since the last look is measured."""
        now = self.clock()
        if self._changed_at is None:
            self._changed_at = now
        try:
            states = {path: file_state(path) for path in list_files(self.folder)}
        except InputError:
            states = {}
        if self._states and not states:  # a share that went away, not a night without frames
            away = f"{self.folder} is not there or empty now; what was measured is kept"
            return self._told(self._last, waiting=away)  # not kept: it may come back as it was
        if not states:
            there = "holds no frame yet" if self.folder.is_dir() else "is not there yet"
            return self._say(f"{self.folder} {there}")
        growing = frozenset(p for p, state in states.items() if self._states.get(p) != state)
        if growing or states.keys() != self._states.keys():
            self._changed_at = now
        self._states = states
        self._tell_once()
        if self._done == (states, growing):
            self._last = self._told(self._last, waiting=self._last.waiting, growing=len(growing))
            return self._last
        self._done = states, growing
        try:
            self._last = self._told(FolderLook(self._look_at(growing)), growing=len(growing))
            if any(one.behind for one in self._last.nights):
                self._done = None
        except LightcurveError as error:
            self._done = None
            return self._say(str(error), growing=len(growing))
        return self._last

    def renew(self) -> None:
        """Choose stars and apertures anew where it is time: between two looks, when nobody waits.

        The next look shows what was chosen, whether it has a new frame or not.
        """
        renewed = [night.renew() for night in self._nights]
        if any(renewed):
            self._done = None

    def _say(self, waiting: str, *, growing: int = 0) -> FolderLook:
        self._last = self._told(self._last, waiting=waiting, growing=growing)
        return self._last

    def _told(self, look: FolderLook, *, waiting: str = "", growing: int = 0) -> FolderLook:
        quiet = self.clock() - (self._changed_at or 0.0)
        nights = look.nights
        if look is self._last:  # nothing new
            nights = tuple(replace(one, measured=0) for one in nights)
        return FolderLook(nights, len(self._states), growing, waiting, quiet)

    def _look_at(self, growing: frozenset[Path]) -> tuple[LiveLook, ...]:
        """Take stock of what has settled, and look at each light curve."""
        settled = [p for p in self._states if is_image_name(p) and p not in growing]
        if not settled:
            msg = f"{len(growing)} files found; each is taken once it has stopped growing"
            raise InputError(msg)
        inventory = take_inventory(self.folder, self.settings, known=self._known, unsettled=growing)
        # What could not be read may be read next time: a share may have stumbled.
        for path in [entry.path for entry in inventory.lost]:
            self._known.pop(path, None)
        target = self.told or target_of(inventory)
        sets = find_sets(inventory, self.settings, target)
        used = [one for one in sets if not one.unused]
        looks = []
        for one in used:
            place = self.out if len(used) == 1 else self.out / one.label
            settings = one.chosen(self.settings) if one.label else self.settings
            night = next((n for n in self._nights if n.holds(one.lights)), None)
            if night is None:
                night = LiveNight(place, settings)
                self._nights.append(night)
            elif night.folder != place:
                night.move(place)
            mine = inventory_of(inventory, one, sets)
            looks.append(night.look(mine, target, progress=self.progress))
        return tuple(looks)

    def _tell_once(self) -> None:
        """Keep a log from now on, in which no look repeats what another has said."""
        if self._log_kept:
            return
        self._log_kept = True
        self._open.enter_context(open_log(self.out))
        self._open.enter_context(each_once())

    def close(self, *, over: bool = False) -> None:
        """Write the tables of what there is, and free the run folders.

        Parameters
        ----------
        over : bool
            Nobody goes on with this night.
        """
        for look in self._last.nights:
            write_live_tables(look)
        for night in self._nights:
            night.close()
            if over:
                night.end()
        self._open.close()
        self._log_kept = False


def begin_watch(
    folder: Path, settings: Settings, out: Path, *, progress: Progress = silent
) -> Watch:
    """Begin to watch a folder, which need not be there yet.

    Raises
    ------
    InputError
        Where what the settings tell of the target makes no sense.
    """
    told = find_target(settings.target, settings.catalogs) if is_told(settings.target) else None
    return Watch(folder, settings, out, told, progress=progress)


def watch_folder(
    watch: Watch,
    *,
    poll_s: float = 10.0,
    idle_s: float = 3600.0,
    sleep: Callable[[float], None] | None = None,
) -> Iterator[FolderLook]:
    """Look at a folder again and again until its night is over.

    Parameters
    ----------
    poll_s : float
        Seconds between looks.
    idle_s : float
        So long without a new or changed file ends it, once a frame was measured; 0 for what is
        there, whether it can be measured or not.
    sleep : callable, optional
        Waits for so many seconds.

    Yields
    ------
    FolderLook
    """
    while True:
        look = watch.look()
        yield look
        if any(one.behind for one in look.nights):
            watch.renew()
            continue
        if look.quiet_s > idle_s and (look.nights or not idle_s):
            return
        watch.renew()
        (sleep or time.sleep)(poll_s)


def finish_watch(watch: Watch, *, progress: Progress = silent) -> list[Reduced[Night]]:
    """Make of a night that is over all that a run makes of its folder, and the same.

    Raises
    ------
    LightcurveError
        As `lightcurve.night.nights.reduce_nights`.
    """
    watch.close(over=True)
    return reduce_nights(watch.folder, watch.settings, watch.out, progress=progress)
