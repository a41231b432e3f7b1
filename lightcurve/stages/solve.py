"""Place frames on the sky, each on its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightcurve.astrometry.chain import SolveRequest, solve
from lightcurve.astrometry.copy import wcs_into_copy
from lightcurve.astrometry.starlist import StarList, read_star_list
from lightcurve.astrometry.wcs import write_wcs_sidecar
from lightcurve.config import Settings
from lightcurve.data import Frame, Solution
from lightcurve.errors import InputError, LightcurveError
from lightcurve.frames.read import PACKED_SUFFIXES, is_fits_name, read_frame
from lightcurve.phot.detect import detect
from lightcurve.progress import Progress, silent
from lightcurve.reference import submission_file
from lightcurve.target import find_target

FIELDS = (
    "solver",
    "ra_deg",
    "dec_deg",
    "scale_arcsec",
    "rotation_deg",
    "parity",
    "n_matched",
    "rms_arcsec",
)
J2000 = 2451545.0


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
    catalog: Path | None = None,
    catalog_epoch: float | None = None,
    progress: Progress = silent,
) -> Iterator[dict[str, Any]]:
    """Solve frames on the sky, each on its own.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken; what is named twice is solved once.
    settings : Settings
    output : SolveOutput, optional
    catalog : Path, optional
        Stars to check and refine each solution with, as `read_star_list` takes them, moved to the
        epoch of each frame.
    catalog_epoch : float, optional
        Julian year of the catalogue's places.
    progress : Progress

    Returns
    -------
    iterator of dict
        One a frame, as it comes: file, status (solved or failed), solver, ra_deg and dec_deg of
        the centre, scale_arcsec, rotation_deg, parity, n_matched, rms_arcsec, detail, sip_order,
        reason.

    Raises
    ------
    InputError
        When a path does not exist or holds no FITS file, the catalogue cannot be read, or copies
        are wanted and no folder to write them to. All this comes before the first frame.
    """
    output = output or SolveOutput()
    if output.copies and output.folder is None:
        msg = "--write-copy: name the folder for the copies with --out"
        raise InputError(msg)
    jobs = _name_jobs([file for path in paths for file in _fits_files(path)])
    stars = None if catalog is None else read_star_list(catalog, epoch=catalog_epoch)
    taken = {job.path.resolve() for job in jobs}
    for job in jobs if output.copies else ():
        if _copy_path(job, output.folder).resolve() in taken:
            msg = (
                f"{_copy_path(job, output.folder)}: a copy would replace this frame; another --out"
            )
            raise InputError(msg)
    place = _place(settings)
    return (
        _solve_row(job, settings, place, stars, output)
        for job in progress(jobs, "Solving", len(jobs))
    )


def _fits_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(p for p in path.glob("*") if is_fits_name(p)) if path.is_dir() else []
    if not files:
        msg = f"{path}: no such file, or no FITS file in it"
        raise InputError(msg)
    return files


def _name_jobs(files: Sequence[Path]) -> list[_Job]:
    """Name frames by their file names; those alike by as much of the folders as tells them apart.

    Products are named by the stem (``m1.fits.gz`` gives ``m1``), or by the whole file name where
    two frames in one folder differ in the ending only.
    """
    files = list({file.resolve(): file for file in files}.values())
    full = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  (links stay as named)
    root = Path(os.path.commonpath([file.parent for file in full]))
    inside = [file.relative_to(root) for file in full]
    alike = Counter(_stem(file).casefold() for file in full)
    twins = Counter((file.parent, _stem(file).casefold()) for file in full)
    jobs = []
    for path, whole, local in zip(files, full, inside, strict=True):
        unique = alike[_stem(whole).casefold()] == 1
        last = local.name if twins[whole.parent, _stem(whole).casefold()] > 1 else _stem(local)
        folder = Path() if unique else local.parent
        jobs.append(_Job(path, str(folder / local.name), str(folder / last)))
    return jobs


def _stem(path: Path) -> str:
    name = path.name
    for suffix in PACKED_SUFFIXES:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return Path(name).stem if is_fits_name(name) else name


def _copy_path(job: _Job, folder: Path) -> Path:
    packed = ".fz" if job.path.name.lower().endswith(".fz") else ""
    return folder / f"{job.stem}_wcs.fits{packed}"


def _place(settings: Settings) -> tuple[float, float] | None:
    """Where the target is, if the settings say so without asking a service."""
    given = settings.target
    if given.ra is given.dec is given.planet_file is None:
        return None
    target = find_target(given)
    return target.ra_deg, target.dec_deg


def _solve_row(
    job: _Job,
    settings: Settings,
    place: tuple[float, float] | None,
    stars: StarList | None,
    output: SolveOutput,
) -> dict[str, Any]:
    row = {"file": job.name, "status": "failed", **dict.fromkeys(FIELDS)}
    row |= {"detail": "", "sip_order": None, "reason": ""}
    try:
        frame = read_frame(job.path, settings=settings, need_time=False)
        solution = solve(_request(frame, settings, place, stars), settings.solve)
        row |= _describe(solution, frame.pixels.shape)
        if output.folder is not None:
            write_wcs_sidecar(output.folder / f"{job.stem}.wcs", solution, frame.pixels.shape)
        if output.copies:
            wcs_into_copy(job.path, _copy_path(job, output.folder), solution)
    except LightcurveError as error:
        return row | {"reason": str(error)}
    return row | {"status": "solved", "reason": _remark(frame, stars)}


def _describe(solution: Solution, shape: tuple[int, int]) -> dict[str, Any]:
    ny, nx = shape
    ra, dec = solution.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
    sip = solution.wcs.sip
    return {
        "solver": solution.solver,
        "ra_deg": float(ra),
        "dec_deg": float(dec),
        "scale_arcsec": solution.scale_arcsec,
        "rotation_deg": solution.rotation_deg,
        "parity": solution.parity,
        "n_matched": solution.n_matched,
        "rms_arcsec": solution.rms_arcsec,
        "detail": solution.detail,
        "sip_order": 1 if sip is None else max(sip.a_order, sip.b_order),
    }


def _remark(frame: Frame, stars: StarList | None) -> str:
    """Say what could not be done for a frame that was solved."""
    if stars is None or stars.motion_mas is None or frame.exposure.mid_jd_utc is not None:
        return ""
    return f"its time is not known: {stars.name} taken as of {stars.epoch:.1f}"


def _request(
    frame: Frame,
    settings: Settings,
    place: tuple[float, float] | None,
    stars: StarList | None,
) -> SolveRequest:
    exposure = frame.exposure
    mid = exposure.mid_jd_utc
    epoch = None if mid is None else 2000.0 + (mid - J2000) / 365.25
    ra, dec = place or (exposure.ra_deg, exposure.dec_deg)
    return SolveRequest(
        stars=detect(frame.pixels, frame.bad, saturation_adu=exposure.saturation_adu),
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=ra,
        dec_deg=dec,
        scale_arcsec=settings.solve.scale_arcsec or exposure.scale_arcsec,
        catalog=None if stars is None else stars.at(epoch),
        state_file=submission_file(frame.path),
    )
