"""Times and the sky overhead: calendar text, barycentric and heliocentric dates, airmass.

Everything here is pure and works on arrays. The Earth's place comes from ERFA (`epv00`: 5 km or
15 us RMS in the barycentric position), its turning from `gst00b` with UT1 taken for UTC: their
difference, under 0.9 s, moves the observer by 0.4 km (1.4 us of light) and a star's altitude by
13". No table is downloaded, so a date of next year gives the same answer in any year.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lightcurve.data import Site

DAY_S = 86400.0
MJD_ZERO = 2400000.5
EARLIEST_JD, LATEST_JD = 2433282.5, 2506331.5  # 1950 to 2150: what a digital clock can mean
SPEED_OF_LIGHT_AU_PER_DAY = 173.1446326846693
AU_M = 149597870700.0
CLOCK_SLACK_S = 1.0  # many programs cut the second rather than round it

_ISO = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T\s_]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?"
    r"\s*(Z|UTC?|[+-]\d{2}:?\d{2})?)?\s*",
    re.ASCII,
)
_OLD_DATE = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})\s*", re.ASCII)
_TIME_OF_DAY = re.compile(
    r"\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?\s*(Z|UTC?|[+-]\d{2}:?\d{2})?\s*",
    re.ASCII,
)


class CalendarTime(NamedTuple):
    """A date and time as text had it.

    Attributes
    ----------
    jd : float
        Julian date on the clock's own scale, the offset not applied.
    unit_s : float
        Value of the last digit written, seconds; 86400 for a date alone.
    offset_hours : float or None
        From UTC, where the text says it.
    """

    jd: float
    unit_s: float
    offset_hours: float | None


def parse_calendar(text: str) -> CalendarTime | None:
    """Read a date, with or without a time and an offset from UTC.

    Parameters
    ----------
    text : str
        ``2017-12-19T18:33:43.317-0700`` and its shorter forms, or the old ``DD/MM/YY``.

    Returns
    -------
    CalendarTime or None
        None where the text is no such thing or names a day that does not exist.
    """
    old = _OLD_DATE.fullmatch(text[:64])
    if old:
        day, month, year = (int(part) for part in old.groups())
        if year < 100:  # the old FITS form means 19YY; programs went on writing it
            year += 1900 if year >= 70 else 2000
        midnight = _julian_day(year, month, day)
        return None if midnight is None else CalendarTime(midnight, DAY_S, None)
    match = _ISO.fullmatch(text[:64])
    if not match:
        return None
    midnight = _julian_day(*(int(part) for part in match.groups()[:3]))
    if midnight is None:
        return None
    if match[4] is None:
        return CalendarTime(midnight, DAY_S, None)
    day_s = _seconds(match[4], match[5], match[6], match[7])
    if day_s is None:
        return None
    return CalendarTime(midnight + day_s[0] / DAY_S, day_s[1], parse_offset(match[8]))


def parse_time_of_day(text: str) -> tuple[float, float, float | None] | None:
    """Read ``18:33:43.317`` with or without an offset.

    Parameters
    ----------
    text : str

    Returns
    -------
    seconds, unit_s, offset_hours : float, float, float or None
        Since midnight; the value of the last digit written; from UTC, where said. None for
        anything else.
    """
    match = _TIME_OF_DAY.fullmatch(text[:64])
    day_s = _seconds(match[1], match[2], match[3], match[4]) if match else None
    return None if day_s is None else (*day_s, parse_offset(match[5]))


def parse_offset(text: str | None) -> float | None:
    """Read ``-0700``, ``+05:30`` or ``Z``.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    float or None
        Hours ahead of UTC; None for None.
    """
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


def _julian_day(year: int, month: int, day: int) -> float | None:
    """Julian date of a Gregorian midnight (Fliegel & Van Flandern 1968)."""
    lengths = (31, 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28, 31, 30, 31, 30)
    lengths += (31, 31, 30, 31, 30, 31)
    if not (1 <= month <= 12 and 1 <= day <= lengths[month - 1]):
        return None
    past = (month - 14) // 12 + (1 if (month - 14) % 12 else 0)  # -1 in January and February
    number = 1461 * (year + 4800 + past) // 4 + 367 * (month - 2 - 12 * past) // 12
    return number - 3 * ((year + 4900 + past) // 100) // 4 + day - 32075 - 0.5


def jd_from_iso(text: str) -> float:
    """Julian date of a calendar text; an offset in it is applied.

    Parameters
    ----------
    text : str
        ``2017-12-20T01:33:43.317``, with an offset from UTC or without.

    Returns
    -------
    float
        To 40 us, the resolution of a double.

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
    """Calendar text of a Julian date, to the millisecond.

    Parameters
    ----------
    jd : float

    Returns
    -------
    str
        ``2017-12-20T01:33:43.317``.
    """
    from datetime import UTC, datetime, timedelta

    if not EARLIEST_JD <= jd <= LATEST_JD:
        return f"JD {jd:.5f}"
    moment = datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(
        milliseconds=round((jd - 2451545.0) * DAY_S * 1000)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[np.ndarray, np.ndarray]:
    """Julian dates at which TAI-UTC changed, and its value from then on (seconds)."""
    import erfa

    table = erfa.leap_seconds.get()
    days = [_julian_day(int(year), int(month), 1) for year, month, _ in table]
    return np.array(days), np.array([row[2] for row in table], dtype=float)


def tt_minus_utc_s(jd_utc: np.ndarray | float) -> np.ndarray:
    """Difference of Terrestrial Time and UTC; after the last known leap second it stays.

    Parameters
    ----------
    jd_utc : float or array
        From 1972 on exact; before, TAI-UTC is held at its value of the last step.

    Returns
    -------
    array
        Seconds, of the shape of `jd_utc`.
    """
    days, tai_utc = _leap_seconds()
    place = np.searchsorted(days, np.asarray(jd_utc, dtype=float), side="right") - 1
    return tai_utc[np.maximum(place, 0)] + 32.184


def tdb_from_utc(jd_utc: np.ndarray | float) -> np.ndarray:
    """Barycentric Dynamical Time at the geocentre (the observer's place adds under 3 us).

    Parameters
    ----------
    jd_utc : float or array

    Returns
    -------
    array
        Julian date, TDB.
    """
    import erfa

    jd_utc = np.asarray(jd_utc, dtype=float)
    tt_days = tt_minus_utc_s(jd_utc) / DAY_S
    day = np.floor(jd_utc)
    tdb_tt_s = erfa.dtdb(day, jd_utc - day + tt_days, 0.0, 0.0, 0.0, 0.0)
    return jd_utc + (tt_days + tdb_tt_s / DAY_S)


def bjd_tdb(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site | None
) -> np.ndarray:
    """Barycentric Julian date on the TDB scale (Eastman, Siverd & Gaudi 2010, eq. 10).

    The Roemer delay of a star at infinite distance; the Shapiro delay (under 0.1 ms away from
    the Sun) is left out.

    Parameters
    ----------
    jd_utc : float or (n,) array
        Mid-exposure; NaN gives NaN.
    ra_deg, dec_deg : float
        ICRS.
    site : Site or None
        None stands for the centre of the Earth: up to 21 ms off.

    Returns
    -------
    (n,) array
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    _, barycentric = _earth(jd_utc)
    place = barycentric + _observer_au(jd_utc, site)
    delay = place @ _direction(ra_deg, dec_deg) / SPEED_OF_LIGHT_AU_PER_DAY
    return tdb_from_utc(jd_utc) + delay


def hjd_utc(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site | None
) -> np.ndarray:
    """Heliocentric Julian date on the UTC scale, as older observers' tables have it.

    Parameters
    ----------
    jd_utc : float or (n,) array
        Mid-exposure.
    ra_deg, dec_deg : float
        ICRS.
    site : Site or None
        None stands for the centre of the Earth.

    Returns
    -------
    (n,) array
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    heliocentric, _ = _earth(jd_utc)
    place = heliocentric + _observer_au(jd_utc, site)
    return jd_utc + place @ _direction(ra_deg, dec_deg) / SPEED_OF_LIGHT_AU_PER_DAY


def _direction(ra_deg: float, dec_deg: float) -> np.ndarray:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _earth(jd_utc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heliocentric and barycentric place of the Earth, au, ICRS axes: two (..., 3) arrays."""
    import erfa

    # Outside 1900-2100 ERFA warns and its answer is not defined: NaN, as for any bad time.
    known = np.abs(jd_utc - 2451545.0) < 36524.0
    day = np.where(known, jd_utc, 2451545.0)
    helio, bary = erfa.epv00(np.floor(day), day % 1 + tt_minus_utc_s(day) / DAY_S)
    lost = ~known[..., None]
    return np.where(lost, np.nan, helio["p"]), np.where(lost, np.nan, bary["p"])


def _turned(jd_utc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix to the true equator of date, (..., 3, 3), and sidereal time there, radians."""
    import erfa

    day, fraction = np.floor(jd_utc), jd_utc % 1
    matrix = erfa.pnm00b(day, fraction + tt_minus_utc_s(jd_utc) / DAY_S)
    return matrix, erfa.gst00b(day, fraction)


def _observer_au(jd_utc: np.ndarray, site: Site | None) -> np.ndarray:
    """Place of the observer from the centre of the Earth, (..., 3), au, ICRS axes."""
    import erfa

    if site is None:
        return np.zeros(3)
    x, y, z = erfa.gd2gc(
        1, np.radians(site.longitude_deg), np.radians(site.latitude_deg), site.height_m
    )
    matrix, sidereal = _turned(jd_utc)
    cos, sin = np.cos(sidereal), np.sin(sidereal)
    of_date = np.stack([x * cos - y * sin, x * sin + y * cos, np.full_like(cos, z)], axis=-1)
    return np.einsum("...ji,...j->...i", matrix, of_date) / AU_M


def altitude_deg(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site
) -> np.ndarray:
    """Altitude without refraction (aberration, 20", left out).

    Parameters
    ----------
    jd_utc : float or (n,) array
    ra_deg, dec_deg : float
        ICRS.
    site : Site

    Returns
    -------
    (n,) array
        Degrees.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    matrix, sidereal = _turned(jd_utc)
    star = np.einsum("...ij,j->...i", matrix, _direction(ra_deg, dec_deg))
    local = sidereal + np.radians(site.longitude_deg)
    latitude = np.radians(site.latitude_deg)
    meridian = np.cos(local) * star[..., 0] + np.sin(local) * star[..., 1]
    sine = np.cos(latitude) * meridian + np.sin(latitude) * star[..., 2]
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


def airmass(
    jd_utc: np.ndarray | float, ra_deg: float, dec_deg: float, site: Site | None
) -> np.ndarray:
    """Relative airmass from the true altitude (Young 1994, Appl. Opt. 33, 1108, eq. 7).

    Parameters
    ----------
    jd_utc : float or (n,) array
        Mid-exposure.
    ra_deg, dec_deg : float
        ICRS.
    site : Site or None

    Returns
    -------
    (n,) array
        NaN below the horizon and without a site.
    """
    jd_utc = np.asarray(jd_utc, dtype=float)
    if site is None:
        return np.full(jd_utc.shape, np.nan)
    altitude = altitude_deg(jd_utc, ra_deg, dec_deg, site)
    c = np.where(altitude >= 0, np.sin(np.radians(altitude)), np.nan)
    above = 1.002432 * c**2 + 0.148386 * c + 0.0096467
    return above / (c**3 + 0.149864 * c**2 + 0.0102963 * c + 0.000303978)


def check_cadence(
    jd_mid: Sequence[float], exposure_s: Sequence[float], file_names: Sequence[str]
) -> tuple[str, ...]:
    """Look for times that cannot all be right.

    Parameters
    ----------
    jd_mid : (n,) sequence of float
        Mid-exposure, any order.
    exposure_s : (n,) sequence of float
        NaN where not known.
    file_names : (n,) sequence of str

    Returns
    -------
    tuple of str
        One line for each kind of oddity: equal times, exposures that overlap by more than a
        second, and times that run against the numbers in the file names.

    Raises
    ------
    ValueError
        When the three differ in length.
    """
    jd, exposure = np.asarray(jd_mid, dtype=float), np.asarray(exposure_s, dtype=float)
    if not jd.shape == exposure.shape == (len(file_names),):
        msg = f"{jd.size} times, {exposure.size} exposures and {len(file_names)} names differ"
        raise ValueError(msg)
    order = np.argsort(jd, kind="stable")
    names = [file_names[k] for k in order]
    gap = np.diff(jd[order]) * DAY_S
    needed = (exposure[order][1:] + exposure[order][:-1]) / 2
    equal = np.flatnonzero(gap < 0.001)
    overlap = np.flatnonzero((gap >= 0.001) & (gap < needed - CLOCK_SLACK_S))
    by_name = sorted(range(len(names)), key=lambda k: natural_key(file_names[k]))
    back = [k for a, k in pairwise(by_name) if jd[k] < jd[a] - 1e-8]
    lines = []
    if equal.size:
        a, b = names[equal[0]], names[equal[0] + 1]
        lines.append(f"{equal.size} pairs of frames have the same time, first {a} and {b}")
    if overlap.size:
        k = overlap[0]
        text = f"{names[k]} and {names[k + 1]}: {gap[k]:.1f} s apart, {needed[k]:.1f} s long"
        lines.append(f"{overlap.size} pairs of exposures overlap in time, first {text}")
    if back:
        text = f"{len(back)} frames are earlier than the one before them by name"
        lines.append(f"{text}, first {file_names[back[0]]}")
    return tuple(lines)


def natural_key(name: str) -> tuple:
    """Order names as people count: ``img2`` before ``img10``.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple
        To be compared with that of another name.
    """
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((int(p[:18]), "") if k % 2 else (0, p) for k, p in enumerate(parts))
