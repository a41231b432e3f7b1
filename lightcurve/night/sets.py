"""Which sets of a folder's light frames are reduced, and what is left out: one set, one run."""

from __future__ import annotations

import logging
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.errors import InputError, LightcurveError
from lightcurve.core.settings import SelectSettings, Settings
from lightcurve.curve.form import MIN_POINTS
from lightcurve.frames.inventory import Inventory, narrow_inventory
from lightcurve.frames.kinds import normalise_filter
from lightcurve.night.grouping import (
    HALF_FIELD_DEG,
    MINORITY,
    FrameSet,
    group_lights,
    half_field_deg,
    plain_name,
)
from lightcurve.night.lights import choose_lights
from lightcurve.setup.target import Target

__all__ = ["Reduced", "find_sets", "reduce_sets"]

log = logging.getLogger(__name__)
T = TypeVar("T")

SHOWN = 4


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
    minority: float = MINORITY,
) -> list[FrameSet]:
    """Sort the light frames of a folder into sets, and say which of them are reduced.

    Parameters
    ----------
    target : Target, optional
        Sets whose headers point at another field are not reduced where others hold it.
    fewest : int
        Frames that are of any use; a smaller set is left out beside a larger.
    minority : float
        Of the largest set of its night and field: one of no more frames is left out.

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
    sets = group_lights(choose_lights(inventory), settings.select)
    sets = _asked_for(sets, settings.select, inventory.folder)
    sets = _with_target(sets, target)
    sets = _large_enough(sets, fewest, minority)
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
    return inventory_of(inventory, used[0], sets)


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
        only = inventory_of(inventory, used[0], sets)
        return [Reduced(used[0], out, reduce(used[0], only, out))]
    log.warning("%d light curves, one each: %s", len(used), ", ".join(one.label for one in used))
    if (out / "run.toml").exists():
        log.warning("%s also holds an earlier run, which stays as it is", out)
    found: list[Reduced[T]] = []
    for one in used:
        folder = out / one.label
        log.warning("%s: %s", one.label, one)
        try:
            mine = inventory_of(inventory, one, sets)
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


def inventory_of(inventory: Inventory, kept: FrameSet, sets: Sequence[FrameSet]) -> Inventory:
    """Leave one set in an inventory; what is left out has a reason.

    Parameters
    ----------
    sets : sequence of FrameSet
        All, of `find_sets`.
    """
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
    return any(plain_name(entry.exposure) == plain for entry in one.lights)


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
        half = half_field_deg(one.exposure) or HALF_FIELD_DEG
        if angle is not None and angle > max(nearest + half / 2, half):
            return f"its headers point {angle:.3g} deg away from the target"
        other = not apart and here and _named(one) not in {"", here}
        return f"of {one.exposure.object_name}" if other else ""

    return [one if one.unused else replace(one, unused=away(one)) for one in sets]


def _named(one: FrameSet) -> str:
    return plain_name(one.exposure)


def _apart_deg(one: FrameSet, target: Target) -> float | None:
    """Degrees from where its headers point, on the median, to the target."""
    apart = [
        min(degrees_apart(place, (target.ra_deg, target.dec_deg)) for place in places)
        for places in (entry.exposure.places for entry in one.lights)
        if places
    ]
    return statistics.median(apart) if apart else None


def _large_enough(sets: list[FrameSet], fewest: int, minority: float) -> list[FrameSet]:
    """Leave out stacks among their subs, and what is few beside the others of its night."""
    used = [one for one in sets if not one.unused]
    largest = max(len(one.lights) for one in used)

    def too_few(one: FrameSet) -> str:
        n = len(one.lights)
        beside = [other for other in used if other.place == one.place]
        if one.stack and n < sum(len(other.lights) for other in beside if not other.stack):
            return f"combined of other frames ({one.stack})"
        most = max(len(o.lights) for o in beside if set(o.nights) & set(one.nights))
        if n <= minority * most:
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
