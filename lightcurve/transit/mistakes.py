"""Mid-times that contradict the others, and the mistake of a clock that would make them do so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.times import bjd_tdb, hjd_utc, tt_minus_utc_s
from lightcurve.transit.times import Ephemeris, Times, fit_ephemeris, with_known

__all__ = ["Judged", "Mistake", "clock_mistakes", "judge_times"]

WORTH_NAMING = 3.5  # sigma: one of 30 nights in 70 seasons by chance
FAR = 5.0  # sigma off, at least, of what is left out
# By chance, among mid-times that scatter as the others do (Student's t): where the size of the
# offset is that of a known mistake, and where it is not.
CHANCE_KNOWN, CHANCE_ANY = 1e-3, 1e-5
ALIKE = 3.0  # sigma between an offset and a mistake
ZONES_H = np.arange(-12.0, 14.5, 0.5)
LEAST_FREEDOM = 2  # of the others, or the ephemeris that was known takes part
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
        Mistake("BJD_TDB taken for JD_UTC, and corrected again", light + tdb),
        *(ends if half else ()),
        *zones,
        Mistake("half a day, as between JD and MJD", -0.5),
        Mistake("a date wrong by a day", 1.0),
        Mistake("a date wrong by a day", -1.0),
    ]


def explain(
    late: float, error: float, period: float, mistakes: Sequence[Mistake]
) -> tuple[Mistake, ...]:
    """Find the mistakes of an offset's size, at most two, the likeliest first.

    late, error, period: days. A mistake so small that it hides in the error explains nothing, nor
    does anything where the error is so large that some mistake always fits.
    """

    def away(one: Mistake) -> float:
        return abs((late - one.days + period / 2) % period - period / 2) / error

    known = [one for one in mistakes if abs(one.days) > ALIKE * error]
    near = sorted((one for one in known if away(one) < ALIKE), key=away)
    return tuple(near[:1] + [one for one in near[1:2] if away(one) < away(near[0]) + 1])


def judge_times(times: Times, known: Ephemeris, mistakes: Sequence[Sequence[Mistake]]) -> Judged:
    """Hold each mid-time against the others, and leave out those that cannot be of one clock.

    Left out are, of fewer than half of them, those that are five sigma and more off what the rest
    say, their errors scaled as the rest scatter, where chance makes one so far off in less than
    0.1 % (where a known mistake is of that size) or 0.001 % (where none is).

    mistakes: of each mid-time, as `clock_mistakes` lists them.
    """
    n = len(times.mid)
    kept = np.ones(n, dtype=bool)
    worst = np.argsort(-_off_consensus(times, known), kind="stable")
    for count in range((n - 1) // 2, 0, -1):
        out = worst[:count]
        rest = np.ones(n, dtype=bool)
        rest[out] = False
        if all(_cannot_be(times, int(k), rest, known, mistakes[k]) for k in out):
            kept = rest
            break
    held = [_hold(times, k, kept, known) for k in range(n)]
    late, error = (np.array([one[column] for one in held]) for column in (0, 1))
    words = tuple(
        _words(
            late[k],
            error[k],
            explain(late[k], error[k], known.period, mistakes[k]),
            kept=bool(kept[k]),
        )
        if abs(late[k]) > WORTH_NAMING * error[k]
        else ""
        for k in range(n)
    )
    return Judged(kept, late, error, words)


def _hold(times: Times, k: int, rest: np.ndarray, known: Ephemeris) -> tuple[float, float, int]:
    """Tell how late the k-th is of what the rest without it say, its error, days, and freedom."""
    others = rest.copy()
    others[k] = False
    told = times.of(others)
    few = len(np.unique(told.epoch)) < LEAST_FREEDOM or len(told.mid) - 2 < LEAST_FREEDOM
    has_errors = bool(np.isfinite(known.cov).all())
    if few and has_errors:
        told = with_known(told, known)
    if not len(told.mid):
        return 0.0, math.inf, 0
    one = fit_ephemeris(told, known)
    scale = max(1.0, math.sqrt(one.chi2 / one.freedom)) if one.freedom else 1.0
    epoch = times.epoch[k : k + 1]
    own, foretold = times.error[k], float(one.error(epoch)[0]) / one.scaled
    if not math.isfinite(foretold):  # nothing tells how sure the period is
        return 0.0, math.inf, 0
    late = float(times.mid[k] - one.at(epoch)[0])
    return late, scale * math.hypot(own, foretold), one.freedom


def _cannot_be(
    times: Times, k: int, rest: np.ndarray, known: Ephemeris, mistakes: Sequence[Mistake]
) -> bool:
    """Say whether the k-th is too far off the rest, as `judge_times` has it."""
    from scipy.stats import t

    late, error, freedom = _hold(times, k, rest, known)
    if freedom < 1 or abs(late) < FAR * error:
        return False
    chance = 2 * float(t.sf(abs(late) / error, freedom))
    told = explain(late, error, known.period, mistakes)
    return chance < (CHANCE_KNOWN if told else CHANCE_ANY)


def _off_consensus(times: Times, known: Ephemeris) -> np.ndarray:
    """Sigmas from the line through two mid-times that agrees with most of all, (n,)."""
    away, error, epoch = times.mid - known.at(times.epoch), times.error, times.epoch
    best, least = np.abs(away - np.median(away)) / error, math.inf
    for i in range(len(away)):
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
