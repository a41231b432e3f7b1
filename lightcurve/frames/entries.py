"""What a folder holds: one entry a file, and the rows of frames.csv made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

from lightcurve.data import Exposure
from lightcurve.dates import iso_from_jd
from lightcurve.errors import HeaderError

OTHER = "other"


class ToldBy(Enum):
    """What tells the kind of a frame."""

    NOTHING = auto()
    KEYWORD = auto()
    NAME = auto()
    CONTENT = auto()
    MANIFEST = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the folder.

    Attributes
    ----------
    name : str
        Relative to the folder, with forward slashes.
    kind : str
        One of `lightcurve.data.KINDS`, or ``"other"`` for what is no FITS image.
    kind_source : str
        Keyword, file name, content or manifest, in words.
    exposure : Exposure
        That says nothing when the file could not be read.
    setup : tuple
        Camera, (ny, nx), binning, filter (not of bias and dark frames) and gain setting.
    status : str
        ``"ok"`` or ``"unused"``.
    reason : str
        Why it is not used, or what was odd; empty when all is well.
    time_error : HeaderError or None
        Where the clocks of its header are why it is not used.
    told_by : ToldBy
        What told its kind.
    lost : bool
        A frame that nobody left out on purpose and that still cannot be used: broken, without a
        certain time, of unknown kind.
    """

    path: Path
    name: str
    kind: str
    kind_source: str = ""
    exposure: Exposure = field(default_factory=Exposure)
    setup: tuple = ()
    status: str = "ok"
    reason: str = ""
    time_error: HeaderError | None = None
    told_by: ToldBy = ToldBy.NOTHING
    lost: bool = False

    @property
    def guessed(self) -> bool:
        """Whether something else than a keyword told its kind."""
        return self.told_by not in {ToldBy.NOTHING, ToldBy.KEYWORD}

    def row(self) -> dict[str, Any]:
        """Give its row of frames.csv."""
        exposure = self.exposure
        middle = exposure.mid_jd_utc
        return {
            "file": self.name,
            "kind": self.kind,
            "kind_source": self.kind_source,
            "filter": exposure.filter,
            "exposure_s": exposure.exposure_s,
            "mid_utc": None if middle is None else iso_from_jd(middle),
            "binning": None if exposure.binning is None else "{}x{}".format(*exposure.binning),
            "temperature_c": exposure.temperature_c,
            "nx": exposure.shape[1] or None,
            "ny": exposure.shape[0] or None,
            "use": "yes" if self.status == "ok" else "no",
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every file of a folder.

    Attributes
    ----------
    entries : tuple of Entry
        In the natural order of their names.
    warnings : tuple of str
        Times of the light frames that cannot all be right.
    """

    folder: Path
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()

    @property
    def lost(self) -> list[Entry]:
        """Frames that cannot be used though nobody left them out; they may have been lights."""
        return [e for e in self.entries if e.lost and e.kind in {"light", "unknown"}]

    def used(self, kind: str) -> list[Entry]:
        """List the usable frames of one kind."""
        return [entry for entry in self.entries if entry.kind == kind and entry.status == "ok"]

    def summary(self) -> str:
        """Count the files in words: ``142 light, 3 unused, 2 not FITS``."""
        left_out = {True: "not FITS", False: "unused"}
        counts = Counter(
            e.kind if e.status == "ok" else left_out[e.kind == OTHER] for e in self.entries
        )
        last = {"unused": 1, "not FITS": 2}
        order = sorted(counts, key=lambda kind: (last.get(kind, 0), kind != "light", kind))
        return ", ".join(f"{counts[kind]} {kind}" for kind in order)

    def rows(self) -> list[dict[str, Any]]:
        """Give the rows of frames.csv, which is also a manifest to edit."""
        return [entry.row() for entry in self.entries]
