"""How every server is spoken to: politely, within limits, and without telling secrets."""

from __future__ import annotations

import logging
import re
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from math import inf
from threading import TIMEOUT_MAX, Timer
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin, urlsplit
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, Retry, Timeout
from urllib3 import exceptions as errors
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from lightcurve.core.constants import __version__
from lightcurve.core.errors import WebError, Why

__all__ = ["BUSY", "Reply", "Session", "without_secrets"]

CONNECT_S, READ_S = 10.0, 60.0
LEAST_S = 1.0  # any answer gets as long
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 120.0
BUSY = frozenset({429, 500, 502, 503, 504})
MAX_REDIRECTS = 5
CHUNK = 1 << 16
# What is raised of a broken answer: the libraries do not turn all of it into errors of their own.
BROKEN = (requests.RequestException, errors.HTTPError, HTTPException, ValueError, zlib.error)

# What it warns of, before it tries again, has whole addresses.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Session(requests.Session):
    """A session that every answer passes within its limits, whoever asks through it.

    A busy server, or one that does not answer, is asked again after a pause: Retry-After where it
    names one that is short enough, else `wait_s`; not one whose name cannot be looked up. Redirects
    are followed, but never from https to http. All that goes wrong is a `WebError`, which names no
    address: what the library raises holds the request, and with it all secrets.

    timeout_s : for all that is asked together; each silence is bounded whatever this is.
    slowest : bytes a second; what comes at least as fast may come beyond that time.
    limit : bytes of one answer, unpacked.
    tries : how often a question is asked at most.
    wait_s : before the second try, doubled each time.
    """

    def __init__(
        self,
        *,
        timeout_s: float = inf,
        limit: float,
        tries: int = 2,
        wait_s: float | None = None,
        slowest: float = inf,
    ) -> None:
        super().__init__()
        self.end = monotonic() + timeout_s
        self.slowest = slowest
        self.limit = limit
        self.tries = tries
        self.wait_s = FIRST_WAIT_S if wait_s is None else wait_s
        self.opened: list[HTTPResponse] = []
        self.connections: WeakSet[HTTPConnection] = WeakSet()
        self._watch: Timer | None = None
        self.max_redirects = MAX_REDIRECTS
        self.headers["User-Agent"] = f"lightcurve/{__version__}"
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(self))

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Ask as `requests` does, without its errors."""
        options.setdefault("timeout", _Until(self.end))
        self._watch_the_time()
        try:
            response = super().request(*args, **options)
        except BROKEN as error:
            raise _too_late() if monotonic() >= self.end else _web_error(error) from None
        if monotonic() > self.end + LEAST_S:
            # Cut off in its headers, it may pass for whole.
            response.close()
            raise _too_late()
        if self.slowest < inf:  # the body is timed as it comes
            self._stop_watch()
        return response

    def ask(self, method: str, url: str, **options: Any) -> Reply:
        """Ask as `requests.request` does, and read the answer to its end, or ask again."""
        wait, tries = self.wait_s, self.tries
        while True:
            try:
                with self.request(method, url, stream=True, **options) as response:
                    return Reply(response.status_code, response.headers, response.content)
            except _BrokenOffError:
                tries -= 1
                if not tries or monotonic() + wait > self.end:
                    raise
            sleep(wait)
            wait *= 2

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Refuse to go on where everybody could read along."""
        target = super().get_redirect_target(resp)
        safe = {"https"} if urlsplit(resp.url).scheme == "https" else {"http", "https"}
        try:
            onward = urljoin(resp.url, target or "")
            is_safe = urlsplit(onward).scheme in safe
        except ValueError:
            msg = "sends on to no address"
            raise WebError(msg, why=Why.SENT_ON) from None
        if target and not is_safe:
            msg = f"sends on to {without_secrets(onward)}, which is not safe"
            raise WebError(msg, why=Why.SENT_ON)
        return target

    def _watch_the_time(self) -> None:
        """Hang up at the end: each byte of headers that drip begins a new silence."""
        if self._watch is None and self.end < inf:
            wait = min(max(self.end - monotonic(), 0) + LEAST_S, TIMEOUT_MAX)
            self._watch = Timer(wait, _hang_up, (self.connections,))
            self._watch.daemon = True
            self._watch.start()

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def close(self) -> None:
        """Close the answers too that some client has left half read."""
        self._stop_watch()
        for answer in self.opened:
            answer.close()
        super().close()


def _hang_up(connections: WeakSet[HTTPConnection]) -> None:
    """End what is being read: in another thread, which finds that nothing more comes."""
    for one in list(connections):
        if one.sock is not None:
            with suppress(OSError):  # it has ended by itself
                # Of the socket below the encryption, which belongs to the thread that reads.
                socket.socket.shutdown(one.sock, socket.SHUT_RDWR)


def _too_late() -> WebError:
    return WebError("does not answer in time", why=Why.TIMED_OUT)


class _BrokenOffError(WebError):
    """Asked again, the server may have a whole answer."""


class _Adapter(HTTPAdapter):
    def __init__(self, session: Session) -> None:
        retries = _Retry(
            total=session.tries - 1,
            status_forcelist=BUSY,
            # All questions only read, or are answered anew: they may be repeated.
            allowed_methods=None,
            raise_on_status=False,
            backoff_factor=session.wait_s,
            end=session.end,
        )
        self._session = session
        super().__init__(max_retries=retries)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Have every connection known to the session."""
        super().init_poolmanager(*args, **options)
        known = self._session.connections
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _watched(pool, known)
            for scheme, pool in self.poolmanager.pool_classes_by_scheme.items()
        }

    def build_response(
        self, req: requests.PreparedRequest, resp: HTTPResponse
    ) -> requests.Response:
        response = super().build_response(req, resp)
        response.raw = _Bounded(resp, self._session)
        self._session.opened.append(resp)
        return response


def _watched(
    pool: type[HTTPConnectionPool], known: WeakSet[HTTPConnection]
) -> type[HTTPConnectionPool]:
    """Make a kind of pool whose connections are among those known."""
    base: Any = pool.ConnectionCls

    class Connection(base):
        def connect(self) -> None:
            known.add(self)
            super().connect()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class _Retry(Retry):
    """Tries that end in time, whatever Retry-After says: it could name a year."""

    def __init__(self, *args: Any, end: float = inf, **options: Any) -> None:
        self._end = end
        super().__init__(*args, **options)

    def new(self, **changes: Any) -> _Retry:
        return super().new(end=self._end, **changes)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _Retry:
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        asked = left.get_retry_after(response) if response is not None else None
        wait = asked or left.get_backoff_time()
        # A machine without network finds no name, and none a second later.
        hopeless = isinstance(error, errors.SSLError | errors.NameResolutionError)
        if hopeless or wait > LONGEST_WAIT_S or monotonic() + wait > self._end:
            raise errors.MaxRetryError(_pool, url or "", error)
        return left

    def get_backoff_time(self) -> float:
        # The library asks a second time at once.
        return min(self.backoff_factor * 2 ** (len(self.history) - 1), LONGEST_WAIT_S)


class _Until(Timeout):
    """The time left to some moment, looked up anew for each try."""

    def __init__(self, end: float) -> None:
        super().__init__(connect=CONNECT_S, read=READ_S)
        self._end = end

    def clone(self) -> Timeout:
        left = max(self._end - monotonic(), LEAST_S)
        return Timeout(connect=min(CONNECT_S, left), read=min(READ_S, left))


class _Bounded:
    """The body of an answer, which ends in error at the limits of size and time."""

    def __init__(self, raw: HTTPResponse, session: Session) -> None:
        self._raw, self._limit = raw, session.limit
        self._end, self._slowest = session.end, session.slowest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def read(self, *_: object, **__: object) -> bytes:
        return b"".join(self.stream())

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        size = 0
        try:
            # read() waits for a full chunk, so that a trickle would outlast the end.
            while piece := self._raw.read1(CHUNK, decode_content=True):
                size += len(piece)
                if size > self._limit:
                    msg = f"sends more than {self._limit / 1e6:g} MB: is it the right server?"
                    raise WebError(msg, why=Why.NOT_UNDERSTOOD)
                if self._is_late(size):
                    msg = f"does not answer in time: {size} bytes of an answer came"
                    raise WebError(msg, why=Why.TIMED_OUT)
                yield piece
            if self._is_late(size):
                raise _too_late()
        except errors.ReadTimeoutError as error:
            raise _web_error(error) from None
        except BROKEN:
            if self._is_late(size, 0):
                raise _too_late() from None
            msg = f"broke off after {size} bytes"
            raise _BrokenOffError(msg) from None

    def _is_late(self, size: int, grace_s: float = LEAST_S) -> bool:
        return monotonic() >= self._end + grace_s + size / self._slowest


def without_secrets(url: str) -> str:
    """Leave out what may be secret in an address: a password, or what follows a question mark."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address"
    if not parts.netloc:
        return parts.path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _web_error(error: Exception) -> WebError:
    root: BaseException = error
    while inner := _inner(root):
        root = inner
    if isinstance(error, requests.TooManyRedirects):
        return WebError(f"sends on and on, over {MAX_REDIRECTS} times", why=Why.SENT_ON)
    if isinstance(error, requests.exceptions.SSLError):
        return WebError(f"has no safe connection to offer ({_detail(error)})")
    refused = isinstance(root, errors.NewConnectionError)  # a kind of time-out, to the library
    if isinstance(root, TimeoutError | errors.TimeoutError) and not refused:
        return WebError("does not answer in time", why=Why.TIMED_OUT)
    if isinstance(error, requests.ConnectionError):
        return WebError(f"cannot be reached ({_detail(error)})")
    return WebError(f"cannot be asked ({type(error).__name__})")


def _inner(error: BaseException) -> BaseException | None:
    """Find what an error of the library was made of."""
    parts = (getattr(error, "reason", None), *error.args)
    return next((part for part in parts if isinstance(part, BaseException)), None)


def _detail(error: Exception) -> str:
    found = re.findall(
        r"\[Errno -?\d+\] ([^'\")]+)|certificate verify failed: ([^('\"]+)", str(error)
    )
    return "".join(found[-1])[:100] if found else type(error).__name__
