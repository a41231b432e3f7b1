"""Which light frames of a folder belong together: the sets that make one light curve each.

A set has one filter, field, telescope and site, size and binning, length of exposure, and night; or
many nights, where each has but a few frames.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Exposure, Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.settings import SelectSettings, Settings
from lightcurve.core.times import sun_altitude_deg
from lightcurve.frames.entries import Entry
from lightcurve.setup.target import ONE_FIELD_DEG
from lightcurve.setup.times import CLOCK_SLACK_S, SUNSET_DEG

__all__ = ["FrameSet"]

SAME_SITE_DEG = 0.1  # 11 km: what rounding and satellites leave open; the air is the same
HALF_FIELD_DEG = 0.2  # where no header tells it: fields of other names so near are one
SAME_PURPOSE = 2.0  # whoever follows seeing or airmass changes the exposure by less at a time
DAYLIGHT_H = 8.0  # without a frame: where no site tells when the Sun was up
STEP_H = 0.25  # at which the Sun is looked at
FEW_A_NIGHT = 10  # fewer points show no course of a night: most nights so, it is a series of nights
MINORITY = 0.1  # of the largest set of its night: a smaller one was taken for something else


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Light frames that belong together.

    Attributes
    ----------
    lights : tuple of Entry
        In order of time.
    nights : tuple of str
        Dates of their evenings, local where the site is known.
    label : str
        What tells it from the others that are reduced, fit for a folder's name; empty where
        nothing has to.
    unused : str
        Why it is not reduced; empty where it is.
    place : tuple of int
        Telescope, site and field, each by a number.
    stack : str
        By what its frames are told to be combined of others; empty where they are not.
    """

    lights: tuple[Entry, ...]
    nights: tuple[str, ...]
    label: str = ""
    unused: str = ""
    place: tuple[int, ...] = ()
    stack: str = ""

    @property
    def exposure(self) -> Exposure:
        """Of its first frame."""
        return self.lights[0].exposure

    @property
    def values(self) -> dict[str, str]:
        """What its frames have in common, by what it is, as people are shown it."""
        first, one = self.exposure, self.lights[0]
        ny, nx = first.shape
        seconds = [e.exposure.exposure_s for e in self.lights if e.exposure.exposure_s]
        ends = (min(seconds), max(seconds)) if seconds else ()
        lengths = "-".join(dict.fromkeys(f"{s:g}" for s in ends))
        return {
            "object": first.object_name or "",
            "filter": first.filter or "",
            "night": " to ".join(dict.fromkeys((self.nights[0], self.nights[-1]))),
            "telescope": " ".join(filter(None, (first.telescope, one.serial))),
            "site": _describe_site(self.lights),
            "camera": first.camera or "",
            "size": f"{nx}x{ny}",
            "binning": "{}x{}".format(*first.binning) if first.binning else "",
            "gain setting": one.setup[-1] or "",
            "exposure": f"{lengths} s" if lengths else "",
        }

    def chosen(self, settings: Settings) -> Settings:
        """Give settings by which this set is found again among those of its folder."""
        wanted: dict[str, Any] = {"join_nights": len(self.nights) > 1}
        if len(self.nights) == 1:
            wanted["night"] = self.nights[0]
        if self.exposure.filter:
            wanted["filter"] = self.exposure.filter
        return settings.model_copy(update={"select": settings.select.model_copy(update=wanted)})

    @property
    def record(self) -> dict[str, Any]:
        """Everything about it, for programs."""
        return {
            "set": self.label,
            **self.values,
            "nights": list(self.nights),
            "frames": len(self.lights),
            "use": "no" if self.unused else "yes",
            "reason": self.unused,
        }

    def __str__(self) -> str:
        """Say which one it is."""
        shown = ("filter", "object", "night", "telescope", "size", "exposure")
        words = [value for name, value in self.values.items() if name in shown and value]
        return f"{len(self.lights)} x {', '.join(words)}"


def group_lights(lights: Sequence[Entry], select: SelectSettings) -> list[FrameSet]:
    """Sort lights by all that makes sets."""
    named = Counter(plain_name(entry.exposure) for entry in lights)
    paths, stacks = [entry.path for entry in lights], _stacks(lights)
    axes = (
        _numbered(lights, _telescope, _alike_where_known),
        _numbered(lights, lambda e: e.exposure.site, _same_site),
        _numbered(lights, lambda e: _field(e.exposure, named), _same_field),
        [entry.setup for entry in lights],
        _cameras(lights),
        _exposures(lights),
        [bool(stack) for stack in stacks],
    )
    keys = dict(zip(paths, zip(*axes, strict=True), strict=True))
    nights = _nights(lights, {path: key[:2] for path, key in keys.items()})
    stack_of = dict(zip(paths, stacks, strict=True))
    series: dict[tuple, list[Entry]] = defaultdict(list)
    for entry in sorted(lights, key=_when):
        series[keys[entry.path]].append(entry)
    sets = []
    for key, entries in series.items():
        counts = Counter(nights[entry.path] for entry in entries)
        few = sum(count < FEW_A_NIGHT for count in counts.values()) > len(counts) / 2
        joined = few if select.join_nights is None else select.join_nights
        for some in [tuple(counts)] if joined else [(night,) for night in counts]:
            mine = tuple(entry for entry in entries if nights[entry.path] in some)
            sets.append(FrameSet(mine, some, place=key[:3], stack=stack_of[mine[0].path]))
    return sets


def _when(entry: Entry) -> tuple[float, str]:
    return entry.exposure.mid_jd_utc or 0.0, entry.path.name


V = TypeVar("V")


def _numbered(
    lights: Sequence[Entry], value: Callable[[Entry], V | None], alike: Callable[[V, V], bool]
) -> list[int]:
    """Give lights that are alike in a value the same number; those without it that of the most."""
    values = [value(entry) for entry in lights]
    counts = Counter(one for one in values if one is not None)
    first: list[V] = []
    numbers: dict[V | None, int] = {}
    for one, _ in counts.most_common():
        number = next((k for k, other in enumerate(first) if alike(one, other)), len(first))
        if number == len(first):
            first.append(one)
        numbers[one] = number
    return [numbers.get(one, 0) for one in values]


def _telescope(entry: Entry) -> tuple[str | None, ...] | None:
    words = (entry.exposure.telescope, entry.serial or None)
    return words if any(words) else None


def _alike_where_known(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> bool:
    return all(a == b or a is None or b is None for a, b in zip(one, other, strict=True))


def _same_site(one: Site, other: Site) -> bool:
    """Compare places; a longitude of the other sign is one that headers leave open."""
    there = other.longitude_deg, other.latitude_deg
    both = ((east, one.latitude_deg) for east in (one.longitude_deg, -one.longitude_deg))
    return any(degrees_apart(here, there) <= SAME_SITE_DEG for here in both)


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a header says that it looks."""

    name: str
    place: tuple[float, float] | None
    half_deg: float | None  # half its diagonal


def plain_name(exposure: Exposure) -> str:
    return re.sub(r"[\W_]", "", exposure.object_name or "").lower()


def _field(exposure: Exposure, named: Mapping[str, int]) -> _Field | None:
    """Tell where a frame looks; a name that no other frame has is that of the frame."""
    name = plain_name(exposure)
    name = name if named[name] > 1 or len(named) <= 2 else ""
    place = None
    if exposure.ra_deg is not None and exposure.dec_deg is not None:
        place = exposure.ra_deg, exposure.dec_deg
    return _Field(name, place, half_field_deg(exposure)) if name or place else None


def half_field_deg(exposure: Exposure) -> float | None:
    """Half the diagonal of a frame's field; None where no header tells."""
    if exposure.scale_arcsec is None:
        return None
    return float(np.hypot(*exposure.shape)) / 7200 * exposure.scale_arcsec


def _same_field(one: _Field, other: _Field) -> bool:
    """Compare names where both have one, and places where these differ or are missing."""
    if one.name and one.name == other.name:
        return True
    if one.place and other.place:
        half = one.half_deg or HALF_FIELD_DEG
        both = one.name and other.name
        return degrees_apart(one.place, other.place) <= (half if both else max(half, ONE_FIELD_DEG))
    return not (one.name and other.name)


def _cameras(lights: Sequence[Entry]) -> list[str]:
    """Tell cameras apart that headers do not, by the folders of their frames; empty for one.

    No camera is open twice at once: where many exposures overlap and those of each folder do not,
    the folders are of cameras.
    """
    folders = [str(entry.path.parent) for entry in lights]
    if len(set(folders)) < 2:
        return [""] * len(lights)
    alike: dict[tuple, list[int]] = defaultdict(list)
    for k, entry in enumerate(lights):
        alike[entry.setup, entry.exposure.telescope, entry.serial, entry.exposure.site].append(k)
    cameras = [""] * len(lights)
    for members in alike.values():
        apart: dict[str, list[Entry]] = defaultdict(list)
        for k in members:
            apart[folders[k]].append(lights[k])
        if _overlap([lights[k] for k in members]) and not any(map(_overlap, apart.values())):
            for k in members:
                cameras[k] = folders[k]
    return cameras


def _overlap(entries: Sequence[Entry]) -> bool:
    """Tell whether more than a few exposures begin before the one before them ends."""
    timed = sorted((e for e in entries if e.exposure.exposure_s), key=_when)
    middle = np.array([e.exposure.mid_jd_utc for e in timed], dtype=float) * DAY_S
    half = np.array([e.exposure.exposure_s for e in timed], dtype=float) / 2
    slack = CLOCK_SLACK_S + 2 * max((e.exposure.time_uncertainty_s for e in timed), default=0.0)
    early = np.diff(middle) < half[1:] + half[:-1] - slack
    return bool(early.sum() > MINORITY * len(timed))


def _exposures(lights: Sequence[Entry]) -> list[int]:
    """Give lights the same number between whose exposures no step exceeds `SAME_PURPOSE`."""
    known = sorted({e.exposure.exposure_s for e in lights if e.exposure.exposure_s})
    number, numbers = 0, {}
    for shorter, seconds in zip([None, *known], known, strict=False):
        number += shorter is not None and seconds > SAME_PURPOSE * shorter
        numbers[seconds] = number
    counts = Counter(numbers[e.exposure.exposure_s] for e in lights if e.exposure.exposure_s)
    most = counts.most_common(1)[0][0] if counts else 0
    return [numbers.get(e.exposure.exposure_s or 0.0, most) for e in lights]


def _stacks(lights: Sequence[Entry]) -> list[str]:
    """Tell which lights are combined of others, and by what; an empty string where not.

    A header says so; or the frame was open over the middles of others of its camera and filter.
    """
    told = [entry.stack for entry in lights]
    cameras: dict[tuple, list[int]] = defaultdict(list)
    for k, entry in enumerate(lights):
        if entry.exposure.mid_jd_utc is not None and entry.exposure.exposure_s:
            cameras[entry.setup, entry.exposure.telescope, entry.serial].append(k)
    for members in cameras.values():
        middle = np.array([lights[k].exposure.mid_jd_utc for k in members])
        length = np.array([lights[k].exposure.exposure_s for k in members])
        for n in np.flatnonzero(length > SAME_PURPOSE * np.median(length)):
            inside = np.abs(middle - middle[n]) * DAY_S < length[n] / 2
            if inside.sum() > 2:
                told[members[n]] = (
                    told[members[n]]
                    or f"open for {length[n]:g} s, over the middles of {inside.sum() - 1} others"
                )
    return told


def _nights(lights: Sequence[Entry], telescopes: Mapping[Path, tuple]) -> dict[Path, str]:
    """Give each light the date of its night's evening."""
    dates: dict[Path, str] = {}
    for telescope in dict.fromkeys(telescopes.values()):
        mine = sorted((e for e in lights if telescopes[e.path] == telescope), key=_when)
        site = next((e.exposure.site for e in mine if e.exposure.site), None)
        jd = np.array([e.exposure.mid_jd_utc or 0.0 for e in mine])
        breaks = [k for k in range(1, len(jd)) if _day_between(jd[k - 1], jd[k], site)]
        taken: set[str] = set()
        for part in np.split(np.arange(len(jd)), breaks):
            noon = np.floor(np.median(jd[part]) + (site.longitude_deg / 360 if site else 0.0))
            while (date := iso_from_jd(float(noon))[:10]) in taken:
                noon += 1
            taken.add(date)
            dates |= {mine[k].path: date for k in part}
    return dates


def _day_between(before: float, after: float, site: Site | None) -> bool:
    """Tell whether a day lies between two moments, JD UTC.

    By the Sun, where the site is known and both were in the dark; else by the hours between.
    """
    hours = 24 * (after - before)
    if site is not None and hours > STEP_H:
        moments = np.linspace(before, after, max(3, min(200, int(hours / STEP_H) + 1)))
        up = sun_altitude_deg(moments, site) > SUNSET_DEG
        if not up[0] and not up[-1]:
            return bool(up.any()) or hours > 24
    return hours > DAYLIGHT_H


def _describe_site(lights: Sequence[Entry]) -> str:
    site = next((e.exposure.site for e in lights if e.exposure.site), None)
    if site is None:
        return ""
    return site.name or f"{site.latitude_deg:+.2f} {site.longitude_deg:+.2f}"
