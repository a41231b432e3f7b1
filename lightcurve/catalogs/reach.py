"""Whether servers can be reached, asked with next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from lightcurve.core.errors import WebError
from lightcurve.core.threads import Threads

__all__ = ["reach"]

WORKERS = 8
LIMIT = 2_000_000  # bytes: all that is asked for is a page
TAP = "/tap"


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of one attempt; told: what it answered and how fast, or why it did not."""

    name: str
    address: str
    answers: bool
    told: str


def reach(addresses: Mapping[str, str], timeout_s: float) -> list[Reached]:
    """Ask every server of a name and an address whether it is there, all at the same time.

    Whatever a server says to a question without a question in it shows that it is there, unless it
    says that it is out of order. Returns one for each, in order; nothing is raised.
    """
    with Threads(WORKERS) as pool:
        return list(pool.map(lambda one: _try(one[0], one[1], timeout_s), addresses.items()))


def _try(name: str, address: str, timeout_s: float) -> Reached:
    from lightcurve.core.http import Session

    tap = address.rstrip("/").lower().endswith(TAP)
    begin = monotonic()
    try:
        with Session(timeout_s=timeout_s, limit=LIMIT, tries=1) as http:
            reply = http.ask("GET", f"{address.rstrip('/')}/availability" if tap else address)
    except WebError as error:
        return Reached(name, address, answers=False, told=str(error))
    took = f"{monotonic() - begin:.1f} s"
    if reply.status >= 500:
        return Reached(name, address, answers=False, told=f"HTTP {reply.status} after {took}")
    if tap and b"available>false" in reply.body:
        return Reached(name, address, answers=False, told="says that it is not available")
    return Reached(name, address, answers=True, told=f"answers in {took}")
