"""The one way to any server: tries, redirects, sizes, time and secrets."""

from __future__ import annotations

import gzip
import socket
from contextlib import suppress
from threading import Event, Thread, Timer
from threading import enumerate as threads
from time import monotonic

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lightcurve.core.errors import WebError, Why
from lightcurve.core.http import Session, without_secrets


def ask(server: HTTPServer, path: str = "/x?key=hidden", *, timeout_s: float = 5.0) -> bytes:
    with Session(timeout_s=timeout_s, limit=100_000, tries=3, wait_s=0.01) as http:
        return http.ask("GET", server.url_for(path)).body


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(httpserver: HTTPServer, status: int) -> None:
    for _ in range(2):
        httpserver.expect_ordered_request("/x").respond_with_data(
            status=status, headers={"Retry-After": "0"}
        )
    httpserver.expect_ordered_request("/x").respond_with_data(b"at last")
    assert ask(httpserver) == b"at last"


def test_a_name_that_cannot_be_looked_up_is_given_up_at_once(monkeypatch) -> None:
    asked: list[str] = []

    def unknown(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "no network")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with Session(timeout_s=5.0, limit=1000, tries=3) as http, pytest.raises(WebError):
        http.ask("GET", "http://nowhere.invalid/x")
    assert asked == ["nowhere.invalid"]


def test_an_answer_that_breaks_off_is_asked_for_again(httpserver: HTTPServer) -> None:
    cut = Response(b"half")
    cut.automatically_set_content_length = False
    cut.headers["Content-Length"] = "1000"
    httpserver.expect_ordered_request("/x").respond_with_response(cut)
    httpserver.expect_ordered_request("/x").respond_with_data(b"whole")
    assert ask(httpserver) == b"whole"


def test_a_server_may_ask_for_patience_but_not_for_a_year(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(
        b"busy", status=503, headers={"Retry-After": "31536000"}
    )
    begin = monotonic()
    assert ask(httpserver, timeout_s=1e9) == b"busy"
    assert monotonic() - begin < 60
    assert len(httpserver.log) == 1


def test_the_limit_holds_for_what_comes_packed(httpserver: HTTPServer) -> None:
    packed = gzip.compress(bytes(10_000_000))
    assert len(packed) < 100_000
    httpserver.expect_request("/x").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(WebError, match=r"more than 0\.1 MB"):
        ask(httpserver)


def test_a_client_of_someone_else_is_bounded_too(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(bytes(200_000))
    with Session(timeout_s=5, limit=100_000) as http, pytest.raises(WebError, match="more than"):
        http.get(httpserver.url_for("/x"))


@pytest.mark.parametrize("onward", ["http://elsewhere/y?key=hidden", "file:///etc/passwd"])
def test_a_safe_connection_is_not_left(onward: str) -> None:
    reply = requests.Response()
    reply.status_code, reply.url = 302, "https://somewhere/x"
    reply.headers["Location"] = onward
    with Session(limit=1) as http:
        with pytest.raises(WebError, match="not safe") as caught:
            http.get_redirect_target(reply)
        assert "hidden" not in str(caught.value)
        reply.headers["Location"] = "/z"
        assert http.get_redirect_target(reply) == "/z"


def test_a_password_stays_with_its_server(httpserver: HTTPServer) -> None:
    carried = []

    def arrive(request: Request) -> Response:
        carried.append(request.headers.get("Authorization"))
        return Response(b"there")

    away = httpserver.url_for("/there").replace("localhost", "127.0.0.1")
    httpserver.expect_request("/x").respond_with_data(status=302, headers={"Location": away})
    httpserver.expect_request("/there").respond_with_handler(arrive)
    with Session(timeout_s=5, limit=1000) as http:
        assert http.ask("GET", httpserver.url_for("/x"), auth=("me", "secret")).body == b"there"
    assert carried == [None]


def test_neither_messages_nor_the_log_have_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with Session(timeout_s=5, limit=1, tries=3, wait_s=0.01) as http:
        with pytest.raises(WebError, match="cannot be reached") as caught:
            http.ask("GET", "http://me:secret@127.0.0.1:9/x?key=hidden")
        assert caught.value.__cause__ is None
    assert not {"secret", "hidden"} & set(
        (str(caught.value) + caplog.text).replace("=", " ").split()
    )
    assert caplog.text == ""
    assert without_secrets("http://me:secret@h:9/x?key=hidden") == "http://h:9/x"


class Raw:
    """A server that sends whatever it is told, and then goes on dripping."""

    def __init__(self, first: bytes, drip: bytes) -> None:
        self.first, self.drip = first, drip
        self.over = Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = Thread(target=self.serve)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/x"

    def serve(self) -> None:
        with suppress(OSError):
            while not self.over.is_set():
                client, _ = self.listening.accept()
                with client, suppress(OSError):
                    client.recv(65536)
                    client.sendall(self.first)
                    while not self.over.wait(0.02):
                        client.sendall(self.drip)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"H", b""),
        (b"HTTP/1.1 200 ", b"o"),
        (OK + b"X-Drip: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKS + b"5;", b"a"),
        (CHUNKS, b"1\r\na\r\n"),
        (OK + b"\r\n", b" "),
    ],
    ids=["silence", "status", "header", "continue", "chunk header", "chunks", "body"],
)
def test_all_of_an_answer_has_one_time(first: bytes, drip: bytes) -> None:
    """However it drips, each byte of which ends a silence."""
    server, begin = Raw(first, drip), monotonic()
    try:
        http = Session(timeout_s=0.2, limit=100_000, tries=3, wait_s=0.01)
        with http, pytest.raises(WebError) as raised:
            http.ask("GET", server.url)
        assert raised.value.why is Why.TIMED_OUT
        assert monotonic() - begin < 30  # it would drip for ever
    finally:
        server.close()


def test_no_watch_outlives_its_session(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(b"quick")
    earlier = set(threads())
    for _ in range(5):
        assert ask(httpserver, timeout_s=100) == b"quick"
    for watch in set(threads()) - earlier:
        if isinstance(watch, Timer):
            watch.join(30)  # one that was told to end does so at once, but in its own thread
            assert not watch.is_alive()
