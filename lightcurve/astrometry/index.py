"""Astrometry.net index files: where they are, what they cover, and the stars in them."""

from __future__ import annotations

import logging
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lightcurve.core.cache import cache_dir
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.errors import InputError, Why
from lightcurve.core.settings import SolveSettings

__all__ = [
    "IndexCoverage",
    "check_index",
    "coverage",
    "find_index_files",
    "index_stars",
    "own_index_folder",
    "places",
    "wanted_sizes",
]

log = logging.getLogger(__name__)
SYSTEM_PLACES = (
    Path("/usr/share/astrometry"),
    Path("/usr/local/share/astrometry"),
    Path("/usr/local/astrometry/data"),
    Path("/opt/homebrew/share/astrometry"),
    # Where KStars keeps them, on Linux and on a Mac.
    Path.home() / ".local/share/kstars/astrometry",
    Path.home() / "Library/Application Support/Astrometry",
)
VARIABLES = ("ASTROMETRY_NET_DATA_DIR", "ASTROMETRY_INDEX_DIR")
# Quads are looked for from a tenth of the frame's smaller side to its diagonal.
SMALLEST_QUAD = 0.1


@dataclass(frozen=True, slots=True)
class IndexCoverage:
    """What one index file is good for.

    Attributes
    ----------
    low_arcmin, high_arcmin : float
        Sizes of its star patterns; a frame shows some when it is one to ten times as large.
    healpix, nside : int
        The piece of sky; (-1, 0) is all of it, or whatever its maker chose.
    """

    path: Path
    low_arcmin: float
    high_arcmin: float
    n_stars: int
    healpix: int
    nside: int

    def fits(self, low_arcmin: float, high_arcmin: float) -> bool:
        """Tell whether patterns of some sizes are in it."""
        return self.low_arcmin <= high_arcmin and self.high_arcmin >= low_arcmin


def own_index_folder() -> Path:
    """Return the user's own folder for index files; it need not exist."""
    return cache_dir() / "index"


def places() -> list[Path]:
    """List the folders where index files are looked for, in order.

    Those named in the environment (`VARIABLES`), the user's own, the system's.
    """
    named = [os.environ[name] for name in VARIABLES if os.environ.get(name)]
    split = [Path(part) for value in named for part in value.split(os.pathsep) if part]
    return [*split, own_index_folder(), *SYSTEM_PLACES]


def find_index_files(
    paths: Sequence[Path] = (), settings: SolveSettings | None = None
) -> tuple[Path, ...]:
    """List the Astrometry.net index files there are, without the broken ones.

    Of the files and folders given (paths before settings) where there are any, else of `places`.

    Raises
    ------
    InputError
        When a given path does not exist or holds no index file.
    """
    given = [*paths, *(settings.index if settings else ())]
    if given:
        found = [file for place in given for file in _index_files_of(Path(place), needed=True)]
    else:
        there = (file for place in places() for file in _index_files_of(place, needed=False))
        found = [p for p in there if p.is_file() and _is_whole(p, p.stat().st_mtime_ns)]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def _is_whole(path: Path, _changed_ns: int) -> bool:
    # Kept, so that one warning a file is enough for all frames.
    try:
        check_index(path)
    except InputError as error:
        log.warning("%s (in %s): left out", error, path.parent)
        return False
    return True


def _index_files_of(place: Path, *, needed: bool) -> list[Path]:
    if place.is_file():
        return [place]
    # The series keep each a folder of their own inside the user's.
    files = sorted(place.rglob("index-*.fits")) if place.is_dir() else []
    if needed and not files:
        what = "holds no index-*.fits" if place.is_dir() else "no such file or folder"
        msg = f"--index {place}: {what}"
        raise InputError(msg, why=Why.NAMED)
    return files


def coverage(index_files: Sequence[Path]) -> list[IndexCoverage]:
    """Read from each index file's header what it covers, the largest patterns first.

    Raises
    ------
    InputError
        When a file is no index.
    """
    rows = [check_index(path) for path in index_files]
    return sorted(rows, key=lambda row: (-row.high_arcmin, row.path.name))


def check_index(path: Path) -> IndexCoverage:
    """Read from an index file's header what it covers, and see that it is whole.

    Raises
    ------
    InputError
        When it is no index, or its end is missing.
    """
    try:
        status = path.stat()
        return _read_coverage(path, status.st_size, status.st_mtime_ns)
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        msg = f"not an Astrometry.net index file: {error}"
        raise InputError(msg, file=path.name, why=Why.NAMED) from error


@lru_cache(maxsize=1024)
def _read_coverage(path: Path, size: int, changed_ns: int) -> IndexCoverage:
    """Read a file once for all frames, unless it changes meanwhile."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    del changed_ns
    with warnings.catch_warnings():
        # Of a file cut off; that is an error below.
        warnings.simplefilter("ignore", AstropyUserWarning)
        with fits.open(path, memmap=True) as hdus:
            header = hdus[0].header
            last = hdus[-1].fileinfo()
    low, high = (float(np.degrees(float(header[k]))) * 60 for k in ("SCALE_L", "SCALE_U"))
    missing = last["datLoc"] + last["datSpan"] - size
    if missing > 0:
        msg = f"{missing} bytes of it are missing; fetch it again"
        raise InputError(msg, file=path.name)
    piece = int(header.get("HEALPIX", -1)), int(header.get("HPNSIDE", 0))
    return IndexCoverage(path, low, high, int(header.get("NSTARS", 0)), *piece)


def wanted_sizes(
    shape: tuple[int, int], low_scale: float, high_scale: float
) -> tuple[float, float]:
    """Tell what sizes of patterns, arc minutes, a frame (ny, nx) can show at arcsec per pixel."""
    return SMALLEST_QUAD * min(shape) * low_scale / 60, float(np.hypot(*shape)) * high_scale / 60


def index_stars(
    index_files: Sequence[Path], ra_deg: float, dec_deg: float, radius_deg: float
) -> np.ndarray:
    """Read the stars (n, 2), RA and Dec, degrees, that index files have in one place; none twice.

    Files whose star table is not understood give none.
    """
    # Frames of one night ask for nearly the same place: what is near is read once for them all.
    about = 1.2 ** np.ceil(np.log(max(radius_deg, 0.01)) / np.log(1.2))
    step = about / 2
    dec = round(dec_deg / step) * step
    turn = step / max(np.cos(np.radians(min(abs(dec), 89.0))), 0.02)
    ra = round(ra_deg / turn) * turn
    near = _stars_within(tuple(index_files), ra, float(np.clip(dec, -90, 90)), about + step)
    inside = near @ unit_vectors(ra_deg, dec_deg) > np.cos(np.radians(radius_deg))
    x, y, z = near[inside].T
    return np.column_stack([np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))])


@lru_cache(maxsize=4)
def _stars_within(
    index_files: tuple[Path, ...], ra_deg: float, dec_deg: float, radius_deg: float
) -> np.ndarray:
    """Directions of the stars in a circle, as (n, 3) array; none twice."""
    centre, least = unit_vectors(ra_deg, dec_deg), np.cos(np.radians(radius_deg))
    found = [np.empty((0, 3))]
    for path in index_files:
        found += [block[block @ centre > least] for block in _star_vectors(path)]
    # The series repeat stars from scale to scale: 1e-7 rad is 0.02 arcsec.
    return np.unique(np.concatenate(found).round(7), axis=0)


def _star_vectors(path: Path, block: int = 1_000_000) -> list[np.ndarray]:
    """Directions of the stars in an index: integers between the bounds of its star tree."""
    from astropy.io import fits

    where = {}
    with fits.open(path, memmap=True) as hdus:
        for hdu in hdus[1:]:
            name = str(hdu.header.get("TTYPE1", "")).strip()
            size = hdu.header["NAXIS1"], hdu.header["NAXIS2"]
            where[name] = (hdu.fileinfo()["datLoc"], *size)
    if not {"kdtree_data_stars", "kdtree_range_stars"} <= set(where):
        return []
    offset, width, n = where["kdtree_data_stars"]
    kind = {6: "<u2", 12: "<u4", 24: "<f8"}.get(width)
    if kind is None or n == 0:
        return []
    data = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(n, 3))
    if kind == "<f8":
        return [data[k : k + block] for k in range(0, n, block)]
    with path.open("rb") as file:
        file.seek(where["kdtree_range_stars"][0])
        low_x, low_y, low_z, *_, scale = struct.unpack("<7d", file.read(56))
    low = np.array([low_x, low_y, low_z])
    return [data[k : k + block] / scale + low for k in range(0, n, block)]
