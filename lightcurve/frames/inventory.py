"""Take stock of a folder: every file, what it is, and why it is or is not used.

The result is frames.csv, a table that a user can edit and give back as a manifest.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from lightcurve.core.data import CALIBRATION, Exposure, FrameKind, FrameStatus, Step
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import FrameError, HeaderError, InputError
from lightcurve.core.files import file_state, read_text
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.camera_raw import is_raw_name
from lightcurve.frames.cards import Cards, find, number
from lightcurve.frames.clocks import check_cadence, natural_key
from lightcurve.frames.headers import TIMELESS, normalise, warn_of_no_time
from lightcurve.frames.kinds import is_stack, kind_by_content, kind_by_keyword
from lightcurve.frames.names import image_stem
from lightcurve.frames.planes import count_planes, plane_of
from lightcurve.frames.pointing import has_wcs
from lightcurve.frames.read import is_image_name, read_cards, read_frame

__all__ = [
    "RUN_FILES",
    "Entry",
    "Inventory",
    "Known",
    "ToldBy",
    "check_folder",
    "list_files",
    "narrow_inventory",
    "take_inventory",
]

MAX_BYTES = 50_000_000
_YES = frozenset({"yes", "y", "true", "1", "x"})
_NO = frozenset({"no", "n", "false", "0"})
RUN_FILES = {"run.toml", "state.sqlite", "run.log"}  # one of them tells a run folder
OWN_CARD = "LCPRODCT"  # every FITS file this program writes has it


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
    kind_source : str
        Keyword, file name, content or manifest, in words.
    exposure : Exposure
        That says nothing when the file could not be read.
    setup : tuple
        Camera, (ny, nx), binning, filter (not of bias and dark frames) and gain setting with
        offset and readout mode.
    status : FrameStatus
        Ok or unused.
    reason : str
        Why it is not used, or what was odd; empty when all is well.
    time_error : HeaderError or None
        Where the clocks of its header are why it is not used.
    told_by : ToldBy
        What told its kind.
    lost : bool
        A frame that nobody left out on purpose and that still cannot be used: broken, without a
        certain time, of unknown kind.
    serial : str
        Of the camera; empty where the header does not tell.
    stack : str
        The card that says that it is combined of others; empty where none does.
    has_wcs : bool
        Whether its header claims to place it on the sky.
    product : str
        What this program wrote it as, such as ``"master bias"``; empty for frames of others.
    """

    path: Path
    name: str
    kind: FrameKind
    kind_source: str = ""
    exposure: Exposure = field(default_factory=Exposure)
    setup: tuple = ()
    status: FrameStatus = FrameStatus.OK
    reason: str = ""
    time_error: HeaderError | None = None
    told_by: ToldBy = ToldBy.NOTHING
    lost: bool = False
    serial: str = ""
    stack: str = ""
    has_wcs: bool = False
    product: str = ""

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
            "use": "yes" if self.status == FrameStatus.OK else "no",
            "status": self.status,
            "reason": self.reason,
        }


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


@dataclass(frozen=True, slots=True)
class Edit:
    """What a manifest says of one file; None leaves it as found."""

    kind: FrameKind | None = None
    use: bool | None = None
    reason: str = ""


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
            entries.append(_twin(path, name, twin))
        elif edits or known is None:
            entries += _entries(path, name, settings, edits)
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


def apply_key(name: str) -> str:
    """Give the form, with forward slashes, in which names relative to the folder are compared."""
    return name.strip().replace("\\", "/").removeprefix("./")


def read_manifest(path: str | Path) -> dict[str, Edit]:
    """Read an edited table of files, by file; raises InputError naming the line at fault.

    CSV with a column ``file`` and ``kind`` or ``use`` or both; others are ignored, so that
    frames.csv itself serves.
    """
    path = Path(path)
    text = read_text(path, "a manifest", max_bytes=MAX_BYTES)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(table)
    except csv.Error as error:
        msg = f"{path.name}: cannot be read as a manifest: {error}"
        raise InputError(msg) from error
    names = {name.strip().lower() for name in table.fieldnames or () if name}
    if "file" not in names or not names & {"kind", "use"}:
        msg = f"{path.name}: a manifest needs the columns file, and kind or use"
        raise InputError(msg)
    edits: dict[str, Edit] = {}
    for line, row in enumerate(rows, start=2):
        plain = {k.strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(k, str)}
        if not plain["file"]:
            continue
        key = apply_key(plain["file"])
        if key in edits:
            msg = f"{path.name}, line {line}: {key[:80]} stands twice"
            raise InputError(msg)
        edits[key] = _edit(plain, f"{path.name}, line {line}")
    return edits


def _edit(row: Mapping[str, str], place: str) -> Edit:
    kind, use = row.get("kind", "").lower(), row.get("use", "").lower()
    if kind and kind not in set(FrameKind):
        known = [kind for kind in FrameKind if kind is not FrameKind.OTHER]
        msg = f"{place}: kind {kind[:30]!r} is none of {', '.join(known)}"
        raise InputError(msg)
    if use and use not in _YES | _NO:
        msg = f"{place}: use {use[:30]!r} is neither yes nor no"
        raise InputError(msg)
    return Edit(
        kind=None if kind in {"", FrameKind.UNKNOWN, FrameKind.OTHER} else FrameKind(kind),
        use=use in _YES if use else None,
        reason=row.get("reason", "") if use in _NO else "",
    )


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
        known[path] = state, _entries(path, name, settings, {})
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


def _entries(path: Path, name: str, settings: Settings, edits: dict[str, Edit]) -> list[Entry]:
    """Tell what a file is: one frame, or as many as a cube has planes.

    edits: of the file, or of a plane by its own name; what is told of it is taken out.
    """
    edit = edits.pop(apply_key(name), None)
    if not is_image_name(path):
        why = "not a FITS file"
        kind = FrameKind.OTHER
        return [Entry(path, name, kind, "file name", status=FrameStatus.UNUSED, reason=why)]
    try:
        with guard_frame(path):
            read = read_cards(path, settings.camera.profile)
    except FrameError as error:
        return [_broken(path, name, edit, error)]
    count = count_planes(read[0])
    if count == 1:
        return [_entry(path, name, read, settings, edit)]
    entries = []
    for k in range(count):
        own = edits.pop(apply_key(f"{name}[{k}]"), edit)
        plane = path.with_name(f"{path.name}[{k}]")
        notes = tuple(note for note in read[2] if not note.startswith("plane "))
        entries.append(_entry(plane, f"{name}[{k}]", (*read[:2], notes), settings, own))
    return entries


def _twin(path: Path, name: str, twin: str) -> Entry:
    """Leave out a camera's raw file that was converted to FITS beside it."""
    why = f"the same frame as {twin}, which is taken"
    kind = FrameKind.OTHER
    return Entry(path, name, kind, "file name", status=FrameStatus.UNUSED, reason=why)


def _broken(path: Path, name: str, edit: Edit | None, error: FrameError) -> Entry:
    kind = edit.kind if edit and edit.kind else FrameKind.UNKNOWN
    return Entry(path, name, kind, status=FrameStatus.UNUSED, reason=error.reason, lost=True)


def _entry(
    path: Path,
    name: str,
    read: tuple[Cards, tuple[int, int], tuple[str, ...]],
    settings: Settings,
    edit: Edit | None,
) -> Entry:
    """Tell what a frame is; read: what `read_cards` gave of its file."""
    cards, shape, notes = read
    try:
        with guard_frame(path):
            exposure, error = normalise(cards, path=path, shape=shape, settings=settings)
            kind, source, told_by = _kind(path, exposure, cards, edit)
    except FrameError as unreadable:
        return _broken(path, name, edit, unreadable)
    sources = {**exposure.sources, "kind": source}
    exposure = warn_of_no_time(replace(exposure, kind=kind, sources=sources), error)
    exposure = replace(exposure, warnings=(*exposure.warnings, *notes))
    stack = "" if plane_of(path) is not None else is_stack(cards) or ""
    exposure = _as_master(exposure, stack)
    reason = _left_out(exposure, cards, edit)
    fault = "" if reason else _fault(kind, error)
    return Entry(
        path=path,
        name=name,
        kind=kind,
        kind_source=source,
        exposure=exposure,
        setup=_setup(exposure, cards),
        status=FrameStatus.UNUSED if reason or fault else FrameStatus.OK,
        reason=reason or fault or "; ".join(exposure.warnings),
        time_error=error if error is not None and fault == error.reason else None,
        told_by=told_by,
        lost=bool(fault),
        serial=exposure.serial or "",
        stack=stack,
        has_wcs=has_wcs(cards),
        product=own.text if (own := find(cards, "own_product")) else "",
    )


def _kind(
    path: Path, exposure: Exposure, cards: Cards, edit: Edit | None
) -> tuple[FrameKind, str, ToldBy]:
    """Tell the kind of a frame, its source in words, and by what."""
    if edit and edit.kind:
        return edit.kind, "manifest", ToldBy.MANIFEST
    if exposure.kind == FrameKind.UNKNOWN:
        return *_look_at_pixels(path, exposure, cards), ToldBy.CONTENT
    told_by = ToldBy.KEYWORD if kind_by_keyword(cards) else ToldBy.NAME
    return exposure.kind, exposure.sources.get("kind", ""), told_by


def _look_at_pixels(path: Path, exposure: Exposure, cards: Cards) -> tuple[FrameKind, str]:
    frame = read_frame(path, need_time=False)
    bits = cards["BITPIX"].text if "BITPIX" in cards else ""
    highest = exposure.saturation_adu or (255.0 if number(bits) == 8 else 65535.0)
    return kind_by_content(frame.pixels, exposure.exposure_s, highest)


def _as_master(exposure: Exposure, stack: str) -> Exposure:
    """Take a combined flat for what programs make of flats: bias and dark are off, if unsaid."""
    if not stack or exposure.kind != FrameKind.FLAT or exposure.done:
        return exposure
    said = f"{stack}: a master flat, whose bias and dark are taken to be off already"
    done = (Step.BIAS, Step.DARK)
    return replace(exposure, done=done, warnings=(*exposure.warnings, said))


def _left_out(exposure: Exposure, cards: Cards, edit: Edit | None) -> str:
    """Say why a readable frame is left out on purpose; an empty string when it is not."""
    if edit and edit.use is False:
        return edit.reason or "left out by the manifest"
    wanted = bool(edit and edit.use)
    if find(cards, "own_product") and not wanted:
        return f"made by lightcurve itself ({OWN_CARD} in its header)"
    if exposure.kind in {FrameKind.SPECTRUM, FrameKind.BAD} and not wanted:
        return f"no picture of stars: {exposure.sources['kind'].removeprefix('header ')}"
    return "" if wanted else _too_short(exposure, cards)


def _too_short(exposure: Exposure, cards: Cards) -> str:
    """Say that a light frame is shorter than the camera's profile wants it."""
    shortest = cards.camera.camera.shortest_s if cards.camera else None
    if cards.camera is None or shortest is None or exposure.kind != FrameKind.LIGHT:
        return ""
    length = exposure.exposure_s
    short = length is not None and length < shortest
    return f"{length:g} s, {cards.camera.source} wants {shortest:g} s or more" if short else ""


def _fault(kind: FrameKind, error: HeaderError | None) -> str:
    """Say what is wrong with a frame that is wanted; an empty string for nothing."""
    if error is not None and kind not in TIMELESS:
        return error.reason
    if kind == FrameKind.UNKNOWN:
        return "neither header, name nor pixels tell its kind: set it in a manifest (--manifest)"
    return ""


def _setup(exposure: Exposure, cards: Cards) -> tuple:
    """Lay out what frames of one setup have in common; gains in e/ADU are measured by some."""
    band = None if exposure.kind in {FrameKind.BIAS, FrameKind.DARK} else exposure.filter
    told = {"GAIN": exposure.gain_setting} if find(cards, "gain_setting") else {}
    told |= {"offset": exposure.offset_setting, "mode": exposure.readout_mode}
    words = [word if name == "GAIN" else f"{name} {word}" for name, word in told.items() if word]
    return (exposure.camera, exposure.shape, exposure.binning, band, ", ".join(words) or None)


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
