"""Which of the light frames are measured together: those of one setup, in order of time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lightcurve.core.data import FrameKind, FrameStatus
from lightcurve.core.errors import HeaderError, InputError
from lightcurve.frames.inventory import Entry, Inventory

# Of the frames: so many of another setup are left out with a reason, more is an error.
MINORITY = 0.1


def choose_lights(inventory: Inventory) -> tuple[list[Entry], dict[Path, str]]:
    """Pick the light frames of one setup, in order of time.

    Returns them, and unused: light frames of another setup, with the reason. Raises InputError
    when there is none, or when more than a few belong to a second setup; HeaderError when the time
    of more than a few is not certain: that of the first of them.
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
    sizes = Counter(entry.setup for entry in usable)
    (main, count), *others = sizes.most_common()
    if sum(n for _, n in others) > MINORITY * count:
        found = ", ".join(f"{n} of {_describe(setup)}" for setup, n in sizes.most_common())
        msg = (
            f"{inventory.folder}: light frames of several setups: {found}; put them in folders "
            "of their own, or set use = no in a manifest"
        )
        raise InputError(msg)
    lights = [entry for entry in usable if entry.setup == main]
    text = f"another setup than the {count} other frames of {_describe(main)}"
    unused = {e.path: f"{_describe(e.setup)}: {text}" for e in usable if e.setup != main}
    return sorted(lights, key=lambda e: (e.exposure.mid_jd_utc or 0.0, e.path.name)), unused


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


def _describe(setup: tuple) -> str:
    camera, (ny, nx), binning, band, gain = setup
    words = [f"{nx} x {ny} px"]
    words += [f"filter {band}"] if band else []
    words += [f"binning {binning[0]}x{binning[1]}"] if binning else []
    words += [f"camera {camera}"] if camera else []
    words += [f"gain setting {gain}"] if gain else []
    return ", ".join(words)
