"""One solving server: asked within limits, left alone when it is of no use, its secrets kept."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lightcurve.core.errors import SolveError, WebError, Why
from lightcurve.core.http import BUSY, Reply, Session, without_secrets
from lightcurve.core.table_text import joined

MAX_BYTES = 1_000_000
TRIES = 4
REST_S = 600.0  # so long a server that failed is not sent anything: a night may outlast that


class WebServer:
    """One server; it is asked again after a pause when it is busy or does not answer.

    Where nothing can be sent at all, that is remembered for `REST_S`: other frames do not wait for
    the same. What it says is quoted without its `secrets`: the set is the caller's to fill.

    address : ``https://host``, with or without ``/api`` behind it.
    plain_http : allow ``http://`` to another machine, where anyone on the way can read along.

    Raises SolveError when the address is not valid, or is not safe.
    """

    def __init__(self, address: str, *, plain_http: bool = False) -> None:
        parts = _checked(address, plain_http=plain_http)
        self.host = parts.netloc
        self._address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.secrets: set[str] = set()
        self._trouble, self._rests_until = SolveError(""), 0.0
        # A proxy has no way to this machine's own servers.
        self._trust_env = not _is_loopback(parts.hostname or "")

    def get(self, path: str, end: float, *, limit: int = MAX_BYTES) -> Reply:
        """Fetch at most `limit` bytes by `end`, a `time.monotonic`, of any status but busy."""
        return self._ask("GET", path, end, limit)

    def post(self, path: str, fields: Mapping[str, Any], end: float, *, files: Any = None) -> Reply:
        """Send form fields and files by `end`, to this server and no other."""
        if monotonic() < self._rests_until:
            msg = f"{self._trouble} (found before; for {REST_S / 60:.0f} min not asked again)"
            raise SolveError(msg, why=self._trouble.why)
        sent = {"data": fields, "files": files, "allow_redirects": False}
        try:
            reply = self._ask("POST", path, end, MAX_BYTES, sent)
        except SolveError as error:
            # With sending every frame begins, and with all its time.
            self.rest(error)
            raise
        if 300 <= reply.status < 400:
            # Whatever secret is in it would go along.
            onward = self.quote(without_secrets(reply.headers.get("Location", "nowhere")))
            msg = f"{self.host} sends on to {onward}: give that as --server if you trust it"
            raise SolveError(msg, why=Why.SENT_ON)
        return reply

    def rest(self, trouble: SolveError) -> None:
        """Send nothing for `REST_S`: whoever wants to gets this answer at once."""
        self._trouble, self._rests_until = trouble, monotonic() + REST_S

    def quote(self, text: object) -> str:
        """Make one short printable line of what the server sent, without secrets."""
        line = str(text)
        for secret in self.secrets:
            line = line.replace(secret, "***")
        return "".join(c for c in joined(line) if c.isprintable())[:200]

    def _ask(
        self, method: str, path: str, end: float, limit: int, sent: Mapping[str, Any] | None = None
    ) -> Reply:
        try:
            with Session(timeout_s=end - monotonic(), limit=limit, tries=TRIES) as http:
                http.trust_env = self._trust_env
                # What comes packed could unpack to any size.
                http.headers["Accept-Encoding"] = "identity"
                # By this nova.astrometry.net tells its clients from robots.
                http.headers["Referer"] = f"{self._address}/api/login"
                reply = http.ask(method, f"{self._address}/{path}", **(sent or {}))
        except WebError as error:
            trouble, why = self.quote(error), error.why
        else:
            if reply.status not in BUSY:
                return reply
            trouble, why = _busy(reply), Why.NO_SERVER
        msg = f"{self.host} {trouble}; try again later, or another --solver"
        raise SolveError(msg, why=why)


def _checked(address: str, *, plain_http: bool) -> SplitResult:
    parts = _split(address)
    if parts is None:
        msg = "--server must be an address like https://nova.astrometry.net and nothing more"
        raise SolveError(msg, why=Why.BAD_ADDRESS)
    if parts.scheme == "http" and not plain_http and not _is_loopback(parts.hostname or ""):
        msg = (
            f"{parts.netloc}: over http the API key could be read by anyone on the way; give "
            "https://, or set solve.plain_http in the settings file"
        )
        raise SolveError(msg, why=Why.BAD_ADDRESS)
    return parts


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address.strip().rstrip("/").removesuffix("/api"))
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    more = parts.query or parts.fragment or parts.username is not None
    return parts if usable and not more else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _busy(reply: Reply) -> str:
    asked = reply.headers.get("Retry-After", "")
    later = f", again after {asked} s" if re.fullmatch(r"\d{1,6}", asked) else ""
    if reply.status == 429:
        return f"asks for fewer requests (429){later}"
    return f"has trouble of its own ({reply.status}){later}"
