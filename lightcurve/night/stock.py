"""What a folder holds, and which star its frames were taken of."""

from __future__ import annotations

from pathlib import Path

from lightcurve.core.data import FrameKind
from lightcurve.core.progress import Progress
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory, check_folder, take_inventory
from lightcurve.night.lights import choose_lights
from lightcurve.setup.target import Target, find_target, is_told, recognise_target


def told_target(folder: Path, settings: Settings) -> Target | None:
    """Find the target that the settings name; None where the frames are to tell it.

    Raises InputError before anything is read or written: where there is no such folder, or what is
    told of the target makes no sense.
    """
    check_folder(folder)
    return find_target(settings.target, settings.catalogs) if is_told(settings.target) else None


def take_stock(
    folder: Path,
    settings: Settings,
    told: Target | None,
    *,
    manifest: Path | None,
    progress: Progress,
) -> tuple[Inventory, Target]:
    """Take the inventory of a folder; its light frames tell the target where nothing else does."""
    inventory = take_inventory(folder, settings, manifest=manifest, progress=progress)
    return inventory, told or target_of(inventory)


def target_of(inventory: Inventory) -> Target:
    """Recognise the target of the light frames; raises InputError where they do not tell it.

    Where there are none that can be used, the error says why.
    """
    lights = inventory.used(FrameKind.LIGHT) or choose_lights(inventory)
    return recognise_target([entry.exposure for entry in lights])
