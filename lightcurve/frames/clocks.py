"""The time audit: every clock of a header, read with its precision and held against the others.

Each clock is read with its scale and the moment of the exposure that it marks; those of a night are
held against the cadence as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lightcurve.core import dates
from lightcurve.core.constants import DAY_S, MJD_ZERO
from lightcurve.core.data import DateOrder, Stamp
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import TimeSettings
from lightcurve.core.times import tt_minus_utc_s
from lightcurve.frames.cards import Card, Cards, decimals, number
from lightcurve.frames.dialects import CLOCKS

if TYPE_CHECKING:
    from lightcurve.frames.cameras import Profile

_LOCAL = re.compile(r"\bLT\b|\blocal\b", re.IGNORECASE)
_UTC = re.compile(r"\bUTC?\b|\bGMT\b|\buniversal\b|\bzulu\b", re.IGNORECASE)
_STAMPS = (
    (Stamp.MID, re.compile(r"\bmid", re.IGNORECASE)),
    (Stamp.START, re.compile(r"\bstart|\bbegin|\bopen", re.IGNORECASE)),
    (Stamp.END, re.compile(r"\bend\b|\bended\b|\bgrabbed\b|\breceived\b|\bstop", re.IGNORECASE)),
)
AGREE_S = 2.0  # beyond the rounding of the two clocks
REMARK_S = 5.0  # up to this only a remark: some observatories' MJD-OBS is 4.4 s before DATE-OBS
READOUT_S = 10.0  # an end is stamped after the read-out ...
READOUT_PART = 0.1  # ... which may last longer for long exposures
SAME_S = 0.002  # a number nearer than this to a coarser date was worked out from it
SETTLE = "choose with --time-keyword, --utc-offset, --time-stamp or --exposure"
# Where clocks stand that were never set: the days from which systems count.
UNSET_DAYS_JD = (2440587.5, 2444239.5, 2444244.5, 2451544.5)  # 1970, 1980, GPS, 2000
NEAR_DAYS = 2.0  # two dates of one night, one of them local
CLOCK_SLACK_S = 1.0  # many programs cut the second rather than round it


class Scale(Enum):
    """The scale of a clock, and how that is told of the one believed."""

    UTC = "UTC"  # said so
    OFFSET = "offset from UTC applied"  # carried it
    STANDARD = "UTC by the FITS rule"  # says nothing
    LOCAL = "local"


class Clock(NamedTuple):
    """One clock of a header."""

    keyword: str
    jd: float  # on UTC, unless it is local without an offset
    unit_s: float  # value of its last digit
    stamp: Stamp | None  # None where it does not say
    scale: Scale
    numeric: bool = False  # a Julian date rather than a calendar date
    note: str = ""  # what had to be inferred

    def start(self, exposure_s: float | None) -> float | None:
        """Start of the exposure by this clock; None where that takes the missing exposure."""
        part = self.stamp.part if self.stamp else 0.0
        if part and exposure_s is None:
            return None
        return self.jd - part * (exposure_s or 0.0) / DAY_S


def settle_dates(
    cards: Cards, order: DateOrder | None, path: str | Path
) -> tuple[Cards, list[str]]:
    """Write dates that can be read day first or month first the one way that is meant.

    By the setting, or by another date of the header that is near one reading alone; two digits of
    a year are the old FITS form, day first. Returns the cards, and what to warn of. Raises
    HeaderError where nothing tells.
    """
    keys = dict.fromkeys((*CLOCKS.dates, *CLOCKS.days, "DATE"))
    doubtful = {k: both for k in keys if k in cards and (both := dates.both_orders(cards[k].text))}
    if not doubtful:
        return cards, []
    key, (day_first, month_first) = next(iter(doubtful.items()))
    text, warnings = cards[key].text, []
    if order is None:
        others = [c.jd for c in map(_whole_clock, cards.items()) if c and c.keyword not in doubtful]
        near = {
            DateOrder.DMY: _is_near(day_first, others),
            DateOrder.MDY: _is_near(month_first, others),
        }
        told = [one for one, agrees in near.items() if agrees]
        if len(told) == 1:
            order = told[0]
        elif re.search(r"\d{4}", text.split()[0]) is None:
            order = DateOrder.DMY
            text = (
                f"{key} = {text[:20]!r} read day first, the old FITS form; --date-order settles it"
            )
            warnings.append(text)
        else:
            days = " or ".join(both[:10] for both in (day_first, month_first))
            msg = f"{key} = {text[:20]!r} is {days}: give --date-order dmy (day first) or mdy"
            raise HeaderError(path, key, msg)
    which = order is DateOrder.MDY
    settled = {k: cards[k]._replace(text=both[which]) for k, both in doubtful.items()}
    return cards.changed(settled), warnings


def _whole_clock(entry: tuple[str, Card]) -> Clock | None:
    """Read a card that has a date, if it is one of those."""
    keyword, card = entry
    if keyword in CLOCKS.numbers:
        return _from_number(keyword, card.text)
    return (
        _from_date(keyword, card.text) if keyword in {*CLOCKS.dates, *CLOCKS.days, "DATE"} else None
    )


def _is_near(text: str, others: Sequence[float]) -> bool:
    """Tell whether a date is that of another, or of the day after: local time, end of a night."""
    read = dates.parse_calendar(text)
    return read is not None and any(abs(read.jd - jd) < NEAR_DAYS for jd in others)


def read_clocks(cards: Cards, offset_hours: float | None = None) -> tuple[list[Clock], list[str]]:
    """Read every clock of a header, and warn of those that could not be read.

    offset_hours: what the user says local clocks, and clocks that say nothing, are ahead of UTC.
    """
    camera = cards.camera
    scale = cards["TIMESYS"].text.upper() if "TIMESYS" in cards else ""
    scale = scale or (camera and camera.time_scale) or ""
    clocks, warnings = [], []
    for keyword, stamp in chain(CLOCKS.dates.items(), CLOCKS.numbers.items()):
        card = cards.get(keyword)
        if card is None or not card.text or (camera and keyword in camera.wrong):
            continue
        numeric = keyword in CLOCKS.numbers
        clock = (_from_number if numeric else _from_date)(keyword, card.text)
        if clock is None:
            if keyword not in CLOCKS.hours or dates.parse_time_of_day(card.text) is None:
                warnings.append(f"{keyword} = {card.text[:40]!r} is no time and was passed over")
            continue
        if clock.unit_s < DAY_S:
            placed = _placed(clock._replace(stamp=stamp), card.comment, scale, offset_hours)
            clocks.append(_as_the_camera_marks(placed, camera, card.comment))
    clocks += _split_clocks(cards, clocks, scale, offset_hours)
    if not clocks:
        warnings += _half_clocks(cards)
    usable = [clock for clock in clocks if dates.EARLIEST_JD < clock.jd < dates.LATEST_JD]
    warnings += [
        f"{clock.keyword} is not a date between 1950 and 2150 and was passed over"
        for clock in clocks
        if clock not in usable
    ]
    return usable, warnings


def _half_clocks(cards: Cards) -> list[str]:
    """Tell dates without a time of day, and times of day that cannot be read."""
    lines = []
    for keyword in (*CLOCKS.days, *CLOCKS.hours):
        text = cards[keyword].text[:40] if keyword in cards else ""
        if keyword in CLOCKS.days and dates.parse_calendar(text):
            lines.append(f"{keyword} = {text!r} has no time of day")
        elif (
            keyword in CLOCKS.hours and text and dates.parse_time_of_day(text, decimal=True) is None
        ):
            lines.append(f"{keyword} = {text!r} is no time of day")
    return lines


def combined_span_s(cards: Cards, offset_hours: float | None) -> float | None:
    """Seconds from the first start to the last end of a combined frame, where it has both.

    A start in universal time and an end in local time tell no span; two of one kind do.
    """
    clocks = read_clocks(cards, offset_hours)[0]
    for kind in (
        [c for c in clocks if c.scale is not Scale.LOCAL],
        [c for c in clocks if c.scale is Scale.LOCAL],
    ):
        starts = [c.jd for c in kind if c.stamp == Stamp.START]
        ends = [c.jd for c in kind if c.stamp == Stamp.END]
        if starts and ends and ends[0] > starts[0]:
            return (ends[0] - starts[0]) * DAY_S
    return None


def _from_date(keyword: str, text: str) -> Clock | None:
    read = dates.parse_calendar(text)
    if read is None:
        return None
    if read.offset_hours is None:
        return Clock(keyword, read.jd, read.unit_s, None, Scale.STANDARD)
    scale = Scale.OFFSET if read.offset_hours else Scale.UTC
    return Clock(keyword, read.jd - read.offset_hours / 24, read.unit_s, None, scale)


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
    return Clock(keyword, jd, unit, None, Scale.STANDARD, numeric=True)


def _as_the_camera_marks(clock: Clock, camera: Profile | None, comment: str) -> Clock:
    """Settle the stamp by the camera's profile where the comment does not say it."""
    own = None if camera is None else camera.clocks.get(clock.keyword)
    if camera is None or own in {None, clock.stamp} or any(w.search(comment) for _, w in _STAMPS):
        return clock
    return clock._replace(stamp=own, note=f"taken as the {own} of the exposure, {camera.source}")


def _placed(clock: Clock, comment: str, scale: str, offset_hours: float | None) -> Clock:
    """Settle the scale and the stamp by keyword, comment, TIMESYS and the user's offset."""
    if clock.stamp in {Stamp.START, None}:
        said = next((stamp for stamp, words in _STAMPS if words.search(comment)), None)
        if said and said != clock.stamp:
            note = f"taken as the {said} of the exposure by its comment {comment[:40]!r}"
            clock = clock._replace(stamp=said, note="" if clock.stamp is None else note)
    if clock.scale in {Scale.OFFSET, Scale.UTC}:
        return clock
    if clock.keyword in CLOCKS.local or _LOCAL.search(comment):
        return _shifted(clock._replace(scale=Scale.LOCAL), offset_hours)
    if clock.keyword.startswith("UT") or _UTC.search(comment) or scale == "UTC":
        return clock._replace(scale=Scale.UTC)
    if scale in CLOCKS.scales:
        ahead = float(tt_minus_utc_s(clock.jd)) - CLOCKS.scales[scale]
        return clock._replace(jd=clock.jd - ahead / DAY_S, scale=Scale.UTC)
    if scale == "LOCAL":
        return _shifted(clock._replace(scale=Scale.LOCAL), offset_hours)
    return _shifted(clock, None if clock.numeric else offset_hours)


def _shifted(clock: Clock, offset_hours: float | None) -> Clock:
    if offset_hours is None:
        return clock
    return clock._replace(jd=clock.jd - offset_hours / 24, scale=Scale.OFFSET)


def _split_clocks(
    cards: Cards, whole: list[Clock], scale: str, offset_hours: float | None
) -> list[Clock]:
    """Join times of day to their date: that of DATE-OBS, or the nearest of a full clock."""
    read_dates = [(k, dates.parse_calendar(cards[k].text)) for k in CLOCKS.days if k in cards]
    date_key, date = next((entry for entry in read_dates if entry[1]), ("", None))
    hours: tuple[str, ...] = CLOCKS.hours
    if date is None and {"DATE", "TIME"} <= cards.keys():  # old programs; DATE is also of the file
        date_key, date, hours = "DATE", dates.parse_calendar(cards["DATE"].text), ("TIME",)
        date = date if date and date.unit_s == DAY_S else None
    if date is None:
        return []
    midnight = date.jd - (0 if date.unit_s == DAY_S else (date.jd - 0.5) % 1)
    split = []
    for keyword in hours:
        text = cards[keyword].text if keyword in cards else ""
        read = dates.parse_time_of_day(text, decimal=not whole)
        if read is None:
            continue
        seconds, unit, ahead = read
        clock = Clock(keyword, midnight + seconds / DAY_S, unit, Stamp.START, Scale.STANDARD)
        if ahead is not None:
            scale_said = Scale.OFFSET if ahead else Scale.UTC
            clock = clock._replace(jd=clock.jd - ahead / 24, scale=scale_said)
        clock = _placed(clock, cards[keyword].comment, scale, offset_hours)
        split.append(clock._replace(keyword=f"{date_key} + {keyword}"))
    near = next((c.jd for c in whole if c.stamp == Stamp.START and c.scale != Scale.LOCAL), None)
    if near is not None:  # the date may be that of another scale: only the hour is compared
        return [_on_day_of(near, clock) for clock in split]
    comments = [cards[k].comment for k in (date_key, *hours) if k in cards]
    doubtful = scale == "LOCAL" or any(_LOCAL.search(comment) for comment in comments)
    if not doubtful or date_key.startswith("UT") or _UTC.search(cards[date_key].comment):
        return split
    local = next((c.jd for c in whole if c.keyword == date_key and c.scale == Scale.LOCAL), None)
    return _redated(split, local)


def _on_day_of(near: float, clock: Clock) -> Clock:
    return clock._replace(jd=clock.jd - round(clock.jd - near))


def _redated(split: list[Clock], local: float | None) -> list[Clock]:
    """Find the day of times of day that stand beside a local date; "local" where it stays open.

    A local clock with a known offset tells it; so does a full local date and time, since no place
    is more than 12 h behind or 14 h ahead of UTC.
    """
    shifted = next((clock.jd for clock in split if clock.scale == Scale.OFFSET), None)
    if shifted is not None:
        return [_on_day_of(shifted, clock) for clock in split]
    settled = []
    for clock in split:
        days = (clock.jd - 1, clock.jd, clock.jd + 1)
        possible = [jd for jd in days if local is not None and -12.1 < 24 * (local - jd) < 14.1]
        if clock.scale != Scale.LOCAL and len(possible) == 1:
            settled.append(clock._replace(jd=possible[0]))
        else:
            settled.append(clock._replace(scale=Scale.LOCAL))
    return settled


@dataclass(frozen=True, slots=True)
class ClockReading:
    """When an exposure was made."""

    start_jd_utc: float | None  # not known of a middle without an exposure time
    mid_jd_utc: float
    uncertainty_s: float  # half the value of the last digit of the clock believed
    source: str
    warnings: tuple[str, ...] = ()


def audit_clocks(
    cards: Cards, exposure_s: float | None, path: str | Path, settings: TimeSettings
) -> ClockReading:
    """Work out the middle of an exposure from all clocks of its header.

    Raises HeaderError when there is no clock, none of a certain scale, or two that contradict.
    """
    clocks, warnings = read_clocks(cards, settings.utc_offset_hours)
    hours = settings.utc_offset_hours
    if hours is not None and clocks and clocks == read_clocks(cards)[0]:
        told = ", ".join(clock.keyword for clock in clocks)
        text = f"--utc-offset {hours:g} is not heeded: {told}: on UTC, or with an offset of its own"
        warnings.append(f"{text}; `lightcurve header set` settles it")
    named = settings.keyword
    if not named:
        unset = [c for c in clocks if any(0 <= c.jd - day < 1 for day in UNSET_DAYS_JD)]
        clocks = [clock for clock in clocks if clock not in unset]
        how = "a clock that was never set (--time-keyword if it is true)"
        warnings[:0] = [f"{c.keyword} = {dates.iso_from_jd(c.jd)} is of {how}" for c in unset]
    best = _chosen(clocks, settings, path) if named else _finest(clocks, path, warnings)
    if settings.stamp:
        best = best._replace(stamp=settings.stamp, note="")
    elif best.stamp is None:
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
            if clock.scale == Scale.LOCAL:
                msg = f"{clock.keyword} is local time: give --utc-offset HOURS"
                raise HeaderError(path, clock.keyword, msg)
            return clock
    found = ", ".join(clock.keyword for clock in clocks) or "none"
    msg = f"--time-keyword {wanted[:30]}: no such clock in the header; it has {found}"
    raise HeaderError(path, wanted, msg)


def _finest(clocks: list[Clock], path: str | Path, warnings: list[str]) -> Clock:
    certain = [clock for clock in clocks if clock.scale != Scale.LOCAL]
    if not certain:
        if clocks:
            keyword = clocks[0].keyword
            msg = f"{keyword} is local time and no other clock is UTC: give --utc-offset HOURS"
            raise HeaderError(path, keyword, msg)
        told = f" ({warnings[0]})" if warnings else ""
        msg = f"no time in the header{told}: DATE-OBS or one of its kin is needed"
        raise HeaderError(path, "DATE-OBS", msg)
    rank = (Scale.UTC, Scale.OFFSET, Scale.STANDARD)
    dates = [clock for clock in certain if not clock.numeric]
    fresh = [
        clock
        for clock in certain
        if clock.numeric and not any(_derived(clock, date) for date in dates)
    ]
    return min(
        dates + fresh or certain,
        key=lambda c: (
            c.stamp is None,
            max(c.unit_s, 0.01),
            c.stamp == Stamp.END,
            rank.index(c.scale),
        ),
    )


def _derived(numeric: Clock, date: Clock) -> bool:
    return abs(numeric.jd - date.jd) * DAY_S < SAME_S and date.unit_s > numeric.unit_s


def _settle_any(
    best: Clock, clocks: list[Clock], exposure_s: float | None, path: str | Path
) -> Clock:
    """Settle a Julian date whose moment is not said: by another clock, or the user must."""
    coarse = next((c for c in clocks if c.stamp is not None and c.scale != Scale.LOCAL), None)
    if coarse is not None or exposure_s == 0:
        return best._replace(stamp=Stamp.START)
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
        if clock.scale == Scale.LOCAL:
            continue
        gap = _gap(clock, best, start, exposure_s)
        if gap is None or gap == 0:
            continue
        texts = (
            f"{c.keyword} ({c.stamp or 'any'}) {dates.iso_from_jd(c.jd)}" for c in (best, clock)
        )
        seconds = f"{abs(gap):.3f}" if abs(gap) < 100 else f"{abs(gap):.0f}"
        text = f"the clocks disagree by {seconds} s: {' and '.join(texts)} UTC"
        clashes.append((clock.keyword, text, gap))
    return clashes


def _gap(clock: Clock, best: Clock, start: float, exposure_s: float | None) -> float | None:
    """Seconds by which a clock is off beyond what it may be; 0 when it agrees."""
    slack = clock.unit_s + best.unit_s + AGREE_S
    length = exposure_s or 0.0
    late = READOUT_S + READOUT_PART * length
    if clock.stamp is None:
        gap = (clock.jd - start) * DAY_S
        return 0.0 if -slack <= gap <= length + late + slack else gap
    own = clock.start(exposure_s)
    if own is None:
        return None
    gap = (own - start) * DAY_S
    before = slack + (late if best.stamp == Stamp.END else 0.0)
    after = slack + (late if clock.stamp == Stamp.END else 0.0)
    return 0.0 if -before <= gap <= after else gap


def _reading(
    best: Clock,
    exposure_s: float | None,
    path: str | Path,
    settings: TimeSettings,
    warnings: list[str],
) -> ClockReading:
    part = best.stamp.part if best.stamp else 0.0
    if exposure_s is None and best.stamp != Stamp.MID:
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
    source = f"header {best.keyword} ({best.stamp}; {best.scale.value})"
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


def check_cadence(
    jd_mid: Sequence[float], exposure_s: Sequence[float], file_names: Sequence[str]
) -> tuple[str, ...]:
    """Look for times that cannot all be right; exposures are NaN where not known, the order is any.

    One line for each kind of oddity: equal times, exposures that overlap by more than a second, and
    times that run against the numbers in the file names.
    """
    jd, exposure = np.asarray(jd_mid, dtype=float), np.asarray(exposure_s, dtype=float)
    if not jd.shape == exposure.shape == (len(file_names),):
        msg = f"{jd.size} times, {exposure.size} exposures and {len(file_names)} names differ"
        raise ValueError(msg)
    order = np.argsort(jd, kind="stable")
    names = [file_names[k] for k in order]
    gap = np.diff(jd[order]) * DAY_S
    needed = (exposure[order][1:] + exposure[order][:-1]) / 2
    equal = np.flatnonzero(gap < 0.001)
    overlap = np.flatnonzero((gap >= 0.001) & (gap < needed - CLOCK_SLACK_S))
    by_name = sorted(range(len(names)), key=lambda k: natural_key(file_names[k]))
    back = [k for a, k in pairwise(by_name) if jd[k] < jd[a] - 1e-8]
    lines = []
    if equal.size:
        a, b = names[equal[0]], names[equal[0] + 1]
        lines.append(f"pairs of frames of the same time: {equal.size}, first {a} and {b}")
    if overlap.size:
        k = overlap[0]
        text = f"{names[k]} and {names[k + 1]}: {gap[k]:.1f} s apart, {needed[k]:.1f} s long"
        lines.append(f"pairs of exposures that overlap in time: {overlap.size}, first {text}")
    if back:
        text = f"frames earlier than the one before them by name: {len(back)}"
        lines.append(f"{text}, first {file_names[back[0]]}")
    return tuple(lines)


def natural_key(name: str) -> tuple:
    """Order names as people count: ``img2`` before ``img10``."""
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((int(p[:18]), "") if k % 2 else (0, p) for k, p in enumerate(parts))
