"""Asking a web server: politely, with limits, and without telling its secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from lightcurve import __version__
from lightcurve.errors import SolveError

MAX_BYTES = 1_000_000
MAX_REDIRECTS = 3
CONNECT_S, READ_S = 10.0, 30.0
PIECE_BYTES = 16  # so small that an answer that trickles in is noticed
TRIES = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
REST_S = 600.0  # so long a server that failed is not sent anything: a night may outlast that
BUSY = {429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Attributes
    ----------
    status : int
    headers : mapping of str to str
    body : bytes
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebServer:
    """One server; it is asked again after a pause when it is busy or does not answer.

    Where nothing can be sent at all, that is remembered for `REST_S`: other frames do not wait for
    the same. What it says is quoted without its `secrets`: the set is the user's to fill.

    Parameters
    ----------
    address : str
        ``https://host``, with or without ``/api`` behind it.
    plain_http : bool
        Allow ``http://`` to another machine, where anyone on the way can read along.

    Raises
    ------
    SolveError
        When the address is none, or is not safe.
    """

    def __init__(self, address: str, *, plain_http: bool = False) -> None:
        parts = _checked(address, plain_http=plain_http)
        self.host = parts.netloc
        self._address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.secrets: set[str] = set()
        self._trouble, self._rests_until = "", 0.0
        self._http = requests.Session()
        # A proxy has no way to this machine's own servers.
        self._http.trust_env = not _is_loopback(parts.hostname or "")
        self._http.headers.update(
            {
                "User-Agent": f"lightcurve/{__version__}",
                # What comes packed could unpack to any size.
                "Accept-Encoding": "identity",
                # By this nova.astrometry.net tells its clients from robots.
                "Referer": f"{self._address}/api/login",
            }
        )

    def get(self, path: str, end: float, *, limit: int = MAX_BYTES) -> Reply:
        """Fetch something; redirects are followed, but never from https to http.

        Parameters
        ----------
        path : str
        end : float
            The `time.monotonic` at which to give up.
        limit : int
            Bytes; a longer answer is an error.

        Returns
        -------
        Reply
            Of any status but those of a redirect or of a busy server.

        Raises
        ------
        SolveError
        """
        url = f"{self._address}/{path}"
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._ask("GET", url, end, limit, {})
            if not 300 <= reply.status < 400:
                return reply
            onward = urljoin(url, reply.headers.get("Location", ""))
            safe = {"https"} if url.startswith("https:") else {"http", "https"}
            if urlsplit(onward).scheme not in safe:
                msg = f"{self.host} sends on to {self.quote(onward)}, which is not safe"
                raise SolveError(msg)
            url = onward
        msg = f"{self.host} sends on and on, over {MAX_REDIRECTS} times: is --server right?"
        raise SolveError(msg)

    def post(self, path: str, end: float, **content: Any) -> Reply:
        """Send something; it goes to this server and no other.

        Parameters
        ----------
        path : str
        end : float
            The `time.monotonic` at which to give up.
        **content
            ``data`` and ``files`` of `requests.post`.

        Returns
        -------
        Reply
            Of any status but those of a redirect or of a busy server.

        Raises
        ------
        SolveError
        """
        if monotonic() < self._rests_until:
            msg = f"{self._trouble} (found before; for {REST_S / 60:.0f} min not asked again)"
            raise SolveError(msg)
        try:
            reply = self._ask("POST", f"{self._address}/{path}", end, MAX_BYTES, content)
        except SolveError as error:
            # With sending every frame begins, and with all its time.
            self.rest(str(error))
            raise
        if 300 <= reply.status < 400:
            # Whatever secret is in it would go along.
            onward = self.quote(reply.headers.get("Location", "nowhere"))
            msg = f"{self.host} sends on to {onward}: give that as --server if you trust it"
            raise SolveError(msg)
        return reply

    def rest(self, trouble: str) -> None:
        """Send nothing for `REST_S`: whoever wants to gets this answer at once.

        Parameters
        ----------
        trouble : str
        """
        self._trouble, self._rests_until = trouble, monotonic() + REST_S

    def quote(self, text: object) -> str:
        """Make one short line of something that the server sent.

        Parameters
        ----------
        text : object

        Returns
        -------
        str
            At most 200 characters, all of them printable, none of them secret.
        """
        line = str(text)
        for secret in self.secrets:
            line = line.replace(secret, "***")
        return "".join(c for c in " ".join(line.split()) if c.isprintable())[:200]

    def _ask(self, method: str, url: str, end: float, limit: int, content: dict) -> Reply:
        wait = FIRST_WAIT_S
        for tries_left in reversed(range(TRIES)):
            answer = self._try(method, url, end, limit, content)
            if isinstance(answer, Reply):
                if answer.status not in BUSY:
                    return answer
                trouble, pause = _busy(answer)
                wait = max(wait, pause)
            else:
                trouble = answer
            if not tries_left or monotonic() + wait > end:
                break
            sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)
        msg = f"{self.host} {trouble}; try again later, or another --solver"
        raise SolveError(msg)

    def _try(self, method: str, url: str, end: float, limit: int, content: dict) -> Reply | str:
        """Ask once; what went wrong on the way is given as text.

        The library's own error is not passed on: it holds the request, and with it all secrets.
        """
        patience = max(min(READ_S, end - monotonic()), 1.0)
        content = content | {"timeout": (min(CONNECT_S, patience), patience)}
        try:
            with self._http.request(
                method, url, stream=True, allow_redirects=False, **content
            ) as response:
                body = self._read(response, end, limit)
                return Reply(response.status_code, response.headers, body)
        except requests.exceptions.SSLError as error:
            msg = f"{self.host} has no safe connection to offer ({_reason(error)})"
        except requests.Timeout:
            return "does not answer in time"
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            return f"cannot be reached ({_reason(error)})"
        except requests.RequestException as error:
            msg = f"{self.host} cannot be asked ({_reason(error)})"
        raise SolveError(msg)

    def _read(self, response: requests.Response, end: float, limit: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(PIECE_BYTES):
            body += chunk
            if len(body) > limit:
                msg = f"{self.host} answers with over {limit} bytes: is --server right?"
                raise SolveError(msg)
            if monotonic() > end + 1:
                raise requests.Timeout
        return bytes(body)


def _checked(address: str, *, plain_http: bool) -> Any:
    try:
        parts = urlsplit(address.strip().rstrip("/").removesuffix("/api"))
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        msg = "--server must be an address like https://nova.astrometry.net and nothing more"
        raise SolveError(msg)
    if parts.scheme == "http" and not plain_http and not _is_loopback(parts.hostname):
        msg = (
            f"{parts.netloc}: over http the API key could be read by anyone on the way; give "
            "https://, or set solve.plain_http in the settings file"
        )
        raise SolveError(msg)
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _busy(reply: Reply) -> tuple[str, float]:
    """Say that a server is busy, and how long it wants to be left alone."""
    asked = reply.headers.get("Retry-After", "")
    pause = float(asked) if re.fullmatch(r"\d{1,6}", asked) else 0.0
    later = f", again after {asked} s" if pause else ""
    if reply.status == 429:
        return f"asks for fewer requests (429){later}", pause
    return f"has trouble of its own ({reply.status}){later}", pause


def _reason(error: Exception) -> str:
    found = re.findall(
        r"\[Errno -?\d+\] ([^'\")]+)|certificate verify failed: ([^('\"]+)", str(error)
    )
    return "".join(found[-1])[:100] if found else type(error).__name__
