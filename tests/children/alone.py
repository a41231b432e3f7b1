"""On import: no address but this machine's own, no wait for one, no index files of the system."""

from __future__ import annotations

import ipaddress
import socket
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

# What modules hold here instead of what they say. Who is refused anyhow is asked again at once:
# each night would wait for its catalogues.
HELD = {
    "lightcurve.astrometry.index": ("SYSTEM_PLACES", ()),
    "lightcurve.core.http": ("FIRST_WAIT_S", 0.01),
}


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own."""
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_the_network() -> None:
    """Refuse every address but this machine's own; a test that leaves it is a defect."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not is_loopback(str(address[0])):
            raise OSError(f"tests may not reach {address[0]}")
        connect(self, address)

    def guarded_resolve(host: object, *args: object, **kwargs: object) -> object:
        if host is not None and not is_loopback(str(host)):
            raise socket.gaierror(f"tests may not look up {host}")
        return resolve(host, *args, **kwargs)

    socket.socket.connect = guarded_connect
    socket.getaddrinfo = guarded_resolve


class Held(MetaPathFinder):
    """Put into modules, when they are imported, what they hold here."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name not in HELD:
            return None
        held, value = HELD.pop(name)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_hold(module: ModuleType) -> None:
            execute(module)
            setattr(module, held, value)

        spec.loader.exec_module = execute_and_hold
        return spec


refuse_the_network()
sys.meta_path.insert(0, Held())
