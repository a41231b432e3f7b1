"""What a header lacks or has wrong, worked out from what else it says and from what is given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart, format_coordinates, parse_coordinates
from lightcurve.core.data import CALIBRATION, Exposure
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.core.times import airmass, altitude_deg
from lightcurve.frames.agreement import OVERHEAD_DEG
from lightcurve.frames.cards import Cards, find, find_all, number, printable
from lightcurve.frames.clocks import Scale, read_clocks
from lightcurve.frames.edit import Change, read_headers
from lightcurve.frames.headers import normalise
from lightcurve.frames.location import degrees
from lightcurve.frames.pointing import ONE_FIELD_DEG, Pointing, has_wcs, read_pointings
from lightcurve.frames.read import read_cards

__all__ = ["find_fixes"]

SAME_DEG = 1 / 3600
SITE_DEG = 1e-4  # 11 m
PAIRS = ("RA", "DEC"), ("OBJCTRA", "OBJCTDEC")
SEXAGESIMAL = frozenset({"OBJCTRA"})
# Numbers that stand under one keyword: field of `Exposure`, keyword, its unit in that of the field.
NUMBERS = (
    ("exposure_s", "EXPTIME", 1.0, "[s] exposure"),
    ("gain_e_per_adu", "EGAIN", 1.0, "[e-/ADU] gain"),
    ("read_noise_e", "RDNOISE", 1.0, "[e-] read noise"),
    ("saturation_adu", "SATURATE", 1.0, "[ADU] it clips here"),
    ("telescope_diameter_m", "APTDIA", 1000.0, "[mm] diameter of the telescope"),
)
GIVEN = "options --ra and --dec"
OF_ALL_AMPLIFIERS = frozenset({"EXPTIME", "APTDIA"})


def find_fixes(path: Path, settings: Settings) -> tuple[list[Change], tuple[str, ...]]:
    """Find what of a file's header is missing or wrong, as far as it is known.

    Parameters
    ----------
    settings : Settings
        What is given: time, site, exposure, gain ... and the target, which is written too.

    Returns
    -------
    list of Change
    tuple of str
        What stays open, and the warnings of the header.

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image.
    InputError
        When the coordinates that are given are none.
    """
    cards, shape, _ = read_cards(path)
    exposure, error = normalise(cards, path=path, shape=shape, settings=settings)
    place = _given_place(settings)
    changes: list[Change] = []
    if exposure.kind not in CALIBRATION:
        changes += _target(cards, settings, place)
        if place is not None and _is_elsewhere(exposure, place):
            exposure = _placed(exposure, place)
            changes += _moved(cards, exposure)
    if error is None:
        changes += _time(cards, exposure)
    numbers = list(_numbers(cards, exposure, settings))
    if _of_amplifiers(path, cards):
        numbers = [one for one in numbers if one.keyword in OF_ALL_AMPLIFIERS]
    changes += numbers
    if exposure.kind not in CALIBRATION:
        given = {one.keyword for one in changes}
        changes += [one for one in _pointing(cards, exposure) if one.keyword not in given]
        changes += _site(cards, exposure)
        changes += _overhead(cards, exposure)
    if exposure.filter is not None and "FILTER" not in cards:
        changes += [_change(cards, exposure, "filter", "FILTER", exposure.filter, "filter")]
    left = (error.reason,) if error is not None and exposure.kind not in CALIBRATION else ()
    return changes, left + exposure.warnings


def _change(
    cards: Cards, exposure: Exposure, field: str, keyword: str, value: str | float, comment: str
) -> Change:
    old = cards[keyword].text if keyword in cards else ""
    return Change(keyword, value, comment, old, exposure.sources.get(field, ""))


def _given_place(settings: Settings) -> tuple[float, float] | None:
    """RA and Dec that are given, degrees."""
    target = settings.target
    if (target.ra is None) != (target.dec is None):
        msg = "give both --ra and --dec, or neither"
        raise InputError(msg)
    if target.ra is None or target.dec is None:
        return None
    return parse_coordinates(target.ra, target.dec)


def _target(
    cards: Cards, settings: Settings, place: tuple[float, float] | None
) -> Iterator[Change]:
    name = printable(settings.target.name)
    old = {key: cards[key].text for key in cards}
    if name and name != old.get("OBJECT"):
        yield Change("OBJECT", name, "", old.get("OBJECT", ""), "option --target")
    for keyword, text in zip(PAIRS[1], _spelled(*place) if place else (), strict=False):
        if text != old.get(keyword):
            yield Change(keyword, text, "J2000", old.get(keyword, ""), GIVEN)


def _is_elsewhere(exposure: Exposure, place: tuple[float, float]) -> bool:
    """Tell whether a header does not point at the field of the place that is given."""
    if exposure.ra_deg is None or exposure.dec_deg is None or "ra_deg" in exposure.guessed:
        return True
    return degrees_apart((exposure.ra_deg, exposure.dec_deg), place) > ONE_FIELD_DEG


def _placed(exposure: Exposure, place: tuple[float, float]) -> Exposure:
    """Let an exposure be of another place than its header says."""
    sources = {**exposure.sources, "ra_deg": GIVEN, "dec_deg": GIVEN}
    guessed = tuple(name for name in exposure.guessed if name != "ra_deg")
    return replace(exposure, ra_deg=place[0], dec_deg=place[1], sources=sources, guessed=guessed)


def _moved(cards: Cards, exposure: Exposure) -> Iterator[Change]:
    """Write the place of an exposure over the header's pointings, but the target's and a WCS."""
    best = Pointing(PAIRS[0], exposure.ra_deg or 0.0, exposure.dec_deg or 0.0, "")
    for one in read_pointings(cards, exposure.start_jd_utc)[0]:
        if one.keywords[0] not in {"CRVAL1", "CRVAL2", "GLON", PAIRS[1][0]}:
            yield from _pair(cards, one.keywords, best, GIVEN)


def _spelled(ra: float, dec: float) -> list[str]:
    return [text.replace(":", " ") for text in format_coordinates(ra, dec).split()]


def _time(cards: Cards, exposure: Exposure) -> Iterator[Change]:
    start, mid = exposure.start_jd_utc, exposure.mid_jd_utc
    clocks = {clock.keyword: clock for clock in read_clocks(cards)[0]}
    said = clocks.get("DATE-OBS")
    if start is not None:
        plain = said is not None and said.scale in {Scale.UTC, Scale.STANDARD}
        begin = said.start(exposure.exposure_s) if said and plain else None
        slack = exposure.time_uncertainty_s * 2 + (said.unit_s if said else 0.0) + 1e-3
        if begin is None or abs(begin - start) * DAY_S > slack:
            comment = "start of the exposure, UTC"
            yield _change(cards, exposure, "start_jd_utc", "DATE-OBS", iso_from_jd(start), comment)
            if "TIMESYS" in cards and cards["TIMESYS"].text.upper() != "UTC":
                yield Change("TIMESYS", "UTC", "", cards["TIMESYS"].text, "DATE-OBS is in UTC")
    if mid is not None and exposure.kind not in CALIBRATION and "JD_UTC" not in cards:
        value, comment = round(mid, 8), "middle of the exposure, UTC"
        yield _change(cards, exposure, "mid_jd_utc", "JD_UTC", value, comment)


def _numbers(cards: Cards, exposure: Exposure, settings: Settings) -> Iterator[Change]:
    """Write numbers that are missing, or that are given; an exposure where it is wrong, too."""
    for field, keyword, per_unit, comment in NUMBERS:
        value = getattr(exposure, field)
        if value is None or field in exposure.guessed:
            continue
        old = number(cards[keyword].text) if keyword in cards else None
        given = getattr(settings.camera, field, None) is not None or field == "exposure_s"
        same = old is not None and math.isclose(old, value * per_unit, rel_tol=1e-4)
        if not same and (given or keyword not in cards):
            yield _change(cards, exposure, field, keyword, round(value * per_unit, 9), comment)


def _of_amplifiers(path: Path, cards: Cards) -> bool:
    """Tell whether an image is put together, so that its numbers are of no one header."""
    own = read_headers(path)[0][1]
    return find(own, "detector_section") is not None and find(cards, "detector_section") is None


def _pointing(cards: Cards, exposure: Exposure) -> Iterator[Change]:
    """Write each pointing that reads otherwise by itself, and the two usual ones if missing."""
    rewritten = False
    said = {one.keywords: one for one in read_pointings(cards, exposure.start_jd_utc)[0]}
    for pair, one in said.items():
        alone = read_pointings(Cards({k: cards[k] for k in pair}))[0] if pair[0] != "CRVAL1" else []
        for lone in alone:
            apart = degrees_apart(lone[1:3], one[1:3])
            if not one.doubtful and (apart > SAME_DEG or lone.doubtful):
                rewritten = rewritten or not lone.doubtful
                yield from _pair(cards, pair, one, one.source)
    if exposure.ra_deg is None or exposure.dec_deg is None or "ra_deg" in exposure.guessed:
        return
    best = Pointing(PAIRS[0], exposure.ra_deg, exposure.dec_deg, "")
    for pair in PAIRS:
        if pair not in said:
            yield from _pair(cards, pair, best, exposure.sources["ra_deg"])
    equinox = next((key for key in ("EQUINOX", "EPOCH") if key in cards), None)
    if equinox and rewritten and not has_wcs(cards):
        yield Change(equinox, 2000.0, "", cards[equinox].text, "of the coordinates as written")


def _pair(cards: Cards, pair: tuple[str, str], one: Pointing, why: str) -> Iterator[Change]:
    values: list[str | float] = [round(one.ra_deg, 7), round(one.dec_deg, 7)]
    comment = "[deg] J2000"
    if pair[0] in SEXAGESIMAL:
        values, comment = [*_spelled(one.ra_deg, one.dec_deg)], "J2000"
    for keyword, value in zip(pair, values, strict=True):
        yield Change(keyword, value, comment, cards[keyword].text if keyword in cards else "", why)


def _site(cards: Cards, exposure: Exposure) -> Iterator[Change]:
    """Write latitude, longitude (east positive) and height where no card has them so."""
    site = exposure.site
    if site is None:
        return
    east = round((site.longitude_deg + 180) % 360 - 180, 8)
    heights = [number(found.text) for found in find_all(cards, "height")]
    if not any(_is_near(degrees(f.text), site.latitude_deg) for f in find_all(cards, "latitude")):
        comment = "[deg] latitude"
        yield _change(cards, exposure, "site", "SITELAT", site.latitude_deg, comment)
    if not any(_is_near(degrees(f.text), east) for f in find_all(cards, "longitude")):
        yield _change(cards, exposure, "site", "SITELONG", east, "[deg] longitude, east positive")
    if site.height_m and site.height_m not in heights:
        yield _change(cards, exposure, "site", "SITEELEV", site.height_m, "[m] height")


def _is_near(angle: float | None, other: float) -> bool:
    return angle is not None and abs((angle - other + 180) % 360 - 180) < SITE_DEG


def _overhead(cards: Cards, exposure: Exposure) -> Iterator[Change]:
    """Write altitude and airmass of the middle of the exposure, where missing or wrong."""
    mid, site, sources = exposure.mid_jd_utc, exposure.site, exposure.sources
    ra, dec = exposure.ra_deg, exposure.dec_deg
    if mid is None or site is None or ra is None or dec is None or "ra_deg" in exposure.guessed:
        return
    altitude = float(altitude_deg(mid, ra, dec, site))
    said = {word.keyword: word for word in exposure.overhead if word.quantity == "altitude"}
    right = {
        key: word.low_deg - OVERHEAD_DEG <= altitude <= word.high_deg + OVERHEAD_DEG
        for key, word in said.items()
    }
    why = "time, site and pointing: " + "; ".join(sources[key] for key in ("mid_jd_utc", "ra_deg"))
    mass = float(airmass(mid, ra, dec, site))
    values = {"AIRMASS": (mass, "of the middle of the exposure (Young 1994)")}
    heights = [key for key in right if key != "AIRMASS"]
    values[heights[0] if heights else "CENTALT"] = (altitude, "[deg] altitude, no refraction")
    for keyword, (value, comment) in values.items():
        if math.isfinite(value) and altitude > 0 and not right.get(keyword, False):
            old = cards[keyword].text if keyword in cards else ""
            yield Change(keyword, round(value, 4), comment, old, why)
