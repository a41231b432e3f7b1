"""What servers do wrong, a sample; `python -m benchmarks faults` has every client and fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_clients import KEYS, ask
from fault_server import FaultServer

# What leads a client to an endless file of this machine, a traceback, a secret, control characters,
# or a claim about the object; and one of each other kind.
CASES = (
    *("archive binary-elsewhere", "archive laughs", "planets hints", "gaia hints"),
    *("index length-digits", "index to-a-metadata-host", "reach to-a-metadata-host"),
    *("nova-0 to-itself-with-a-password", "nova-4 noise-body", "nova-4 utf-16", "sesame html"),
    *(
        "sesame text",
        "sesame text-odd",
        "index drips-body",
        "simbad deep-xml",
        "exoclock deep-json",
    ),
    *("colibri echo", "horizons text", "hips fits-huge", "exoclock json-digits", "simbad noise"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_told_in_time_and_in_one_line(
    server: FaultServer, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    client, fault = case.split()
    told = ask(client, server.address(fault, client), tmp_path)
    assert told.troubles == ()
    if client == "sesame":
        assert "does not know" not in told.said
