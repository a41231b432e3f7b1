"""The sets of a folder: the light frames that make one light curve each, and what is left out.

A set has one filter, field, telescope and site, size and binning, length of exposure, and night; or
many nights, where each has but a few frames. One set, one run.
"""

from __future__ import annotations

import logging
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Exposure, Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.settings import SelectSettings, Settings
from lightcurve.core.times import sun_altitude_deg
from lightcurve.curve.choose import MIN_POINTS
from lightcurve.frames.inventory import Entry, Inventory, narrow_inventory
from lightcurve.frames.kinds import normalise_filter
from lightcurve.night.lights import choose_lights
from lightcurve.setup.target import ONE_FIELD_DEG, Target
from lightcurve.setup.times import CLOCK_SLACK_S, SUNSET_DEG

__all__ = ["FrameSet", "Reduced", "find_sets"]

log = logging.getLogger(__name__)
T = TypeVar("T")

SAME_SITE_DEG = 0.1  # 11 km: what rounding and satellites leave open; the air is the same
HALF_FIELD_DEG = 0.2  # where no header tells it: fields of other names so near are one
SAME_PURPOSE = 2.0  # whoever follows seeing or airmass changes the exposure by less at a time
DAYLIGHT_H = 8.0  # without a frame: where no site tells when the Sun was up
STEP_H = 0.25  # at which the Sun is looked at
FEW_A_NIGHT = 10  # fewer points show no course of a night: most nights so, it is a series of nights
MINORITY = 0.1  # of the largest set of its night: a smaller one was taken for something else
SHOWN = 4


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


@dataclass(frozen=True, slots=True, eq=False)
class Reduced(Generic[T]):
    """What came of one set: what was made of it, or the error that stopped it."""

    frames: FrameSet
    folder: Path
    made: T | None = None
    error: LightcurveError | None = None


def find_sets(
    inventory: Inventory,
    settings: Settings,
    target: Target | None = None,
    *,
    fewest: int = MIN_POINTS,
) -> list[FrameSet]:
    """Sort the light frames of a folder into sets, and say which of them are reduced.

    Parameters
    ----------
    target : Target, optional
        Sets whose headers point at another field are not reduced where others hold it.
    fewest : int
        Frames that are of any use; a smaller set is left out beside a larger.

    Returns
    -------
    list of FrameSet
        In order of time; of those that are reduced no two have the same label.

    Raises
    ------
    InputError
        When there is no light frame, or none that was asked for; HeaderError when the time of more
        than a few is not certain.
    """
    sets = _grouped(choose_lights(inventory), settings.select)
    sets = _asked_for(sets, settings.select, inventory.folder)
    sets = _with_target(sets, target)
    sets = _large_enough(sets, fewest)
    return _labelled(sorted(sets, key=lambda s: (s.exposure.mid_jd_utc or 0.0, s.lights[0].name)))


def one_set(inventory: Inventory, settings: Settings, target: Target | None = None) -> Inventory:
    """Leave in an inventory the only set that is to be reduced.

    Raises
    ------
    InputError
        Where there are several: what they are, and how to choose.
    """
    sets = find_sets(inventory, settings, target)
    used = [one for one in sets if not one.unused]
    if len(used) > 1:
        found = "; ".join(str(one) for one in used[:SHOWN])
        more = f" and {len(used) - SHOWN} more" if len(used) > SHOWN else ""
        msg = (
            f"{inventory.folder}: {len(used)} light curves, not one: {found}{more}; choose by "
            "filter, object or night, join nights, or make each (reduce_nights, `run`)"
        )
        raise InputError(msg)
    _tell(sets)
    return _inventory_of(inventory, used[0], sets)


def reduce_sets(
    inventory: Inventory,
    sets: Sequence[FrameSet],
    out: Path,
    reduce: Callable[[FrameSet, Inventory, Path], T],
) -> list[Reduced[T]]:
    """Do the same with every set of a folder that is to be reduced.

    Parameters
    ----------
    sets : sequence of FrameSet
        Of `find_sets`.
    out : Path
        Of the only one; of several each has a folder of its own in it, named by its label.
    reduce : callable
        Makes something of a set, in a folder, from an inventory that holds it alone.

    Returns
    -------
    list of Reduced
        One each; an error of one among several does not stop the others.

    Raises
    ------
    LightcurveError
        What stopped the only one, or each.
    """
    used = [one for one in sets if not one.unused]
    _tell(sets)
    if len(used) == 1:
        only = _inventory_of(inventory, used[0], sets)
        return [Reduced(used[0], out, reduce(used[0], only, out))]
    log.warning("%d light curves, one each: %s", len(used), ", ".join(one.label for one in used))
    if (out / "run.toml").exists():
        log.warning("%s also holds an earlier run, which stays as it is", out)
    found: list[Reduced[T]] = []
    for one in used:
        folder = out / one.label
        log.warning("%s: %s", one.label, one)
        try:
            mine = _inventory_of(inventory, one, sets)
            found.append(Reduced(one, folder, reduce(one, mine, folder)))
        except LightcurveError as error:
            log.warning("%s: %s", one.label, error)
            found.append(Reduced(one, folder, error=error))
    errors = [one.error for one in found if one.error is not None]
    if len(errors) == len(found):
        raise errors[0]
    return found


def _tell(sets: Sequence[FrameSet]) -> None:
    """Say what is left out and why, and where nights are joined."""
    for one in sets:
        if line := _remark(one):
            log.warning("%s", line)


def _remark(one: FrameSet) -> str:
    """Say what whoever reads the results should know of a set; empty for nothing."""
    if one.unused:
        return f"left out: {one}: {one.unused}"
    n, nights = len(one.lights), one.nights
    if len(nights) < 2:
        return ""
    return (
        f"{n} frames of {len(nights)} nights, {nights[0]} to {nights[-1]}, make one light curve "
        "(--split-nights: one each)"
    )


def _inventory_of(inventory: Inventory, kept: FrameSet, sets: Sequence[FrameSet]) -> Inventory:
    """Leave one set in an inventory; what is left out has a reason."""
    reasons = {
        entry.path: one.unused or f"belongs to another light curve: {one.label}"
        for one in sets
        if one is not kept
        for entry in one.lights
    }
    said = [_remark(one) for one in sets if one is kept or one.unused]
    others = [str(one) for one in sets if one is not kept and not one.unused]
    if others:
        said.append(
            f"the folder holds {len(others)} other light curves: {'; '.join(others[:SHOWN])}"
        )
    band = kept.exposure.filter
    return narrow_inventory(inventory, reasons, band, [line for line in said if line])


# ---- what belongs together


def _grouped(lights: Sequence[Entry], select: SelectSettings) -> list[FrameSet]:
    """Sort lights by all that makes sets."""
    named = Counter(_name(entry.exposure) for entry in lights)
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


def _name(exposure: Exposure) -> str:
    return re.sub(r"[\W_]", "", exposure.object_name or "").lower()


def _field(exposure: Exposure, named: Mapping[str, int]) -> _Field | None:
    """Tell where a frame looks; a name that no other frame has is that of the frame."""
    name = _name(exposure)
    name = name if named[name] > 1 or len(named) <= 2 else ""
    place = None
    if exposure.ra_deg is not None and exposure.dec_deg is not None:
        place = exposure.ra_deg, exposure.dec_deg
    return _Field(name, place, _half_deg(exposure)) if name or place else None


def _half_deg(exposure: Exposure) -> float | None:
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


# ---- which of them are reduced


def _asked_for(sets: list[FrameSet], wanted: SelectSettings, folder: Path) -> list[FrameSet]:
    """Leave out what options exclude; raises InputError where nothing is left."""
    checks: tuple[tuple[str, str | None, Callable[[FrameSet], bool]], ...] = (
        ("filter", wanted.filter, lambda s: _same_filter(s.exposure.filter, wanted.filter)),
        ("object", wanted.object, lambda s: _has_object(s, wanted.object)),
        ("night", wanted.night, lambda s: wanted.night in s.nights),
    )
    for name, value, check in checks:
        if value is None:
            continue
        there = sorted({one.values[name] for one in sets} - {""})
        sets = [
            one if one.unused or check(one) else replace(one, unused=f"not --{name} {value}")
            for one in sets
        ]
        if all(one.unused for one in sets):
            listed = ", ".join(there) or "no header tells it"
            msg = f"{folder}: no light frame of --{name} {value}; there are: {listed}"
            raise InputError(msg)
    return sets


def _same_filter(header: str | None, wanted: str | None) -> bool:
    return header is not None and wanted is not None and header == normalise_filter(wanted)


def _has_object(one: FrameSet, wanted: str | None) -> bool:
    plain = re.sub(r"[\W_]", "", wanted or "").lower()
    return any(_name(entry.exposure) == plain for entry in one.lights)


def _with_target(sets: list[FrameSet], target: Target | None) -> list[FrameSet]:
    """Leave out the sets that look elsewhere, where others look at the target.

    By place: the nearest counts, and whatever has the target in its frame; without places by name.
    """
    if target is None:
        return sets
    used = [one for one in sets if not one.unused]
    fields: dict[int, list[float]] = defaultdict(list)  # a mount may be off on one of the nights
    for one in used:
        if (angle := _apart_deg(one, target)) is not None:
            fields[one.place[-1]].append(angle)
    apart = {number: min(angles) for number, angles in fields.items()}
    nearest = min(apart.values(), default=0.0)
    plain = re.sub(r"[\W_]", "", target.name).lower()
    here = max((name for name in map(_named, used) if plain.startswith(name)), key=len, default="")

    def away(one: FrameSet) -> str:
        angle = apart.get(one.place[-1])
        half = _half_deg(one.exposure) or HALF_FIELD_DEG
        if angle is not None and angle > max(nearest + half / 2, half):
            return f"its headers point {angle:.3g} deg away from the target"
        other = not apart and here and _named(one) not in {"", here}
        return f"of {one.exposure.object_name}" if other else ""

    return [one if one.unused else replace(one, unused=away(one)) for one in sets]


def _named(one: FrameSet) -> str:
    return _name(one.exposure)


def _apart_deg(one: FrameSet, target: Target) -> float | None:
    """Degrees from where its headers point, on the median, to the target."""
    apart = [
        min(degrees_apart(place, (target.ra_deg, target.dec_deg)) for place in places)
        for places in (entry.exposure.places for entry in one.lights)
        if places
    ]
    return statistics.median(apart) if apart else None


def _large_enough(sets: list[FrameSet], fewest: int) -> list[FrameSet]:
    """Leave out stacks among their subs, and what is few beside the others of its night."""
    used = [one for one in sets if not one.unused]
    largest = max(len(one.lights) for one in used)

    def too_few(one: FrameSet) -> str:
        n = len(one.lights)
        beside = [other for other in used if other.place == one.place]
        if one.stack and n < sum(len(other.lights) for other in beside if not other.stack):
            return f"combined of other frames ({one.stack})"
        most = max(len(o.lights) for o in beside if set(o.nights) & set(one.nights))
        if n <= MINORITY * most:
            return f"few beside the {most} others of its night"
        if n < fewest <= largest:
            return f"{n} make no light curve"
        return ""

    return [one if one.unused else replace(one, unused=too_few(one)) for one in sets]


def _labelled(sets: list[FrameSet]) -> list[FrameSet]:
    """Name the sets that are reduced after the fewest things that tell them apart."""
    used = [one for one in sets if not one.unused]
    if len(used) < 2:
        return sets
    values = [one.values for one in used]
    labels = [""] * len(used)
    for name in values[0]:
        longer = [
            "-".join(filter(None, (label, _plain(each[name]))))
            for label, each in zip(labels, values, strict=True)
        ]
        if len(set(longer)) > len(set(labels)):
            labels = longer
    # What differs in nothing that is shown, or in case alone, gets a number.
    taken: set[str] = set()
    named: dict[int, str] = {}
    for one, label in zip(used, labels, strict=True):
        tries = (label or "set", *(f"{label or 'set'}-{k}" for k in range(2, len(used) + 2)))
        named[id(one)] = next(word for word in tries if word.lower() not in taken)
        taken.add(named[id(one)].lower())
    return [replace(one, label=named.get(id(one), "")) for one in sets]


def _plain(text: str) -> str:
    """Make a word that any disk takes as part of a name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_.")
