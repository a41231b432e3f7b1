"""What a night shows of the transit that was looked for, and what its observer should know."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import About, Finding, Note, Parameter, Result, Severity, Verdict
from lightcurve.transit.detect import LIMIT_SIGMA, Dip
from lightcurve.transit.ephemeris import Prediction
from lightcurve.transit.quality import CONTACTS, FULL_COVERAGE, SEEN, coverage

FALSE_ALARM = 3e-3  # how often noise alone may pass for a transit
HINT = 0.05
HINT_GAIN = 10.0  # of the BIC by the fitted transit, whose shape is freer
# Predicted depths, within which a dip where one is predicted is that transit: an equal double star
# halves it, and of shallow ones those are seen to which noise adds. What is outside is another
# object, or a wander: of a star that varies by some thousandths, a third of a hot Jupiter's depth.
LIKELY = (0.45, 3.0)
ALIKE = (0.5, 2.0)  # predicted depths, within which a dip at another time is called a transit
LATE_SIGMA = 3.0
LATE_MINUTES = 30.0  # where the ephemeris has no error
IN_HOURS = 120.0  # minutes, from which on hours are easier read


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a predicted transit.

    near, elsewhere : the likeliest dips where it was predicted, and in the whole night where that
        one is no transit (None where it is).
    gain : BIC without the best transit fitted near the prediction, less that with it.
    limit : above which a depth is excluded, in predicted depths.
    excluded : whether the predicted one is, with all that is not known of it.
    depth : predicted, fraction of the light.
    seen : fraction of it that was observed, by the points used.
    """

    prediction: Prediction
    near: Dip
    elsewhere: Dip | None
    gain: float
    limit: float
    excluded: bool
    depth: float
    seen: float

    @property
    def is_near(self) -> bool:
        """Whether a transit was found where it was predicted."""
        return self.near.chance < FALSE_ALARM and not self.is_odd

    @property
    def is_odd(self) -> bool:
        """Whether the dip there is far shallower or deeper than predicted."""
        return not LIKELY[0] < self.near.amplitude < LIKELY[1]

    @property
    def is_elsewhere(self) -> bool:
        """Whether one as deep as predicted was found, but at another time."""
        dip = self.elsewhere
        if self.is_near or dip is None or dip.chance >= FALSE_ALARM:
            return False
        return ALIKE[0] < dip.amplitude < ALIKE[1]

    @property
    def dip(self) -> Dip:
        """The dip that the night is fitted with."""
        return self.elsewhere if self.is_elsewhere and self.elsewhere else self.near

    def numbers(self) -> dict[str, float]:
        """List them by their names in fit.json."""
        return {
            "amplitude_over_predicted": self.dip.amplitude,
            "amplitude_over_predicted_err": self.dip.error,
            "false_alarm_probability": self.dip.chance,
            "predicted_depth_percent": 100 * self.depth,
            "depth_limit_percent": 100 * self.depth * self.limit,
        }


@dataclass(frozen=True, slots=True)
class Timing:
    """When a transit was found, against its ephemeris, in minutes."""

    late: float
    error: float  # of its time and the ephemeris together; NaN where that has none
    half: float  # of the predicted duration

    @property
    def is_off(self) -> bool:
        """Whether the ephemeris does not allow it: half an hour is, where it has no error."""
        known = math.isfinite(self.error)
        return abs(self.late) > (LATE_SIGMA * self.error if known else LATE_MINUTES)

    @property
    def is_another(self) -> bool:
        """Whether it was not in transit either when the middle of one was predicted."""
        return self.is_off and abs(self.late) > self.half

    def __str__(self) -> str:
        """Say how late or early, in words."""
        when, size = "late" if self.late > 0 else "early", abs(self.late)
        return f"{size / 60:.1f} h {when}" if size > IN_HOURS else f"{size:.1f} min {when}"


def time_of(off: Parameter, prediction: Prediction) -> Timing:
    """Put a transit's O-C (minutes) and the error of its prediction together."""
    error = math.hypot((off.upper - off.lower) / 2, prediction.mid_err * 1440)
    return Timing(off.value, error, half=720 * prediction.duration)


def judge(tests: Evidence, timing: Timing, cover: dict[str, float], time: np.ndarray) -> Verdict:
    """Judge what the night shows; timing, cover: of the transit that was fitted."""
    if tests.is_near or tests.is_elsewhere:
        return _presence(tests, timing, cover)
    if tests.seen == 0:
        return Verdict(Finding.NOT_OBSERVED, _miss(tests.prediction, time))
    return _absence(tests)


def _absence(tests: Evidence) -> Verdict:
    """Say whether a transit that was observed, and not found, is excluded."""
    near, sensitivity = tests.near, _sensitivity(tests)
    if near.chance < FALSE_ALARM and tests.is_odd:
        dip = f"a dip {near.amplitude:.2g} times as deep as predicted: another object, or a wander"
        return Verdict(Finding.INCONCLUSIVE, f"{dip}; {sensitivity}", near.sigma)
    if near.chance < HINT:
        dip = f"a dip of {near.sigma:.1f} sigma, not enough to call it a transit"
        return Verdict(Finding.INCONCLUSIVE, f"{dip}; {sensitivity}", near.sigma)
    if tests.gain > HINT_GAIN:
        dip = "a dip, of another shape than predicted or no more than a wander"
        return Verdict(Finding.INCONCLUSIVE, f"{dip}; {sensitivity}", near.sigma)
    if tests.seen < FULL_COVERAGE:
        part = f"none found, with {100 * tests.seen:.0f} % of the predicted transit observed"
        return Verdict(Finding.INCONCLUSIVE, part)
    if tests.excluded:
        where = f"none near the prediction {tests.prediction.mid:.4f} (BJD_TDB)"
        return Verdict(Finding.NONE, f"{where}; {sensitivity}")
    return Verdict(Finding.INCONCLUSIVE, f"none found; {sensitivity}")


def _presence(tests: Evidence, timing: Timing, cover: dict[str, float]) -> Verdict:
    """Say how much of a transit that was found was observed, and whether it is where it should."""
    missing = [told for name, side in CONTACTS.items() if (told := _lacking(cover, name, side))]
    what = ", ".join(missing) or "ingress and egress too, gaps in it"
    percent = min(99.0, 100 * cover["coverage_transit"])
    part = f"{percent:.0f} % observed, {what}"
    if cover["coverage_transit"] >= FULL_COVERAGE and not missing:
        part = "observed from before ingress to after egress"
    if tests.is_elsewhere or timing.is_another:
        return Verdict(Finding.ELSEWHERE, f"{timing} of the ephemeris, {part}", tests.dip.sigma)
    return Verdict(Finding.PARTIAL if missing else Finding.TRANSIT, part, tests.dip.sigma)


def _sensitivity(tests: Evidence) -> str:
    """Say what depth would have been seen."""
    depth, limit = 100 * tests.depth, 100 * tests.depth * tests.limit
    if not math.isfinite(limit):
        return f"no depth is excluded (predicted: {depth:.2g} %)"
    excluded = f"depths above {limit:.2g} % are excluded ({LIMIT_SIGMA:g} sigma)"
    return f"{excluded}, predicted is {depth:.2g} %"


def _lacking(cover: dict[str, float], name: str, side: str) -> str:
    """Say what of ingress or egress was not observed; half of it, and a point beyond, will do."""
    if cover[f"coverage_{name}"] < SEEN:
        return f"{name} missing"
    return "" if cover[f"baseline_{side}_min"] > 0 else f"nothing {side} {name}"


def _miss(prediction: Prediction, time: np.ndarray) -> str:
    """Say how the data miss the predicted transit."""
    early, late = 1440 * (prediction.ingress - time[-1]), 1440 * (time[0] - prediction.egress)
    if early > 0:
        return f"the data end {early:.0f} min before the predicted ingress"
    if late > 0:
        return f"the data begin {late:.0f} min after the predicted egress"
    before, after = time[time < prediction.ingress], time[time > prediction.egress]
    return (
        f"the data have a gap of {1440 * (after[0] - before[-1]):.0f} min over the whole predicted "
        "transit"
    )


def seen_of(prediction: Prediction, time: np.ndarray) -> float:
    """Work out the fraction of the predicted transit that was observed at times (n,)."""
    contacts = prediction.mid, prediction.duration, prediction.ingress_duration
    return coverage(time, *contacts)["coverage_transit"]


def timing_notes(verdict: Verdict, timing: Timing) -> tuple[Note, ...]:
    """Remark on a transit found at another time than the ephemeris allows."""
    if not (verdict.found and timing.is_off):
        return ()
    known = (
        f"{abs(timing.late) / timing.error:.1f} sigma of both times together"
        if math.isfinite(timing.error)
        else "the ephemeris gives no error"
    )
    text = (
        f"the transit is {timing} of the ephemeris ({known}): is it the "
        "right planet, are ephemeris and clock right, or is it no transit but a trend?"
    )
    return (Note(text, Severity.WARNING, About.TIMING),)


def dip_notes(tests: Evidence) -> tuple[Note, ...]:
    """Remark on a dip at another time that is too deep or too shallow to be the transit."""
    dip = tests.elsewhere
    if dip is None or tests.is_elsewhere or dip.chance >= FALSE_ALARM:
        return ()
    depth, error = 100 * tests.depth * dip.amplitude, 100 * tests.depth * dip.error
    text = f"the curve dips by {depth:.2f} % at {dip.mid:.2f} (BJD_TDB): is the ephemeris right?"
    results = {
        "dip_depth_percent": Result(depth, "%", lower=depth - error, upper=depth + error),
        "dip_time_bjd_tdb": Result(dip.mid, "BJD_TDB"),
    }
    return (Note(text, Severity.WARNING, About.DIP, results=results),)
