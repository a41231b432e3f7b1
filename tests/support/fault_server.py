"""A server that does to its clients whatever the path of the address names: `FAULTS`.

``http://127.0.0.1:PORT/NAME/anything`` is answered by the fault NAME, in raw bytes.
"""

from __future__ import annotations

import gzip
import random
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

SECRET = "sesame-open-1234"  # noqa: S105  (nobody's)
LONGEST_S = 60.0  # of any fault, so that no thread of the server outlasts a client for ever
STEP_S = 0.05
YEAR = "31536000"
MILLION = b" " * 1_000_000


class Talk:
    """One connection: what was asked, and ways to answer."""

    def __init__(self, sock: socket.socket, asked: bytes, address: str, name: str) -> None:
        self.sock, self.asked, self.address, self.name = sock, asked, address, name
        self.end = time.monotonic() + LONGEST_S

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes) -> None:
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(STEP_S)

    def for_ever(self, data: bytes, pause_s: float = STEP_S) -> None:
        while time.monotonic() < self.end:
            self.send(data)
            time.sleep(pause_s)

    def head(self, status: str = "200 OK", **headers: str) -> bytes:
        lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def answer(self, body: bytes, status: str = "200 OK", **headers: str) -> None:
        told = {"Content_Type": "text/xml", "Content_Length": str(len(body)), "Connection": "close"}
        self.send(self.head(status, **{**told, **headers}) + body)


def _whole(body: bytes, status: str = "200 OK", **headers: str) -> Callable[[Talk], None]:
    return lambda talk: talk.answer(body, status, **headers)


def _raw(*pieces: bytes) -> Callable[[Talk], None]:
    return lambda talk: talk.send(b"".join(pieces))


def votable(fields: str, rows: str, more: str = "") -> bytes:
    """Write a VOTable of text."""
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/>{more}<TABLE>{fields}'
        f"<DATA>{rows}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


TD = "<TABLEDATA><TR><TD>{}</TD><TD>{}</TD></TR></TABLEDATA>"
NUMBERS = '<FIELD name="ra" datatype="double"/><FIELD name="dec" datatype="double"/>'
WORDS = NUMBERS.replace('"double"', '"char" arraysize="*"')
BOMB = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))
HTML = b"<html><head><title>Portal</title></head><body>Please log in &amp; pay</body></html>"
NOISE = random.Random(1).randbytes(5000)  # noqa: S311  (the same each time)
PACKED = gzip.compress(votable(NUMBERS, TD.format(1, 2)))


def _silence(talk: Talk) -> None:
    talk.sock.settimeout(LONGEST_S)
    with suppress(OSError):
        talk.sock.recv(1)


def _chunks_for_ever(talk: Talk) -> None:
    talk.send(talk.head(Transfer_Encoding="chunked"))
    while True:
        talk.send(b"f4240\r\n" + MILLION + b"\r\n")


def _body_for_ever(talk: Talk) -> None:
    talk.send(talk.head(Content_Type="text/xml"))
    while True:
        talk.send(MILLION)


def _header_for_ever(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX: ")
    talk.for_ever(MILLION[:10_000], 0.001)


def _reset(talk: Talk) -> None:
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.sock.close()


def _reset_in_the_middle(talk: Talk) -> None:
    talk.send(talk.head(Content_Length="1000") + b"<?xml")
    _reset(talk)


def _bomb(talk: Talk) -> None:
    talk.answer(gzip.compress(MILLION) * 300, Content_Encoding="gzip")


def _again(talk: Talk) -> None:
    talk.answer(b"", "302 Found", Location=f"{talk.address}/{talk.name}/{time.monotonic()}")


def _echo(talk: Talk) -> None:
    """Say back all that was asked, as pages of errors do, as markup and as JSON."""
    text = unquote(talk.asked.decode("latin-1"))
    for sign in "&<>\"'\r\n{}":
        text = text.replace(sign, " ")
    body = f'<html><body>{text}</body></html>{{"status": "error", "errormessage": "{text}"}}'
    talk.answer(body.encode(), "400 Bad Request", Content_Type="text/html")


def _echo_json(talk: Talk) -> None:
    text = unquote(talk.asked.decode("latin-1")).replace("\r\n", " ").replace('"', " ")
    body = f'{{"status": "error", "errormessage": "{text}", "error": "{text}"}}'.replace("\\", "")
    talk.answer(body.encode(), Content_Type="application/json")


def _sends_on(where: str) -> Callable[[Talk], None]:
    return _whole(b"", "307 Temporary Redirect", Location=where)


def _status(line: str, **headers: str) -> Callable[[Talk], None]:
    return _whole(b"<html>no</html>", line, **headers)


def _begin(begin: bytes, for_ever: bytes = b"") -> Callable[[Talk], None]:
    """Send the beginning, then something for ever, or nothing."""

    def go_on(talk: Talk) -> None:
        talk.send(begin)
        if for_ever:
            talk.for_ever(for_ever)
        else:
            _silence(talk)

    return go_on


OK = b"HTTP/1.1 200 OK\r\n"
SLOW: dict[str, Callable[[Talk], None]] = {
    "silence": _silence,
    "drips-status": lambda talk: talk.drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain" * 40),
    "drips-headers": _begin(OK, b"X-A: b\r\n"),
    "drips-body": _begin(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "drips-chunks": _begin(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drips-gzip": _begin(OK + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:10], b"\x00"),
    "continues": _begin(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "hints": _begin(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "long-lines": _header_for_ever,
    "half-body": _begin(OK + b"Content-Length: 9\r\n\r\n<?x"),
    "body-for-ever": _body_for_ever,
    "chunks-for-ever": _chunks_for_ever,
    "gzip-bomb": _bomb,
}
QUICK: dict[str, Callable[[Talk], None]] = {
    "hangs-up": lambda _talk: None,
    "reset": _reset,
    "reset-in-the-middle": _reset_in_the_middle,
    "many-headers": lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"),
    "noise": _raw(NOISE),
    "noise-body": _whole(NOISE),
    "too-short": _whole(b"<?xml", Content_Length="10000"),
    "too-long": _whole(b"<?xml version='1.0'?><a/>" * 100, Content_Length="7"),
    "length-negative": _whole(b"<a/>", Content_Length="-5"),
    "length-word": _whole(b"<a/>", Content_Length="many"),
    "length-digits": _whole(b"<a/>", Content_Length="9" * 5000),
    "length-twice": _whole(b"<a/>", Content_Length="4\r\nContent-Length: 900"),
    "chunk-negative": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n"),
    "chunk-huge": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 500),
    "coding-unknown": _whole(b"<a/>", Transfer_Encoding="klingon", Content_Encoding="klingon"),
    "gzip-broken": _whole(b"\x1f\x8b\x08" + NOISE, Content_Encoding="gzip"),
    "gzip-cut": _whole(PACKED[:-20], Content_Encoding="gzip"),
    "gzip-unsaid": _whole(PACKED),
    "deflate-broken": _whole(NOISE, Content_Encoding="deflate"),
    "charset": _whole(HTML, Content_Type="text/html; charset=klingon"),
    "not-utf-8": _whole(votable(NUMBERS, TD.format(1, 2)).replace(b"OK", b"\xe9\xff")),
    "utf-16": _whole(votable(NUMBERS, TD.format(1, 2)).decode().encode("utf-16")),
    "deep-json": _whole(b"[" * 200_000, Content_Type="application/json"),
    "deep-object": _whole(b'{"a":' * 100_000, Content_Type="application/json"),
    "deep-xml": _whole(b"<a>" * 200_000),
    "json-null": _whole(b"null", Content_Type="application/json"),
    "json-list": _whole(b"[1, null, [], {}]", Content_Type="application/json"),
    "json-digits": _whole(b'{"a": {"ra_j2000": %s}}' % (b"9" * 10_000)),
    "json-nan": _whole(b'{"voevents": [{"ra": NaN, "dec": 1e999}], "status": 5, "session": []}'),
    "json-types": _whole(b'{"voevents": 5, "status": "success", "session": {}, "subid": "x"}'),
    "loop": _again,
    "to-a-file": _sends_on("file:///etc/passwd"),
    "to-ftp": _sends_on("ftp://127.0.0.1/x"),
    "to-another-host": _sends_on("http://127.0.0.9:9/x"),
    "to-a-metadata-host": _sends_on("http://[::1/latest"),
    "to-control-characters": _sends_on("http://127.0.0.1:9/\x1b[31m\x07"),
    "to-nowhere": _sends_on(""),
    "to-itself-with-a-password": _sends_on("http://user:hunter2@127.0.0.1:9/x?key=hunter2"),
    "html": _whole(HTML, Content_Type="text/html"),
    "empty": _whole(b""),
    "blanks": _whole(b" \n" * 1000),
    "truncated": _whole(votable(NUMBERS, TD.format(1, 2))[:-60]),
    "columns-missing": _whole(votable(NUMBERS, TD.format(10, 20))),
    "columns-of-words": _whole(votable(WORDS, TD.format("here", "there"))),
    "numbers-absurd": _whole(votable(NUMBERS, TD.format("1e999", "-" + "9" * 400))),
    "array-huge": _whole(votable(NUMBERS.replace("/>", ' arraysize="99999999999"/>'), TD)),
    "rows-huge": _whole(votable(NUMBERS, TD, '<PARAM name="n" datatype="int" value="1e30"/>')),
    "binary-broken": _whole(
        votable(NUMBERS, '<BINARY2><STREAM encoding="base64">%%%AAAA</STREAM></BINARY2>')
    ),
    "binary-elsewhere": _whole(
        votable(NUMBERS, '<BINARY><STREAM href="file:///dev/zero"/></BINARY>')
    ),
    "fits-elsewhere": _whole(votable(NUMBERS, '<FITS><STREAM href="file:///dev/zero"/></FITS>')),
    "status-error": _whole(
        votable(NUMBERS, "").replace(b'value="OK"/>', b'value="ERROR">\x1b[2J no\n\nno</INFO>')
    ),
    "unit-unknown": _whole(votable(NUMBERS.replace("/>", ' unit="furlong^^2"/>'), TD)),
    "no-table": _whole(b'<?xml version="1.0"?><VOTABLE version="9.9"/>'),
    "other-xml": _whole(b'<?xml version="1.0" encoding="klingon"?><rss/>'),
    "laughs": _whole(f"<?xml version='1.0'?><!DOCTYPE a [{BOMB}]><a>&a9;</a>".encode()),
    "entity": _whole(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><VOTABLE>&b;</VOTABLE>'),
    "bad-fits": _whole(b"SIMPLE  =                    T" + b" " * 5000),
    "fits-huge": _whole(
        b"".join(
            card.ljust(80)
            for card in (
                b"SIMPLE  =                    T", b"BITPIX  =                  -64",
                b"NAXIS   =                    2", b"NAXIS1  =           2000000000",
                b"NAXIS2  =           2000000000", b"END",
            )
        ).ljust(2880)
    ),
    "text": _whole(b"%J 999999 +888888\n%P a b\n$$SOE\n1,2,3\n$$EOE\n", Content_Type="text/plain"),
    "text-odd": _whole(b"%J 1.2.3 +4.5.6\n%P ++ --\n%X ...\n", Content_Type="text/plain"),
    "escapes": _whole(b"\x1b]0;owned\x07\x1b[31mno\r\n" * 50, "400 Bad Request"),
    "echo": _echo,
    "echo-json": _echo_json,
    "later-a-year": _status("429 Too Many Requests", Retry_After=YEAR),
    "later-9999": _status("503 Unavailable", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"),
    "later-negative": _status("503 Unavailable", Retry_After="-1"),
    "later-digits": _status("503 Unavailable", Retry_After="9" * 5000),
    "later-a-word": _status("503 Unavailable", Retry_After="soon"),
    "status-401": _status("401 Unauthorized", WWW_Authenticate="Basic realm=\x1b[31m"),
    "status-407": _status("407 Proxy Authentication Required"),
    "status-500": _status("500 Oops"),
    "status-204": _raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    "status-304": _raw(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    "status-101": _raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    "status-206": _status("206 Partial Content", Content_Range="bytes 5-4/1"),
    "status-999": _status("999 Denied"),
    "status-word": _status("OK fine"),
    "status-digits": _raw(b"HTTP/1.1 " + b"9" * 5000 + b" x\r\n\r\n"),
    "http-9": _raw(b"HTTP/9.9 200 OK\r\nContent-Length: 4\r\n\r\n<a/>"),
    "no-headers": _raw(b"<html>HTTP/0.9 had none</html>"),
    "tls-alert": _raw(b"\x15\x03\x01\x00\x02\x02\x28"),
    "cookies": _whole(HTML, Set_Cookie="a=" + "b" * 60_000),
}  # fmt: skip
FAULTS = {**SLOW, **QUICK}


# What the server of nova says where nothing is wrong, by the beginning of the path.
NOVA = {
    "/api/login": b'{"status": "success", "session": "abc"}',
    "/api/upload": b'{"status": "success", "subid": 7}',
    "/api/submissions": b'{"jobs": [9], "job_calibrations": [], "processing_started": "x"}',
    "/api/jobs": b'{"status": "success"}',
}


class _Handler(socketserver.BaseRequestHandler):
    home: FaultServer

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            self.home.handle(self.request)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up: those under test do."""


class FaultServer:
    """Serve until `close`.

    only: what it does whatever the path says, but for the paths of NOVA before that of number
    `after`.
    """

    def __init__(self, only: str = "", after: int = 0) -> None:
        self.only, self.right = only, list(NOVA)[:after]
        self.server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"home": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def address(self, fault: str, of: str = "") -> str:
        """Name the address that does so; `of` tells clients apart, which remember servers."""
        return f"{self.url}/{fault}{'~' if of else ''}{of}"

    def handle(self, sock: socket.socket) -> None:
        """Read what is asked, and do what the path names."""
        sock.settimeout(5)
        asked = b""
        while b"\r\n\r\n" not in asked and len(asked) < 200_000:
            if not (piece := sock.recv(65536)):
                return
            asked += piece
            if asked[:1] == b"\x16":  # somebody speaks TLS
                sock.sendall(NOISE)
                return
        head, _, body = asked.partition(b"\r\n\r\n")
        lengths = [one for one in head.split(b"\r\n") if one.lower().startswith(b"content-length")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < min(length, 10_000_000) and (piece := sock.recv(65536)):
            body += piece
        sock.settimeout(LONGEST_S)
        path = urlsplit(asked.split(b" ")[1].decode("latin-1")).path
        name = self.only or path.strip("/").split("/")[0]
        talk = Talk(sock, head + b" " + body[:20_000], self.url, name)
        right = next((NOVA[one] for one in self.right if path.startswith(one)), None)
        if right is not None:
            talk.answer(right)
        else:
            FAULTS[name.partition("~")[0]](talk)
