"""Take stock of a folder: every file, what it is, and why it is or is not used.

Headers only are read; pixels are looked at where neither header nor name tells a frame's kind.
Nothing is moved or changed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lightcurve.config import Settings
from lightcurve.data import Exposure
from lightcurve.errors import FrameError, HeaderError, InputError
from lightcurve.frames.cadence import check_cadence, natural_key
from lightcurve.frames.cards import Cards, find, number
from lightcurve.frames.content import kind_by_content
from lightcurve.frames.entries import OTHER, Entry, Inventory, ToldBy
from lightcurve.frames.headers import TIMELESS, normalise, without_time
from lightcurve.frames.kinds import kind_by_keyword
from lightcurve.frames.manifest import Edit, apply_key, read_manifest
from lightcurve.frames.read import is_fits_name, read_cards, read_frame
from lightcurve.progress import Progress, silent

RUN_FILES = {"run.toml", "state.sqlite"}  # one of them tells a run folder
OWN_CARD = "LCPRODCT"  # every FITS file this program writes has it


def take_inventory(
    folder: str | Path,
    settings: Settings | None = None,
    *,
    manifest: str | Path | None = None,
    progress: Progress = silent,
) -> Inventory:
    """Find every file below a folder and tell what it is.

    Hidden folders and run folders (they hold a run.toml or a state.sqlite) are passed over.

    Parameters
    ----------
    manifest : path-like, optional
        An edited frames.csv; its kinds and its ``use`` win.

    Raises
    ------
    InputError
        When the folder is missing or holds no FITS file, or the manifest does not fit.
    """
    folder, settings = Path(folder), settings or Settings()
    check_folder(folder)
    paths = sorted(
        _files(folder), key=lambda path: natural_key(path.relative_to(folder).as_posix())
    )
    if not any(is_fits_name(path) for path in paths):
        msg = f"{folder}: no FITS file (.fits .fit .fts, also packed) among {len(paths)} files"
        raise InputError(msg)
    edits = read_manifest(manifest) if manifest is not None else {}
    entries = []
    for path in progress(paths, "taking stock", len(paths)):
        name = path.relative_to(folder).as_posix()
        entries.append(_entry(path, name, settings, edits.pop(apply_key(name), None)))
    if edits and manifest is not None:
        msg = f"{Path(manifest).name}: {next(iter(edits))} is not in {folder} ({len(edits)} such)"
        raise InputError(msg)
    entries = [_starless_light(entry, entries) for entry in entries]
    warnings = (*_losses(entries), *_guesses(entries), *_look_at_times(entries))
    return Inventory(folder, tuple(entries), warnings)


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
    if entry.kind != "dark" or entry.told_by is not ToldBy.CONTENT:
        return entry
    like_it = [
        moment
        for other in entries
        if (moment := other.exposure.mid_jd_utc) is not None
        and other.kind == "light"
        and other.status == "ok"
        and other.exposure.shape == entry.exposure.shape
        and other.exposure.exposure_s == entry.exposure.exposure_s
    ]
    middle = entry.exposure.mid_jd_utc
    if middle is None or not like_it or not min(like_it) < middle < max(like_it):
        return entry
    source = f"{entry.kind_source}, but between light frames: clouds?"
    exposure = replace(entry.exposure, kind="light")
    return replace(entry, kind="light", kind_source=source, exposure=exposure)


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
    for kind in ("bias", "dark", "flat"):
        guessed = [
            e.name
            for e in entries
            if e.kind == kind and e.status == "ok" and e.told_by is ToldBy.CONTENT
        ]
        if guessed:
            lines.append(
                f"{_frames(guessed)} taken for {kind} by their pixels alone, first "
                f"{guessed[0]}; if that is wrong, correct it in a manifest (--manifest)"
            )
    return tuple(lines)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        if Path(place) != folder and RUN_FILES.intersection(names):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _unreadable(error: OSError) -> None:
    msg = f"{error.filename}: cannot be listed: {error.strerror}"
    raise InputError(msg) from error


def _entry(path: Path, name: str, settings: Settings, edit: Edit | None) -> Entry:
    if not is_fits_name(path):
        return Entry(path, name, OTHER, "file name", status="unused", reason="not a FITS file")
    try:
        return _frame_entry(path, name, settings, edit)
    except FrameError as error:
        kind = edit.kind if edit and edit.kind else "unknown"
        return Entry(path, name, kind, status="unused", reason=error.reason, lost=True)


def _frame_entry(path: Path, name: str, settings: Settings, edit: Edit | None) -> Entry:
    cards, shape, notes = read_cards(path)
    exposure, error = normalise(cards, path=path, shape=shape, settings=settings)
    kind, source = exposure.kind, exposure.sources.get("kind", "")
    told_by = ToldBy.KEYWORD if kind_by_keyword(cards) else ToldBy.NAME
    if edit and edit.kind:
        kind, source, told_by = edit.kind, "manifest", ToldBy.MANIFEST
    elif kind == "unknown":
        kind, source = _look_at_pixels(path, exposure, cards)
        told_by = ToldBy.CONTENT
    sources = {**exposure.sources, "kind": source}
    warnings = exposure.warnings
    if error is not None and kind in TIMELESS:
        warnings = tuple(line for line in warnings if line != without_time(error))
    exposure = replace(exposure, kind=kind, sources=sources, warnings=(*warnings, *notes))
    reason = _left_out(cards, edit)
    fault = "" if reason else _fault(kind, error)
    return Entry(
        path=path,
        name=name,
        kind=kind,
        kind_source=source,
        exposure=exposure,
        setup=_setup(exposure, cards),
        status="unused" if reason or fault else "ok",
        reason=reason or fault or "; ".join(exposure.warnings),
        time_error=error if error is not None and fault == error.reason else None,
        told_by=told_by,
        lost=bool(fault),
    )


def _look_at_pixels(path: Path, exposure: Exposure, cards: Cards) -> tuple[str, str]:
    frame = read_frame(path, need_time=False)
    bits = cards["BITPIX"].text if "BITPIX" in cards else ""
    highest = exposure.saturation_adu or (255.0 if number(bits) == 8 else 65535.0)
    return kind_by_content(frame.pixels, exposure.exposure_s, highest)


def _left_out(cards: Cards, edit: Edit | None) -> str:
    """Say why a readable frame is left out on purpose; an empty string when it is not."""
    if edit and edit.use is False:
        return edit.reason or "left out by the manifest"
    wanted = bool(edit and edit.use)
    if find(cards, "own_product") and not wanted:
        return f"made by lightcurve itself ({OWN_CARD} in its header)"
    typed = find(cards, "kind")
    if typed and "master" in typed.text.lower() and not wanted:
        return f"a master frame of another program ({typed.keyword} = {typed.text[:30]})"
    return ""


def _fault(kind: str, error: HeaderError | None) -> str:
    """Say what is wrong with a frame that is wanted; an empty string for nothing."""
    if error is not None and kind not in TIMELESS:
        return error.reason
    if kind == "unknown":
        return "neither header, name nor pixels tell its kind: set it in a manifest (--manifest)"
    return ""


def _setup(exposure: Exposure, cards: Cards) -> tuple:
    gain = find(cards, "gain_setting")
    band = None if exposure.kind in {"bias", "dark"} else exposure.filter
    return (exposure.camera, exposure.shape, exposure.binning, band, gain.text if gain else None)


def _look_at_times(entries: Sequence[Entry]) -> tuple[str, ...]:
    lights = [e for e in entries if e.kind == "light" and e.status == "ok"]
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
