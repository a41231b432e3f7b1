"""The published series of Astrometry.net index files, each fetched whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from lightcurve.astrometry.index import check_index
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.errors import CatalogError, InputError, WebError
from lightcurve.core.http import Session, without_secrets
from lightcurve.core.progress import Progress, silent

if TYPE_CHECKING:
    import requests

__all__ = ["SERIES", "best_scales", "fetch_files", "files_of", "scale_sizes", "scales_for"]

# Patterns of half to a fifth of a frame are plenty in it, and few files hold them.
BEST_SIZES = (0.2, 0.7)
N_SCALES = 20
log = logging.getLogger(__name__)
SERVICE = "index files"
CHUNK = 1 << 18
START_S, SLOWEST = 60.0, 2000.0  # for a file to begin; bytes a second it then comes with
TRIES = 3


@dataclass(frozen=True, slots=True)
class Series:
    """A published series."""

    url: str  # the folder it is in
    tiles: dict[int, int]  # scale to the number of pieces that the sky comes in: 1, 12 or 48
    text: str  # of what it is made


def _tiles(**pieces: range) -> dict[int, int]:
    return {scale: int(name[1:]) for name, scales in pieces.items() for scale in scales}


SERIES = {
    "4100": Series(
        "http://data.astrometry.net/4100",
        _tiles(n1=range(7, 20)),
        "Tycho-2, frames wider than a degree",
    ),
    "4200": Series(
        "http://data.astrometry.net/4200",
        _tiles(n48=range(5), n12=range(5, 8), n1=range(8, 20)),
        "2MASS, any frame",
    ),
    "5200": Series(
        "https://portal.nersc.gov/project/cosmo/temp/dstn/index-5200/LITE",
        _tiles(n48=range(7)),
        "Tycho-2 and Gaia DR2, frames narrower than a degree",
    ),
}

PREFERRED = ("5200", "4100")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a series, as it is to be fetched."""

    series: str
    scale: int
    name: str
    url: str


def scale_sizes(scale: int) -> tuple[float, float]:
    """Tell the sizes of the patterns of a scale: 0 to 19, in steps of sqrt(2) from 2 arcmin."""
    return 2 * 2 ** (scale / 2), 2 * 2 ** ((scale + 1) / 2)


def scales_for(low_arcmin: float, high_arcmin: float) -> list[int]:
    """List the scales that have patterns of some sizes, at least the one nearest to them."""
    found = [
        scale
        for scale in range(N_SCALES)
        if scale_sizes(scale)[0] < high_arcmin and scale_sizes(scale)[1] > low_arcmin
    ]
    return found or [0 if high_arcmin < scale_sizes(0)[1] else N_SCALES - 1]


def best_scales(shape: tuple[int, int], scale_arcsec: float) -> list[int]:
    """List the scales with patterns of `BEST_SIZES` times the smaller side of a frame (ny, nx)."""
    side = min(shape) * scale_arcsec / 60
    return scales_for(BEST_SIZES[0] * side, BEST_SIZES[1] * side)


def files_of(
    scales: Collection[int],
    *,
    series: str | None = None,
    place: tuple[float, float, float] | None = None,
    base_url: str | None = None,
) -> list[IndexFile]:
    """Name the files of some scales that cover a place.

    Parameters
    ----------
    series : str, optional
        One of `SERIES`; else of each scale the first of `PREFERRED` that has it.
    place : tuple of float, optional
        RA, Dec and radius, degrees; all the sky without it.
    base_url : str, optional
        A folder that holds the files, in place of the series' own; ``{series}`` in it becomes the
        series' name.

    Raises
    ------
    InputError
        When there is no such series or scale, or `base_url` is no address.
    """
    if base_url is not None:
        _check_address(base_url)
    found = []
    for scale in sorted(set(scales)):
        holders = [name for name in ([series] if series else PREFERRED) if _has(name, scale)]
        if not holders:
            there = "" if series not in SERIES else f": {series} has {_spread(series)}"
            msg = (
                f"no index files of series {series or 'any'} and scale {scale}{there}; "
                f"the series are {', '.join(SERIES)}, the scales 0 to 19"
            )
            raise InputError(msg)
        name = holders[0]
        folder = (base_url or SERIES[name].url).replace("{series}", name).rstrip("/")
        found += [
            IndexFile(name, scale, file, f"{folder}/{file}") for file in _names(name, scale, place)
        ]
    return found


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        msg = f"--from {url}: not an address like {SERIES['4100'].url}"
        raise InputError(msg)


def _has(series: str, scale: int) -> bool:
    return series in SERIES and scale in SERIES[series].tiles


def _spread(series: str) -> str:
    scales = SERIES[series].tiles
    return f"{min(scales)} to {max(scales)}"


def _names(series: str, scale: int, place: tuple[float, float, float] | None) -> list[str]:
    number = int(series) + scale
    pieces = SERIES[series].tiles[scale]
    if pieces == 1:
        return [f"index-{number}.fits"]
    wanted = range(pieces) if place is None else tiles_at(*place, 1 if pieces == 12 else 2)
    return [f"index-{number}-{tile:02d}.fits" for tile in wanted]


def tiles_at(ra_deg: float, dec_deg: float, radius_deg: float, nside: int) -> list[int]:
    """List the pieces of sky that a circle touches, ascending, numbered as `healpix` does."""
    ra = np.radians(ra_deg)
    centre = unit_vectors(ra_deg, dec_deg)
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    north = np.cross(centre, east)
    # Points all over the circle: pieces are far larger than their distances.
    r = np.radians(np.linspace(0, radius_deg, 12))[:, None]
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    around = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * north
    points = np.cos(r)[..., None] * centre + np.sin(r)[..., None] * around
    return sorted(set(healpix(points.reshape(-1, 3), nside).tolist()))


def healpix(points: np.ndarray, nside: int) -> np.ndarray:
    """Tell which HEALPix pieces unit vectors (n, 3) fall in, numbered as Astrometry.net does.

    Of the twelve base pieces (Gorski et al. 2005, ApJ 622, 759) each is a grid of nside by nside:
    the number counts base pieces, then steps to the north-east, then to the north-west.
    """
    x, y, z = points.T
    turn = (np.arctan2(y, x) / (np.pi / 2)) % 4
    quarter = np.minimum(turn.astype(int), 3)
    within = turn - quarter
    # Near the equator edges are straight in longitude and z; towards the poles they close in.
    rising = np.floor(nside * (0.5 + turn - 0.75 * z)).astype(int)
    falling = np.floor(nside * (0.5 + turn + 0.75 * z)).astype(int)
    a, b = rising // nside, falling // nside
    belt_base = np.where(a == b, 4 + a % 4, np.where(a < b, a % 4, 8 + b % 4))
    belt_east, belt_west = falling % nside, nside - 1 - rising % nside
    reach = nside * np.sqrt(3 * np.maximum(1 - np.abs(z), 0))
    forth = np.minimum((within * reach).astype(int), nside - 1)
    back = np.minimum(((1 - within) * reach).astype(int), nside - 1)
    north = z > 0
    cap_base = np.where(north, quarter, 8 + quarter)
    cap_east = np.where(north, nside - 1 - back, forth)
    cap_west = np.where(north, nside - 1 - forth, back)
    belt = np.abs(z) <= 2 / 3
    base = np.where(belt, belt_base, cap_base)
    east, west = np.where(belt, belt_east, cap_east), np.where(belt, belt_west, cap_west)
    return base * nside**2 + east * nside + west


def fetch_files(
    files: Sequence[IndexFile],
    folder: Path,
    *,
    limit_mb: float = 2000.0,
    pause_s: float = 1.0,
    progress: Progress = silent,
) -> Iterator[tuple[Path, bool]]:
    """Download index files one after the other; those that are there already, whole, stay.

    Parameters
    ----------
    folder : Path
        Each goes into a folder in it named by the series.
    limit_mb : float
        Of all that is downloaded.
    pause_s : float
        Before a busy server is asked again, doubled each time.
    progress : Progress
        Counts pieces of 256 kB of each file.

    Yields
    ------
    fetched : bool
        False where it was there.

    Raises
    ------
    CatalogError
        When a file cannot be had or is no index; those before it are kept.
    InputError
        When they are more than the limit, that is none, or they cannot be written.
    """
    if not limit_mb > 0:
        msg = f"--max-mb {limit_mb:g}: the limit must be a number of megabytes above zero"
        raise InputError(msg)
    left = limit_mb * 1e6
    for file in files:
        path = folder / file.series / file.name
        fetched = not _is_there(path)
        if fetched:
            # The size is seen to below.
            with Session(
                timeout_s=START_S, slowest=SLOWEST, limit=inf, tries=TRIES, wait_s=pause_s
            ) as http:
                # Packed by the server it would have another length than it says.
                http.headers["Accept-Encoding"] = "identity"
                left -= _fetch(http, file, path, left, progress)
        yield path, fetched


def _is_there(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        check_index(path)
    except InputError as error:
        log.warning("%s: is fetched anew", error)
        return False
    return True


def _fetch(http: Session, file: IndexFile, path: Path, left: float, progress: Progress) -> int:
    """Download one file beside its place, check it, and put it there; tell its size."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with http.get(file.url, stream=True) as answer:
            if not answer.ok:
                why = f"{answer.status_code} {answer.reason}"
                raise CatalogError(
                    SERVICE, f"{without_secrets(file.url)}: {why}; another --from or --series?"
                )
            size = _write(answer, part, file, left, progress)
        _see_that_it_is_one(part, file)
        part.replace(path)
    except WebError as error:
        msg = f"{without_secrets(file.url)} {error}; try again, or another --from"
        raise CatalogError(SERVICE, msg) from error
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}; is the disk full?"
        raise InputError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return size


def _see_that_it_is_one(part: Path, file: IndexFile) -> None:
    try:
        check_index(part)
    except InputError as error:
        msg = f"{without_secrets(file.url)} is of no use: {file.name}: {error.reason}"
        raise CatalogError(SERVICE, msg) from error


def _write(
    answer: requests.Response, part: Path, file: IndexFile, left: float, progress: Progress
) -> int:
    stated = answer.headers.get("Content-Length", "")
    length = int(stated) if re.fullmatch(r"[0-9]{1,15}", stated) else None
    if length is not None and length > left:
        raise InputError(_too_much(file, f"{length / 1e6:.3g} MB", left))
    size = 0
    with part.open("wb") as out:
        chunks = answer.iter_content(CHUNK)
        for chunk in progress(chunks, file.name, length and -(-length // CHUNK)):
            size += len(chunk)
            if size > left:
                raise InputError(_too_much(file, "larger", left))
            out.write(chunk)
    if length is not None and size != length:
        msg = f"{without_secrets(file.url)}: {size} of {length} bytes came; try again"
        raise CatalogError(SERVICE, msg)
    return size


def _too_much(file: IndexFile, size: str, left: float) -> str:
    return (
        f"{file.name} is {size}, of the limit {left / 1e6:.3g} MB are left: give --max-mb, "
        "fewer --number, or --ra and --dec for the pieces of sky that are needed"
    )
