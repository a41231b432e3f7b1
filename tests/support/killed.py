"""A run that is killed at a moment of its own, as a crash or an empty battery would end it."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from lightcurve.core.settings import Settings, make_settings
from lightcurve.night.store import RunStore
from undrawn import reduce_night

RA, DEC = 20.0, 30.0
NIGHT = {
    "n_frames": 24, "shape": (160, 180), "n_stars": 30, "header_wcs": True, "n_bias": 3, "n_flat": 3
}  # fmt: skip
SETTINGS = make_settings({"target": {"name": "Tiny-1", "ra": str(RA), "dec": str(DEC)}})


def digests(out: Path) -> dict[str, str]:
    """Digest every table of a run folder."""
    tables = sorted(out.glob("*.csv"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}


def reduce_until(
    is_last: Callable[[str], bool],
    folder: Path,
    settings: Settings,
    out: Path,
    reduce: Callable[..., object] = reduce_night,
) -> None:
    """Reduce a night; be killed at the first moment that is the last.

    Moments are "before" and "after" with the name of a file: of the run, which is on the disk
    beside its place and then in it, or of a frame, whose result is measured and then kept.
    """

    def reached(moment: str) -> None:
        if is_last(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def told(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def act(first: object, place: str | Path, *more: object) -> object:
            reached(f"before {Path(place).name}")
            done = real(first, place, *more)
            reached(f"after {Path(place).name}")
            return done

        setattr(owner, name, act)

    told(Path, "replace")
    told(RunStore, "put")
    reduce(folder, settings, out)
