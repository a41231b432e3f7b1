"""Servers and how they are spoken to: bounded in time and size, whatever they send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from lightcurve.catalogs.service import Link
from lightcurve.errors import CatalogError

if TYPE_CHECKING:
    from requests import Session

SERVERS = {
    "vizier": "https://tapvizier.cds.unistra.fr/TAPVizieR/tap",
    "gaia": "https://gea.esac.esa.int/tap-server/tap",
    "simbad": "https://simbad.cds.unistra.fr/simbad/sim-tap",
    "skybot": "https://ssp.imcce.fr/webservices/skybot/api/conesearch.php",
    "colibri": "https://astro-colibri.science/cone_search",
    "exoplanet-archive": "https://exoplanetarchive.ipac.caltech.edu/TAP",
}
MAX_BYTES = 100_000_000
CHUNK = 65536
POLL_S = 1.0


@contextmanager
def session(link: Link) -> Iterator[Session]:
    """Open a session that waits no longer than the link's time-out for each answer.

    Parameters
    ----------
    link : Link

    Yields
    ------
    requests.Session
        Tries once more to connect, and after a busy server's 502, 503 or 504. Answers still open
        at the end, which the clients leave half read, are closed.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    import lightcurve

    class Bounded(requests.Session):
        def request(self, method: str, url: str, **options: Any) -> requests.Response:
            options.setdefault("timeout", (min(10.0, link.timeout_s), link.timeout_s))
            response = super().request(method, url, **options)
            answers.callback(response.close)
            return response

    # All questions here only read, so POST may be repeated. A server's Retry-After is not obeyed:
    # it could name a year.
    retry = Retry(
        total=1,
        read=False,
        backoff_factor=1.0,
        backoff_jitter=0.5,
        status_forcelist=(502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    with Bounded() as opened, ExitStack() as answers:
        opened.max_redirects = 5
        opened.headers["User-Agent"] = f"lightcurve/{lightcurve.__version__}"
        for scheme in ("https://", "http://"):
            opened.mount(scheme, HTTPAdapter(max_retries=retry))
        yield opened


def take(stream: Any, service: str, deadline: float) -> bytes:
    """Read an answer to its end, or to the limits.

    Parameters
    ----------
    stream : file-like
        With ``read(amount)``, as ``response.raw``.
    service : str
        Named in errors.
    deadline : float
        On the clock of `time.monotonic`.

    Returns
    -------
    bytes

    Raises
    ------
    CatalogError
        When the answer is larger than 100 MB, slower than the time-out, or breaks off.
    """
    import urllib3

    # read() waits for a full chunk, so that a trickle would outlast the deadline.
    read = getattr(stream, "read1", stream.read)
    parts: list[bytes] = []
    total = 0
    try:
        while part := read(CHUNK, decode_content=True):
            parts.append(part)
            total += len(part)
            if total > MAX_BYTES:
                msg = f"sent more than {MAX_BYTES // 1_000_000} MB: ask for a smaller field"
                raise CatalogError(service, msg)
            if time.monotonic() > deadline:
                msg = f"was still sending after the time-out ({total} bytes): raise --timeout"
                raise CatalogError(service, msg)
    except urllib3.exceptions.HTTPError as error:
        raise CatalogError(service, f"answer broke off: {type(error).__name__}") from error
    return b"".join(parts)


@contextmanager
def plainly(service: str, link: Link) -> Iterator[float]:
    """Turn the errors of the clients into one line for people.

    Parameters
    ----------
    service : str
        Named in errors.
    link : Link

    Yields
    ------
    float
        The deadline, on the clock of `time.monotonic`.

    Raises
    ------
    CatalogError
        In place of what requests or pyvo raise.
    """
    import requests
    from pyvo.dal.exceptions import DALAccessError

    try:
        yield time.monotonic() + link.timeout_s
    except requests.Timeout as error:
        msg = f"no answer within {link.timeout_s:g} s"
        raise CatalogError(service, msg) from error
    except requests.HTTPError as error:
        raise CatalogError(service, f"answered HTTP {error.response.status_code}") from error
    except requests.ConnectionError as error:
        raise CatalogError(service, "cannot be reached: no network, or it is down") from error
    except requests.RequestException as error:
        raise CatalogError(service, f"cannot be asked: {type(error).__name__}") from error
    except DALAccessError as error:
        if getattr(error, "code", None):
            raise CatalogError(service, f"answered HTTP {error.code}") from error
        raise CatalogError(service, f"refused the question: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    from lightcurve.catalogs.hostile import clean

    return clean(str(error).strip().partition("\n")[0])[:200]
