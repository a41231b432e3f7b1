"""Transits as a calendar file: iCalendar, RFC 5545."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from lightcurve.catalogs.known_planets import key_of
from lightcurve.core.constants import DAY_S, UNIX_ZERO_JD, __version__
from lightcurve.core.data import Site
from lightcurve.core.table_text import printable
from lightcurve.tonight.transits import Chance

OCTETS = 75  # of a line, at most


def calendar_text(
    chances: Iterable[tuple[Chance, str]], site: Site, moment: datetime | None = None
) -> str:
    """Write transits as events from when to when each can be observed.

    An event keeps its UID however often the file is made, so that a calendar takes it once.

    chances: each with what is told of it. moment: when the file is made; now, if not given.
    """
    stamp = f"{moment or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//lightcurve//tonight {__version__}//EN",
        "CALSCALE:GREGORIAN",
    ]  # fmt: skip
    for chance, told in chances:
        lines += _event(chance, told, site, stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in folded(line))


def _event(chance: Chance, told: str, site: Site, stamp: str) -> list[str]:
    where = f"{site.latitude_deg:.4f};{site.longitude_deg:.4f}"
    place = re.sub(r"[^0-9.-]+", "_", where)
    return [
        "BEGIN:VEVENT",
        f"UID:{_key(chance.planet.name)}_{chance.epoch}_{place}@lightcurve",
        f"DTSTAMP:{stamp}",
        f"DTSTART:{_moment(chance.first)}",
        f"DTEND:{_moment(chance.last, later=True)}",
        f"SUMMARY:{escaped(f'Transit of {chance.planet.name}')}",
        f"DESCRIPTION:{escaped(told)}",
        *([f"LOCATION:{escaped(site.name)}"] if site.name else []),
        f"GEO:{where}",
        "END:VEVENT",
    ]


def _key(name: str) -> str:
    """Write a planet's name in letters of ASCII; Greek and others by their number."""
    return key_of("".join(one if one.isascii() else f"u{ord(one):x}" for one in name))


def _moment(jd: float, *, later: bool = False) -> str:
    """Write a JD UTC to the second; an end is at least one after its start."""
    seconds = int((jd - UNIX_ZERO_JD) * DAY_S) + later
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """Write text as a value of TEXT; lines stay lines."""
    lines = (re.sub(r"([\\;,])", r"\\\1", printable(line)) for line in text.split("\n"))
    return "\\n".join(lines)


def folded(line: str) -> Iterator[str]:
    """Part a line where it is longer than 75 octets; the rest begins with a blank."""
    part, room = "", OCTETS
    for letter in line:
        size = len(letter.encode())
        if size > room:
            yield part
            part, room = " ", OCTETS - 1
        part, room = part + letter, room - size
    yield part
