"""Every client of a server against everything a server can do wrong: minutes, no network.

    python -m benchmarks faults [--only CLIENT ...] [--faults NAME ...]

Each question ends in time, in an answer or in one line that names the fault and no secret; no
traceback, no warning, and no memory beyond what one answer may take.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fault_clients import CLIENTS, KEYS, Told, ask
from fault_server import FAULTS, SECRET, FaultServer

WORKERS = 6
MOST_MB = 1500


class Heard(logging.Handler):
    """Keeps what the log says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(f"{record.name}: {record.getMessage()}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    asked = parsed()
    os.environ |= KEYS
    heard = Heard()
    logging.getLogger().addHandler(heard)
    logging.getLogger().setLevel(logging.DEBUG)
    shown: list[str] = []
    warnings.showwarning = lambda message, *_, **__: shown.append(str(message))
    threading.excepthook = lambda told: shown.append(f"thread: {told.exc_value!r}")
    warnings.simplefilter("always")
    warnings.simplefilter("ignore", ResourceWarning)  # sockets of the server that resets them
    cases = [(client, fault) for fault in asked.faults for client in asked.only]
    troubles: list[str] = []
    begin = time.monotonic()
    server = FaultServer()
    with tempfile.TemporaryDirectory() as name:
        os.environ["LIGHTCURVE_CACHE_DIR"] = name

        def one(case: tuple[str, str]) -> Told:
            client, fault = case
            folder = Path(name, client, fault)
            folder.mkdir(parents=True)
            return ask(client, server.address(fault, client), folder)

        with ThreadPoolExecutor(WORKERS) as pool:
            for (client, fault), told in zip(cases, pool.map(one, cases), strict=True):
                troubles += [
                    f"{client} / {fault}: {one}: {told.said[:200]}" for one in told.troubles
                ]
                if asked.verbose:
                    print(f"{client} / {fault}: {told.took_s:.1f} s: {told.said[:200]}", flush=True)
    troubles += [f"told a secret: {line[:200]}" for line in heard.lines if SECRET in line]
    troubles += [f"a warning: {line}" for line in dict.fromkeys(shown)]
    if peak_mb() > MOST_MB:
        troubles.append(f"{peak_mb():.0f} MB of memory")
    for trouble in troubles:
        print(trouble)
    kinds = Counter(trouble.partition(": ")[2][:60] for trouble in troubles)
    print(
        f"{len(cases)} faults of {len(asked.only)} clients in {time.monotonic() - begin:.0f} s, "
        f"{peak_mb():.0f} MB at most: {len(troubles)} troubles of {len(kinds)} kinds"
    )
    sys.exit(bool(troubles))


if __name__ == "__main__":
    main()
