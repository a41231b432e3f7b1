"""The check star: picked before its scatter is looked at, and then judged."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lightcurve.core.data import CheckVerdict, Measurements, StarPlan, Trouble
from lightcurve.core.robust import robust_scatter, without_runs
from lightcurve.curve.aperture import Slice
from lightcurve.curve.detrend import WILD, clipped_scatter, column_median, running_means

STEADY = 0.9  # of the frames in which the target is good
MIN_CANDIDATES = 3  # one to check, and two that can be held against each other
MAX_COST = 1.05  # of the curve's error with it in the ensemble
ALIKE_MAG = 0.5  # the noise differs by a quarter
NEAR_FIELD = 0.25  # of the field's diagonal
ALONE = 0.2  # of the light of neighbours that bars a comparison star
STRANGE = 0.02  # of a star's light: seeing moves a part of it into the aperture and out
ABOUT = 12  # stars, and the quarter of them with the least light about them
FALSE_ALARM = 0.003  # of each test, with noise alone
ERRORS_KNOWN = 1.3  # to a third: no scatter is more than the errors below that
MATTERS = 0.5  # of a point's error: smaller trends and excursions are of no account
CLIPS = 3
MIN_POINTS = 10
MIN_BINS = 3
MIN_DRIFTS = 4


class Pick(NamedTuple):
    """A check star, by its row of the plan, or why there is none."""

    row: int | None
    reason: str


def pick_check(
    piece: Slice, rows: np.ndarray, plan: StarPlan, strange: np.ndarray | None = None
) -> Pick:
    """Pick the check star among comparison candidates, rows (n,) of the plan; the target is row 0.

    strange: (n,) float array, from `strange_light`.

    Of those that the ensemble can spare, that are good in nine of ten frames where there are such,
    the one most like the target and least crowded. Only the errors foretold are looked at.
    """
    if len(rows) < MIN_CANDIDATES:
        return Pick(None, f"{len(rows)} comparison candidates, {MIN_CANDIDATES} wanted for one")
    here = piece.good[:, 0]
    present = piece.good[:, rows] & here[:, None]
    number, alone = present.sum(axis=0), present & (present.sum(axis=1) == 1)[:, None]
    spared = (_cost(piece, rows, present) <= MAX_COST) & ~alone.any(axis=0)
    if not spared.any():
        return Pick(None, f"the ensemble can spare none of {len(rows)} comparison stars")
    steady = spared & (number >= STEADY * here.sum())
    fit = np.flatnonzero(steady if steady.any() else spared)
    ratio = np.where(present[:, fit], piece.flux[:, rows[fit]] / piece.flux[:, :1], np.nan)
    crowding = np.zeros(len(rows)) if plan.crowding is None else plan.crowding[rows]
    if strange is not None:
        crowding = np.maximum(crowding, ALONE * strange / STRANGE)
    unlike = _unlike(column_median(ratio), rows[fit], plan, crowding[fit])
    return Pick(int(rows[fit[np.argmin(unlike)]]), "")


def _cost(piece: Slice, rows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Work out the curve's error without each star (n,) over that with all, as foretold.

    present: (n_frame, n) bool array. Infinite for a star that is never there.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(piece.good, piece.flux_err / piece.flux, np.nan)
        here = np.where(present, error[:, rows], np.nan)
        weight = present.mean(axis=0) / np.nan_to_num(column_median(here), nan=np.inf) ** 2
        own, total = column_median(error[:, :1])[0] ** 2, weight.sum()
        cost = np.sqrt((own + 1 / (total - weight)) / (own + 1 / total))
    return np.where(weight > 0, cost, np.inf)


def strange_light(measurements: Measurements, rows: np.ndarray) -> np.ndarray:
    """Measure light about stars that is not theirs, (n,), over their own, from all frames together.

    By how much more their light grows from a middle aperture to the widest than that of the lonely
    ones among their neighbours on the frame, whose profile is the same: what is too close or too
    faint to be detected by itself adds to it. 0 where it is not known.
    rows: (n,) int array, of the plan.
    """
    if not len(rows):
        return np.zeros(0)
    flux, plan = measurements.flux[:, rows], measurements.plan
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = flux[:, :, -1] / flux[:, :, len(measurements.radii) // 2 - 1]
        growth = np.log(column_median(np.where(growth > 0, growth, np.nan)))
    x, y = plan.x_ref[rows], plan.y_ref[rows]
    near = np.argsort(np.hypot(x[:, None] - x, y[:, None] - y), axis=1)[:, :ABOUT]
    nearest = np.where(np.isfinite(growth[near]), growth[near], np.inf)
    lonely = np.sort(nearest, axis=1)[:, nearest.shape[1] // 4]
    return np.maximum(np.nan_to_num(growth - lonely, posinf=0.0, neginf=0.0), 0.0)


def _unlike(
    ratio: np.ndarray, rows: np.ndarray, plan: StarPlan, crowding: np.ndarray
) -> np.ndarray:
    """How little stars are like the target, (n,), from their fluxes over its own.

    In noise, in place, for what the flat field and thin clouds leave is much alike nearby, and in
    being alone, in units of what would still do.
    """
    magnitude = 2.5 * np.log10(ratio) / ALIKE_MAG
    field = np.hypot(np.ptp(plan.x_ref), np.ptp(plan.y_ref))
    far = np.hypot(plan.x_ref[rows] - plan.x_ref[0], plan.y_ref[rows] - plan.y_ref[0])
    near = far / max(NEAR_FIELD * field, 1e-9)
    return np.sqrt(magnitude**2 + near**2 + (crowding / ALONE) ** 2)


def judge_check(
    name: str,
    time: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray,
    *,
    per_bin: int,
    field: Drift | None = None,
) -> CheckVerdict:
    """Hold the check star's curve against what its errors allow.

    time: (n_frame,) float array, days. flux, error: (n_frame,) float arrays, median 1; NaN where it
    is not measured. per_bin: neighbouring points averaged for an excursion. field: how the field's
    stars drift, from flat field and colour; no star can be told to be flatter.
    """
    drift = field or Drift(0.0, 0.0)
    good = np.isfinite(flux) & (error > 0)
    n = int(good.sum())
    if n < MIN_POINTS:
        return CheckVerdict(name, f"measured in {n} frames, too few to judge it", n)
    time, flux, error = time[good], flux[good], error[good]
    line = _fit_line(time, flux, error)
    # Each point counts by its own error: behind clouds few points have most of the noise.
    expected = float(np.median(error))
    off = (flux - line.values) / error * expected
    scatter = clipped_scatter(off, fitted=2)
    point, size = max(scatter, expected), max(1, min(per_bin, n // (2 * MIN_BINS)))
    means = running_means(off[~_lone_and_wild(off)], point, size)
    excursion = float(means[np.argmax(np.abs(means))])
    excursion_err = float(np.hypot(point / np.sqrt(size), drift.wander))
    slow = max(point, float(np.sqrt(size * np.mean(means**2))))
    trend_err = float(np.hypot(line.change_err * slow / expected, drift.change))
    matters = MATTERS * float(np.median(error))
    surprise, several = _sigma(1), _sigma(2 * n / size)
    troubles = {
        Trouble.SCATTER: scatter > ERRORS_KNOWN * expected * (1 + surprise / np.sqrt(2 * n)),
        Trouble.TREND: abs(line.change) > max(surprise * trend_err, matters),
        Trouble.EXCURSION: abs(excursion) > max(several * excursion_err, matters),
    }
    found = tuple(trouble for trouble, seen in troubles.items() if seen)
    return CheckVerdict(
        name, "", n, scatter, expected, line.change, trend_err, excursion, excursion_err, found
    )


class Drift(NamedTuple):
    """How stars drift against one another, typically, noise taken off."""

    change: float  # by a straight line over the night
    wander: float  # of means of neighbouring points off that line


def measure_drift(time: np.ndarray, flux: np.ndarray, error: np.ndarray, per_bin: int) -> Drift:
    """Measure how stars drift against one another; nothing is known of fewer than four.

    time: (n_frame,) float array. flux, error: (n_frame, n_star) float arrays, median 1. per_bin:
    neighbouring points averaged.
    """
    changes, wanders = [], []
    for k, ok in enumerate((np.isfinite(flux) & (error > 0)).T):
        if ok.sum() < max(MIN_POINTS, 2 * MIN_BINS * per_bin):
            continue
        values, noise = flux[ok, k], float(np.median(error[ok, k]))
        line = _fit_line(time[ok], values, error[ok, k])
        off = (values - line.values) / error[ok, k] * noise
        means = running_means(off, max(clipped_scatter(off), noise), per_bin)
        changes.append((line.change, line.change_err))
        wanders.append(np.mean(means**2) - noise**2 / per_bin)
    if len(changes) < MIN_DRIFTS:
        return Drift(0.0, 0.0)
    change, change_err = np.array(changes).T
    seen = robust_scatter(change, about=0.0) ** 2 - np.median(change_err) ** 2
    return Drift(*(float(np.sqrt(max(square, 0.0))) for square in (seen, np.median(wanders))))


class _Line(NamedTuple):
    values: np.ndarray  # (n,), at the times fitted
    change: float  # over the night
    change_err: float


def _fit_line(time: np.ndarray, flux: np.ndarray, error: np.ndarray) -> _Line:
    """Fit a straight line to finite points, (n,) each; lone wild ones have no say."""
    design = np.column_stack([np.ones(len(time)), (time - time.mean()) / max(np.ptp(time), 1e-9)])
    use = np.ones(len(time), dtype=bool)
    for _ in range(CLIPS):
        rows = design[use] / error[use, None]
        fitted = np.linalg.lstsq(rows, flux[use] / error[use], rcond=None)[0]
        values = design @ fitted
        use = ~_lone_and_wild((flux - values) / error)
    spread = np.sqrt(np.diag(np.linalg.inv(rows.T @ rows)))
    return _Line(values, float(fitted[1]), float(spread[1]))


def _lone_and_wild(off: np.ndarray) -> np.ndarray:
    """Tell the values (n,), about 0, that are far off alone: cosmic rays; a run is none."""
    far = np.abs(off) > WILD * robust_scatter(off, about=0.0)
    return without_runs(far, off > 0)


def _sigma(tries: float) -> float:
    """How far the largest of so many normal deviates gets by noise once in `1 / FALSE_ALARM`."""
    return NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * max(tries, 1)))
