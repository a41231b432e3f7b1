"""What else in a header speaks of a value that was read from it, and whether it agrees."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Exposure
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.settings import NO_PROFILE, CameraSettings, Settings
from lightcurve.core.times import altitude_deg, sidereal_deg
from lightcurve.frames.cards import Cards, find_all, number
from lightcurve.frames.clocks import AGREE_S, READOUT_PART, READOUT_S, Clock, Scale, read_clocks
from lightcurve.frames.dialects import KEYWORDS
from lightcurve.frames.headers import BANDS, normalise
from lightcurve.frames.location import named_place
from lightcurve.frames.pointing import ONE_FIELD_DEG, read_pointings

LONGEST = 60  # characters
# Headers point on coordinates of date, with mounts that are a degree off, and formulae of airmass
# differ; the Earth turns by a degree in four minutes.
OVERHEAD_DEG = 3.0
NAMED_DEG = 0.5  # 50 km: an observatory may have several mountains


@dataclass(frozen=True, slots=True)
class Word:
    """What another card says of a value.

    Attributes
    ----------
    keyword : str
        Or keywords, comma between.
    text : str
        As it stands in the header, or what it comes to.
    agrees : bool or None
        None where the two cannot be compared: a setting beside a gain, a local clock.
    """

    keyword: str
    text: str
    agrees: bool | None

    def __str__(self) -> str:
        return f"{self.keyword} = {self.text}"


def _within(relative: float, absolute: float = 0.0) -> Callable[[Any, Any], bool]:
    return lambda one, other: math.isclose(one, other, rel_tol=relative, abs_tol=absolute)


def _alike(one: object, other: object) -> bool:
    return str(one).lower() == str(other).lower()


def _alike_if_at_all(one: object, other: object) -> bool | None:
    """Names of a camera and of its detector are two names of one thing."""
    return _alike(one, other) or None


def _same_band(one: str, other: str) -> bool | None:
    """Compare two bands; an open place of another wheel, or what is no band, contradicts none."""
    return _alike(one, other) or (False if {one, other} <= BANDS else None)


# A field of `Exposure`: the quantities that tell it, and when two values are one.
_RULES: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], bool | None]]] = {
    "kind": (("kind",), _alike),
    "exposure_s": (("exposure",), _within(0.01, 0.1)),
    "filter": (("filter",), _same_band),
    "camera": (("camera",), _alike_if_at_all),
    "telescope": (("telescope",), _alike_if_at_all),
    "object_name": (("object_name",), _alike_if_at_all),
    "gain_e_per_adu": (("gain",), _within(0.02)),
    "read_noise_e": (("read_noise",), _within(0.05)),
    "saturation_adu": (("saturation",), _within(0.02)),
    "temperature_c": (("temperature",), _within(0.0, 1.0)),
    "scale_arcsec": (("scale", "focal_length", "pixel_size"), _within(0.05)),
    "binning": (("binning_x", "binning_y", "binning"), _alike),
}
_OF_WCS = ("CD1_1", "CD1_2", "CD2_1", "CD2_2", "CDELT1", "CDELT2")


def other_words(
    cards: Cards, exposure: Exposure, path: Path, settings: Settings
) -> dict[str, tuple[Word, ...]]:
    """Find what else a header says of each value that was read from it, or of one that was not.

    Each other keyword is read as if it stood alone, by the reader of that value.

    Returns
    -------
    dict of str to tuple of Word
        By the name of the field of `Exposure`.
    """
    words = {name: tuple(_each_alone(cards, exposure, path, name, settings)) for name in _RULES}
    words["ra_deg"] = tuple(_pointings(cards, exposure))
    words["start_jd_utc"] = tuple(_clocks(cards, exposure, settings))
    words["site"] = (*_named(cards, exposure), *_overhead(exposure))
    return {name: told for name, told in words.items() if told}


def _each_alone(
    cards: Cards, exposure: Exposure, path: Path, name: str, settings: Settings
) -> Iterator[Word]:
    quantities, same = _RULES[name]
    value, source = getattr(exposure, name), exposure.sources.get(name, "")
    believed = {*re.split(r"[,/ ]+", source)}
    groups = [group for group in _groups(cards, name, quantities) if group]
    all_keys = {key for group in groups for key in group}
    for group in groups:
        if set(group) & believed or (group[0] in _OF_WCS and "CD matrix" in source):
            continue
        alone = cards.without(all_keys - {*group})
        read, _ = normalise(alone, path=path, shape=exposure.shape, settings=_bare(settings, cards))
        said = getattr(read, name)
        text = ", ".join(_short(cards[key].text) for key in group[:2])
        known = said is not None and read.sources.get(name, "").startswith("header")
        if known and isinstance(said, float) and number(text) != said:
            text = f"{said:.6g}" if len(group) > 1 else f"{text} ({said:.6g})"
        yield Word(", ".join(group), text, same(value, said) if known and value else None)


def _short(text: str) -> str:
    """Write a number without the decimals that say nothing, a text up to a length."""
    try:
        return f"{float(text):.9g}"
    except ValueError:
        return text[:LONGEST]


def _groups(cards: Cards, name: str, quantities: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Keywords of which each group tells the value by itself."""
    if name == "scale_arcsec":
        yield from ((found.keyword,) for found in find_all(cards, "scale"))
        yield tuple(key for key in _OF_WCS if key in cards)
        optics = [next(find_all(cards, quantity), None) for quantity in quantities[1:]]
        yield tuple(found.keyword for found in optics if found) if all(optics) else ()
    elif name == "binning":
        yield tuple(key for q in quantities[:2] for key in KEYWORDS.quantities[q] if key in cards)
        yield from ((found.keyword,) for found in find_all(cards, "binning"))
    else:
        yield from ((found.keyword,) for q in quantities for found in find_all(cards, q))


def _bare(settings: Settings, cards: Cards) -> Settings:
    """Keep of the settings what overrides no value of a header, and the profile that it called."""
    called = cards.camera.name if cards.camera else NO_PROFILE
    return Settings(
        time=settings.time.model_copy(update={"exposure_s": None}),
        camera=CameraSettings(profile=settings.camera.profile or called),
    )


def _pointings(cards: Cards, exposure: Exposure) -> Iterator[Word]:
    if exposure.ra_deg is None or exposure.dec_deg is None:
        return
    for one in read_pointings(cards, exposure.start_jd_utc)[0][1:]:
        apart = degrees_apart((one.ra_deg, one.dec_deg), (exposure.ra_deg, exposure.dec_deg))
        text = f"{one.ra_deg:.5f} {one.dec_deg:+.5f}{one.note}, {_angle(apart)} away"
        agrees = None if one.doubtful else apart < ONE_FIELD_DEG
        yield Word(", ".join(one.keywords), text, agrees)


def _angle(degrees: float) -> str:
    return f"{degrees:.3g} deg" if degrees >= 1 else f"{60 * degrees:.2g} arcmin"


def _clocks(cards: Cards, exposure: Exposure, settings: Settings) -> Iterator[Word]:
    start = exposure.start_jd_utc
    if start is None:
        return
    start -= settings.time.clock_correction_s / DAY_S
    source = exposure.sources.get("start_jd_utc", "")
    for clock in read_clocks(cards, settings.time.utc_offset_hours)[0]:
        if source.startswith(f"header {clock.keyword}"):
            continue
        off = _off_s(clock, start, exposure.exposure_s or 0.0)
        agrees = None if clock.scale is Scale.LOCAL else abs(off) <= AGREE_S + clock.unit_s
        kind = "local" if clock.scale is Scale.LOCAL else str(clock.stamp or "any moment")
        apart = "" if agrees else f", {off:+.3g} s"
        yield Word(clock.keyword, f"{iso_from_jd(clock.jd)} ({kind}){apart}", agrees)


def _off_s(clock: Clock, start: float, exposure_s: float) -> float:
    """Seconds by which a clock is not where it should be; an end comes with the read-out."""
    late = READOUT_S + READOUT_PART * exposure_s
    gap = (clock.jd - start) * DAY_S
    if clock.stamp is None:
        return gap - min(max(gap, 0.0), exposure_s + late)
    gap -= clock.stamp.part * exposure_s
    return gap - min(max(gap, 0.0), late) if clock.stamp.part == 1.0 else gap


def _named(cards: Cards, exposure: Exposure) -> Iterator[Word]:
    """Hold the place of the observatory that a header names against the site."""
    named, site = named_place(cards), exposure.site
    if named is None or site is None:
        return
    found, (latitude, longitude, _) = named
    apart = degrees_apart((site.longitude_deg % 360, site.latitude_deg), (longitude, latitude))
    text = f"{found.text[:LONGEST]}, {latitude:.4f} {longitude:+.4f}"
    yield Word(found.keyword, text, apart < NAMED_DEG)


def _overhead(exposure: Exposure) -> Iterator[Word]:
    """Hold altitude, airmass, hour angle and sidereal time against site, time and pointing."""
    site, jd = exposure.site, exposure.mid_jd_utc
    if site is None or jd is None:
        return
    here = {"sidereal time": float(sidereal_deg(jd, site))}
    if exposure.ra_deg is not None and exposure.dec_deg is not None:
        here["altitude"] = float(altitude_deg(jd, exposure.ra_deg, exposure.dec_deg, site))
        here["hour angle"] = (here["sidereal time"] - exposure.ra_deg + 180) % 360 - 180
    words: dict[str, list[tuple[str, bool]]] = {}
    for word in exposure.overhead:
        if word.quantity in here:
            middle, half = (word.low_deg + word.high_deg) / 2, (word.high_deg - word.low_deg) / 2
            apart = abs((middle - here[word.quantity] + 180) % 360 - 180)
            text = f"{word.quantity} {middle:.1f} deg, is {here[word.quantity]:.1f}"
            words.setdefault(word.keyword, []).append((text, apart <= half + OVERHEAD_DEG))
    for keyword, read in words.items():  # an hour angle may be read in two ways
        yield Word(keyword, *next((one for one in read if one[1]), read[0]))
