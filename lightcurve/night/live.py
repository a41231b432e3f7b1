"""One light curve while its frames come in: each frame is measured once, and all that is kept.

Reference, star numbers, apertures and masters are settled by the first frames of the night, as
`prepare` does when all are there, and stay until its end.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from lightcurve.core.data import (
    CALIBRATION,
    FrameResult,
    FrameStatus,
    LightCurve,
    Measurements,
)
from lightcurve.core.errors import FitError, InputError, LightcurveError
from lightcurve.core.files import file_state, json_text, write_text
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory
from lightcurve.frames.planes import stored_in
from lightcurve.night.frame_table import write_frames_table
from lightcurve.night.lights import label_files
from lightcurve.night.live_curve import LiveCurve
from lightcurve.night.opening import at_opening, has_opened, opening_of, why_unlike
from lightcurve.night.prepare import Given, find_lights, settle_by, why_not
from lightcurve.night.reduced import stack_results
from lightcurve.night.scene import Scene
from lightcurve.night.store import NAME, RunStore, open_store
from lightcurve.night.workers import measure_night
from lightcurve.setup.solving import Sample
from lightcurve.setup.target import Target
from lightcurve.tables.run_tables import write_lightcurve, write_stars

log = logging.getLogger(__name__)
BATCH = 48  # frames measured at a look at most, where many are there already
ANEW = "settled anew at the end"
OPENING = "opening.json"  # names of the frames that settled it: another process goes on by them
MOVED = (NAME, OPENING, "masters")  # what a night takes along to another run folder

States = tuple[tuple[Path, str], ...]  # files, and what they were


@dataclass(frozen=True, slots=True, eq=False)
class LiveLook:
    """A light curve as it is at one look.

    Attributes
    ----------
    folder : Path
        Its run folder.
    target : Target
    inventory : Inventory or None
    scene : Scene or None
        None until enough frames are there.
    results : sequence of FrameResult
        Of its frames so far, in order of time.
    measurements : Measurements or None
    curve : LightCurve or None
        None while points are too few.
    lost : sequence of str
        Files that cannot be used, with the reasons.
    measured : int
        Frames that this look measured.
    behind : int
        Frames that are still to be measured.
    waiting : str
        What it waits for; empty for nothing.
    changes : tuple of str
        What the end of the night will settle anew.
    """

    folder: Path
    target: Target
    inventory: Inventory | None = None
    scene: Scene | None = None
    results: Sequence[FrameResult] = ()
    measurements: Measurements | None = None
    curve: LightCurve | None = None
    lost: Sequence[str] = ()
    measured: int = 0
    behind: int = 0
    waiting: str = ""
    changes: tuple[str, ...] = ()


class LiveNight:
    """Keeps what is known of one light curve from look to look; `close` frees its run folder."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self._settings = settings
        self._open = ExitStack()
        self._store: RunStore | None = None
        self._scene: Scene | None = None
        self._reference: Sample | None = None
        self._opening: list[Entry] = []
        self._settled_by: tuple[States, ...] = ()
        self._failed_with = 0  # so many frames did not settle it
        self._better, self._compare_at = "", 0
        self._results: dict[Path, tuple[str, FrameResult]] = {}
        self._curve = LiveCurve(settings)
        self._last: LiveLook | None = None

    def end(self) -> None:
        """Forget by which frames it was settled: the night is over."""
        (self.folder / OPENING).unlink(missing_ok=True)

    def renew(self) -> bool:
        """Choose stars and aperture anew where it is time, for the next look; says whether."""
        return self._curve.renew()

    def close(self) -> None:
        """Let others write into the run folder."""
        self._open.close()
        self._store = None

    def holds(self, lights: Sequence[Entry]) -> bool:
        """Tell whether some of these frames were measured here."""
        return any(entry.path in self._results for entry in lights)

    def move(self, folder: Path) -> None:
        """Go on in another run folder: more light curves than one have turned up, or fewer."""
        self.close()
        folder.mkdir(parents=True, exist_ok=True)
        for name in MOVED:
            if (self.folder / name).exists() and not (folder / name).exists():
                shutil.move(self.folder / name, folder / name)
        self.folder, scene = folder, self._scene
        if scene is not None and scene.recipe.masters_folder is not None:
            recipe = replace(scene.recipe, masters_folder=folder / "masters")
            self._scene = replace(scene, recipe=recipe)

    def look(
        self, inventory: Inventory, target: Target, *, progress: Progress = silent
    ) -> LiveLook:
        """Measure the frames that are new, and form the curve.

        inventory: holds the light frames of this curve alone. What stands in the way is told in
        the look, which else is the last.
        """
        try:
            self._last = self._look(inventory, target, progress)
        except LightcurveError as error:
            last = self._last or LiveLook(self.folder, target)
            return replace(last, folder=self.folder, measured=0, waiting=str(error))
        return self._last

    def _look(self, inventory: Inventory, target: Target, progress: Progress) -> LiveLook:
        target = at_opening(target, inventory)
        given = find_lights(inventory, target, self._settings)
        changes = self._settle(given, inventory, target)
        if self._scene is None:
            n = len(given.lights)
            wanted = "the first frames of a dark sky are awaited: by them it is settled"
            return LiveLook(self.folder, target, waiting=f"{n} light frames; {wanted}")
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = [entry.path for entry in given.lights]
        measured, behind = self._measure(paths, self._scene, progress)
        lights = tuple(path for path in paths if path in self._results)
        scene = replace(self._scene, lights=lights, unused=given.unused)
        labels = label_files(paths)
        results = [replace(self._results[path][1], file=labels[path]) for path in lights]
        failed = [r for r in results if r.status != FrameStatus.MEASURED]
        lost = [f"{one.file}: {one.reason}" for one in failed]
        lost += [f"{entry.name}: {entry.reason}" for entry in inventory.lost]
        look = LiveLook(
            self.folder,
            target,
            inventory,
            scene,
            results,
            lost=lost,
            measured=measured,
            behind=behind,
            changes=changes,
        )
        write_frames_table(self.folder, inventory, target, scene, results)
        try:
            measurements = stack_results(results, scene.recipe)
            curve, measurements = self._curve.form(measurements, scene, target)
        except (FitError, InputError) as error:
            return replace(look, waiting=str(error))
        return replace(look, measurements=measurements, curve=curve)

    def _settle(self, given: Given, inventory: Inventory, target: Target) -> tuple[str, ...]:
        """Settle the night once; gives what speaks for doing it again, later."""
        lights = given.lights
        calibration = [e for kind in CALIBRATION for e in inventory.used(kind)]
        by = _states(opening_of(lights)), _states(calibration)
        if self._scene is None and has_opened(lights) and len(lights) >= 2 * self._failed_with:
            self._settle_now(given, inventory, target)
            self._settled_by = by
        return self._changes(by, lights)

    def _settle_now(self, given: Given, inventory: Inventory, target: Target) -> None:
        """Settle the night by its first frames; by all so far where these could not.

        A night that was settled by another process stays as it was.
        """
        known = _read_opening(self.folder)
        before = [entry for entry in given.lights if entry.name in known]
        some = before if known and len(before) == len(known) else opening_of(given.lights)
        some = list(given.lights) if self._failed_with else some
        rest = (inventory, target, self._settings, self.folder / "masters")
        try:
            self._scene, self._reference = settle_by(some, given, *rest)
        except LightcurveError as error:
            self._failed_with = len(given.lights)
            log.warning("not yet: %s", error)
            return
        self._opening, self._compare_at = some, 2 * len(some)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / OPENING, json_text([entry.name for entry in some]))

    def _changes(self, by: tuple[States, ...], lights: Sequence[Entry]) -> tuple[str, ...]:
        """Say what is other than it was when the night was settled, or better."""
        if self._scene is None or self._reference is None:
            return ()
        if len(lights) >= self._compare_at:  # each time the night has doubled
            self._compare_at = 2 * len(lights)
            self._better = why_unlike(self._opening, lights) or why_not(
                self._scene, self._reference, lights
            )
        said = (
            "frames from the beginning of the night came late or were written again",
            "other calibration frames are there",
        )
        found = [
            text for text, now, then in zip(said, by, self._settled_by, strict=True) if now != then
        ]
        return tuple(f"{text}: {ANEW}" for text in (*found, self._better) if text)

    def _measure(self, paths: Sequence[Path], scene: Scene, progress: Progress) -> tuple[int, int]:
        """Measure what is new or has changed; gives how many that were, and how many are left."""
        fingerprint = scene.recipe.fingerprint()
        keys = {path: f"{fingerprint} {file_state(stored_in(path))}" for path in paths}
        new = [p for p in paths if p not in self._results or self._results[p][0] != keys[p]]
        some = new[:BATCH]
        for path, result in zip(some, self._measure_some(some, scene, progress), strict=True):
            self._results[path] = keys[path], result
        return len(some), len(new) - len(some)

    def _measure_some(
        self, paths: Sequence[Path], scene: Scene, progress: Progress
    ) -> list[FrameResult]:
        if not paths:
            return []
        if self._store is None:
            self._store = self._open.enter_context(open_store(self.folder))
        return measure_night(paths, scene.recipe, self._store, progress=progress)


def _states(entries: Sequence[Entry]) -> States:
    return tuple((entry.path, file_state(stored_in(entry.path))) for entry in entries)


def _read_opening(folder: Path) -> set[str]:
    """Read which frames settled a night; empty where none did."""
    try:
        names = json.loads((folder / OPENING).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return set()
    return {str(name) for name in names} if isinstance(names, list) else set()


def write_live_tables(look: LiveLook) -> None:
    """Write the tables of what there is, as a run does."""
    if look.curve is None or look.measurements is None:
        return
    failed = [result for result in look.results if result.status != FrameStatus.MEASURED]
    write_stars(look.folder / "stars.csv", look.measurements.plan)
    write_lightcurve(look.folder / "lightcurve.csv", look.curve, look.measurements, failed=failed)
