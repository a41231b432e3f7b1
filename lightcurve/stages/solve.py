"""Place frames on the sky, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightcurve.astrometry.chain import SolveRequest, solve
from lightcurve.astrometry.wcs import write_wcs_sidecar
from lightcurve.config import Settings
from lightcurve.data import Frame
from lightcurve.errors import InputError, LightcurveError
from lightcurve.frames.read import is_fits_name, read_frame
from lightcurve.phot.detect import detect
from lightcurve.progress import Progress, silent
from lightcurve.target import find_target

SOLVED = (
    "solver",
    "ra_deg",
    "dec_deg",
    "scale_arcsec",
    "rotation_deg",
    "parity",
    "n_matched",
    "rms_arcsec",
)


def solve_frames(
    paths: Sequence[Path],
    settings: Settings,
    out: Path | None,
    *,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Solve frames on the sky, each on its own.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders whose FITS files are taken.
    settings : Settings
    out : Path or None
        Where to write ``NAME.wcs``.
    progress : Progress

    Returns
    -------
    list of dict
        One a frame: file, status, solver, ra_deg and dec_deg of the centre, scale_arcsec,
        rotation_deg, parity, n_matched, rms_arcsec, reason.

    Raises
    ------
    InputError
        When a path does not exist or holds no FITS file.
    """
    files = [file for path in paths for file in _fits_files(path)]
    return [_solve_row(file, settings, out) for file in progress(files, "Solving", len(files))]


def _fits_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(p for p in path.glob("*") if is_fits_name(p)) if path.is_dir() else []
    if not files:
        msg = f"{path}: no such file, or no FITS file in it"
        raise InputError(msg)
    return files


def _solve_row(path: Path, settings: Settings, out: Path | None) -> dict[str, Any]:
    names = [
        "solver",
        "ra_deg",
        "dec_deg",
        "scale_arcsec",
        "rotation_deg",
        "parity",
        "n_matched",
        "rms_arcsec",
    ]
    row = {"file": path.name, "status": "failed", **dict.fromkeys(names), "reason": ""}
    try:
        frame = read_frame(path, settings=settings)
        solution = solve(_request(frame, settings), settings.solve)
    except LightcurveError as error:
        return row | {"reason": str(error)}
    ny, nx = frame.pixels.shape
    ra, dec = solution.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
    if out is not None:
        write_wcs_sidecar(out / f"{path.name}.wcs", solution, (ny, nx))
    return row | {
        "status": "solved",
        "solver": solution.solver,
        "ra_deg": float(ra),
        "dec_deg": float(dec),
        "scale_arcsec": solution.scale_arcsec,
        "rotation_deg": solution.rotation_deg,
        "parity": solution.parity,
        "n_matched": solution.n_matched,
        "rms_arcsec": solution.rms_arcsec,
    }


def _request(frame: Frame, settings: Settings) -> SolveRequest:
    exposure, ra, dec = frame.exposure, None, None
    if settings.target.ra is not None or settings.target.planet_file is not None:
        target = find_target(settings.target)
        ra, dec = target.ra_deg, target.dec_deg
    return SolveRequest(
        stars=detect(frame.pixels, frame.bad, saturation_adu=exposure.saturation_adu),
        shape=frame.pixels.shape,
        header=frame.header,
        path=frame.path,
        ra_deg=exposure.ra_deg if ra is None else ra,
        dec_deg=exposure.dec_deg if dec is None else dec,
        scale_arcsec=settings.solve.scale_arcsec or exposure.scale_arcsec,
    )
