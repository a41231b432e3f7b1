"""The light frames that can be measured, in order of time, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lightcurve.core.data import FrameKind, FrameStatus
from lightcurve.core.errors import HeaderError, InputError
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory

__all__ = ["choose_lights"]

# Of the frames: so many of another setup are left out with a reason, more is an error.
MINORITY = 0.1


def choose_lights(inventory: Inventory) -> list[Entry]:
    """Pick the usable light frames, in order of time.

    Raises InputError when there is none; HeaderError when the time of more than a few is not
    certain: that of the first of them.
    """
    _refuse_without_times(inventory)
    usable = [
        e for e in inventory.entries if e.kind == FrameKind.LIGHT and e.status == FrameStatus.OK
    ]
    if not usable:
        msg = (
            f"{inventory.folder}: no light frame among {inventory.summary()}; "
            "see `lightcurve inspect`, and correct kinds with --manifest"
        )
        raise InputError(msg)
    return sorted(usable, key=in_time)


def in_time(entry: Entry) -> tuple[float, str]:
    """Sort frames by their times, those of the same moment by their names."""
    return entry.exposure.mid_jd_utc or 0.0, entry.path.name


def _refuse_without_times(inventory: Inventory) -> None:
    """One frame with a broken clock is a row with a reason; many are a clock to be settled."""
    lights = [entry for entry in inventory.entries if entry.kind == FrameKind.LIGHT]
    errors = [entry.time_error for entry in lights if entry.time_error]
    if len(errors) == len(lights) > 0 or len(errors) > max(1, MINORITY * len(lights)):
        first, count = errors[0], f" (so with {len(errors)} of {len(lights)} light frames)"
        reason = first.reason + (count if len(errors) > 1 else "")
        raise HeaderError(first.path, first.keyword, reason)


def label_files(paths: Sequence[Path]) -> dict[Path, str]:
    """Name files for the tables: without folder, or from where their folders part.

    Returns one label a path, no two alike.
    """
    if not paths:
        return {}
    top = os.path.commonpath([path.parent for path in paths])
    return {path: path.relative_to(top).as_posix() for path in paths}
