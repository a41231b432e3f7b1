"""Many frames by the story of one: their folders, what is not done again, one table of all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightcurve.calib.master_files import load_masters
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.query import SERVICES
from lightcurve.core.data import Masters
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.progress import Clock, Progress, open_log, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.names import fits_stem
from lightcurve.frames.read import fits_files
from lightcurve.image.folder import as_before, is_free, reason_of, state_of
from lightcurve.image.locate import wanted_target
from lightcurve.image.reduced import summarise
from lightcurve.image.sequence import judge, keep_row, quick_settings, recall_rows, write_sequence
from lightcurve.image.sky import services_for
from lightcurve.image.standards import wanted_band
from lightcurve.image.story import measure_image, reduce_image

__all__ = ["measure_sequence", "reduce_images"]

log = logging.getLogger(__name__)


def reduce_images(
    paths: Sequence[Path], settings: Settings, out: Path, *, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Reduce frames, each on its own; one that fails costs itself alone.

    A frame that was reduced into this folder before, with these settings and answers from every
    service, is not reduced again.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken.
    out : Path
        Gets a folder for each frame.

    Returns
    -------
    list of dict
        One a frame: file, status, reason, folder, and what `summarise` tells.

    Raises
    ------
    InputError
        When a catalogue given or the masters cannot be read, or there is no such band, service or
        place.
    CatalogError
        When the target is given by a name that cannot be resolved.
    """

    def reduce(file: Path, name: str, masters: Masters | None) -> dict[str, Any]:
        folder = out / name
        before = as_before(folder, state_of(file, settings))
        if before is not None:
            log.info("%s: taken from %s: frame and settings are the same", file.name, folder)
            return {**before, "folder": str(folder)}
        reduced = reduce_image(file, settings, folder, masters=masters)
        return {**reduced.products.summary, "folder": str(folder)}

    return _each(paths, settings, reduce, progress, out)


def measure_sequence(
    paths: Sequence[Path], settings: Settings, out: Path, *, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Measure zero point, FWHM, limit and quality of frames, and write them as one table.

    Each row is kept as it comes: a frame that was measured before, with these settings and answers
    from every service, is not measured again.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken.
    out : Path
        Gets sequence.csv, sequence.png, and sequence.jsonl, the rows kept.

    Returns
    -------
    list of dict
        One a frame: file, status, reason, quality, and what `summarise` tells.

    Raises
    ------
    InputError
        When a catalogue given or the masters cannot be read, or there is no such band, service or
        place.
    CatalogError
        When the target is given by a name that cannot be resolved.
    """
    quick, keep = quick_settings(settings), out / "sequence.jsonl"

    def measure(file: Path, _: str, masters: Masters | None) -> dict[str, Any]:
        state = state_of(file, quick)
        if state in kept:
            log.info("%s: taken from %s: frame and settings are the same", file.name, keep)
            return kept[state]
        row = dict(summarise(measure_image(file, quick, Clock(), masters=masters)))
        keep_row(keep, state, row)
        return row

    with open_log(out):
        kept = recall_rows(keep)
        rows = _each(paths, settings, measure, progress)
        for row, quality in zip(rows, judge(rows), strict=True):
            row["quality"] = quality
        write_sequence(out, rows)
    return rows


def _each(
    paths: Sequence[Path],
    settings: Settings,
    work: Callable[[Path, str, Masters | None], dict[str, Any]],
    progress: Progress,
    out: Path | None = None,
) -> list[dict[str, Any]]:
    """Do the work on each frame; names are those of folders in `out` that are free for it."""
    _check_settings(settings)
    folder = settings.image.masters
    masters = load_masters(folder) if folder is not None else None
    files, missing = _listed(paths)
    rows = []
    pairs = list(zip(files, _free_names(files, out), strict=True))
    for file, name in progress(pairs, "Reducing", len(files)):
        row: dict[str, Any] = {"file": file.name, "status": "reduced", "reason": ""}
        try:
            if file in missing:
                raise missing[file]
            row |= work(file, name, masters)
        except (LightcurveError, OSError) as error:
            reason = reason_of(error, file)
            row |= {"status": "failed", "reason": reason}
            log.error("%s: %s", file.name, reason)
        rows.append(row)
    return rows


def _check_settings(settings: Settings) -> None:
    """Refuse, before the first frame, what would fail every one of them."""
    wanted_target(settings)
    wanted_band(None, settings.image)
    for file in settings.catalogs.files:
        read_file(file)
    for name in services_for("G", 0.0, settings, given=False):
        SERVICES.get(name)


def _listed(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, InputError]]:
    """List the files of the paths, in order; a path that has none stands for itself."""
    files: list[Path] = []
    missing: dict[Path, InputError] = {}
    for path in paths:
        try:
            files += fits_files(path)
        except InputError as error:
            files.append(path)
            missing[path] = error
    return files, missing


def _free_names(files: Sequence[Path], out: Path | None) -> list[str]:
    """Name each frame's folder after its file; where that is another's, it gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    for file in files:
        stem = name = fits_stem(file) or "frame"
        number = 1
        # Not every file system tells upper case from lower.
        while name.casefold() in taken or (out is not None and not is_free(out / name, file)):
            number += 1
            name = f"{stem}_{number}"
        names.append(name)
        taken.add(name.casefold())
    return names
