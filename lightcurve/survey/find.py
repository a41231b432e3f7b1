"""Which folders are nights: those that hold frames, with their folders of calibration frames."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lightcurve.core.data import CALIBRATION
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.dialects import KIND_WORDS, KINDS
from lightcurve.frames.inventory import RUN_FILES, list_files
from lightcurve.frames.read import is_image_name
from lightcurve.tables.survey_index import INDEX, RUNS, NightRow

log = logging.getLogger(__name__)
# A folder of such a name holds frames of one kind of the night above it.
OF_KINDS = {"raw", "calib", "calibration", "calibrations", "cal", "cals"} | {
    word for word in KIND_WORDS if word not in KINDS.loose
}
READERS = 16  # folders listed at once: shared storage answers late, not slowly
# Of the settings, what changes no number.
ASIDE = {"workers", "cluster", "figures"}


def find_nights(roots: Sequence[Path], out: Path) -> list[tuple[Path, str]]:
    """List the nights below some folders, each with the folder of its run, below `RUNS`.

    Run folders and hidden ones are passed over. A folder `darks`, `lights` ... belongs to the night
    above it, and so does any folder within a night. Calibration frames and single files in a root
    beside its nights are left out.

    Raises InputError where a root is no folder.
    """
    found: dict[Path, str] = {}
    for root in roots:
        if not root.is_dir():
            msg = f"{root}: there is no such folder"
            raise InputError(msg)
        whole = root.resolve()
        nights = sorted({night for folder in _with_images(whole, out.resolve())
                         if (night := _night_of(folder, whole))})  # fmt: skip
        if whole in nights and len(nights) > 1:
            log.warning("%s: images beside the nights in it are left out", root)
            nights.remove(whole)
        for night in _outermost(nights):
            name = "/".join((root.name or "root", *night.relative_to(whole).parts))
            found.setdefault(night, name)
    return list(zip(found, _apart(list(found.values())), strict=True))


def _with_images(root: Path, out: Path) -> Iterator[Path]:
    """Go over folders that have images of their own."""
    for place, folders, names in os.walk(root, onerror=_tell):
        path = Path(place)
        if path == out or (path != root and {*RUN_FILES, INDEX}.intersection(names)):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if any(is_image_name(name) and not name.startswith(".") for name in names):
            if _is_text(path):
                yield path
            else:
                told = ascii(str(path))
                log.warning("%s: its name is no UTF-8, left out: give it another", told)


def _is_text(path: Path) -> bool:
    """Say whether an index can hold a path: names may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _tell(error: OSError) -> None:
    log.warning("%s: cannot be listed, left out: %s", error.filename, error.strerror)


def _night_of(folder: Path, root: Path) -> Path | None:
    """Climb from a folder of one kind to its night; None for calibration frames of a whole root."""
    night = folder
    while night != root and _plain(night.name) in OF_KINDS:
        night = night.parent
    only = KIND_WORDS.get(_plain(folder.name)) in CALIBRATION
    return None if night == root and folder != root and only else night


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _outermost(nights: Sequence[Path]) -> Iterator[Path]:
    """Leave out what lies within a night before it: `nights` is sorted."""
    last: Path | None = None
    for night in nights:
        if last is None or not night.is_relative_to(last):
            last = night
            yield night


def _apart(names: Sequence[str]) -> Iterator[str]:
    """Give each name a number where another, but for its case, is the same."""
    taken: set[str] = set()
    for name in names:
        tries = (name, *(f"{name}-{k}" for k in range(2, len(names) + 2)))
        one = next(each for each in tries if each.lower() not in taken)
        taken.add(one.lower())
        yield one


def digest_of(settings: Settings) -> str:
    """Digest what of the settings may change a number."""
    text = json.dumps(settings.model_dump(mode="json", exclude=ASIDE), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def look_into(nights: Sequence[tuple[Path, str]], settings: Settings) -> Iterator[NightRow]:
    """Tell what is in each night, in their order; many are listed at once."""
    of_settings = digest_of(settings)
    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(lambda one: _row(one[0], one[1], of_settings), nights)


def _row(folder: Path, run: str, of_settings: str) -> NightRow:
    total, frames, size = hashlib.sha256(of_settings.encode()), 0, 0
    for path in sorted(list_files(folder)):
        try:
            status = path.stat()
        except OSError:
            continue  # gone meanwhile
        told = f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0"
        total.update(told.encode(errors="surrogateescape"))
        frames += is_image_name(path)
        size += status.st_size
    return NightRow(str(folder), f"{RUNS}/{run}", total.hexdigest(), frames, size)
