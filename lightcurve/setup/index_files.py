"""Index files for plate solving: which there are, which a frame needs, and getting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.astrometry.index import (
    IndexCoverage,
    check_index,
    coverage,
    find_index_files,
    index_stars,
    own_index_folder,
    places,
    wanted_sizes,
)
from lightcurve.astrometry.index_series import (
    best_scales,
    fetch_files,
    files_of,
    scale_sizes,
    scales_for,
)
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.read import read_frame
from lightcurve.setup.target import known_place

__all__ = ["Wanted", "fetch_index", "list_index"]

LIMIT_MB = 2000.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a frame needs of index files.

    low_arcmin, high_arcmin : sizes of the patterns that it can show.
    """

    shape: tuple[int, int]  # (ny, nx)
    scale_arcsec: float
    low_arcmin: float
    high_arcmin: float
    scales: tuple[int, ...]  # the scales that serve it best
    place: tuple[float, float, float] | None  # RA, Dec and the radius that is searched, degrees


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which index files to fetch, from where, and to where.

    Attributes
    ----------
    numbers : tuple of int
        Scales; empty for those that serve the frame best.
    base_url : str or None
        A folder that holds the files, in place of the series' own.
    folder : Path or None
        The user's own without it.
    """

    numbers: tuple[int, ...] = ()
    series: str | None = None
    base_url: str | None = None
    folder: Path | None = None
    limit_mb: float = LIMIT_MB


def _need_of(frame: Path, settings: Settings) -> Need:
    """Work out what a frame needs of index files.

    Raises InputError when nothing says what its scale is; FrameError when it cannot be read.
    """
    exposure = read_frame(frame, settings=settings, need_time=False).exposure
    scale = settings.solve.scale_arcsec or exposure.scale_arcsec
    if scale is None:
        msg = f"{frame.name}: its header does not tell the scale; give --scale (arcsec/px)"
        raise InputError(msg)
    ny, nx = exposure.shape
    low, high = wanted_sizes((ny, nx), scale, scale)
    place = _place(settings)
    if place is None and exposure.ra_deg is not None and exposure.dec_deg is not None:
        place = exposure.ra_deg, exposure.dec_deg, settings.solve.radius_deg
    best = tuple(best_scales((ny, nx), scale))
    return Need((ny, nx), float(scale), low, high, best, place)


def _place(settings: Settings) -> tuple[float, float, float] | None:
    place = known_place(settings.target)
    return None if place is None else (*place, settings.solve.radius_deg)


def list_index(settings: Settings, frame: Path | None = None) -> dict[str, Any]:
    """Tell which scales the index files found cover, and which a frame needs.

    Returns
    -------
    dict
        ``places``: where was looked. ``frame``: its needs, or None. ``files``: file, low_arcmin,
        high_arcmin, n_stars, tile, n_near (stars within the radius searched), useful.
        ``scales``: scale, low_arcmin, high_arcmin, covered, seen (the frame can show such
        patterns) and best (it shows many).

    Raises
    ------
    InputError
        When a file given is no index.
    """
    need = None if frame is None else _need_of(frame, settings)
    place = need.place if need else _place(settings)
    rows = coverage(find_index_files(settings=settings.solve))
    near = [None if place is None else len(index_stars([row.path], *place)) for row in rows]
    files = [_file_row(row, n, need) for row, n in zip(rows, near, strict=True)]
    there = [row for row, n in zip(rows, near, strict=True) if n != 0]
    return {
        "places": [str(place) for place in settings.solve.index or places()],
        "frame": None if frame is None or need is None else _need_row(frame, need),
        "files": files,
        "scales": [_scale_row(scale, there, need) for scale in _scales(there, need)],
    }


def _need_row(frame: Path, need: Need) -> dict[str, Any]:
    ra, dec, radius = need.place or (None, None, None)
    return {
        "file": frame.name,
        "scale_arcsec": need.scale_arcsec,
        "low_arcmin": need.low_arcmin,
        "high_arcmin": need.high_arcmin,
        "ra_deg": ra,
        "dec_deg": dec,
        "radius_deg": radius,
        "best_scales": list(need.scales),
    }


def _file_row(row: IndexCoverage, near: int | None, need: Need | None) -> dict[str, Any]:
    seen = need is None or row.fits(need.low_arcmin, need.high_arcmin)
    return {
        "file": str(row.path),
        "low_arcmin": row.low_arcmin,
        "high_arcmin": row.high_arcmin,
        "n_stars": row.n_stars,
        "tile": row.healpix if row.nside else None,
        "n_tiles": 12 * row.nside**2 if row.nside else None,
        "n_near": near,
        "useful": bool(seen and near != 0),
    }


def _scales(rows: Sequence[IndexCoverage], need: Need | None) -> list[int]:
    wanted = set(scales_for(need.low_arcmin, need.high_arcmin)) if need else set()
    return sorted(wanted.union(*(_scales_in(row) for row in rows)))


def _scales_in(row: IndexCoverage) -> set[int]:
    """List the scales whose middle lies in a file's sizes: its limits may be rounded."""
    middles = {scale: float(np.sqrt(np.prod(scale_sizes(scale)))) for scale in range(20)}
    return {s for s, middle in middles.items() if row.low_arcmin <= middle <= row.high_arcmin}


def _scale_row(scale: int, rows: Sequence[IndexCoverage], need: Need | None) -> dict[str, Any]:
    low, high = scale_sizes(scale)
    return {
        "scale": scale,
        "low_arcmin": low,
        "high_arcmin": high,
        "covered": any(scale in _scales_in(row) for row in rows),
        "seen": None if need is None else low < need.high_arcmin and high > need.low_arcmin,
        "best": None if need is None else scale in need.scales,
    }


def fetch_index(
    settings: Settings,
    wanted: Wanted,
    *,
    frame: Path | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Download the index files of some scales that cover a place.

    Parameters
    ----------
    settings : Settings
        Its target, where it has coordinates, is the place; else the frame's pointing is.
    frame : Path, optional
        Tells scales and place where they are not given.

    Returns
    -------
    list of dict
        file, status (fetched or there), series, scale, low_arcmin, high_arcmin, megabytes.

    Raises
    ------
    InputError
        When nothing says which scales, or there are no such.
    CatalogError
        When a file cannot be had.
    """
    need = None if frame is None else _need_of(frame, settings)
    numbers = wanted.numbers or (need.scales if need else ())
    if not numbers:
        msg = "which scales? name a frame that needs them, or give --number"
        raise InputError(msg)
    files = files_of(
        numbers,
        series=wanted.series,
        place=need.place if need else _place(settings),
        base_url=wanted.base_url,
    )
    folder = wanted.folder or own_index_folder()
    rows = []
    fetched = fetch_files(files, folder, limit_mb=wanted.limit_mb, progress=progress)
    for file, (path, new) in zip(files, fetched, strict=True):
        row = check_index(path)
        rows.append(
            {
                "file": str(path),
                "status": "fetched" if new else "there",
                "series": file.series,
                "scale": file.scale,
                "low_arcmin": row.low_arcmin,
                "high_arcmin": row.high_arcmin,
                "megabytes": path.stat().st_size / 1e6,
            }
        )
    return rows
