"""Download Astrometry.net index files, each whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from lightcurve.astrometry.index import check_index
from lightcurve.astrometry.series import IndexFile
from lightcurve.errors import CatalogError, InputError, WebError
from lightcurve.http import Session, without_secrets
from lightcurve.progress import Progress, silent

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

SERVICE = "index files"
CHUNK = 1 << 18
TRIES = 3


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
    files : sequence of IndexFile
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
    path : Path
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
    # Of a folder of files the time is not bounded, but each silence is; the size is seen to below.
    with Session(limit=inf, tries=TRIES, wait_s=pause_s) as http:
        # Packed by the server it would have another length than it says.
        http.headers["Accept-Encoding"] = "identity"
        for file in files:
            path = folder / file.series / file.name
            fetched = not _is_there(path)
            if fetched:
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
        why = str(error).replace(part.name, file.name)
        raise CatalogError(SERVICE, f"{without_secrets(file.url)} is of no use: {why}") from error


def _write(
    answer: requests.Response, part: Path, file: IndexFile, left: float, progress: Progress
) -> int:
    stated = answer.headers.get("Content-Length", "")
    length = int(stated) if stated.isdecimal() else None
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
