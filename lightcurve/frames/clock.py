"""The time audit: every clock of a header, read with its precision and held against the others.

A clock is believed when its scale is certain: it says UTC (keyword, comment, TIMESYS), carries an
offset, or, like any FITS date, says nothing to the contrary. Of those the finest is taken and all
others must agree with it to within what they were rounded to, or the header is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lightcurve import dates
from lightcurve.config import TimeSettings
from lightcurve.constants import DAY_S
from lightcurve.errors import HeaderError
from lightcurve.frames.cards import Cards
from lightcurve.frames.clocks import Clock, read_clocks

AGREE_S = 2.0  # beyond the rounding of the two clocks
REMARK_S = 5.0  # up to this only a remark: some observatories' MJD-OBS is 4.4 s before DATE-OBS
READOUT_S = 10.0  # an end is stamped after the read-out ...
READOUT_PART = 0.1  # ... which may last longer for long exposures
SAME_S = 0.002  # a number nearer than this to a coarser date was worked out from it
SETTLE = "choose with --time-keyword, --utc-offset or --time-stamp"


@dataclass(frozen=True, slots=True)
class ClockReading:
    """When an exposure was made.

    Attributes
    ----------
    start_jd_utc : float or None
        Not known of a middle without an exposure time.
    uncertainty_s : float
        Half the value of the last digit of the clock believed.
    """

    start_jd_utc: float | None
    mid_jd_utc: float
    uncertainty_s: float
    source: str
    warnings: tuple[str, ...] = ()


def audit_clocks(
    cards: Cards, exposure_s: float | None, path: str | Path, settings: TimeSettings
) -> ClockReading:
    """Work out the middle of an exposure from all clocks of its header.

    path: named in errors; settings: what the user said about the clocks.
    Raises HeaderError when there is no clock, none of a certain scale, or two that contradict each
    other.
    """
    clocks, warnings = read_clocks(cards, settings.utc_offset_hours)
    named = settings.keyword
    best = _chosen(clocks, settings, path) if named else _finest(clocks, path, warnings)
    if settings.stamp:
        best = replace(best, stamp=settings.stamp, note="")
    elif best.stamp == "any":
        best = _settle_any(best, clocks, exposure_s, path)
    if best.note:
        warnings.append(f"{best.keyword}: {best.note}; --time-stamp settles it")
    others = [clock for clock in clocks if clock.keyword != best.keyword]
    clashes = _contradictions(best, others, exposure_s)
    grave = [clash for clash in clashes if abs(clash[2]) > REMARK_S]
    if grave and not settings.keyword:
        raise HeaderError(path, f"{best.keyword} {grave[0][0]}", f"{grave[0][1]}; {SETTLE}")
    warnings += [f"{text}; {best.keyword} taken" for _, text, _ in clashes]
    return _reading(best, exposure_s, path, settings, warnings)


def _chosen(clocks: list[Clock], settings: TimeSettings, path: str | Path) -> Clock:
    wanted = (settings.keyword or "").upper()
    for clock in clocks:
        if wanted in {clock.keyword, clock.keyword.rpartition(" + ")[2]}:
            if clock.scale == "local":
                msg = f"{clock.keyword} is local time: give --utc-offset HOURS"
                raise HeaderError(path, clock.keyword, msg)
            return clock
    found = ", ".join(clock.keyword for clock in clocks) or "none"
    msg = f"--time-keyword {wanted[:30]}: no such clock in the header; it has {found}"
    raise HeaderError(path, wanted, msg)


def _finest(clocks: list[Clock], path: str | Path, warnings: list[str]) -> Clock:
    certain = [clock for clock in clocks if clock.scale != "local"]
    if not certain:
        if clocks:
            keyword = clocks[0].keyword
            msg = f"{keyword} is local time and no other clock is UTC: give --utc-offset HOURS"
            raise HeaderError(path, keyword, msg)
        told = f" ({warnings[0]})" if warnings else ""
        msg = f"no time in the header{told}: DATE-OBS or one of its kin is needed"
        raise HeaderError(path, "DATE-OBS", msg)
    rank = {"utc": 0, "offset": 1, "standard": 2}
    dates = [clock for clock in certain if not clock.numeric]
    fresh = [
        clock
        for clock in certain
        if clock.numeric and not any(_derived(clock, date) for date in dates)
    ]
    return min(
        dates + fresh or certain,
        key=lambda c: (c.stamp == "any", max(c.unit_s, 0.01), c.stamp == "end", rank[c.scale]),
    )


def _derived(numeric: Clock, date: Clock) -> bool:
    return abs(numeric.jd - date.jd) * DAY_S < SAME_S and date.unit_s > numeric.unit_s


def _settle_any(
    best: Clock, clocks: list[Clock], exposure_s: float | None, path: str | Path
) -> Clock:
    """Settle a Julian date whose moment is not said: by another clock, or the user must."""
    coarse = next((c for c in clocks if c.stamp != "any" and c.scale != "local"), None)
    if coarse is not None or exposure_s == 0:
        return replace(best, stamp="start")
    msg = f"{best.keyword} does not say if it is the start, middle or end: give --time-stamp"
    raise HeaderError(path, best.keyword, msg)


def _contradictions(
    best: Clock, others: list[Clock], exposure_s: float | None
) -> list[tuple[str, str, float]]:
    """Clocks that do not belong to the same exposure: keyword, one line, seconds apart."""
    start = best.start(exposure_s)
    if start is None:
        return []
    clashes = []
    for clock in others:
        if clock.scale == "local":
            continue
        gap = _gap(clock, best, start, exposure_s)
        if gap is None or gap == 0:
            continue
        texts = (f"{c.keyword} ({c.stamp}) {dates.iso_from_jd(c.jd)}" for c in (best, clock))
        seconds = f"{abs(gap):.3f}" if abs(gap) < 100 else f"{abs(gap):.0f}"
        text = f"the clocks disagree by {seconds} s: {' and '.join(texts)} UTC"
        clashes.append((clock.keyword, text, gap))
    return clashes


def _gap(clock: Clock, best: Clock, start: float, exposure_s: float | None) -> float | None:
    """Seconds by which a clock is off beyond what it may be; 0 when it agrees."""
    slack = clock.unit_s + best.unit_s + AGREE_S
    length = exposure_s or 0.0
    late = READOUT_S + READOUT_PART * length
    if clock.stamp == "any":
        gap = (clock.jd - start) * DAY_S
        return 0.0 if -slack <= gap <= length + late + slack else gap
    own = clock.start(exposure_s)
    if own is None:
        return None
    gap = (own - start) * DAY_S
    before = slack + (late if best.stamp == "end" else 0.0)
    after = slack + (late if clock.stamp == "end" else 0.0)
    return 0.0 if -before <= gap <= after else gap


def _reading(
    best: Clock,
    exposure_s: float | None,
    path: str | Path,
    settings: TimeSettings,
    warnings: list[str],
) -> ClockReading:
    part = {"start": 0.0, "mid": 0.5, "end": 1.0}[best.stamp]
    if exposure_s is None and best.stamp != "mid":
        msg = f"no exposure time (EXPTIME): the middle cannot be told from {best.keyword}"
        raise HeaderError(path, "EXPTIME", msg)
    moment = best.jd + settings.clock_correction_s / DAY_S
    if exposure_s is None:
        start, middle = None, moment
        text = "no exposure time (EXPTIME): the middle is known, the length and the start are not"
        warnings = [*warnings, text]
    else:
        exposure = exposure_s / DAY_S
        start, middle = moment - part * exposure, moment + (0.5 - part) * exposure
    how = {"utc": "UTC", "offset": "offset from UTC applied", "standard": "UTC by the FITS rule"}
    source = f"header {best.keyword} ({best.stamp}; {how[best.scale]})"
    if settings.keyword:
        source += ", setting time.keyword"
    if settings.clock_correction_s:
        source += f", corrected by {settings.clock_correction_s:g} s"
    return ClockReading(
        start_jd_utc=start,
        mid_jd_utc=middle,
        uncertainty_s=best.unit_s / 2,
        source=source,
        warnings=tuple(warnings),
    )
