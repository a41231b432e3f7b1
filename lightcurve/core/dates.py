"""Dates and times of day as text, to Julian dates and back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from lightcurve.core.constants import DAY_S, J2000_JD

__all__ = [
    "EARLIEST_JD",
    "LATEST_JD",
    "iso_from_jd",
    "jd_from_iso",
    "parse_calendar",
]

EARLIEST_JD, LATEST_JD = 2433282.5, 2506331.5  # 1950 to 2150: what a digital clock can mean
_CLOCK = r"(\d{1,2})[:\s](\d{1,2})(?:[:\s](\d{1,2})(?:[.,](\d*))?)?\s*(Z|UTC?|[+-]\d{2}:?\d{2})?\s*"
_TIME_OF_DAY = re.compile(rf"\s*{_CLOCK}", re.ASCII)
_ISO = re.compile(
    rf"\s*(\d{{4}})([-/.\s])(\d{{1,2}})\2(\d{{1,2}})(?:[T\s_]\s*{_CLOCK})?\s*", re.ASCII
)
_OLD_DATE = re.compile(
    rf"\s*(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{2}}|\d{{4}})(?:[T\s_]\s*{_CLOCK})?\s*", re.ASCII
)
_HOURS = re.compile(r"\s*(\d{1,2})[.,](\d{2,15})\s*", re.ASCII)


class CalendarTime(NamedTuple):
    """A date and time as text had it."""

    jd: float  # Julian date on the clock's own scale, the offset not applied
    unit_s: float  # value of the last digit written; 86400 for a date alone
    offset_hours: float | None  # from UTC, where the text says it


@lru_cache(maxsize=256)  # the same card is asked for more than once
def parse_calendar(text: str) -> CalendarTime | None:
    """Read a date, with or without a time and an offset from UTC.

    text: ``2017-12-19T18:33:43.317-0700`` and its shorter forms, also with slashes, dots or blanks,
    or the old ``DD/MM/YY`` (``MM/DD/YY`` where the day says so).
    Returns None for anything else, and for a day that does not exist.
    """
    match = _ISO.fullmatch(text[:64])
    old = _OLD_DATE.fullmatch(text[:64])
    if match:
        year, month, day = (int(match[k]) for k in (1, 3, 4))
    elif old:
        match, day, month, year = old, *(int(old[k]) for k in (1, 3, 4))
        if year < 100:  # the old FITS form means 19YY; programs went on writing it
            year += 1900 if year >= 70 else 2000
        if month > 12 and old[2] == "/":  # no such month: as people write it in America
            day, month = month, day
    else:
        return None
    midnight = julian_day(year, month, day)
    if midnight is None or match[5] is None:
        return None if midnight is None else CalendarTime(midnight, DAY_S, None)
    day_s = _seconds(*match.groups()[4:8])
    if day_s is None:
        return None
    return CalendarTime(midnight + day_s[0] / DAY_S, day_s[1], _parse_offset(match[9]))


def both_orders(text: str) -> tuple[str, str] | None:
    """Write an old date the new way, read day first and month first; None where one alone can be.

    text: ``03/04/2020`` or ``03-04-20``, with or without a time; with dots the day comes first.
    """
    old = _OLD_DATE.fullmatch(text[:64])
    if old is None or old[2] == ".":
        return None
    one, other, year = int(old[1]), int(old[3]), int(old[4])
    if max(one, other) > 12 or one == other:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    rest = text[: old.end()][old.end(4) :]
    return f"{year:04d}-{other:02d}-{one:02d}{rest}", f"{year:04d}-{one:02d}-{other:02d}{rest}"


def parse_time_of_day(
    text: str, *, decimal: bool = False
) -> tuple[float, float, float | None] | None:
    """Read ``18:33:43.317`` with or without an offset; None for anything else.

    decimal: also ``18.56203``, hours. Returns seconds since midnight, the value of the last digit
    written, and the offset, in hours.
    """
    hours = _HOURS.fullmatch(text[:64]) if decimal else None
    if hours:
        seconds = 3600 * float(f"{hours[1]}.{hours[2]}")
        return (seconds, 3600 * 10.0 ** -len(hours[2]), None) if seconds < DAY_S else None
    match = _TIME_OF_DAY.fullmatch(text[:64])
    day_s = _seconds(match[1], match[2], match[3], match[4]) if match else None
    if match is None or day_s is None:
        return None
    return *day_s, _parse_offset(match[5])


def _parse_offset(text: str | None) -> float | None:
    """Read ``-0700``, ``+05:30`` or ``Z``: hours that the clock is ahead of UTC."""
    if not text:
        return None
    if text[0] not in "+-":
        return 0.0
    digits = text[1:].replace(":", "")
    hours = int(digits[:2]) + int(digits[2:]) / 60
    return -hours if text[0] == "-" else hours


def _seconds(
    hours: str, minutes: str, seconds: str | None, fraction: str | None
) -> tuple[float, float] | None:
    """Seconds since midnight and the value of the last digit written."""
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 60:
        return None
    digits = (fraction or "")[:15]
    total = int(hours) * 3600.0 + int(minutes) * 60.0 + float(f"{seconds or 0}.{digits or 0}")
    return total, 60.0 if seconds is None else 10.0 ** -len(digits)


def julian_day(year: int, month: int, day: int) -> float | None:
    """Julian date of a Gregorian midnight; None for a day that does not exist."""
    try:
        return date(year, month, day).toordinal() + 1721424.5
    except ValueError:
        return None


def jd_from_iso(text: str) -> float:
    """Julian date, to 40 us, of a calendar text; an offset in it is applied.

    Raises
    ------
    ValueError
        When it is no date.
    """
    read = parse_calendar(text)
    if read is None:
        msg = f"{text[:40]!r} is not a date like 2017-12-20T01:33:43.317"
        raise ValueError(msg)
    return read.jd - (read.offset_hours or 0.0) / 24


def iso_from_jd(jd: float) -> str:
    """Calendar text of a Julian date, to the millisecond: ``2017-12-20T01:33:43.317``."""
    if not EARLIEST_JD <= jd <= LATEST_JD:
        return f"JD {jd:.5f}"
    moment = datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(
        milliseconds=round((jd - J2000_JD) * DAY_S * 1000)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
