"""Download Astrometry.net index files, each whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lightcurve import __version__
from lightcurve.astrometry.index import check_index
from lightcurve.astrometry.series import IndexFile
from lightcurve.errors import CatalogError, InputError
from lightcurve.progress import Progress, silent

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

SERVICE = "index files"
CHUNK = 1 << 18
CONNECT_S, READ_S = 10.0, 60.0
TRIES = 3
BUSY = (429, 500, 502, 503, 504)


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
    with _session(pause_s) as session:
        for file in files:
            path = folder / file.series / file.name
            fetched = not _is_there(path)
            if fetched:
                left -= _fetch(session, file, path, left, progress)
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


def _session(pause_s: float) -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.headers.update(
        # Packed by the server it would have another length than it says.
        {"User-Agent": f"lightcurve/{__version__}", "Accept-Encoding": "identity"}
    )
    # The last answer is handed on, whatever it is; each waiting is at most two minutes.
    tries = Retry(TRIES - 1, status_forcelist=BUSY, backoff_factor=pause_s, raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=tries))
    return session


def _fetch(
    session: requests.Session, file: IndexFile, path: Path, left: float, progress: Progress
) -> int:
    """Download one file beside its place, check it, and put it there; tell its size."""
    import requests

    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with session.get(file.url, stream=True, timeout=(CONNECT_S, READ_S)) as answer:
            if answer.status_code != requests.codes.ok:
                why = f"{answer.status_code} {answer.reason}"
                raise CatalogError(
                    SERVICE, f"{_shown(file.url)}: {why}; another --from or --series?"
                )
            size = _write(answer, part, file, left, progress)
        check_index(part)
        part.replace(path)
    except requests.RequestException as error:
        msg = f"{_shown(file.url)} {_why(error)}; try again, or another --from"
        raise CatalogError(SERVICE, msg) from error
    except InputError as error:
        if str(error).startswith(part.name):
            why = str(error).replace(part.name, file.name)
            raise CatalogError(SERVICE, f"{_shown(file.url)} is of no use: {why}") from error
        raise
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}; is the disk full?"
        raise InputError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return size


def _why(error: requests.RequestException) -> str:
    import requests

    words = {
        requests.Timeout: "does not answer in time",
        requests.exceptions.SSLError: "has no safe connection to offer",
        requests.exceptions.RetryError: "is busy",
        requests.exceptions.ChunkedEncodingError: "broke off",
        requests.ConnectionError: "cannot be reached, or broke off",
    }
    named = (text for kind, text in words.items() if isinstance(error, kind))
    return next(named, f"failed ({type(error).__name__})")


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
        msg = f"{_shown(file.url)}: {size} of {length} bytes came; try again"
        raise CatalogError(SERVICE, msg)
    return size


def _too_much(file: IndexFile, size: str, left: float) -> str:
    return (
        f"{file.name} is {size}, of the limit {left / 1e6:.3g} MB are left: give --max-mb, "
        "fewer --number, or --ra and --dec for the pieces of sky that are needed"
    )


def _shown(url: str) -> str:
    """Leave out what may be secret in an address: a password, or what follows a question mark."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
