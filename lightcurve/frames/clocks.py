"""The clocks of a header: each read with its precision, its scale and the moment it marks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from lightcurve import dates
from lightcurve.constants import DAY_S, MJD_ZERO
from lightcurve.frames.cards import Cards, decimals, number
from lightcurve.frames.dialects import DATE_KEYS, DATES, HOURS, LOCAL_CLOCKS, NUMBERS, TAI_SCALES
from lightcurve.times import tt_minus_utc_s

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
        return self.jd - part * (exposure_s or 0.0) / DAY_S


def read_clocks(cards: Cards, offset_hours: float | None = None) -> tuple[list[Clock], list[str]]:
    """Read every clock of a header.

    offset_hours: what the user says local clocks, and clocks that say nothing, are ahead of UTC.
    Returns warnings: clocks that could not be read.
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
            if keyword not in HOURS or dates.parse_time_of_day(card.text) is None:
                warnings.append(f"{keyword} = {card.text[:40]!r} is no time and was passed over")
            continue
        if clock.unit_s < DAY_S:
            clocks.append(_placed(replace(clock, stamp=stamp), card.comment, scale, offset_hours))
    clocks += _split_clocks(cards, clocks, scale, offset_hours)
    usable = [clock for clock in clocks if dates.EARLIEST_JD < clock.jd < dates.LATEST_JD]
    warnings += [
        f"{clock.keyword} is not a date between 1950 and 2150 and was passed over"
        for clock in clocks
        if clock not in usable
    ]
    return usable, warnings


def _from_date(keyword: str, text: str) -> Clock | None:
    read = dates.parse_calendar(text)
    if read is None:
        return None
    if read.offset_hours is None:
        return Clock(keyword, read.jd, read.unit_s, "", "standard")
    scale = "offset" if read.offset_hours else "utc"
    return Clock(keyword, read.jd - read.offset_hours / 24, read.unit_s, "", scale)


def _from_number(keyword: str, text: str) -> Clock | None:
    value = number(text)
    if value is None or not 0 < value < dates.LATEST_JD:
        return None
    # JD may hold an MJD and the other way round: their ranges cannot be mistaken.
    jd = value + MJD_ZERO if value < 1e6 else value
    unit = max(10.0 ** -decimals(text) * DAY_S, 4e-5)
    if float(np.float32(value)) == value:
        # It went through a 32-bit float: one step is 338 s for an MJD.
        unit = max(unit, float(np.spacing(np.float32(value))) * DAY_S)
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
    if clock.keyword in LOCAL_CLOCKS or _LOCAL.search(comment):
        return _shifted(replace(clock, scale="local"), offset_hours)
    if clock.keyword.startswith("UT") or _UTC.search(comment) or scale == "UTC":
        return replace(clock, scale="utc")
    if scale in TAI_SCALES:
        ahead = float(tt_minus_utc_s(clock.jd)) - TAI_SCALES[scale]
        return replace(clock, jd=clock.jd - ahead / DAY_S, scale="utc")
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
    read_dates = ((k, dates.parse_calendar(cards[k].text)) for k in DATE_KEYS if k in cards)
    date_key, date = next((entry for entry in read_dates if entry[1]), ("", None))
    if date is None:
        return []
    midnight = date.jd - (0 if date.unit_s == DAY_S else (date.jd - 0.5) % 1)
    split = []
    for keyword in HOURS:
        read = dates.parse_time_of_day(cards[keyword].text) if keyword in cards else None
        if read is None:
            continue
        seconds, unit, ahead = read
        clock = Clock(keyword, midnight + seconds / DAY_S, unit, "start", "standard")
        if ahead is not None:
            clock = replace(clock, jd=clock.jd - ahead / 24, scale="offset" if ahead else "utc")
        clock = _placed(clock, cards[keyword].comment, scale, offset_hours)
        split.append(replace(clock, keyword=f"{date_key} + {keyword}"))
    near = next((c.jd for c in whole if c.stamp == "start" and c.scale != "local"), None)
    if near is not None:  # the date may be that of another scale: only the hour is compared
        return [_on_day_of(near, clock) for clock in split]
    comments = [cards[k].comment for k in (date_key, *HOURS) if k in cards]
    doubtful = scale == "LOCAL" or any(_LOCAL.search(comment) for comment in comments)
    if not doubtful or date_key.startswith("UT") or _UTC.search(cards[date_key].comment):
        return split
    local = next((c.jd for c in whole if c.keyword == date_key and c.scale == "local"), None)
    return _redated(split, local)


def _on_day_of(near: float, clock: Clock) -> Clock:
    return replace(clock, jd=clock.jd - round(clock.jd - near))


def _redated(split: list[Clock], local: float | None) -> list[Clock]:
    """Find the day of times of day that stand beside a local date; "local" where it stays open.

    A local clock with a known offset tells it; so does a full local date and time, since no place
    is more than 12 h behind or 14 h ahead of UTC.
    """
    shifted = next((clock.jd for clock in split if clock.scale == "offset"), None)
    if shifted is not None:
        return [_on_day_of(shifted, clock) for clock in split]
    settled = []
    for clock in split:
        days = (clock.jd - 1, clock.jd, clock.jd + 1)
        possible = [jd for jd in days if local is not None and -12.1 < 24 * (local - jd) < 14.1]
        if clock.scale != "local" and len(possible) == 1:
            settled.append(replace(clock, jd=possible[0]))
        else:
            settled.append(replace(clock, scale="local"))
    return settled
