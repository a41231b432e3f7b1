"""By which frames a night is settled: its first dark ones, unless the rest shows these to be poor.

A night is then settled the same while its frames still come in and when all are there: reference
frame, star numbers, apertures and masters stay what they were when its first frames were in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import median

from lightcurve.core.data import FrameKind, Site
from lightcurve.core.times import sun_altitude_deg
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory
from lightcurve.night.lights import in_time
from lightcurve.setup.target import Target, at_night

OPENING = 15  # frames, as many as tell of warm pixels; of slow series as many as an hour gives:
HOUR, FEWEST = 1 / 24, 8  # days; and so many at least, for reference and warm pixels
MOST = 200  # frames looked through for dark ones
DARK_DEG = -12.0  # of the Sun: what stars a frame shows hangs on the camera, and not on twilight
TEN_MINUTES = 10 / 1440
ONE_NIGHT = 1.0  # days: nights that are joined are settled by all of them
DEGREES = 2.0  # by so much a sensor may warm or cool: its warm pixels change by a quarter


def opening_of(lights: Sequence[Entry]) -> list[Entry]:
    """Pick the frames by which a night is settled, as long as nothing speaks against them.

    lights: in order of time. All, where they are few or of several nights.
    """
    moments = [entry.exposure.mid_jd_utc or 0.0 for entry in lights]
    if len(lights) <= FEWEST or moments[-1] - moments[0] > ONE_NIGHT:
        return list(lights)
    some = dark_enough(lights) or list(lights)
    some = some[:OPENING]
    first = some[0].exposure.mid_jd_utc or 0.0
    soon = sum((entry.exposure.mid_jd_utc or 0.0) <= first + HOUR for entry in some)
    return some[: max(soon, FEWEST)]


def has_opened(lights: Sequence[Entry]) -> bool:
    """Tell whether the frames that settle a night are all there, while it grows.

    lights: so far, in order of time. Later ones leave them as they are; earlier ones, late, do not.
    """
    opening = opening_of(lights)
    if len(opening) < FEWEST or (not dark_enough(lights) and _gets_darker(lights[-1])):
        return False
    return len(opening) == OPENING or opening[-1] is not lights[-1]


def dark_enough(lights: Sequence[Entry]) -> list[Entry]:
    """List the first frames of a dark sky; empty where too few of the first ones are.

    lights: in order of time.
    """
    dark = [entry for entry in lights[:MOST] if sun_deg(entry) <= DARK_DEG]
    return dark if len(dark) >= FEWEST else []


def sun_deg(entry: Entry, later: float = 0.0) -> float:
    """Height of the Sun over a frame, degrees, or so many days later; -90 if site or time miss."""
    site, moment = entry.exposure.site, entry.exposure.mid_jd_utc
    if site is None or moment is None:
        return -90.0
    return _sun_deg(moment + later, site)


@lru_cache(maxsize=10_000)  # asked of the same frames at every look
def _sun_deg(moment: float, site: Site) -> float:
    return float(sun_altitude_deg(moment, site))


def _gets_darker(entry: Entry) -> bool:
    return sun_deg(entry, TEN_MINUTES) < sun_deg(entry)


def at_opening(target: Target, inventory: Inventory) -> Target:
    """Move a target to where it stands when the first frames of its night are taken."""
    lights = sorted(inventory.used(FrameKind.LIGHT), key=in_time)
    return at_night(target, [entry.exposure.mid_jd_utc for entry in opening_of(lights)])


def why_unlike(opening: Sequence[Entry], lights: Sequence[Entry]) -> str:
    """Say what the headers of a night have against its first frames; empty for nothing."""
    if any(entry.has_wcs for entry in lights) and not any(entry.has_wcs for entry in opening):
        return "only later frames have a WCS"
    first, whole = (
        [t for entry in some if (t := entry.exposure.temperature_c) is not None]
        for some in (opening, lights)
    )
    if first and whole and abs(median(first) - median(whole)) > DEGREES:
        return f"the sensor was at {median(first):.1f} C, and at {median(whole):.1f} C later"
    return ""
