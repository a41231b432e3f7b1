"""Place frames on the sky, each on its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.astrometry.index import coverage, find_index_files
from lightcurve.astrometry.request import SolveRequest, settle
from lightcurve.astrometry.wcs import middle_deg, wcs_into_copy, write_wcs_sidecar
from lightcurve.calib.reduce import reduce_frame
from lightcurve.catalogs.known_stars import StarSource, star_source
from lightcurve.catalogs.layout import Field
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Frame, FrameStatus, Solution
from lightcurve.core.errors import CatalogError, InputError, LightcurveError, SolveError
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.headers import TIMELESS
from lightcurve.frames.names import product_stems
from lightcurve.frames.read import image_files, read_frame
from lightcurve.setup.colour import find
from lightcurve.setup.solving import request_for, solve_frame
from lightcurve.setup.target import known_place

__all__ = ["SolveOutput", "solve_frames"]

FIELDS = (
    "solver", "ra_deg", "dec_deg", "scale_arcsec", "rotation_deg", "parity", "n_matched",
    "rms_arcsec",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SolveOutput:
    """What is written of each solution.

    Attributes
    ----------
    folder : Path or None
        Gets ``NAME.wcs``; nothing is written without it.
    copies : bool
        It also gets ``NAME_wcs.fits``, the frame with its WCS in the header.
    """

    folder: Path | None = None
    copies: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    """A frame, the name it goes by, and what its products are called."""

    path: Path
    name: str
    stem: str


def solve_frames(
    paths: Sequence[Path],
    settings: Settings,
    output: SolveOutput | None = None,
    *,
    catalog: str | None = None,
    progress: Progress = silent,
) -> Iterator[dict[str, Any]]:
    """Solve frames on the sky, each on its own.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken; what is named twice is solved once.
    catalog : str, optional
        Stars to check and refine each solution with, at the epoch of each frame: a file or a
        service, as `star_source` takes them.

    Returns
    -------
    iterator of dict
        One a frame, as it comes: file, status (solved, failed, or skipped for a calibration frame
        in a folder), solver, ra_deg and dec_deg of the centre, scale_arcsec, rotation_deg, parity,
        n_matched, rms_arcsec, detail, sip_order, reason.

    Raises
    ------
    InputError
        When a path does not exist or holds no FITS file, an index given is none, the catalogue
        cannot be read, or copies are wanted and no folder to write them to. All this comes before
        the first frame.
    """
    output = output or SolveOutput()
    if output.copies and output.folder is None:
        msg = "--write-copy: name the folder for the copies with --out"
        raise InputError(msg)
    jobs = _name_jobs([file for path in paths for file in image_files(path)])
    if settings.solve.index:
        coverage(find_index_files(settings=settings.solve))
    source = None if catalog is None else star_source(catalog, settings.catalogs)
    if output.copies and output.folder is not None:
        _see_that_copies_replace_none(jobs, output.folder)
    place = known_place(settings.target)
    named = {path.resolve() for path in paths}
    return (
        _solve_row(job, settings, place, source, output, named=job.path.resolve() in named)
        for job in progress(jobs, "Solving", len(jobs))
    )


def _see_that_copies_replace_none(jobs: Sequence[_Job], folder: Path) -> None:
    taken = {job.path.resolve() for job in jobs}
    for job in jobs:
        copy = _copy_path(job, folder)
        if copy.resolve() in taken:
            msg = f"{copy}: a copy would replace this frame; another --out"
            raise InputError(msg)


def _name_jobs(files: Sequence[Path]) -> list[_Job]:
    """Name frames by their file names; those alike by as much of the folders as tells them apart.

    Products are named as `product_stems` does: ``m1.fits.gz`` gives ``m1``, and what lies in
    folders of the frames lies in folders here.
    """
    files = list({file.resolve(): file for file in files}.values())
    full = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  (links stay as named)
    root = Path(os.path.commonpath([file.parent for file in full]))
    # Not every file system tells upper case from lower.
    names = Counter(file.name.casefold() for file in full)
    labels = [
        str(file.relative_to(root)) if names[file.name.casefold()] > 1 else file.name
        for file in full
    ]
    return [_Job(*job) for job in zip(files, labels, product_stems(labels), strict=True)]


def _copy_path(job: _Job, folder: Path) -> Path:
    packed = ".fz" if job.path.name.lower().endswith(".fz") else ""
    return folder / f"{job.stem}_wcs.fits{packed}"


def _solve_row(
    job: _Job,
    settings: Settings,
    place: tuple[float, float] | None,
    source: StarSource | None,
    output: SolveOutput,
    *,
    named: bool,
) -> dict[str, Any]:
    row = {"file": job.name, "status": FrameStatus.FAILED, **dict.fromkeys(FIELDS)}
    row |= {"detail": "", "sip_order": None, "reason": ""}
    try:
        with guard_frame(job.path):
            return row | _solve_one(job, settings, place, source, output, named=named)
    except LightcurveError as error:
        return row | {"reason": error.beside(job.path.name)}


def _solve_one(
    job: _Job,
    settings: Settings,
    place: tuple[float, float] | None,
    source: StarSource | None,
    output: SolveOutput,
    *,
    named: bool,
) -> dict[str, Any]:
    frame = reduce_frame(read_frame(job.path, settings=settings, need_time=False), None)
    if not named and frame.exposure.kind in TIMELESS:
        return {"status": FrameStatus.SKIPPED, "reason": f"a {frame.exposure.kind} frame"}
    stars = find(frame, saturation_adu=frame.exposure.saturation_adu)
    request = request_for(frame, stars, settings, place)
    solution, remark = _solve(frame, request, settings, source)
    if output.folder is not None:
        write_wcs_sidecar(output.folder / f"{job.stem}.wcs", solution, frame.pixels.shape)
        if output.copies:
            wcs_into_copy(job.path, _copy_path(job, output.folder), solution)
    if not solution.n_matched:
        remark = remark or solution.detail
    told = {"status": FrameStatus.SOLVED, "reason": remark}
    return _describe(solution, frame.pixels.shape) | told


def _solve(
    frame: Frame, request: SolveRequest, settings: Settings, source: StarSource | None
) -> tuple[Solution, str]:
    """Solve a frame, refine it with a catalogue where one is wanted; say what could not be done."""
    if source is None:
        return solve_frame(request, settings.solve), ""
    mid = frame.exposure.mid_jd_utc
    remark = "" if mid is not None else f"its time is not known: {source.name} taken as of 2000.0"
    field = Field(0.0, 0.0, 180.0, 2000.0 if mid is None else 2000.0 + (mid - J2000_JD) / YEAR_DAYS)
    if not source.needs_place:
        known = replace(request, catalog=source.stars(field))
        return solve_frame(known, settings.solve), remark
    rough = solve_frame(request, settings.solve)
    try:
        sky = source.stars(_around(rough, request.shape, field))
        known = replace(request, catalog=sky)
        if not rough.n_matched:
            # Nothing has checked it so far: another solver may have to put it right.
            return solve_frame(known, settings.solve), remark
        return settle(rough.wcs, known, sky, rough.solver, rough.detail), remark
    except CatalogError as error:
        return rough, f"not refined: {error}"
    except SolveError as error:
        if not rough.n_matched:
            raise
        return rough, f"not refined: by {source.name} {error}"


def _around(solution: Solution, shape: tuple[int, int], field: Field) -> Field:
    """Put a cone around a frame."""
    ra, dec = middle_deg(solution.wcs, shape)
    radius = 0.55 * float(np.hypot(*shape)) * solution.scale_arcsec / 3600
    return replace(field, ra_deg=ra, dec_deg=dec, radius_deg=radius)


def _describe(solution: Solution, shape: tuple[int, int]) -> dict[str, Any]:
    ra, dec = middle_deg(solution.wcs, shape)
    sip = solution.wcs.sip
    return {
        "solver": solution.solver,
        "ra_deg": ra,
        "dec_deg": dec,
        "scale_arcsec": solution.scale_arcsec,
        "rotation_deg": solution.rotation_deg,
        "parity": solution.parity,
        "n_matched": solution.n_matched,
        "rms_arcsec": solution.rms_arcsec,
        "detail": solution.detail,
        "sip_order": 1 if sip is None else max(sip.a_order, sip.b_order),
    }
