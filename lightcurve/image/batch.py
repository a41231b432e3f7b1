"""Many frames by the story of one: their folders, what is not done again, one table of all."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.calib.library import Library
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.services import reference_frames
from lightcurve.core.data import Figures, FrameStatus, Quality
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.files import json_text, read_text, write_text
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import (
    Progress,
    open_log,
    silent,
)
from lightcurve.core.settings import STANDARDS, Settings
from lightcurve.core.table_text import csv_text
from lightcurve.frames.names import image_stem
from lightcurve.frames.read import image_files
from lightcurve.image.folder import as_before, is_free, state_of
from lightcurve.image.locate import wanted_target
from lightcurve.image.sky import services_for, wanted_band
from lightcurve.image.story import reduce_image
from lightcurve.image.workers import Frames
from lightcurve.report.image_plots import save_sequence

__all__ = ["each_frame", "free_names", "measure_sequence", "reduce_images"]

log = logging.getLogger(__name__)
COLUMNS = (
    "file", "status", "quality",
    "mid_jd_utc", "exposure_s", "filter", "band", "standards", "airmass",
    "zero_point_mag", "zero_point_err_mag", "zero_point_scatter_mag", "zero_point_stars",
    "fwhm_px", "fwhm_arcsec", "fwhm_err_px", "sky_adu", "sky_rms_adu", "sources",
    "limit_3_sigma_mag", "limit_5_sigma_mag", "limit_10_sigma_mag", "limit_5_sigma_inst_mag",
    "ra_deg", "dec_deg", "astrometry_stars", "astrometry_rms_px", "reason",
)  # fmt: skip
MAX_KEPT = 200_000_000  # bytes
# A frame is worse than the others of its filter beyond these multiples of their median.
WIDER = 1.4
DIMMER_MAG = 0.3  # a difference
BRIGHTER_SKY = 1.5
FEWER = 0.5


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

    def reduce(file: Path, name: str, library: Library) -> dict[str, Any]:
        masters = library.masters_for(file)
        folder = out / name
        before = as_before(folder, state_of(file, settings))
        if before is not None:
            log.info("%s: taken from %s: frame and settings are the same", file.name, folder)
            return {**before, "folder": str(folder)}
        reduced = reduce_image(file, settings, folder, masters=masters)
        return {**reduced.products.summary, "folder": str(folder)}

    return each_frame(paths, settings, reduce, progress, out)


def measure_sequence(
    paths: Sequence[Path], settings: Settings, out: Path, *, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Measure zero point, FWHM, limit and quality of frames, and write them as one table.

    Each row is kept as it comes: a frame that was measured before, with these settings and answers
    from every service, is not measured again. Those to come are placed as in one go: by the stars
    of the frame that the others were placed by.

    Parameters
    ----------
    out : Path
        Gets sequence.csv, sequence.jsonl, the rows as they come, and sequence.png where all figures
        are wanted.

    Returns
    -------
    list of dict
        One a frame: file, status, reason, quality, and what `summarise` tells.

    Raises
    ------
    InputError, CatalogError
        As `reduce_images`.
    """
    keep, quick = out / "sequence.jsonl", quick_settings(settings)

    def measure(file: Path, _: str, library: Library) -> dict[str, Any]:
        state = states.get(file) or state_of(file, quick)
        if state in kept:
            log.info("%s: taken from %s: frame and settings are the same", file.name, keep)
            frames.pass_by(file)
            return kept[state].row
        row = frames.measure(file, library)
        keep_row(keep, state, Kept(row, frames.sight == file))
        return row

    with open_log(out):
        kept = recall_rows(keep)
        if keep.exists():  # what is measured again is not to be kept twice
            write_text(keep, "".join(_line(state, one) for state, one in kept.items()))
        # Before anything is measured: a frame that changes meanwhile is one that has changed.
        states = _states(paths, quick)
        to_come = [file for file, state in states.items() if state not in kept]
        before = [file for file, state in states.items() if state in kept and kept[state].sight]
        with closing(Frames(to_come, quick, before[0] if before else None)) as frames:
            rows = each_frame(paths, settings, measure, progress)
        for row, quality in zip(rows, judge(rows), strict=True):
            row["quality"] = quality
        write_sequence(out, rows, settings.figures)
    return rows


def _states(paths: Sequence[Path], settings: Settings) -> dict[Path, str]:
    """Tell the states of all frames that are there; what is wrong with one, its row will say."""
    states = {}
    files, missing = listed(paths)
    for file in files:
        with suppress(OSError, RuntimeError):
            if file not in missing:
                states[file] = state_of(file, settings)
    return states


def each_frame(
    paths: Sequence[Path],
    settings: Settings,
    work: Callable[[Path, str, Library], dict[str, Any]],
    progress: Progress,
    out: Path | None = None,
) -> list[dict[str, Any]]:
    """Do the work on each frame; names are those of folders in `out` that are free for it."""
    _check_settings(settings)
    library = Library(settings)
    files, missing = listed(paths)
    rows = []
    pairs = list(zip(files, free_names(files, out), strict=True))
    for file, name in progress(pairs, "Reducing", len(files)):
        row: dict[str, Any] = {"file": file.name, "status": FrameStatus.REDUCED, "reason": ""}
        try:
            if file in missing:
                raise missing[file]
            with guard_frame(file):
                row |= work(file, name, library)
        except LightcurveError as error:
            reason = error.beside(file.name, str(file))
            row |= {"status": FrameStatus.FAILED, "reason": reason}
            if len(files) > 1:  # of a single one the command's last line says it
                log.error("%s: %s", file.name, reason)
        rows.append(row)
    return rows


def _check_settings(settings: Settings) -> None:
    """Refuse, before the first frame, what would fail every one of them."""
    wanted_target(settings)
    wanted_band(None, settings.image)
    for file in settings.catalogs.files:
        read_file(file)
    services_for("G", 0.0, settings, given=False)


def listed(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, InputError]]:
    """List the files of the paths, in order; a path that has none stands for itself."""
    files: list[Path] = []
    missing: dict[Path, InputError] = {}
    for path in paths:
        try:
            files += image_files(path)
        except InputError as error:
            files.append(path)
            missing[path] = error
    return files, missing


def free_names(files: Sequence[Path], out: Path | None = None) -> list[str]:
    """Name what comes of each file after it; where that name is another's, it gets a number.

    out : the folder that holds, or will, a folder of each; None where names alone count.
    """
    names: list[str] = []
    taken: set[str] = set()
    for file in files:
        stem = name = image_stem(file) or "frame"
        number = 1
        # Not every file system tells upper case from lower.
        while name.casefold() in taken or (out is not None and not is_free(out / name, file)):
            number += 1
            name = f"{stem}_{number}"
        names.append(name)
        taken.add(name.casefold())
    return names


def quick_settings(settings: Settings) -> Settings:
    """Leave out what a sequence's table does not show: PSF, completeness, transients, names.

    The standards are those of the frame alone; places come of what solutions are checked with.
    """
    image = settings.image.model_copy(
        update={
            "psf": "none", "injected": 0, "transients": False,
            "services": settings.image.services or (STANDARDS, *reference_frames()),
        }
    )  # fmt: skip
    return settings.model_copy(update={"image": image})


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of a sequence as it is kept.

    sight : others were placed by the stars of its frame.
    """

    row: dict[str, Any]
    sight: bool

    @property
    def stands(self) -> bool:
        """Nothing is to be had by measuring it again: no service failed that may yet answer."""
        return self.row["status"] == FrameStatus.REDUCED and not self.row["failed_services"]


def recall_rows(path: Path) -> dict[str, Kept]:
    """Read the rows that a sequence, whole or stopped, has kept, where they still stand.

    path: by `keep_row`; need not be there.
    Returns row by state of frame and settings; a line that was cut off is left out.
    """
    rows = {}
    if path.exists():
        for line in read_text(path, "rows kept", max_bytes=MAX_KEPT).splitlines():
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                told = json.loads(line)
                kept = Kept(dict(told["row"]), bool(told["sight"]))
                if kept.stands:
                    rows[told["state"]] = kept
    return rows


def keep_row(path: Path, state: str, kept: Kept) -> None:
    """Add a row to those kept, at once.

    state: by `lightcurve.image.folder.state_of`. Raises InputError when it cannot be written.
    """
    try:
        with path.open("a+b") as file:
            file.seek(max(file.seek(0, SEEK_END) - 1, 0))
            # A line that was cut off must not take this one with it.
            begin = "\n" if file.read(1) not in {b"", b"\n"} else ""
            file.write((begin + _line(state, kept)).encode())
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}; is the disk full? try another --out"
        raise InputError(msg) from error


def _line(state: str, kept: Kept) -> str:
    return json_text({"state": state, "sight": kept.sight, "row": kept.row})


def judge(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of each frame whether it is like the others of its filter.

    rows: as `lightcurve.image.reduced.summarise` gives them, with ``status``.
    Returns ``"good"``, ``"failed"``, or what is worse than the median of the frames of its filter.
    """
    judged: list[str] = []
    for row in rows:
        if row["status"] == FrameStatus.FAILED:
            judged.append(FrameStatus.FAILED)
            continue
        alike = [r for r in rows if r.get("filter") == row.get("filter") and "fwhm_px" in r]
        tests = (
            ("wide stars", _value(row, "fwhm_px") > WIDER * _median(alike, "fwhm_px")),
            (
                "dim (cloud?)",
                _value(row, "zero_point_mag") < _median(alike, "zero_point_mag") - DIMMER_MAG,
            ),
            ("bright sky", _value(row, "sky_adu") > BRIGHTER_SKY * _median(alike, "sky_adu")),
            ("few sources", _value(row, "sources") < FEWER * _median(alike, "sources")),
            (FrameStatus.NOT_SOLVED, row["status"] == FrameStatus.NOT_SOLVED),
            (
                "no zero point",
                row["status"] == FrameStatus.REDUCED and row.get("zero_point_mag") is None,
            ),
        )
        judged.append("; ".join(reason for reason, true in tests if true) or Quality.GOOD)
    return judged


def _value(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _median(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = np.array([_value(row, name) for row in rows])
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def write_sequence(
    folder: Path, rows: Sequence[Mapping[str, Any]], figures: Figures
) -> dict[str, Path]:
    """Write the table and, where all figures are wanted, its own."""
    lines = [[row.get(name) for name in COLUMNS] for row in rows]
    paths = {"sequence.csv": write_text(folder / "sequence.csv", csv_text(COLUMNS, lines))}
    picture = folder / "sequence.png"
    picture.unlink(missing_ok=True)  # an earlier run's
    if figures == Figures.ALL:
        paths["sequence.png"] = save_sequence(picture, rows)
    return paths
