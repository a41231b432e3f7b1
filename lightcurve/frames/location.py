"""Where the telescope stands. A longitude without a sign is settled by evidence or not at all."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from lightcurve.core.constants import J2000_JD
from lightcurve.core.coordinates import sexagesimal
from lightcurve.core.data import Overhead, Site
from lightcurve.core.errors import InputError
from lightcurve.core.registry import did_you_mean
from lightcurve.core.settings import SiteSettings
from lightcurve.frames.cards import Cards, Found, by_cards, decimals, find, find_all, number
from lightcurve.frames.dialects import KEYWORDS, OBSERVATORIES, observatory_of

__all__ = ["parse_site"]

_DECIMAL = re.compile(r"\s*([+-]?\d+(?:[.,]\d*)?)\s*(?:deg|°)?\s*([NSEWnsew])\s*", re.ASCII)
SIDEREAL_DEG = 2.0  # telescopes point on coordinates of date, and clocks are minutes off
ALTITUDE_DEG = 2.0
LARGEST_AIRMASS = 12.0  # 5 degrees up; beyond it, programs write what means "not known"
CLEAR_MAJORITY = 2  # words for one side of Greenwich less those for the other
ONE_PLACE_DEG = 0.1  # two cards of one observatory: 11 km
ZONE_DEG = 30.0  # time zones are wide, and summer time adds 15 degrees
_EAST = re.compile(r"\+\s?E\b|\beast\b|deg \+E", re.IGNORECASE)
_WEST = re.compile(r"\+\s?W\b|\bwest\b", re.IGNORECASE)
# Not "altitude" of the field but of the observatory in some programs.
_METRES = re.compile(r"\bmet|\[m\]|\(m\)|\belevation|\bsea\b", re.IGNORECASE)


@lru_cache(maxsize=256)  # the same card is asked for more than once
def degrees(text: str) -> float | None:
    """Read an angle in degrees, decimal or sexagesimal; a trailing N, S, E or W is understood."""
    sided = _DECIMAL.fullmatch(text[:64])
    if sided:
        value = float(sided[1].replace(",", "."))
        return -value if sided[2].upper() in {"S", "W"} else value
    angle = sexagesimal(text)
    return number(text) if angle is None else angle


def parse_site(text: str) -> Site:
    """Read a place: the name of a known observatory, or latitude, longitude and perhaps height.

    text: ``Kitt Peak``, ``31.96,-111.6,2120``, ``31 57 48 N, 111 36 00 W``; without a letter north
    and east are positive; the height in metres. Raises InputError where it is neither.
    """
    if known := observatory_of(text):
        latitude, longitude, height = known.place
        return Site(latitude, _wrap(longitude), height, known.names[0])
    parts = [degrees(part.strip()) for part in text.split(",")]
    low, high = (-90.0, -180.0, -500.0), (90.0, 360.0, 9000.0)
    bounds = zip(parts, low, high, strict=False)
    if len(parts) not in {2, 3} or not all(p is not None and a <= p <= b for p, a, b in bounds):
        names = [name for one in OBSERVATORIES.sites for name in one.names]
        msg = (
            f"--site {text}: no known observatory, nor a place such as 31.96,-111.6,2120 "
            f"(latitude, longitude east, metres){did_you_mean(text, names)}"
        )
        raise InputError(msg)
    latitude, longitude, height, *_ = [part or 0.0 for part in (*parts, 0.0)]
    return Site(latitude, _wrap(longitude), height)


class Moment(NamedTuple):
    """What the rest of the header says that bears on the longitude."""

    jd_utc: float | None  # start of the exposure, or its middle where the start is not known
    ra_deg: float | None
    dec_deg: float | None
    local_offset_hours: float | None  # of the header's local clock


def read_site(
    cards: Cards, moment: Moment, settings: SiteSettings
) -> tuple[tuple[Site, str] | None, list[str]]:
    """Find the observatory, and its source: settings first, then the header."""
    told = _told(cards, settings)
    longitude, longitude_source, warnings = _longitude(cards, moment, told, settings)
    warnings += told.impossible
    if told.latitude is None or longitude is None:
        if told.latitude is not None and not warnings:
            warnings.append("no longitude in the header: give --longitude, degrees east")
        return None, warnings
    source = f"{told.latitude_source}; {longitude_source}; {told.height_source}"
    return (Site(told.latitude, longitude, told.height, told.name), source), warnings


class _Told(NamedTuple):
    """What a header says of the observatory, which all of a night say: but for east or west."""

    latitude: float | None
    latitude_source: str
    longitude: tuple[Found, float] | None
    other_longitudes: tuple[Found, ...]
    height: float
    height_source: str
    name: str
    impossible: tuple[str, ...]  # warnings


@by_cards
def _told(cards: Cards, settings: SiteSettings) -> _Told:
    latitude, latitude_source = _latitude(cards, settings)
    longitude, others = _agreed(cards, "longitude", -180, 360)
    impossible: list[str] = []
    if settings.latitude_deg is None:
        impossible += _impossible(cards, "latitude", -90, 90)
    if settings.longitude_deg is None:
        impossible += _impossible(cards, "longitude", -180, 360)
    height, height_source = _height(cards, settings)
    name = settings.name or getattr(find(cards, "site_name"), "text", "")
    name = name or (cards.camera.site.name if cards.camera and _is_there(cards, "name") else "")
    return _Told(
        latitude, latitude_source, longitude, tuple(others), height, height_source, name[:80],
        tuple(impossible),
    )  # fmt: skip


def _latitude(cards: Cards, settings: SiteSettings) -> tuple[float | None, str]:
    if settings.latitude_deg is not None:
        return settings.latitude_deg, "setting site.latitude_deg"
    best, _ = _agreed(cards, "latitude", -90, 90)
    if best:
        return best[1], best[0].source
    return _of_the_camera(cards, "latitude_deg") or _of_the_name(cards, 0) or (None, "")


def _agreed(
    cards: Cards, quantity: str, least: float, most: float
) -> tuple[tuple[Found, float] | None, list[Found]]:
    """Take of the cards of an angle, degrees, the first of those that most others agree with.

    Also gives those that do not. East and west of Greenwich are not told here.
    """
    angles = ((found, degrees(found.text)) for found in find_all(cards, quantity))
    read = [(found, a) for found, a in angles if a is not None and least <= a <= most]
    if not read:
        return None, []

    def others(angle: float) -> list[Found]:
        return [found for found, a in read if _apart(abs(a), abs(angle)) > ONE_PLACE_DEG]

    best = min(read, key=lambda one: len(others(one[1])))
    return best, others(best[1])


def _impossible(cards: Cards, quantity: str, least: float, most: float) -> list[str]:
    """Name the cards of an angle that can be none."""
    angles = ((found, degrees(found.text)) for found in find_all(cards, quantity))
    return [
        f"{found.keyword} = {found.text[:30]!r} is no {quantity}: passed over; give --{quantity}"
        for found, angle in angles
        if angle is None or not least <= angle <= most
    ]


def _of_the_camera(cards: Cards, name: str) -> tuple[float, str] | None:
    """Give what the camera's profile, or the user's own equipment, says of its site."""
    value = getattr(cards.camera.site, name) if _is_there(cards, name) and cards.camera else None
    return (value, cards.camera.source_of(name)) if cards.camera and value is not None else None


def _is_there(cards: Cards, name: str) -> bool:
    """Whether a value of a site holds: the user's own where the header tells no other place."""
    if cards.camera is None or name not in cards.camera.own:
        return True
    if named_place(cards) is not None:
        return False
    site = cards.camera.site
    told = (("latitude", site.latitude_deg, 90), ("longitude", site.longitude_deg, 360))
    for quantity, own, most in told:
        best, _ = _agreed(cards, quantity, -most, most)
        # The sign of a longitude is settled elsewhere.
        either = (best[1], -best[1]) if best and own is not None else ()
        if either and min(_apart(one, own or 0.0) for one in either) > ONE_PLACE_DEG:
            return False
    return True


def named_place(cards: Cards) -> tuple[Found, tuple[float, float, float]] | None:
    """Find the place of the observatory that a header names: latitude, longitude east, height."""
    for found in find_all(cards, "site_name"):
        known = observatory_of(found.text)
        if known is not None:
            return found, known.place
    return None


def _of_the_name(cards: Cards, which: int) -> tuple[float, str] | None:
    named = named_place(cards)
    if named is None:
        return None
    found, place = named
    return place[which], f"place of the observatory in {found.source} = {found.text[:40]}"


def _height(cards: Cards, settings: SiteSettings) -> tuple[float, str]:
    if settings.height_m is not None:
        return settings.height_m, "setting site.height_m"
    for found in find_all(cards, "height"):
        value = number(found.text)
        of_the_site = cards.camera is not None and "height" in cards.camera.keywords
        if found.keyword == "ALTITUDE" and not (of_the_site or _METRES.search(found.comment)):
            continue
        if value is not None and -500 <= value <= 9000:
            return value, found.source
    own = _of_the_camera(cards, "height_m") or _of_the_name(cards, 2)
    return own or (0.0, "height 0 m assumed (1 km more moves a time by 3 us)")


def _longitude(
    cards: Cards, moment: Moment, told: _Told, settings: SiteSettings
) -> tuple[float | None, str, list[str]]:
    if settings.longitude_deg is not None:
        return _wrap(settings.longitude_deg), "setting site.longitude_deg", []
    others, latitude = told.other_longitudes, told.latitude
    if told.longitude:
        found, value = told.longitude
        if value == 0 and latitude == 0:
            return None, "", [f"{found.keyword} and the latitude are both zero: taken as not set"]
        votes = _evidence(cards, moment, latitude, _wrap(value))
        longitude, source, odd = _signed(found, value, cards, votes)
        cards_said = ", ".join(f"{one.keyword} = {one.text[:20]}" for one in others)
        more = f"{found.keyword} = {found.text[:20]}, but {cards_said}: the first taken"
        return longitude, source, [*odd, *([f"{more}; --longitude settles it"] if others else [])]
    own = _of_the_camera(cards, "longitude_deg") or _of_the_name(cards, 1)
    return (_wrap(own[0]), own[1], []) if own else (None, "", [])


def read_overhead(cards: Cards) -> tuple[Overhead, ...]:
    """Read altitude, airmass, hour angle and sidereal time; what cannot be one is passed over.

    An hour angle without a unit is given twice, read as degrees and as hours.
    """
    said = []
    for found in find_all(cards, "altitude"):
        value = degrees(found.text)
        if value is not None and 0 < value < 90 and not _METRES.search(found.comment):
            said.append(Overhead(found.keyword, "altitude", value, value))
    for found in find_all(cards, "airmass"):
        value, half = number(found.text), 0.5 * 10.0 ** -decimals(found.text)
        if value is not None and 1 < value < LARGEST_AIRMASS:
            low, high = (math.asin(min(1 / x, 1.0)) for x in (value + half, max(value - half, 1)))
            said.append(Overhead(found.keyword, "altitude", math.degrees(low), math.degrees(high)))
    for found in find_all(cards, "sidereal_time"):
        angle = _hours_to_degrees(found)
        if angle is not None:
            said.append(Overhead(found.keyword, "sidereal time", angle, angle))
    for found in find_all(cards, "hour_angle"):
        said += [Overhead(found.keyword, "hour angle", a, a) for a in _hour_angles(found)]
    return tuple(said)


def _hour_angles(found: Found) -> list[float]:
    """Read an hour angle in every way it may be meant, degrees."""
    parts, value = sexagesimal(found.text), number(found.text)
    if parts is not None:
        return [15 * parts]
    if not value or abs(value) > 360:  # 0 is what programs write that do not know it
        return []
    return [value, 15 * value] if abs(value) <= 24 else [value]


def meridian_ra(cards: Cards) -> list[tuple[str, float]]:
    """Right ascensions, degrees, that sidereal time less hour angle leave, and their keywords."""
    clock, angle = find(cards, "sidereal_time"), find(cards, "hour_angle")
    sidereal = _hours_to_degrees(clock) if clock else None
    if clock is None or angle is None or sidereal is None:
        return []
    name = f"{clock.keyword} - {angle.keyword}"
    return [(name, (sidereal - value) % 360) for value in _hour_angles(angle)]


def _wrap(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _signed(
    found: Found, value: float, cards: Cards, votes: list[tuple[int, str]]
) -> tuple[float | None, str, list[str]]:
    """Weigh what the card itself says and what the rest of the header shows."""
    longitude = _wrap(value)
    if longitude in {0.0, -180.0}:
        return longitude, found.source, []
    stated, why = _stated_sign(found, value)
    if not stated and cards.camera and cards.camera.west_positive:
        stated, why = -1, f"west positive, {cards.camera.source}"
    card, shown = f"{found.keyword} = {value:g}", ", ".join(text for _, text in votes)
    if not votes and stated:
        return stated * longitude, f"{found.source} ({why})", []
    if not votes:
        text = f"{card} does not say east or west, nor does the rest of the header"
        return None, "", [f"{text}; give --longitude, degrees east"]
    sign = 1 if sum(vote for vote, _ in votes) > 0 else -1
    against = [text for vote, text in votes if vote != sign]
    balance = sign * (stated + sum(vote for vote, _ in votes))
    if against and balance < CLEAR_MAJORITY:
        text = f"{card}: east or west? The header contradicts itself ({shown})"
        return None, "", [f"{text}; give --longitude, degrees east"]
    agreed = ", ".join(text for vote, text in votes if vote == sign)
    source = f"{found.source} ({'east' if sign > 0 else 'west'} positive by {agreed})"
    told = []
    if stated and stated != sign:
        told.append(f"{card} reads as {why}, but {agreed} say the opposite")
    if against:
        told.append(f"{card}: {', '.join(against)} contradicts {agreed}")
    taken = f"{sign * longitude:+.4f} taken; --longitude settles it"
    return sign * longitude, source, [f"{text}: {taken}" for text in told]


def _stated_sign(found: Found, value: float) -> tuple[int, str]:
    if re.search(r"[EWew]\s*$", found.text):
        return 1, "it names its side"
    if _WEST.search(found.comment) and not _EAST.search(found.comment):
        return -1, "west positive by its comment"
    if _EAST.search(found.comment):
        return 1, "east positive by its comment"
    if found.keyword in KEYWORDS.east_positive:
        return 1, KEYWORDS.east_positive[found.keyword]
    if value < 0 or value > 180 or found.text.startswith("+"):
        return 1, "signed: east positive"
    return 0, ""


def _evidence(
    cards: Cards, moment: Moment, latitude: float | None, longitude: float
) -> list[tuple[int, str]]:
    """Signs (+1: as it stands, -1: turned round) that single facts of the header call for."""
    votes = []
    if moment.jd_utc is not None:
        sidereal = 280.46061837 + 360.98564736629 * (moment.jd_utc - J2000_JD)  # GMST, degrees
        clock = find(cards, "sidereal_time")
        angle = _hours_to_degrees(clock) if clock else None
        votes += _vote(angle, sidereal, longitude, clock.keyword if clock else "")
        votes += _hour_angle_vote(cards, moment, sidereal, longitude)
        votes += _altitude_vote(cards, moment, latitude, sidereal, longitude)
    if (named := named_place(cards)) and abs(longitude) > ONE_PLACE_DEG:
        near = [s for s in (1, -1) if _apart(named[1][1], s * longitude) < ONE_PLACE_DEG]
        votes += [(near[0], f"the place of {named[0].text[:40]}")] if len(near) == 1 else []
    if moment.local_offset_hours is not None and abs(longitude) > ZONE_DEG:
        near = [s for s in (1, -1) if _apart(15 * moment.local_offset_hours, s * longitude) < 30]
        text = f"the local clock's offset {moment.local_offset_hours:+g} h"
        votes += [(near[0], text)] if len(near) == 1 else []
    return votes


def _apart(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


def _hours_to_degrees(found: Found) -> float | None:
    hours = sexagesimal(found.text)
    hours = number(found.text) if hours is None else hours
    return None if hours is None or abs(hours) > 24 else 15 * hours


def _vote(
    local_deg: float | None, sidereal: float, longitude: float, name: str
) -> list[tuple[int, str]]:
    """Local minus Greenwich sidereal time is the longitude east."""
    if local_deg is None:
        return []
    fits = [s for s in (1, -1) if _apart(local_deg - sidereal, s * longitude) < SIDEREAL_DEG]
    return [(fits[0], name)] if len(fits) == 1 else []


def _hour_angle_vote(
    cards: Cards, moment: Moment, sidereal: float, longitude: float
) -> list[tuple[int, str]]:
    found = find(cards, "hour_angle")
    if found is None or moment.ra_deg is None:
        return []
    angles = [angle + moment.ra_deg for angle in _hour_angles(found)]
    votes = [vote for angle in angles for vote in _vote(angle, sidereal, longitude, "HA")]
    return votes[:1] if len({sign for sign, _ in votes}) == 1 else []


def _altitude_vote(
    cards: Cards, moment: Moment, latitude: float | None, sidereal: float, longitude: float
) -> list[tuple[int, str]]:
    """Let the field's altitude, stated or by its airmass, choose the side of Greenwich."""
    measured, name = _stated_altitude(cards)
    if measured is None or latitude is None or moment.ra_deg is None or moment.dec_deg is None:
        return []
    phi, dec = math.radians(latitude), math.radians(moment.dec_deg)
    fits = []
    for sign in (1, -1):
        hour = math.radians(sidereal + sign * longitude - moment.ra_deg)
        sine = math.sin(phi) * math.sin(dec) + math.cos(phi) * math.cos(dec) * math.cos(hour)
        altitude = math.degrees(math.asin(max(-1.0, min(1.0, sine))))
        fits.append(abs(altitude - measured))
    best = 0 if fits[0] < fits[1] else 1
    clear = fits[best] < ALTITUDE_DEG and fits[1 - best] > 3 * ALTITUDE_DEG
    return [(1 - 2 * best, name)] if clear else []


def _stated_altitude(cards: Cards) -> tuple[float | None, str]:
    for found in find_all(cards, "altitude"):
        value = degrees(found.text)
        if value is not None and 5 < value <= 90:
            return value, found.keyword
    airmass = find(cards, "airmass")
    value = number(airmass.text) if airmass else None
    if airmass is None or value is None or not 1.05 < value < 3:  # near the zenith it says little
        return None, ""
    return math.degrees(math.asin(1 / value)), airmass.keyword
