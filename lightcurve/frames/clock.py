"""The time audit: every clock of a header, read with its precision and held against the others.

A clock is believed when its scale is certain: it says UTC (keyword, comment, TIMESYS), carries an
offset, or, like any FITS date, says nothing to the contrary. Of those the finest is taken and all
others must agree with it to within what they were rounded to, or the header is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from lightcurve import times
from lightcurve.config import TimeSettings
from lightcurve.errors import HeaderError
from lightcurve.frames.cards import Cards, decimals, number

AGREE_S = 2.0  # beyond the rounding of the two clocks
READOUT_S = 10.0  # an end is stamped after the read-out ...
READOUT_PART = 0.1  # ... which may last longer for long exposures
SAME_S = 0.002  # a number nearer than this to a coarser date was worked out from it
SETTLE = "choose with --time-keyword, --utc-offset or --time-stamp"

# Keyword -> moment it marks; "any" where programs differ. Order: best first among equals.
DATES = {
    "DATE-BEG": "start",
    "DATE-OBS": "start",
    "UT-OBS": "start",
    "UTC-OBS": "start",
    "DATE_OBS": "start",
    "DATEOBS": "start",
    "DATE-HP": "start",
    "DATE-AVG": "mid",
    "DATE-MID": "mid",
    "DATE-END": "end",
    "DATE-LOC": "start",
}
NUMBERS = {
    "MJD-BEG": "start",
    "MJD-OBS": "start",
    "MJD_OBS": "start",
    "EXPSTART": "start",
    "MJD-AVG": "mid",
    "MJD-MID": "mid",
    "MJD-END": "end",
    "EXPEND": "end",
    "JD_UTC": "any",
    "JD-OBS": "any",
    "JD": "any",
    "MJD": "any",
}
HOURS = ("UT-OBS", "UTC-OBS", "UTSTART", "UT-START", "TIME-OBS", "TIME_OBS", "UTC", "UT", "UTIME")
NO_CLOCK_KEYS = ("DATE-OBS", "DATE_OBS", "DATEOBS", "UT-DATE", "UTDATE", "DATE-BEG")
TAI_SCALES = {"TT": 0.0, "TDT": 0.0, "ET": 0.0, "TDB": 0.0, "TAI": 32.184, "GPS": 51.184}

_LOCAL = re.compile(r"\bLT\b|\blocal\b", re.IGNORECASE)
_UTC = re.compile(r"\bUTC?\b|\bGMT\b|\buniversal\b|\bzulu\b", re.IGNORECASE)
_STAMPS = (
    ("mid", re.compile(r"\bmid", re.IGNORECASE)),
    ("start", re.compile(r"\bstart|\bbegin|\bopen", re.IGNORECASE)),
    ("end", re.compile(r"\bend\b|\bended\b|\bgrabbed\b|\bstop", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a header.

    Attributes
    ----------
    keyword : str
    jd : float
        On UTC, unless it is local without an offset.
    unit_s : float
        Value of its last digit.
    stamp : str
        ``"start"``, ``"mid"``, ``"end"`` or ``"any"``.
    scale : str
        ``"utc"`` said so, ``"offset"`` carried it, ``"standard"`` says nothing, ``"local"``.
    numeric : bool
        A Julian date rather than a calendar date.
    note : str
        What had to be inferred.
    """

    keyword: str
    jd: float
    unit_s: float
    stamp: str
    scale: str
    numeric: bool = False
    note: str = ""

    def start(self, exposure_s: float | None) -> float | None:
        """Start of the exposure by this clock; None where that takes the missing exposure."""
        part = {"start": 0.0, "mid": 0.5, "end": 1.0}.get(self.stamp, 0.0)
        if part and exposure_s is None:
            return None
        return self.jd - part * (exposure_s or 0.0) / times.DAY_S


@dataclass(frozen=True, slots=True)
class ClockReading:
    """When an exposure was made.

    Attributes
    ----------
    start_jd_utc, mid_jd_utc : float
    uncertainty_s : float
        Half the value of the last digit of the clock believed.
    source : str
    warnings : tuple of str
    """

    start_jd_utc: float
    mid_jd_utc: float
    uncertainty_s: float
    source: str
    warnings: tuple[str, ...] = ()


def read_clocks(cards: Cards, offset_hours: float | None = None) -> tuple[list[Clock], list[str]]:
    """Read every clock of a header.

    Parameters
    ----------
    cards : dict of str to Card
    offset_hours : float, optional
        What the user says local clocks, and clocks that say nothing, are ahead of UTC.

    Returns
    -------
    clocks : list of Clock
    warnings : list of str
        Clocks that could not be read.
    """
    scale = cards["TIMESYS"].text.upper() if "TIMESYS" in cards else ""
    clocks, warnings = [], []
    for keyword, stamp in {**DATES, **NUMBERS}.items():
        card = cards.get(keyword)
        if card is None or not card.text:
            continue
        numeric = keyword in NUMBERS
        clock = (_from_number if numeric else _from_date)(keyword, card.text)
        if clock is None:
            if keyword not in HOURS or times.parse_time_of_day(card.text) is None:
                warnings.append(f"{keyword} = {card.text[:40]!r} is no time and was passed over")
            continue
        if clock.unit_s < times.DAY_S:
            clocks.append(_placed(replace(clock, stamp=stamp), card.comment, scale, offset_hours))
    clocks += _split_clocks(cards, clocks, scale, offset_hours)
    usable = [clock for clock in clocks if times.EARLIEST_JD < clock.jd < times.LATEST_JD]
    warnings += [
        f"{clock.keyword} is not a date between 1950 and 2150 and was passed over"
        for clock in clocks
        if clock not in usable
    ]
    return usable, warnings


def _from_date(keyword: str, text: str) -> Clock | None:
    read = times.parse_calendar(text)
    if read is None:
        return None
    if read.offset_hours is None:
        return Clock(keyword, read.jd, read.unit_s, "", "standard")
    scale = "offset" if read.offset_hours else "utc"
    return Clock(keyword, read.jd - read.offset_hours / 24, read.unit_s, "", scale)


def _from_number(keyword: str, text: str) -> Clock | None:
    value = number(text)
    if value is None:
        return None
    # JD may hold an MJD and the other way round: their ranges cannot be mistaken.
    jd = value + times.MJD_ZERO if value < 1e6 else value
    unit = max(10.0 ** -decimals(text) * times.DAY_S, 4e-5)
    return Clock(keyword, jd, unit, "", "standard", numeric=True)


def _placed(clock: Clock, comment: str, scale: str, offset_hours: float | None) -> Clock:
    """Settle the scale and the stamp by keyword, comment, TIMESYS and the user's offset."""
    if clock.stamp in {"start", "any"}:
        said = next((stamp for stamp, words in _STAMPS if words.search(comment)), None)
        if said and said != clock.stamp:
            note = f"taken as the {said} of the exposure by its comment {comment[:40]!r}"
            clock = replace(clock, stamp=said, note="" if clock.stamp == "any" else note)
    if clock.scale in {"offset", "utc"}:
        return clock
    if clock.keyword == "DATE-LOC" or _LOCAL.search(comment):
        return _shifted(replace(clock, scale="local"), offset_hours)
    if clock.keyword.startswith("UT") or _UTC.search(comment) or scale == "UTC":
        return replace(clock, scale="utc")
    if scale in TAI_SCALES:
        ahead = float(times.tt_minus_utc_s(clock.jd)) - TAI_SCALES[scale]
        return replace(clock, jd=clock.jd - ahead / times.DAY_S, scale="utc")
    if scale == "LOCAL":
        return _shifted(replace(clock, scale="local"), offset_hours)
    return _shifted(clock, None if clock.numeric else offset_hours)


def _shifted(clock: Clock, offset_hours: float | None) -> Clock:
    if offset_hours is None:
        return clock
    return replace(clock, jd=clock.jd - offset_hours / 24, scale="offset")


def _split_clocks(
    cards: Cards, whole: list[Clock], scale: str, offset_hours: float | None
) -> list[Clock]:
    """Join times of day to their date: that of DATE-OBS, or the nearest of a full clock."""
    date_key, midnight = next(
        (
            (key, read.jd - (0 if read.unit_s == times.DAY_S else (read.jd - 0.5) % 1))
            for key in NO_CLOCK_KEYS
            if key in cards and (read := times.parse_calendar(cards[key].text))
        ),
        ("", None),
    )
    near = next((c.jd for c in whole if c.stamp == "start" and c.scale != "local"), None)
    clocks = []
    for keyword in HOURS:
        read = times.parse_time_of_day(cards[keyword].text) if keyword in cards else None
        if read is None or midnight is None:
            continue
        seconds, unit, ahead = read
        clock = Clock(
            f"{date_key} + {keyword}", midnight + seconds / times.DAY_S, unit, "start", ""
        )
        comment = cards[keyword].comment
        if ahead is not None:
            clock = replace(clock, jd=clock.jd - ahead / 24, scale="offset" if ahead else "utc")
        else:
            named = replace(clock, keyword=keyword, scale="standard")
            clock = replace(_placed(named, comment, scale, offset_hours), keyword=clock.keyword)
        if near is not None:  # the date may be that of another scale: only the hour is compared
            clock = replace(clock, jd=clock.jd - round(clock.jd - near))
        clocks.append(clock)
    return clocks


def audit_clocks(
    cards: Cards, exposure_s: float | None, path: object, settings: TimeSettings
) -> ClockReading:
    """Work out the middle of an exposure from all clocks of its header.

    Parameters
    ----------
    cards : dict of str to Card
    exposure_s : float or None
    path : path-like
        Named in errors.
    settings : TimeSettings
        What the user said about the clocks.

    Returns
    -------
    ClockReading

    Raises
    ------
    HeaderError
        When there is no clock, none of a certain scale, or two that contradict each other.
    """
    clocks, warnings = read_clocks(cards, settings.utc_offset_hours)
    named = settings.keyword
    best = _chosen(clocks, settings, path) if named else _finest(clocks, path, warnings)
    if "stamp" in settings.model_fields_set:
        best = replace(best, stamp=settings.stamp, note="")
    elif best.stamp == "any":
        best = _settle_any(best, clocks, exposure_s, path)
    if best.note:
        warnings.append(f"{best.keyword}: {best.note}; --time-stamp settles it")
    others = [clock for clock in clocks if clock.keyword != best.keyword]
    clashes = _contradictions(best, others, exposure_s)
    if clashes and not settings.keyword:
        raise HeaderError(path, f"{best.keyword} {clashes[0][0]}", f"{clashes[0][1]}; {SETTLE}")
    warnings += [text for _, text in clashes]
    return _reading(best, exposure_s, path, settings, warnings)


def _chosen(clocks: list[Clock], settings: TimeSettings, path: object) -> Clock:
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


def _finest(clocks: list[Clock], path: object, warnings: list[str]) -> Clock:
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
    return abs(numeric.jd - date.jd) * times.DAY_S < SAME_S and date.unit_s > numeric.unit_s


def _settle_any(best: Clock, clocks: list[Clock], exposure_s: float | None, path: object) -> Clock:
    """Settle a Julian date whose moment is not said: by another clock, or the user must."""
    coarse = next((c for c in clocks if c.stamp != "any" and c.scale != "local"), None)
    if coarse is not None or exposure_s == 0:
        return replace(best, stamp="start")
    msg = f"{best.keyword} does not say if it is the start, middle or end: give --time-stamp"
    raise HeaderError(path, best.keyword, msg)


def _contradictions(
    best: Clock, others: list[Clock], exposure_s: float | None
) -> list[tuple[str, str]]:
    """Clocks that cannot belong to the same exposure: keyword and one line each."""
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
        texts = (f"{c.keyword} ({c.stamp}) {times.iso_from_jd(c.jd)}" for c in (best, clock))
        seconds = f"{gap:.3f}" if abs(gap) < 100 else f"{gap:.0f}"
        text = f"the clocks disagree by {seconds} s: {' and '.join(texts)} UTC"
        clashes.append((clock.keyword, text))
    return clashes


def _gap(clock: Clock, best: Clock, start: float, exposure_s: float | None) -> float | None:
    """Seconds by which a clock is off beyond what it may be; 0 when it agrees."""
    slack = clock.unit_s + best.unit_s + AGREE_S
    length = exposure_s or 0.0
    late = READOUT_S + READOUT_PART * length
    if clock.stamp == "any":
        gap = (clock.jd - start) * times.DAY_S
        return 0.0 if -slack <= gap <= length + late + slack else gap
    own = clock.start(exposure_s)
    if own is None:
        return None
    gap = (own - start) * times.DAY_S
    before = slack + (late if best.stamp == "end" else 0.0)
    after = slack + (late if clock.stamp == "end" else 0.0)
    return 0.0 if -before <= gap <= after else gap


def _reading(
    best: Clock,
    exposure_s: float | None,
    path: object,
    settings: TimeSettings,
    warnings: list[str],
) -> ClockReading:
    part = {"start": 0.0, "mid": 0.5, "end": 1.0}[best.stamp]
    if exposure_s is None and best.stamp != "mid":
        msg = f"no exposure time (EXPTIME): the middle cannot be told from {best.keyword}"
        raise HeaderError(path, "EXPTIME", msg)
    exposure = (exposure_s or 0.0) / times.DAY_S
    moment = best.jd + settings.clock_correction_s / times.DAY_S
    how = {"utc": "UTC", "offset": "offset from UTC applied", "standard": "UTC by the FITS rule"}
    source = f"header {best.keyword} ({best.stamp}; {how[best.scale]})"
    if settings.keyword:
        source += ", option --time-keyword"
    if settings.clock_correction_s:
        source += f", corrected by {settings.clock_correction_s:g} s"
    return ClockReading(
        start_jd_utc=moment - part * exposure,
        mid_jd_utc=moment + (0.5 - part) * exposure,
        uncertainty_s=best.unit_s / 2,
        source=source,
        warnings=tuple(warnings),
    )
