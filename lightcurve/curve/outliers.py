"""Single points far from every local model of their neighbours in time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lightcurve.core.robust import RUN, robust_scatter, without_runs
from lightcurve.curve.detrend import FEW, clipped_scatter

OUTLIER_SIGMA = 4.5  # off the line through both sides: by noise alone one point in 150,000
EXPLAINED_SIGMA = 2.2  # nearer than this to any of the other models a point is no outlier
LEFT_SIGMA = 3.5  # off both sides whichever neighbour is left out: that one may be the wild one
CLIP = 3.0
EACH_SIDE = 4
ONE_SIDE = 5  # a line through them, one step on, is known to 1.05 of a point's error
FLANK = 2  # points on each side that may be the flank of a dip
FLANK_SHARE = 0.2  # of its height: straight flanks of four points have a quarter and more
PASSES = 3


class _Series(NamedTuple):
    """Finite points in order of time, (n,) each."""

    time: np.ndarray
    flux: np.ndarray
    sigma: np.ndarray


def mark_outliers(time: np.ndarray, flux: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Find single points, or pairs, that no line through their neighbours in time explains.

    4.5 times the larger of their error and the curve's scatter off the line through both sides,
    still far without any one neighbour, and not near what lies between the two next to them, nor
    near the line through either side alone: so neither a slope nor its beginning is an outlier. The
    first and the last point never are, nor are three or more in a row on the same side, the flanks
    of a short dip or flare counted. Of a stretch between gaps the first and the last are where they
    are brighter than both sides of the gap: an ingress or egress in a gap is fainter than one.
    """
    finite = np.flatnonzero(np.isfinite(flux) & np.isfinite(time))
    rows = finite[np.argsort(time[finite], kind="stable")]
    wild = np.zeros(len(flux), dtype=bool)
    if len(rows) < EACH_SIDE:
        return wild
    # Blind to slopes, and clipped closely: an outlier must not widen what it is measured by.
    bends = np.diff(flux[rows], n=2) / np.sqrt(6)
    # Of few, what is clipped leaves too little: they lie about 0, which is known.
    few = len(bends) < FEW
    scatter = robust_scatter(bends, about=0.0) if few else clipped_scatter(bends, CLIP)
    scatter = max(float(np.nan_to_num(scatter)), 1e-9)
    series = _Series(time[rows], flux[rows], np.fmax(scatter, error[rows]))
    found = np.zeros(len(rows), dtype=bool)
    for _ in range(PASSES):  # wild points found are no neighbours in the next
        before = found
        found = _far_from_all(series, found) | _bright_beside_gaps(series, found)
        if np.array_equal(before, found):
            break
    wild[rows] = found
    return wild


def _far_from_all(series: _Series, left_out: np.ndarray) -> np.ndarray:
    """Mark the points (n,) that no model explains, with those of `left_out` no neighbours."""
    good = np.flatnonzero(~left_out)
    off = _off_both(series, good)
    suspect = without_runs(np.abs(off) > OUTLIER_SIGMA, off > 0)
    found = np.zeros(len(off), dtype=bool)
    for k in np.flatnonzero(suspect).tolist():
        first = k - 1 if k and suspect[k - 1] and off[k - 1] * off[k] > 0 else k
        last = k + 1 if k + 1 < len(off) and suspect[k + 1] and off[k + 1] * off[k] > 0 else k
        side = np.sign(off[k])
        if last - first + 1 + _flanks(series, good, (first, last), float(off[k])) >= RUN:
            continue
        before, after = _neighbours(series.time, good, (first, last), most=ONE_SIDE)
        if len(before) and len(after):
            both = np.append(before, after)
            single = (np.array([before[-1], after[0]]), before, after)
            without_one = (np.delete(both, one) for one in range(len(both)))
            found[k] = all(
                side * _off(series, k, some) > limit
                for limit, models in ((EXPLAINED_SIGMA, single), (LEFT_SIGMA, without_one))
                for some in models
            )
    return found


def _bright_beside_gaps(series: _Series, left_out: np.ndarray) -> np.ndarray:
    """Mark points (n,) beside a gap that are brighter than the line through their own side says.

    And than the points on the other side of the gap, whichever one of either side is left out.
    """
    good, found = np.flatnonzero(~left_out), np.zeros(len(left_out), dtype=bool)
    flux, bar = series.flux, OUTLIER_SIGMA * series.sigma
    place = np.searchsorted(good, np.arange(len(flux)))
    before = good[np.maximum(place - 1, 0)]
    after = good[np.minimum(np.searchsorted(good, np.arange(len(flux)), "right"), len(good) - 1)]
    for k in np.flatnonzero(flux > np.maximum(flux[before], flux[after]) + bar).tolist():
        near = [len(side) for side in _neighbours(series.time, good, (k, k), most=ONE_SIDE)]
        left, right = good[good < k][-ONE_SIDE:], good[good > k][:ONE_SIDE]
        if all(near) or min(len(left), len(right)) < ONE_SIDE:
            continue
        own, other = (right, left) if near[1] else (left, right)
        higher = (flux[k] - flux[other]) / np.hypot(series.sigma[k], series.sigma[other])
        found[k] = (
            np.sort(higher)[1] > LEFT_SIGMA
            and _off(series, k, own) > OUTLIER_SIGMA
            and all(_off(series, k, np.delete(own, one)) > LEFT_SIGMA for one in range(len(own)))
        )
    return found


def _flanks(series: _Series, good: np.ndarray, span: tuple[int, int], height: float) -> int:
    """Count the points next to those of `span` that are the flanks of a short dip or flare.

    Off to the same side as `height`, in sigmas, from the line through what is beyond them, and by
    no small part of it.
    """
    before, after = _neighbours(series.time, good, span, most=EACH_SIDE + FLANK)
    beyond = np.append(before[:-FLANK], after[FLANK:])
    if len(beyond) < EACH_SIDE:
        return 0
    least, count = max(EXPLAINED_SIGMA, FLANK_SHARE * abs(height)), 0
    for flank in (before[-FLANK:][::-1], after[:FLANK]):
        for k in flank.tolist():
            if np.sign(height) * _off(series, k, beyond) <= least:
                break
            count += 1
    return count


def _neighbours(
    time: np.ndarray, good: np.ndarray, span: tuple[int, int], most: int = EACH_SIDE
) -> tuple[np.ndarray, np.ndarray]:
    """List the good points next before and after those of `span`, no farther than either reaches.

    Where one side begins beyond the farthest of the other it is empty: an end, or a gap.
    """
    first, last = span
    before = good[: np.searchsorted(good, first)][-most:]
    after = good[np.searchsorted(good, last, side="right") :][:most]
    if not (len(before) and len(after)):
        return before, after
    back, ahead = time[first] - time[before], time[after] - time[last]
    whole = [side.max() for side in (back, ahead) if len(side) == most]
    reach = min(whole, default=np.inf)
    return before[back <= reach], after[ahead <= reach]


def _off_both(series: _Series, good: np.ndarray) -> np.ndarray:
    """How far each point is off the line through both sides, (n,): `_off` of its `_neighbours`.

    0 where a side is empty.
    """
    n, each = len(series.time), np.arange(EACH_SIDE)
    first, last = (np.searchsorted(good, np.arange(n), side=side) for side in ("left", "right"))
    place = np.hstack([first[:, None] - 1 - each, last[:, None] + each])
    there = (place >= 0) & (place < len(good))
    some = good[np.clip(place, 0, len(good) - 1)]
    apart, flux, sigma = series.time[some] - series.time[:, None], series.flux[some], series.sigma
    # The farthest of a side stands last in it; one that is not whole sets no limit.
    far = np.where(there, np.abs(apart), np.inf).reshape(n, 2, EACH_SIDE)
    near = far <= far[:, :, -1].min(axis=1)[:, None, None]
    near &= there.reshape(near.shape)
    both, use = near.any(axis=2).all(axis=1), near.reshape(n, -1)
    number = np.maximum(use.sum(axis=1), 1)
    apart, flux = np.where(use, apart, 0.0), np.where(use, flux, 0.0)
    middle = apart.sum(axis=1) / number
    spread = (np.where(use, apart - middle[:, None], 0.0) ** 2).sum(axis=1)
    safe = np.where(spread > 0, spread, np.inf)
    slope = (np.where(use, apart - middle[:, None], 0.0) * flux).sum(axis=1) / safe
    share = 1 / number + middle**2 / safe
    variance = sigma**2 + share * np.where(use, sigma[some] ** 2, 0.0).sum(axis=1) / number
    off = (series.flux - flux.sum(axis=1) / number + slope * middle) / np.sqrt(variance)
    return np.where(both, off, 0.0)


def _off(series: _Series, k: int, some: np.ndarray) -> float:
    """How far a point is off the line through some others, over the error of the difference."""
    apart, flux = series.time[some] - series.time[k], series.flux[some]
    middle = apart.mean()
    spread = float(((apart - middle) ** 2).sum())
    slope = float((apart - middle) @ flux) / spread if spread > 0 else 0.0
    share = 1 / len(some) + (middle**2 / spread if spread > 0 else 0.0)
    if len(some) == 1:
        share = 1.0
    variance = series.sigma[k] ** 2 + share * float(np.mean(series.sigma[some] ** 2))
    return float((series.flux[k] - flux.mean() + slope * middle) / np.sqrt(variance))
