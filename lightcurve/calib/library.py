"""A library of calibration frames and masters: of all that suit a frame, those nearest in date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from lightcurve.calib.master_files import read_masters
from lightcurve.calib.masters import build_masters
from lightcurve.calib.match import Group, choose_frames, name_some, same_exposure
from lightcurve.core.data import CALIBRATION, Exposure, FrameKind, Masters, Note, Severity, Step
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import CalibrationError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import CalibrationSettings, Settings
from lightcurve.frames.entries import Entry, ToldBy
from lightcurve.frames.headers import normalise
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_cards

__all__ = ["Groups", "Library"]

ONE_NIGHT = 0.5  # days: calibration frames with no longer pause between them were taken together
BADPIX = "master_badpix.fits"  # beside masters of ours
Groups = Mapping[FrameKind, Group]
STEPS = {FrameKind.BIAS: Step.BIAS, FrameKind.DARK: Step.DARK, FrameKind.FLAT: Step.FLAT}


@dataclass(frozen=True, slots=True)
class Lot:
    """Calibration frames taken together, or one master."""

    frames: Group
    jd: float | None  # of the middle one, where headers tell
    master: bool = False
    of_night: bool = False  # they lie with the light frames

    def days_from(self, frame: Exposure) -> float:
        """Days to a frame; infinite where it is not known."""
        if self.of_night:
            return 0.0
        moment = frame.mid_jd_utc or frame.start_jd_utc
        return float("inf") if self.jd is None or moment is None else abs(self.jd - moment)

    def beside(self, other: Lot) -> bool:
        """Tell whether dates do not tell which of two is nearer."""
        if self.of_night or other.of_night:
            return False
        if self.jd is None or other.jd is None:
            return self.jd is other.jd
        return abs(self.jd - other.jd) < ONE_NIGHT

    def describe(self, frame: Exposure) -> str:
        """Say what and how old it is."""
        names = [path.name for path, _ in self.frames]
        what = names[0] if self.master else f"{len(names)} frames ({name_some(names)})"
        folder, days = self.frames[0][0].parent, self.days_from(frame)
        if self.jd is None or not np.isfinite(days):
            return f"{what} of {folder}, date not known"
        older = (frame.mid_jd_utc or frame.start_jd_utc or 0.0) >= self.jd
        when = "before" if older else "after"
        return f"{what} of {folder}, {iso_from_jd(self.jd)[:10]}, {days:.0f} days {when}"


class Library:
    """The folders of calibration frames that settings name, each looked through once."""

    def __init__(self, settings: Settings, progress: Progress = silent) -> None:
        self._settings, self._progress = settings, progress
        self._entries: dict[Path, list[Entry]] = {}
        self._made: tuple[object, Masters | None] = (None, None)

    @property
    def wanted(self) -> bool:
        """Whether settings name any folder."""
        wanted = self._settings.calibration
        return bool(wanted.masters or wanted.bias or wanted.dark or wanted.flat)

    def choose(self, frame: Exposure, own: Groups) -> tuple[dict[FrameKind, Group], list[Note]]:
        """Choose calibration frames of each kind for a frame; tell which, and how old they are.

        own : those that lie with it, which are nearest, unless a folder is named for their kind.

        Raises CalibrationError where none suits, or two masters do equally.
        """
        groups: dict[FrameKind, Group] = {kind: own.get(kind, ()) for kind in CALIBRATION}
        notes: list[Note] = []
        for kind in CALIBRATION if self.wanted else ():
            if STEPS.get(kind) in frame.done:
                continue
            folders, only = self._folders(kind)
            found = [entry for folder in folders for entry in self._of(folder, kind)]
            if only and kind in STEPS and not found:
                msg = f"{folders[0]}: no {kind} frames in it"
                raise CalibrationError(msg)
            groups[kind], said = _nearest(kind, found, () if only else groups[kind], frame,
                                          self._settings.calibration)  # fmt: skip
            notes += said
        return groups, notes

    def masters_for(self, path: Path) -> Masters | None:
        """Make or read the masters for one frame; None where settings name no folder.

        Raises CalibrationError where none suits, or the folders hold none at all; FrameError when
        the frame cannot be read.
        """
        if not self.wanted:
            return None
        cards, shape, _ = read_cards(path)
        frame, _ = normalise(cards, path=path, shape=shape, settings=self._settings)
        groups, notes = self.choose(frame, {})
        files = tuple(found for group in groups.values() for found, _ in group)
        if not files and not frame.done:
            msg = f"{self._settings.calibration.masters[0]}: no master frames in it, and no others"
            raise CalibrationError(msg)
        made_of = (files, frame.exposure_s, frame.done)
        if self._made[0] != made_of:
            masters = self.build(frame, groups, light_frames=[path], tell_warm=False)
            notes = [*notes, *masters.notes]
            self._made = made_of, replace(masters, notes=tuple(dict.fromkeys(notes)))
        return self._made[1]

    def build(
        self,
        frame: Exposure,
        groups: Groups,
        *,
        light_frames: Sequence[Path],
        tell_warm: bool,
        progress: Progress = silent,
    ) -> Masters:
        """Combine what was chosen; masters of ours are taken as they are, with their bad pixels."""
        paths = [path for group in groups.values() for path, _ in group]
        ours = [path for path in paths if self._is_ours(path)]
        maps = sorted({m for path in ours if (m := path.with_name(BADPIX)).is_file()})
        if ours and ours == paths and len(maps) < 2:
            return read_masters([*ours, *maps])
        masters = build_masters(
            frame,
            *(groups[kind] for kind in CALIBRATION),
            settings=self._settings.calibration,
            light_frames=light_frames,
            tell_warm=tell_warm,
            progress=progress,
        )
        bad = masters.bad
        for image in (read_masters([path]).bad for path in maps):
            if bad is not None and image is not None and image.shape == bad.shape:
                bad = bad | image
        return replace(masters, bad=bad)

    def _folders(self, kind: FrameKind) -> tuple[tuple[Path, ...], bool]:
        """Folders where a kind is looked for, and whether it is for that kind alone."""
        wanted = self._settings.calibration
        own = {
            FrameKind.BIAS: wanted.bias,
            FrameKind.DARK: wanted.dark,
            FrameKind.FLAT: wanted.flat,
            FrameKind.DARK_FLAT: tuple(dict.fromkeys((*wanted.flat, *wanted.dark))),
        }[kind]
        return (own, True) if own else (wanted.masters, False)

    def _of(self, place: Path, kind: FrameKind) -> list[Entry]:
        """Frames of a kind in a folder, or the one named, of which header or name tells it."""
        folder = place.parent if place.is_file() else place
        if folder not in self._entries:
            inventory = take_inventory(
                folder, self._settings, library=True, progress=self._progress
            )
            self._entries[folder] = list(inventory.entries)
        return [
            entry
            for entry in self._entries[folder]
            if entry.kind == kind
            and place in {folder, entry.path}
            and not entry.lost
            and (entry.told_by is not ToldBy.CONTENT)
            and (not entry.product or entry.product.startswith("master "))
        ]

    def _is_ours(self, path: Path) -> bool:
        return any(e.product for some in self._entries.values() for e in some if e.path == path)


def _nearest(
    kind: FrameKind,
    found: Sequence[Entry],
    own: Group,
    frame: Exposure,
    settings: CalibrationSettings,
) -> tuple[Group, list[Note]]:
    """Of all that suit a frame take those nearest in date, and say which they are."""
    group = [*own, *((entry.path, entry.exposure) for entry in found)]
    suiting, notes = choose_frames(kind, group, frame, settings)
    if kind == FrameKind.DARK:
        suiting = _of_one_exposure(suiting, frame)
    if not suiting:
        return (), []
    # Dark flats of several exposures serve together.
    masters = {entry.path for entry in found if entry.stack and kind != FrameKind.DARK_FLAT}
    lots = _lots(suiting, {path for path, _ in own}, masters)
    # Rounded by numpy: the whole part of infinity is infinite, where // makes it NaN.
    lots.sort(key=lambda lot: (np.floor(lot.days_from(frame) / ONE_NIGHT), lot.master))
    best, *others = lots
    for other in others:
        if best.master == other.master and best.beside(other):
            msg = (
                f"{kind}: {best.describe(frame)}, and {other.describe(frame)}, suit the frames "
                f"equally; name the folder of one with --{kind.split()[0]}"
            )
            raise CalibrationError(msg)
    warnings = [note for note in notes if note.severity is Severity.WARNING]
    if best.of_night:
        return best.frames, warnings
    of = f", the nearest in date of {len(lots)} that suit" if others else ", all that suits"
    return best.frames, [Note(f"{kind}: {best.describe(frame)}{of}", subject=kind), *warnings]


def _of_one_exposure(darks: Group, frame: Exposure) -> Group:
    """Darks of the frame's exposure, else the longest, which are best to scale."""
    own = [one for one in darks if same_exposure(one[1].exposure_s, frame.exposure_s)]
    longest = max((e.exposure_s or 0.0 for _, e in darks), default=0.0)
    return own or [one for one in darks if same_exposure(one[1].exposure_s or 0.0, longest)]


def _lots(group: Group, own: set[Path], masters: set[Path]) -> list[Lot]:
    """Sort frames into what was taken together; each master is one by itself."""
    lots = [Lot([one], one[1].start_jd_utc, master=True) for one in group if one[0] in masters]
    night = [one for one in group if one[0] in own]
    lots += [Lot(night, None, of_night=True)] if night else []
    undated = defaultdict(list)
    dated: list[tuple[float, tuple[Path, Exposure]]] = []
    for one in group:
        start = one[1].start_jd_utc
        if one[0] in own or one[0] in masters:
            continue
        if start is None:
            undated[one[0].parent].append(one)
        else:
            dated.append((start, one))
    lots += [Lot(some, None) for some in undated.values()]
    dated.sort(key=lambda pair: pair[0])
    ends = [k + 1 for k, (a, b) in enumerate(pairwise(dated)) if b[0] - a[0] > ONE_NIGHT]
    for start, stop in pairwise([0, *ends, len(dated)]):
        if some := dated[start:stop]:
            lots.append(Lot([one for _, one in some], some[len(some) // 2][0]))
    return lots
