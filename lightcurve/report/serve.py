"""A run folder shown to another room: page, data and products, read only.

Nothing but the files of the folder is ever sent, none of them is hidden, and no folder is listed.
Beyond this machine each address begins with a token, without which nothing is answered.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from lightcurve.core.errors import InputError

__all__ = ["serve_folder"]

Socket: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"
# What a run writes; the records by which it goes on are nobody's concern.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".toml": "text/plain; charset=utf-8",
}
PAGE = "report.html"
AWAITED = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
    "<title>lightcurve</title>"
)
TIMEOUT_S = 10.0  # for a client to say what it wants, and to take the next of it
LONGEST_S = 300.0  # for a client to be served
MOST_CLIENTS, MOST_OF_ONE = 64, 16  # at a time, of all and of one address
LONGEST_NAME = 1000
BLOCK = 65536
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, and who may ask: names in the Host header, the token in the address."""

    folder: Path
    hosts: frozenset[str] | None  # None where no list can be right: the token tells
    token: str = ""


@contextmanager
def serve_folder(folder: Path, port: int, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve a run folder while the block lasts.

    Parameters
    ----------
    port : int
        0 for any that is free.
    address : str
        Of this machine; one that others reach asks for a random token in every address.

    Yields
    ------
    str
        Where the page is.

    Raises
    ------
    InputError
        Where nothing can listen there.
    """
    here = _is_loopback(address)
    token = "" if here else secrets.token_urlsafe(24)
    try:
        server = _Server((address, port), _Handler)
    except (OSError, OverflowError) as error:
        msg = f"--serve {port} at {address}: {error}; choose another port or --bind"
        raise InputError(msg) from error
    bound = server.server_address[1]
    known = frozenset(f"{name}:{bound}" for name in ("localhost", "127.0.0.1", "[::1]", address))
    server.site = Site(folder.resolve(), known if here else None, token)
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
    thread.start()
    shown = f"[{address}]" if ":" in address else address
    if address in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        shown = socket.gethostname()
    try:
        yield f"http://{shown}:{bound}/{token + '/' if token else ''}"
    finally:
        server.shutdown()
        server.server_close()


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    """A thread for each client, and not more than a few."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CLIENTS
    site: Site

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._clients: Counter[str] = Counter()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def verify_request(self, request: Socket, client_address: Any) -> bool:
        """Take a client if there is room for it; else hang up."""
        del request
        with self._lock:
            room = self._clients.total() < MOST_CLIENTS
            room &= self._clients[client_address[0]] < MOST_OF_ONE
            self._clients[client_address[0]] += room
        return room

    def process_request_thread(self, request: Socket, client_address: Any) -> None:
        """Answer a client, within a time that it cannot draw out; make room for another."""
        end = threading.Timer(LONGEST_S, _hang_up, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            with self._lock:
                self._clients[client_address[0]] -= 1

    def handle_error(self, request: Socket, client_address: Any) -> None:
        """Say nothing of a client that went away."""


def _hang_up(request: Any) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for files of the folder; everything else is refused."""

    server: _Server
    timeout = TIMEOUT_S
    _asking: threading.Timer
    server_version, sys_version = "lightcurve", ""
    protocol_version = "HTTP/1.0"  # one request a connection: no client keeps a thread

    def handle(self) -> None:
        """Hang up on a client that does not say in time what it wants, byte by byte or at all."""
        self._asking = threading.Timer(TIMEOUT_S, _hang_up, (self.connection,))
        self._asking.daemon = True
        self._asking.start()
        try:
            super().handle()
        finally:
            self._asking.cancel()

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Tell of a file."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        self._asking.cancel()
        name = self._wanted()
        path = None if name is None else _file(self.server.site.folder, name)
        if name is None or (path is None and name != PAGE):
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n", body=body)
        elif path is None:
            page = _awaited(self.server.site.folder)
            self._send(HTTPStatus.OK, TYPES[".html"], page, body=body)
        else:
            self._send_file(path, body=body)

    def _wanted(self) -> str | None:
        """Name the file that is asked for; None where nobody is told whether there is one."""
        site = self.server.site
        host = self.headers.get("Host", "")
        if site.hosts is not None and host.lower() not in site.hosts:
            return None
        parts = unquote(urlsplit(self.path).path).split("/")
        if site.token:
            given = parts[1] if len(parts) > 2 else ""
            if not hmac.compare_digest(given.encode(), site.token.encode()):
                return None
            parts = parts[1:]
        return "/".join(parts[1:]) or PAGE

    def _send_file(self, path: Path, *, body: bool) -> None:
        try:
            # Opened once: what is replaced meanwhile is sent as it was.
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(0)
                self._head(HTTPStatus.OK, TYPES[path.suffix], size)
                while body and (block := file.read(BLOCK)):
                    self.wfile.write(block)
        except OSError:
            self.close_connection = True

    def _send(self, status: HTTPStatus, kind: str, content: bytes, *, body: bool) -> None:
        self._head(status, kind, len(content))
        if body:
            self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, size: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's word
        """Write no request anywhere: addresses hold the token."""


def _awaited(folder: Path) -> bytes:
    """Write what stands in for a page: the pages of several light curves, or that none is there."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{PAGE}"))
    links = "".join(f'<p><a href="{quote(name)}/{PAGE}">{escape(name)}</a>' for name in names)
    return (AWAITED + (links or "<p>No page yet: the first frames are awaited.")).encode()


def _file(folder: Path, name: str) -> Path | None:
    """Find a file of the folder that may be shown; None for anything else."""
    parts = name.split("/")
    if any(part in {"", ".", ".."} or part.startswith(".") for part in parts):
        return None
    if any(letter in name for letter in "\\\0:") or len(name) > LONGEST_NAME:
        return None
    path = folder.joinpath(*parts)
    try:
        inside = path.resolve(strict=True).is_relative_to(folder) and path.is_file()
    except OSError:
        return None
    return path if inside and path.suffix in TYPES else None
