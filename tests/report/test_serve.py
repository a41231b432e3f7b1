"""A run folder shown to another room: what is sent, and to whom."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lightcurve.core.errors import InputError
from lightcurve.report import serve
from lightcurve.report.serve import serve_folder

HIDDEN = "own"
PATIENCE_S = 60.0  # a machine that has more to do answers late


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    for name in ("report.html", "live.json", "lightcurve.csv", "figures/night.png"):
        (folder / name).write_bytes(name.encode())
    for name in ("run/state.sqlite", "run/.hidden.csv", "secret.csv"):
        (tmp_path / name).write_text(HIDDEN)
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "out").symlink_to(tmp_path)
    return folder


def ask(
    place: str, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Ask for a path as it stands: nothing tidies it up on the way."""
    parts = urlsplit(place)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=PATIENCE_S)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or parts.netloc)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("/", "report.html", "text/html"),
        ("/report.html", "report.html", "text/html"),
        ("/live.json?x=1", "live.json", "application/json"),
        ("/lightcurve.csv", "lightcurve.csv", "text/csv"),
        ("/figures/night.png", "figures/night.png", "image/png"),
        ("/figures%2Fnight.png", "figures/night.png", "image/png"),
    ],
)
def test_page_data_and_products_are_sent(run: Path, path: str, name: str, kind: str) -> None:
    with serve_folder(run, 0) as place:
        status, content, headers = ask(place, path)
        assert (status, content) == (200, name.encode())
        assert headers["Content-Type"].startswith(kind)
        assert headers["Cache-Control"] == "no-store"
        status, content, headers = ask(place, path, method="HEAD")
        assert (status, content, int(headers["Content-Length"])) == (200, b"", len(name))


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.csv", "/%2e%2e/secret.csv", "/..%2fsecret.csv", "/figures/../../secret.csv",
        "/link.csv", "/out/secret.csv", "//secret.csv", "/./secret.csv", "/state.sqlite",
        "/.hidden.csv", "/figures", "/figures/", "/none.csv", "/secret.csv%00.csv",
        "/..\\secret.csv", "/" + "a" * 5000 + ".csv", "http://elsewhere/secret.csv",
    ],
)  # fmt: skip
def test_nothing_else_is_sent_and_no_folder_listed(run: Path, path: str) -> None:
    with serve_folder(run, 0) as place:
        status, content, _ = ask(place, path)
    assert status == 404
    assert HIDDEN.encode() not in content
    assert b"night.png" not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_read_only(run: Path, method: str) -> None:
    with serve_folder(run, 0) as place:
        assert ask(place, "/report.html", method=method)[0] == 501


def test_other_names_of_this_machine_are_refused(run: Path) -> None:
    """A page of another site whose name is made to point here gets nothing."""
    with serve_folder(run, 0) as place:
        port = urlsplit(place).port
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1"):
            assert ask(place, "/report.html", host=host)[0] == 404
        assert ask(place, "/report.html", host=f"localhost:{port}")[0] == 200


def test_beyond_this_machine_a_token_is_needed(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd
) -> None:
    monkeypatch.setattr(serve, "_is_loopback", lambda address: address != "127.0.0.1")
    with serve_folder(run, 0) as place, serve_folder(run, 0) as other:
        path = urlsplit(place).path
        assert re.fullmatch(r"/[\w-]{32}/", path)
        assert path != urlsplit(other).path
        assert ask(place, path)[:2] == (200, b"report.html")
        assert ask(place, path + "live.json")[0] == 200
        wrong = "/" + "A" * 32 + "/"
        for bad in ("/", "/report.html", "/live.json", wrong, wrong + "live.json", path[:-1],
                    path[:-2] + "/live.json", "/%C3%A9/live.json"):  # fmt: skip
            assert ask(place, bad)[0] == 404
        assert ask(place, path + "../secret.csv")[0] == 404
    said = capfd.readouterr()
    assert path.strip("/") not in said.out + said.err + caplog.text


def test_one_machine_has_a_few_connections(run: Path) -> None:
    refused = pytest.raises((ConnectionError, http.client.HTTPException))
    with serve_folder(run, 0) as place, _idle(urlsplit(place).port, serve.MOST_OF_ONE), refused:
        ask(place, "/report.html")


def test_slow_clients_keep_nobody_out_for_long(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has to say in time what it wants."""
    monkeypatch.setattr(serve, "TIMEOUT_S", 1.0)
    with serve_folder(run, 0) as place, _idle(urlsplit(place).port, serve.MOST_OF_ONE) as idle:
        with suppress(ConnectionError):
            for _ in range(40):  # a letter at a time wins no time
                idle[0].sendall(b"G")
                time.sleep(0.05)
        with suppress(ConnectionError):
            assert idle[0].recv(1) == b""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                assert ask(place, "/report.html")[0] == 200
                break
            except (ConnectionError, http.client.HTTPException):
                time.sleep(0.1)
        else:
            pytest.fail("idle clients hold their places")


@contextmanager
def _idle(port: int | None, number: int) -> Iterator[list[socket.socket]]:
    clients = [
        socket.create_connection(("127.0.0.1", port or 0), timeout=PATIENCE_S)
        for _ in range(number)
    ]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def test_without_a_page_it_says_so_or_links_those_of_several_curves(run: Path) -> None:
    (run / "report.html").unlink()
    with serve_folder(run, 0) as place:
        assert b"No page yet" in ask(place, "/")[1]
        (run / "R <b>").mkdir()
        (run / "R <b>" / "report.html").write_bytes(b"of R")
        content = ask(place, "/")[1]
        assert b"R &lt;b&gt;" in content
        assert ask(place, "/R%20%3Cb%3E/report.html")[1] == b"of R"


def test_a_port_that_is_taken(run: Path) -> None:
    with serve_folder(run, 0) as place:
        port = urlsplit(place).port or 0
        with pytest.raises(InputError, match="--serve"), serve_folder(run, port):
            pass
    with pytest.raises(InputError), serve_folder(run, 0, "no such machine"):
        pass
