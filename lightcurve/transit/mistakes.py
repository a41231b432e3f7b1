"""Mid-times that contradict the others, and the mistake of a clock that would make them do so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.times import bjd_tdb, hjd_utc, tt_minus_utc_s
from lightcurve.transit.evidence import MINUTES
from lightcurve.transit.times import Ephemeris, Times, fit_ephemeris, with_known
from lightcurve.transit.variation import weigh_all

__all__ = ["Judged", "Mistake", "clock_mistakes", "explain", "judge_times"]

WORTH_NAMING = 3.5  # sigma: one of 30 nights in 70 seasons by chance
WRONG, MOST = 0.02, 12  # of clocks, and in a season
ALIKE = 3.0  # sigma between an offset and a mistake
ZONES_H = np.arange(-12.0, 14.5, 0.5)
ENOUGH = 5  # mid-times that need no other ephemeris to judge one of them
DOUBT_DAYS = 10 / 1440  # by which an ephemeris may be wrong, whatever its errors are
CAP = 5.0  # sigma, beyond which a mid-time has no more say in the first line


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, and how late it makes a mid-time, days."""

    words: str
    days: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the others say of each mid-time.

    Attributes
    ----------
    kept : (n,) bool array
        Those that the ephemeris is made of.
    late, error : (n,) float arrays
        Days from what the other kept ones say, and one sigma of it.
    words : tuple of str
        Of those that contradict: by how much, what mistake is of this size, and whether it was
        left out; empty for the others.
    """

    kept: np.ndarray
    late: np.ndarray
    error: np.ndarray
    words: tuple[str, ...]


def clock_mistakes(bjd: float, ra_deg: float, dec_deg: float, exposure_s: float) -> list[Mistake]:
    """List mistakes of times with how late they make a mid-time, of a star at a date.

    bjd: BJD_TDB. Nothing is listed of an exposure, seconds, that is 0.
    """
    star = (ra_deg, dec_deg)
    jd = bjd - (float(bjd_tdb(bjd, *star, None)) - bjd)
    tdb = float(tt_minus_utc_s(jd)) / DAY_S
    light = float(bjd_tdb(jd, *star, None)) - jd - tdb
    nowhere = float(bjd_tdb(jd, 0.0, 0.0, None)) - jd - tdb
    sun = float(hjd_utc(jd, *star, None)) - jd
    half = exposure_s / 2 / DAY_S
    zones = (
        Mistake(f"local time, UTC{hours:+g} h, taken for UTC", hours / 24)
        for hours in ZONES_H
        if hours
    )
    ends = (
        Mistake("start of exposures taken for their middle", -half),
        Mistake("end of exposures taken for their middle", half),
    )
    return [
        Mistake("UTC taken for TDB", -tdb),
        Mistake("UTC turned into TDB twice", tdb),
        Mistake("HJD_UTC taken for BJD_TDB", sun - light - tdb),
        Mistake("JD_UTC taken for BJD_TDB", -light - tdb),
        Mistake("no correction for light travel", -light),
        Mistake("light travel corrected for twice", light),
        Mistake("light travel of a star at RA 0, Dec 0", nowhere - light),
        Mistake("BJD_TDB taken for JD_UTC, and corrected again", light + tdb),
        *(ends if half else ()),
        *zones,
        Mistake("half a day, as between JD and MJD", -0.5),
        Mistake("a date wrong by a day", 1.0),
        Mistake("a date wrong by a day", -1.0),
    ]


def explain(
    late: float, error: float, mistakes: Sequence[Mistake], period: float = math.inf
) -> tuple[Mistake, ...]:
    """Find the mistakes of an offset's size, at most two, the likeliest first.

    late, error, period: days; offsets are counted up to half the period. A mistake so small that it
    hides in the error explains nothing, nor does anything where the error is so large that some
    mistake always fits.
    """

    def away(one: Mistake) -> float:
        return abs(math.remainder(late - one.days, period)) / error

    known = [one for one in mistakes if abs(one.days) > ALIKE * error]
    near = sorted((one for one in known if away(one) < ALIKE), key=away)
    return tuple(near[:1] + [one for one in near[1:2] if away(one) < away(near[0]) + 1])


def judge_times(times: Times, known: Ephemeris, mistakes: Sequence[Sequence[Mistake]]) -> Judged:
    """Hold each mid-time against the others, and leave out those of wrong clocks.

    Left out are those, fewer than half and twelve at most, without which the evidence for all
    mid-times is greatest: the rest follow an ephemeris, or a variation of one; of the others each
    has a clock that is wrong, which one in fifty is, half of these by a mistake that is known and
    half by any time up to half a day.

    mistakes: of each mid-time, as `clock_mistakes` lists them.
    """
    n = len(times.mid)
    worst = np.argsort(-_off_consensus(times, known), kind="stable")
    choices = []
    for count in range(min((n - 1) // 2, MOST) + 1):
        rest = np.ones(n, dtype=bool)
        rest[worst[:count]] = False
        choices.append((_evidence(times, rest, known, mistakes), rest))
    kept = max(choices, key=lambda choice: choice[0])[1]
    words, held = [], [_hold(times, k, kept, known) for k in range(n)]
    for k, (late, error) in enumerate(held):
        told = explain(late, error, mistakes[k], known.period)
        odd = not kept[k] or abs(late) > WORTH_NAMING * error
        words.append(_words(late, error, told, kept=bool(kept[k])) if odd else "")
    lates, errors = np.transpose(held)
    return Judged(kept, lates, errors, tuple(words))


def _evidence(
    times: Times, rest: np.ndarray, known: Ephemeris, mistakes: Sequence[Sequence[Mistake]]
) -> float:
    """Logarithm of the evidence for right clocks of the rest, and wrong ones of the others."""
    total = weigh_all(_told(times, rest, known), known)
    for k in map(int, np.flatnonzero(~rest)):
        late, error = (v * MINUTES for v in _hold(times, k, rest, known))
        sizes = np.array([one.days for one in mistakes[k]]) * MINUTES
        period = known.period * MINUTES
        off = (late - sizes + period / 2) % period - period / 2
        alike = float(np.mean(np.exp(-0.5 * (off / error) ** 2))) / (math.sqrt(2 * math.pi) * error)
        total += math.log(WRONG * (0.5 * alike + 0.5 / MINUTES))
    return total


def _told(times: Times, rest: np.ndarray, known: Ephemeris) -> Times:
    """Take what the rest says, where that is little with the ephemeris known, taken lightly."""
    told = times.of(rest)
    if len(told.mid) >= ENOUGH:
        return told
    span = max(float(np.abs(times.epoch - known.epoch).max()), 1.0)
    doubt = np.diag([DOUBT_DAYS**2, (DOUBT_DAYS / span) ** 2])
    return with_known(told, replace(known, cov=np.nan_to_num(known.cov) + doubt))


def _hold(times: Times, k: int, rest: np.ndarray, known: Ephemeris) -> tuple[float, float]:
    """Tell how late the k-th is of what the rest without it say, and its error, days."""
    others = rest.copy()
    others[k] = False
    told = _told(times, others, known)
    one, epoch = fit_ephemeris(told, known), times.epoch[k : k + 1]
    scale = max(1.0, math.sqrt(one.chi2 / one.freedom)) if one.freedom else 1.0
    foretold = float(one.error(epoch)[0]) / one.scaled
    return float(times.mid[k] - one.at(epoch)[0]), scale * math.hypot(times.error[k], foretold)


def _off_consensus(times: Times, known: Ephemeris) -> np.ndarray:
    """Sigmas from the line through two mid-times that agrees with most of all, (n,).

    Of few mid-times, from the ephemeris known, moved to their median.
    """
    away, error, epoch = times.mid - known.at(times.epoch), times.error, times.epoch
    best, least = np.abs(away - np.median(away)) / error, math.inf
    for i in range(len(away) if len(away) >= ENOUGH else 0):
        for j in range(i):
            if epoch[i] == epoch[j]:
                continue
            slope = (away[i] - away[j]) / (epoch[i] - epoch[j])
            off = np.abs(away - away[i] - slope * (epoch - epoch[i])) / error
            cost = float(np.minimum(off, CAP).sum())
            if cost < least:
                best, least = off, cost
    return best


def _words(late: float, error: float, told: Sequence[Mistake], *, kept: bool) -> str:
    """Say by how much a mid-time contradicts the others, and why that may be."""
    size, unit = (DAY_S, "s") if abs(late) < 10 / 1440 else (1440.0, "min")
    side = "late" if late > 0 else "early"
    text = (
        f"{abs(late) * size:.1f} +- {error * size:.1f} {unit} {side} of what the others say "
        f"({abs(late) / error:.1f} sigma)"
    )
    names = " or ".join(f"{one.words} ({one.days * size:+.1f} {unit})" for one in told)
    text += f": {names}" if told else ": no mistake of a clock is of this size"
    return text + ("; kept" if kept else "; left out of the ephemeris")
