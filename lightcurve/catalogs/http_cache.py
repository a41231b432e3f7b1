"""Servers: how they are spoken to, bounded in time and size, and what they said, remembered."""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightcurve.catalogs.layout import Link
from lightcurve.core.cache import cache_dir, keep
from lightcurve.core.constants import DAY_S
from lightcurve.core.errors import CatalogError, LightcurveError, WebError
from lightcurve.core.progress import keep_traceback

if TYPE_CHECKING:
    from lightcurve.core.http import Session

MAX_ENTRY_BYTES = 200_000_000
MAX_BYTES = 100_000_000
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A remembered answer."""

    body: bytes
    age_days: float


def _path(server: str, request: str) -> Path:
    digest = hashlib.sha256(f"{server}\n{request}".encode()).hexdigest()[:32]
    return cache_dir() / "answers" / f"{digest}.gz"


def recall(server: str, request: str) -> Answer | None:
    """Look for the answer to a question of the same words; None, too, where it is damaged."""
    path = _path(server, request)
    try:
        age = (time.time() - path.stat().st_mtime) / DAY_S
        with gzip.open(path) as file:
            body = file.read(MAX_ENTRY_BYTES)
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return Answer(body, max(age, 0.0))


def is_kept(server: str, request: str) -> bool:
    """Tell whether an answer was kept, though it may be damaged."""
    return _path(server, request).exists()


def remember(server: str, request: str, body: bytes) -> str:
    """Keep an answer whole, or say why not: a full disk costs the memory, not the run."""
    trouble = keep(_path(server, request), gzip.compress(body, 1, mtime=0))
    return f"answer not remembered ({trouble})" if trouble else ""


@contextmanager
def connected(service: str, link: Link) -> Iterator[Session]:
    """Open a session within a link's limits, for direct use or for pyvo or astroquery.

    Raises CatalogError in place of what the session, requests or pyvo raise.
    """
    import requests
    from pyvo.dal.exceptions import DALAccessError

    from lightcurve.core.http import Session

    try:
        with Session(timeout_s=link.timeout_s, limit=MAX_BYTES) as opened:
            yield opened
    except WebError as error:
        raise CatalogError(service, str(error)) from error
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "error"
        raise CatalogError(service, f"answered HTTP {status}") from error
    except DALAccessError as error:
        if getattr(error, "code", None):
            raise CatalogError(service, f"answered HTTP {error.code}") from error
        raise CatalogError(service, f"refused the question: {_first_line(error)}") from error
    except LightcurveError:
        raise
    except Exception as error:  # pyvo and astroquery raise anything on an answer that is none
        keep_traceback(error)
        msg = f"sent what cannot be understood ({type(error).__name__}: {_first_line(error)})"
        raise CatalogError(service, msg) from error


def body_of(service: str, link: Link, params: str | dict[str, str]) -> bytes:
    """Ask a server by GET; where it has no answer, a `CatalogError`."""
    with connected(service, link) as http:
        reply = http.ask("GET", link.server, params=params)
    if reply.status >= 400:
        raise CatalogError(service, f"answered HTTP {reply.status}")
    return reply.body


def _first_line(error: Exception) -> str:
    from lightcurve.catalogs.read_votable import clean

    return clean(str(error).strip().partition("\n")[0])[:200]
