"""Every light curve that the frames of a folder make: a run for each, one filter, one night."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lightcurve.core.data import FrameKind
from lightcurve.core.errors import LightcurveError, Why
from lightcurve.core.progress import Clock, Progress, open_log, silent, stage
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory
from lightcurve.night.frame_table import whatever_comes
from lightcurve.night.grouping import FrameSet
from lightcurve.night.opening import at_opening
from lightcurve.night.outlook import Outlook, cover, look_ahead
from lightcurve.night.prepare import prepare_night
from lightcurve.night.reduced import Night
from lightcurve.night.scene import Scene
from lightcurve.night.sets import Reduced, find_sets, reduce_sets
from lightcurve.night.stock import take_stock, told_target
from lightcurve.setup.target import Target

__all__ = ["Planned", "plan_nights", "reduce_nights"]

log = logging.getLogger(__name__)


def reduce_nights(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    manifest: Path | None = None,
    sidecars: bool = False,
    progress: Progress = silent,
) -> list[Reduced[Night]]:
    """Turn a folder into as many light curves as its frames make.

    Parameters
    ----------
    folder, manifest, sidecars
        As for `lightcurve.night.story.reduce_night`.
    out : Path
        The run folder of the only light curve; of several each has its own in it.

    Returns
    -------
    list of Reduced
        One for each filter, night, telescope ... of the target, in order of time.

    Raises
    ------
    LightcurveError
        What stopped the only one, or each.
    """
    from lightcurve.night.story import reduce_set  # with all that a run writes: a plan does not

    told, clock = told_target(folder, settings), Clock()

    def reduce(one: FrameSet, inventory: Inventory, place: Path) -> Night:
        own = Clock(dict(clock.timings_s))
        chosen = one.chosen(settings) if one.label else settings
        return reduce_set(
            inventory, target, chosen, place, clock=own, sidecars=sidecars, progress=progress
        )

    with open_log(out):
        with clock("inventory", "taking stock"):
            inventory, target = take_stock(
                folder, settings, told, manifest=manifest, progress=progress
            )
            with whatever_comes(out, inventory, target):
                sets = find_sets(inventory, settings, target)
        return reduce_sets(inventory, sets, out, reduce)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """All that a run would settle before it measures, and what it promises."""

    target: Target
    scene: Scene
    outlook: Outlook


def plan_nights(
    folder: Path, settings: Settings, *, manifest: Path | None = None, progress: Progress = silent
) -> tuple[list[FrameSet], list[Reduced[Planned]]]:
    """Sort the frames of a folder into sets, and settle all that a run would of each of them.

    Nothing is written that stays.

    Returns
    -------
    sets : list of FrameSet
        Those that are left out, too.
    planned : list of Reduced
        Those that are not.

    Raises
    ------
    LightcurveError
        What stopped the only one, or each.
    """
    told = told_target(folder, settings)
    inventory, target = take_stock(folder, settings, told, manifest=manifest, progress=progress)
    sets = find_sets(inventory, settings, target)

    def plan(_: FrameSet, inventory: Inventory, place: Path) -> Planned:
        mine = at_opening(target, inventory)
        try:
            with stage("preparing: masters, reference, stars"):
                scene = prepare_night(inventory, mine, settings, place, progress=progress)
        except LightcurveError as error:
            # What headers tell of a transit is worth knowing all the same.
            lights = [entry.exposure for entry in inventory.used(FrameKind.LIGHT)]
            covered = cover(mine.planet, (mine.ra_deg, mine.dec_deg), lights)
            if covered and error.why is not Why.ELSEWHERE:
                log.warning("%s", covered)
            raise
        with stage("looking ahead"):
            ahead = look_ahead(inventory, mine, scene, settings, progress=progress)
        return Planned(mine, scene, ahead)

    with TemporaryDirectory() as masters:
        return sets, reduce_sets(inventory, sets, Path(masters), plan)
