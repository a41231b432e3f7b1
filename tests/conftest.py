"""What all tests share: where the real data are, and no way out to the network."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nova_server import Nova
    from services_server import ServicesServer

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real frames and tables; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED.name}: this test needs the shared data folder")
    return SHARED


@pytest.fixture(scope="session")
def hatp32(shared_data: Path) -> list[Path]:
    """The 142 real frames, in order of their names."""
    return sorted((shared_data / "hatp32").glob("*.FITS"))


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every address but this machine's own; a test that leaves it is a defect."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not _is_loopback(str(address[0])):
            raise OSError(f"tests may not reach {address[0]}")
        connect(self, address)

    def guarded_resolve(host: object, *args: object, **kwargs: object) -> object:
        if host is not None and not _is_loopback(str(host)):
            raise socket.gaierror(f"tests may not look up {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's caches and keys out of the tests, and the tests out of them."""
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    # astroquery's configuration may hold a key as well.
    config = tmp_path_factory.getbasetemp() / "config"
    (config / "astropy").mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))


@pytest.fixture
def nova(shared_data: Path) -> Iterator[Nova]:
    """A server on this machine that speaks as nova.astrometry.net does, and really solves."""
    pytest.importorskip("astrometry")
    from nova_server import Nova

    server = Nova([shared_data / "index-tycho2-hatp32.fits"])
    yield server
    server.close()


@pytest.fixture(scope="session")
def _services_running(shared_data: Path) -> Iterator[ServicesServer]:
    from services_server import ServicesServer

    server = ServicesServer(shared_data)
    yield server
    server.close()


@pytest.fixture
def services(
    _services_running: ServicesServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ServicesServer]:
    """A server on loopback that answers as Gaia, VizieR, SIMBAD, SkyBoT and others do."""
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "remembered"))
    monkeypatch.delenv("ASTROCOLIBRI_API", raising=False)
    _services_running.calm()
    yield _services_running
    _services_running.calm()
