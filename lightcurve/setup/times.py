"""Whether a night's times can be true: Sun, target, cadence, and the header's own altitudes."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Exposure, Overhead, Site
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import HeaderError
from lightcurve.core.times import altitude_deg, sidereal_deg, sun_altitude_deg
from lightcurve.frames.entries import Entry
from lightcurve.setup.target import Target

__all__ = ["CLOCK_SLACK_S", "SUNSET_DEG", "leave_out_impossible", "time_fault"]

log = logging.getLogger(__name__)
SUNSET_DEG = -0.833  # of the Sun's centre: refraction at the horizon, and half the disc
HORIZON_DEG = -0.6  # refraction lifts what stands on the horizon by so much
# Headers point on coordinates of date (0.4 deg) with mounts that are a degree off, at a field whose
# target is not in the middle; refraction and the formulae of airmass differ by half a degree.
AGREE_DEG = 3.0
TURNS_DEG_PER_S = 15.0 / 3600
MINORITY = 0.1  # of the frames: so many odd ones are left out with a reason, more is an error
QUARTERS = 14 * 4  # of an hour: no clock is further from UTC
CLOCK_SLACK_S = 1.0  # many programs cut the second rather than round it
NARROW_H = 2.0  # shifts that fit within so much are those of the header's words
SAMPLE = 20  # frames by which remedies are tried


def leave_out_impossible(
    lights: Sequence[Entry], target: Target | None, utc_offset_hours: float | None = None
) -> tuple[list[Entry], dict[Path, str]]:
    """Hold the times of a night against the sky and against one another.

    Parameters
    ----------
    lights : sequence of Entry
        In order of time.
    target : Target or None
        None where it is not known to be in the frames: the Sun alone is looked at.
    utc_offset_hours : float, optional
        What has been taken off the header's clocks already.

    Returns
    -------
    kept : list of Entry
    left_out : dict of Path to str
        Frames, few, whose time cannot be true, and why.

    Raises
    ------
    HeaderError
        When more than a few times cannot be true, or the exposures are longer than the cadence:
        the numbers, and the option that settles it.
    """
    _refuse_cadence(lights)
    exposures = _without_still_words([entry.exposure for entry in lights])
    faults = _faults(exposures, target)
    wrong = [k for k, fault in enumerate(faults) if fault]
    if not wrong:
        return list(lights), {}
    if len(wrong) > max(1, MINORITY * len(lights)) or len(wrong) == len(lights):
        first = lights[wrong[0]]
        text = f"{faults[wrong[0]]} (so with {len(wrong)} of {len(lights)} light frames)"
        remedy = _remedy(exposures, target, utc_offset_hours or 0.0)
        raise HeaderError(first.path, _clock(first.exposure), f"{text}; {remedy}")
    # Few that are only just outside stay: a mount may be worse than most.
    faults = _faults(exposures, target, agree_deg=2 * AGREE_DEG)
    wrong = [k for k, fault in enumerate(faults) if fault]
    for k in wrong:
        log.warning("%s left out: %s", lights[k].name, faults[k])
    kept = [entry for k, entry in enumerate(lights) if not faults[k]]
    return kept, {lights[k].path: faults[k] for k in wrong}


def time_fault(exposure: Exposure, ra_deg: float, dec_deg: float) -> str:
    """Hold the time of one frame against the sky.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Its middle, ICRS.

    Returns
    -------
    str
        What cannot be true, and what would settle it; empty where nothing contradicts, or time or
        site are not known.
    """
    field = Target("field", ra_deg, dec_deg, "the frame")
    fault = _faults([exposure], field)[0]
    return f"{fault}; {_remedy([exposure], field, 0.0)}" if fault else ""


def _clock(exposure: Exposure) -> str:
    return exposure.sources.get("mid_jd_utc", "").split(" (")[0].removeprefix("header ")


def _refuse_cadence(lights: Sequence[Entry]) -> None:
    """Refuse exposures that are longer than the time from one to the next of a telescope."""
    series: dict[tuple, list[Entry]] = defaultdict(list)
    for entry in lights:
        if entry.exposure.mid_jd_utc is not None and entry.exposure.exposure_s is not None:
            series[entry.exposure.telescope, entry.exposure.site].append(entry)
    for entries in series.values():
        moments = np.array([entry.exposure.mid_jd_utc for entry in entries])
        length = np.array([entry.exposure.exposure_s for entry in entries])
        gap, needed = np.diff(moments) * DAY_S, (length[1:] + length[:-1]) / 2
        slack = CLOCK_SLACK_S + 2 * max(entry.exposure.time_uncertainty_s for entry in entries)
        if len(entries) < 3 or np.median(gap - needed) >= -slack:
            continue
        source = entries[0].exposure.sources["exposure_s"]
        text = (
            f"exposures of {np.median(length):g} s ({source}) cannot follow one another every "
            f"{np.median(gap):.3g} s: give --exposure SECONDS, or --time-keyword if the clock stood"
        )
        raise HeaderError(entries[0].path, source.removeprefix("header "), text)


def _without_still_words(exposures: Sequence[Exposure]) -> list[Exposure]:
    """Take out what stands still in all headers while the sky turns: it was never filled in."""
    moments = [e.mid_jd_utc for e in exposures if e.mid_jd_utc is not None]
    if not moments or (max(moments) - min(moments)) * DAY_S * TURNS_DEG_PER_S < AGREE_DEG:
        return list(exposures)
    seen: dict[str, set[Overhead]] = defaultdict(set)
    for word in (word for e in exposures for word in e.overhead):
        seen[word.keyword].add(word)
    few = min(2, len(exposures) - 1)
    alive = {kw for kw, words in seen.items() if len({w.low_deg for w in words}) > few}
    return [
        replace(e, overhead=tuple(w for w in e.overhead if w.keyword in alive)) for e in exposures
    ]


def _faults(
    exposures: Sequence[Exposure],
    target: Target | None,
    *,
    later_h: float = 0.0,
    mirrored: bool = False,
    agree_deg: float = AGREE_DEG,
) -> list[str]:
    """Tell what speaks against each time; empty for nothing, or where no site is known.

    later_h: added to every time; mirrored: with the longitude's other sign.
    """
    faults = [""] * len(exposures)
    groups: dict[Site, list[int]] = defaultdict(list)
    for k, exposure in enumerate(exposures):
        if exposure.site is not None and exposure.mid_jd_utc is not None:
            groups[exposure.site].append(k)
    for stated, members in groups.items():
        east = -stated.longitude_deg if mirrored else stated.longitude_deg
        site = replace(stated, longitude_deg=east)
        jd = np.array([exposures[k].mid_jd_utc for k in members]) + later_h / 24
        sun, sidereal = sun_altitude_deg(jd, site), sidereal_deg(jd, site)
        height = None
        if target is not None:
            height = altitude_deg(jd, target.ra_deg, target.dec_deg, site)
        for n, k in enumerate(members):
            where = f"{iso_from_jd(jd[n])[:19]} UTC at {abs(east):.2f} {'EW'[int(east < 0)]}"
            when = f"{where} ({_clock(exposures[k])})"
            if sun[n] > SUNSET_DEG:
                faults[k] = f"{when}: the Sun stands {sun[n]:.0f} deg above the horizon"
            elif target is not None and height is not None:
                if height[n] < HORIZON_DEG:
                    faults[k] = f"{when}: the target is {-height[n]:.0f} deg below the horizon"
                else:
                    text = _contradiction(exposures[k], target, height[n], sidereal[n], agree_deg)
                    faults[k] = text and f"{when}: {text}"
    return faults


def _contradiction(
    exposure: Exposure, target: Target, height: float, sidereal: float, agree_deg: float
) -> str:
    """Tell a word of the header that contradicts its time; empty where another word agrees."""
    here = {
        "altitude": height,
        "sidereal time": sidereal,
        "hour angle": (sidereal - target.ra_deg + 180) % 360 - 180,
    }
    # The word may be that of the start or the end of the exposure.
    slack = agree_deg + (exposure.exposure_s or 0.0) * TURNS_DEG_PER_S / 2
    cos_dec = max(float(np.cos(np.radians(target.dec_deg))), 0.05)
    texts = []
    for word in exposure.overhead:
        middle, half = (word.low_deg + word.high_deg) / 2, (word.high_deg - word.low_deg) / 2
        apart = abs((middle - here[word.quantity] + 180) % 360 - 180)
        if apart <= half + slack / (cos_dec if word.quantity == "hour angle" else 1.0):
            return ""
        unit = "deg" if word.quantity == "altitude" else "h"
        scale = 1.0 if unit == "deg" else 15.0
        stated, found = middle / scale, here[word.quantity] / scale
        texts.append(f"{word.keyword} says {word.quantity} {stated:.1f} {unit}, not {found:.1f}")
    return texts[0] if texts else ""


def _remedy(exposures: Sequence[Exposure], target: Target | None, given_h: float) -> str:
    """Say which shift of the clock, or which longitude, would leave no contradiction."""
    tried = exposures[:: max(1, len(exposures) // SAMPLE)]
    wordless = [replace(exposure, overhead=()) for exposure in tried]
    shifts = [q / 4 for q in range(-QUARTERS, QUARTERS + 1) if q]
    for sample in (tried, wordless):  # what headers say may come from the same wrong clock
        fit = [h for h in shifts if _clears(_faults(sample, target, later_h=h))]
        said = [_utc_offset(fit, tried, given_h)] if fit else []
        if _clears(_faults(sample, target, mirrored=True)):
            east = next(e.site.longitude_deg for e in sample if e.site)
            said.append(f"--longitude {-east:.4f} (the other side of Greenwich)")
        if said:
            return f"{', or '.join(said)} would settle it"
    return "no shift of the clock settles it: check --latitude, --longitude, --ra and --dec"


def _clears(faults: Sequence[str]) -> bool:
    return sum(map(bool, faults)) <= MINORITY * len(faults)


def _utc_offset(fit: Sequence[float], exposures: Sequence[Exposure], given_h: float) -> str:
    """Name the shift and the option: of many that fit, the zone of the longitude."""
    zone = next(round(((e.site.longitude_deg + 180) % 360 - 180) / 15) for e in exposures if e.site)
    narrow = max(fit) - min(fit) <= NARROW_H
    wanted = (min(fit) + max(fit)) / 2 if narrow else given_h - zone
    best = min(fit, key=lambda h: (abs(h - wanted), abs(h)))
    how = f"{abs(best):g} h {'later' if best > 0 else 'earlier'}"
    several = f"; shifts from {min(fit):+g} to {max(fit):+g} h fit" if len(fit) > 1 else ""
    marked = f"clock_correction_s = {best * 3600:g} in [time] where the header calls it UTC"
    return f"--utc-offset {given_h - best:g} ({how}{several}; {marked})"
