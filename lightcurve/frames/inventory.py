"""Take stock of a folder: its files, and what each is beside the others.

The result is frames.csv, a table that a user can edit and give back as a manifest.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightcurve.core.data import CALIBRATION, FrameKind, FrameStatus
from lightcurve.core.errors import InputError
from lightcurve.core.files import file_state
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.camera_raw import is_raw_name
from lightcurve.frames.clocks import check_cadence, natural_key
from lightcurve.frames.entries import Entry, ToldBy, entries_of, twin_of
from lightcurve.frames.manifest import apply_key, read_manifest
from lightcurve.frames.names import image_stem
from lightcurve.frames.read import is_image_name

__all__ = [
    "RUN_FILES",
    "Inventory",
    "Known",
    "check_folder",
    "list_files",
    "narrow_inventory",
    "take_inventory",
]

RUN_FILES = {"run.toml", "state.sqlite", "run.log"}  # one of them tells a run folder

Known = dict[Path, tuple[str, list[Entry]]]  # what files are, with the states they had


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every file of a folder.

    Attributes
    ----------
    entries : tuple of Entry
        In the natural order of their names.
    warnings : tuple of str
        Times of the light frames that cannot all be right.
    choice : tuple of str
        What was said when frames were left out of it.
    """

    folder: Path
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()

    @property
    def lost(self) -> list[Entry]:
        """Frames that cannot be used though nobody left them out; they may have been lights."""
        return [
            e for e in self.entries if e.lost and e.kind in {FrameKind.LIGHT, FrameKind.UNKNOWN}
        ]

    def used(self, kind: FrameKind) -> list[Entry]:
        """List the usable frames of one kind."""
        return [
            entry for entry in self.entries if entry.kind == kind and entry.status == FrameStatus.OK
        ]

    def summary(self) -> str:
        """Count the files in words: ``142 light, 3 unused, 2 not FITS``."""
        left_out = {True: "not FITS", False: FrameStatus.UNUSED}
        counts = Counter(
            str(e.kind) if e.status == FrameStatus.OK else left_out[e.kind == FrameKind.OTHER]
            for e in self.entries
        )
        last = {FrameStatus.UNUSED: 1, "not FITS": 2}
        order = sorted(counts, key=lambda kind: (last.get(kind, 0), kind != FrameKind.LIGHT, kind))
        return ", ".join(f"{counts[kind]} {kind}" for kind in order)

    def rows(self) -> list[dict[str, Any]]:
        """Give the rows of frames.csv, which is also a manifest to edit."""
        return [entry.row() for entry in self.entries]


def take_inventory(
    folder: str | Path,
    settings: Settings | None = None,
    *,
    manifest: str | Path | None = None,
    library: bool = False,
    known: Known | None = None,
    unsettled: AbstractSet[Path] = frozenset(),
    progress: Progress = silent,
) -> Inventory:
    """Find every file below a folder and tell what it is.

    Hidden folders and run folders (they hold a run.toml, state.sqlite or run.log) are passed over.

    Parameters
    ----------
    manifest : path-like, optional
        An edited frames.csv; its kinds and its ``use`` win.
    library : bool
        Of calibration frames: those of run folders are wanted, and masters beside raw frames.
    known : dict of Path to (str, list of Entry), optional
        What was found before, with the states of the files: only what has changed is read. Filled.
    unsettled : set of Path
        Files still being written, which are passed over.

    Raises
    ------
    InputError
        When the folder is missing or holds no FITS file, or the manifest does not fit.
    """
    folder, settings = Path(folder), settings or Settings()
    check_folder(folder)
    paths = sorted(
        list_files(folder, library=library) - unsettled,
        key=lambda path: natural_key(path.relative_to(folder).as_posix()),
    )
    if not any(is_image_name(path) for path in paths):
        msg = f"{folder}: no FITS file (.fits .fit .fts, also packed) among {len(paths)} files"
        raise InputError(msg)
    edits = read_manifest(manifest) if manifest is not None else {}
    edited = frozenset(edits)
    entries = []
    as_fits = {
        path.with_name(image_stem(path)): path.name for path in paths if not is_raw_name(path)
    }
    for path in progress(paths, "taking stock", len(paths)):
        name = path.relative_to(folder).as_posix()
        twin = as_fits.get(path.with_name(image_stem(path))) if is_raw_name(path) else None
        if twin:
            entries.append(twin_of(path, name, twin))
        elif edits or known is None:
            entries += entries_of(path, name, settings, edits)
        else:
            entries += _as_known(path, name, settings, known)
    if edits and manifest is not None:
        msg = f"{Path(manifest).name}: {next(iter(edits))} is not in {folder} ({len(edits)} such)"
        raise InputError(msg)
    entries = [_starless_light(entry, entries) for entry in entries]
    if not library:
        entries = [_master(entry, entries, edited) for entry in entries]
    return Inventory(folder, tuple(entries), _warnings(entries))


def narrow_inventory(
    inventory: Inventory, left_out: Mapping[Path, str], band: str | None, choice: Sequence[str]
) -> Inventory:
    """Leave frames out of an inventory.

    Parameters
    ----------
    left_out : mapping of Path to str
        Frames and why they are not used.
    band : str or None
        Filter of those that are: frames that cannot be used and have another are no loss.
    choice : sequence of str
        What whoever reads the results should know of it.

    Returns
    -------
    Inventory
        Of the same files; its warnings are those of the frames that are left.
    """
    if not left_out:
        return replace(inventory, choice=tuple(choice))

    def narrowed(entry: Entry) -> Entry:
        if entry.path in left_out:
            return replace(entry, status=FrameStatus.UNUSED, reason=left_out[entry.path])
        another = band and entry.exposure.filter not in {None, band}
        return replace(entry, lost=False) if entry.lost and another else entry

    entries = [narrowed(entry) for entry in inventory.entries]
    return Inventory(inventory.folder, tuple(entries), _warnings(entries), tuple(choice))


def _warnings(entries: Sequence[Entry]) -> tuple[str, ...]:
    return (
        *_losses(entries),
        *_guesses(entries),
        *_masters_used(entries),
        *_look_at_times(entries),
    )


def check_folder(folder: Path) -> None:
    """Make sure that a folder is there, before anything else is looked at.

    Raises
    ------
    InputError
        When it is not.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.is_file() else "there is no such folder"
        msg = f"{folder}: {what}; give the folder with the raw frames"
        raise InputError(msg)


def _starless_light(entry: Entry, entries: Sequence[Entry]) -> Entry:
    """Take a frame without stars for a clouded light, where it lies among lights like it."""
    if entry.kind != FrameKind.DARK or entry.told_by is not ToldBy.CONTENT:
        return entry
    like_it = [
        moment
        for other in entries
        if (moment := other.exposure.mid_jd_utc) is not None
        and other.kind == FrameKind.LIGHT
        and other.status == FrameStatus.OK
        and other.exposure.shape == entry.exposure.shape
        and other.exposure.exposure_s == entry.exposure.exposure_s
    ]
    middle = entry.exposure.mid_jd_utc
    if middle is None or not like_it or not min(like_it) < middle < max(like_it):
        return entry
    source = f"{entry.kind_source}, but between light frames: clouds?"
    exposure = replace(entry.exposure, kind=FrameKind.LIGHT)
    return replace(entry, kind=FrameKind.LIGHT, kind_source=source, exposure=exposure)


def _master(entry: Entry, entries: Sequence[Entry], edited: AbstractSet[str]) -> Entry:
    """Use a master frame of another program only where no raw frames of its kind and setup are.

    edited: names in the manifest, which is obeyed.
    """
    if not _is_master(entry) or apply_key(entry.name) in edited:
        return entry
    alike = [e for e in entries if e.kind == entry.kind and e.setup[1:4] == entry.setup[1:4]]
    if not any(e.status == FrameStatus.OK and not e.stack for e in alike):
        return entry
    reason = f"a master frame of another program ({entry.stack}), and its raw frames are here"
    return replace(entry, status=FrameStatus.UNUSED, reason=reason)


def _is_master(entry: Entry) -> bool:
    return bool(entry.stack) and entry.kind in CALIBRATION and entry.status == FrameStatus.OK


def _masters_used(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Say which frames of another program take the place of raw calibration frames."""
    return tuple(
        f"{entry.name}: a master {entry.kind} of another program ({entry.stack}) is used as it is"
        for entry in entries
        if _is_master(entry)
    )


def _frames(some: Sequence[object]) -> str:
    return "1 frame" if len(some) == 1 else f"{len(some)} frames"


def _losses(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Say how many frames cannot be used, and why the first of each sort cannot."""
    lost = [entry for entry in entries if entry.lost]
    if not lost:
        return ()
    first = lost[0]
    return (f"{_frames(lost)} cannot be used, see frames.csv; {first.name}: {first.reason}",)


def _guesses(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Say which calibration frames were told by their pixels alone."""
    lines = []
    for kind in (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT):
        guessed = [
            e.name
            for e in entries
            if e.kind == kind and e.status == FrameStatus.OK and e.told_by is ToldBy.CONTENT
        ]
        if guessed:
            lines.append(
                f"{_frames(guessed)} taken for {kind} by their pixels alone, first "
                f"{guessed[0]}; if that is wrong, correct it in a manifest (--manifest)"
            )
    return tuple(lines)


def _as_known(path: Path, name: str, settings: Settings, known: Known) -> list[Entry]:
    """Tell what a file is, from what was known of it while it was as it is now."""
    state = file_state(path)
    if path not in known or known[path][0] != state:
        known[path] = state, entries_of(path, name, settings, {})
    return known[path][1]


def list_files(folder: Path, *, library: bool = False) -> set[Path]:
    """List the files below a folder, but those hidden and of run folders.

    Parameters
    ----------
    library : bool
        Those of run folders too.

    Raises
    ------
    InputError
        When the folder, or one in it, cannot be listed.
    """
    return set(_files(folder, library=library))


def _files(folder: Path, *, library: bool) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        if Path(place) != folder and RUN_FILES.intersection(names) and not library:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    msg = f"{error.filename}: cannot be listed: {error.strerror}"
    raise InputError(msg) from error


def _look_at_times(entries: Sequence[Entry]) -> tuple[str, ...]:
    lights = [e for e in entries if e.kind == FrameKind.LIGHT and e.status == FrameStatus.OK]
    timed = [(moment, e) for e in lights if (moment := e.exposure.mid_jd_utc) is not None]
    seconds = [e.exposure.exposure_s for _, e in timed]
    lines = check_cadence(
        [moment for moment, _ in timed],
        [float("nan") if length is None else length for length in seconds],
        [e.name for _, e in timed],
    )
    names = Counter(entry.path.name for entry in lights)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        lines += (f"{len(twice)} file names stand in several folders, first {twice[0]}",)
    return lines
