"""What a light curve is worth: the expected error of what the user wants of it.

With a planet that is the depth of the predicted transit and its moment, without one the level per
unit of time. A frame that is lost costs what it would have told; slow noise costs by the time scale
of what is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.curve.detrend import (
    WILD,
    clipped_scatter,
    column_median,
    point_to_point,
    remove_trend,
    running_means,
)
from lightcurve.curve.ensemble import Ensemble
from lightcurve.curve.weightings import PRIOR_POINTS, leave_one_out

SLOW_MINUTES = 20.0  # an ingress, where red noise hurts most (Pont et al. 2006)
MIN_TOLD = 0.01  # of a shape's square that is no baseline: less is not measured by these frames
LUCK_SIGMA = 3.0  # of a variance that is measured: there are some hundred options
CLOSE_MINUTES = 120.0  # between neighbours: the fastest of common variables take some hours
MIN_BINS = 3
MIN_WITNESSES = 2
NOTHING = 1e-9  # of an information: by rounding alone


class Noise(NamedTuple):
    """Of one point of a curve."""

    point: float  # relative scatter of single points
    slow: float  # what it amounts to where points are averaged; not smaller


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of the light curve.

    design : (n_frame, k) float array, baseline: a constant first, and what is slow.
    shapes : (n_frame, m) float array, what a change of each wanted number does to the flux, such as
        of depth and mid-time; without any it is the level that is wanted.
    scored : (n_frame,) bool array, frames whose scatter counts; None where that of neighbouring
        points does.
    per_bin : int, points of the time scale on which red noise hurts.
    close : whether neighbouring points are near enough in time to tell noise from variation.
    """

    design: np.ndarray
    shapes: np.ndarray
    scored: np.ndarray | None
    per_bin: int
    close: bool = True

    def error(self, ratio: np.ndarray, foretold: np.ndarray, wander: float = 0.0) -> float:
        """Work out the expected error of a curve, for the comparison of several.

        The geometric mean of the errors of all that is asked for.
        ratio: (n_frame,) float array, normalised, NaN where a point is lost.
        foretold: (n_frame,) float array, relative errors of the points.
        wander: relative, of other stars, from `measure_wander`: neighbouring points do not show it.
        Infinite where the points left do not tell it.
        """
        kept = np.isfinite(ratio)
        noise, theory = (
            self.noise(ratio),
            np.hypot(np.sqrt(np.nanmean(foretold[kept] ** 2)), wander),
        )
        if self.scored is None:
            noise = Noise(noise.point, float(np.hypot(noise.point, wander)))
        count = int((kept if self.scored is None else kept & self.scored).sum())
        count = count if np.isfinite(noise.slow) else 0
        seen = count * np.nan_to_num(noise.slow) ** 2
        variance = (seen + PRIOR_POINTS * theory**2) / (count + PRIOR_POINTS)
        return float(np.sqrt(variance) * self.leverage(kept))

    def leverage(self, kept: np.ndarray) -> float:
        """Work out the error at unit noise of each point that is kept, (n_frame,) bool array."""
        if not kept.any():
            return float("inf")
        if not self.shapes.shape[1]:
            return float(1 / np.sqrt(kept.sum()))
        left = _beside(self.shapes[kept], self.design[kept])
        information = left.T @ left
        determinant = float(np.linalg.det(information))
        least = NOTHING * float(np.prod(np.sum(self.shapes**2, axis=0)))
        m = self.shapes.shape[1]
        return determinant ** (-0.5 / m) if determinant > least else float("inf")

    def noise(self, ratio: np.ndarray) -> Noise:
        """Measure the noise of a curve, (n_frame,), NaN where a point is lost.

        About the baseline over the points that may be looked at. Without such from differences of
        neighbours, and what is slow is taken for the star's.
        """
        if self.scored is None:
            point = point_to_point(ratio) if self.close else float("nan")
            return Noise(point, point)
        values = self.residual(ratio)
        values = values[np.isfinite(values)]
        point = clipped_scatter(values, fitted=self.design.shape[1])
        return Noise(point, self._slow(values, point))

    def residual(self, ratio: np.ndarray) -> np.ndarray:
        """Take the baseline off the points whose scatter counts, (n_frame,); NaN elsewhere."""
        if self.scored is None:
            near = np.diff(ratio, append=np.nan) / np.sqrt(2)
            return near if self.close else np.full(len(ratio), np.nan)
        flat, _ = remove_trend(ratio, self.design, fit=self.scored)
        return np.where(self.scored, flat - 1, np.nan)

    def _slow(self, values: np.ndarray, point: float) -> float:
        """Scatter of means of neighbours, as of single points, where it is more beyond luck."""
        size = self.per_bin
        bins = len(values) / size
        if not point > 0 or size < 2 or bins < MIN_BINS:
            return point
        means = running_means(values, point, size)
        luck = 1 + LUCK_SIGMA * np.sqrt(2 / bins)
        return max(point, float(np.sqrt(size * np.mean(means**2) / luck)))


def ask(
    time: np.ndarray,
    design: np.ndarray,
    *,
    dip: np.ndarray | None,
    scored: np.ndarray | None,
    good: np.ndarray,
) -> Question:
    """Settle what is asked of a light curve.

    Parameters
    ----------
    time : (n_frame,) float array
        Days.
    design : (n_frame, k) float array
        Of the baseline.
    dip : (n_frame,) float array or None
        Shape of the predicted transit: 0 outside, 1 at its deepest. None without a planet.
    scored : (n_frame,) bool array or None
        Frames whose scatter counts.
    good : (n_frame,) bool array
        Frames in which the target is good: what they do not tell is not asked.
    """
    shapes = np.zeros((len(time), 0))
    if dip is not None and good.any() and len(time) > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.nan_to_num(np.gradient(dip, time), posinf=0.0, neginf=0.0)
        both = np.column_stack([dip, slope])
        left = _beside(both[good], design[good])
        whole = np.maximum(np.sum(both**2, axis=0), 1e-300)
        shapes = both[:, np.sum(left**2, axis=0) > MIN_TOLD * whole]
    cadence = np.median(np.diff(time)) * 1440 if len(time) > 1 else np.inf
    per_bin = int(np.clip(np.round(SLOW_MINUTES / max(cadence, 1e-6)), 1, len(time)))
    return Question(design, shapes, scored, per_bin, close=bool(cadence < CLOSE_MINUTES))


def measure_wander(ensemble: Ensemble) -> float:
    """Measure by how much more stars scatter over the night than from point to point, relative.

    What an aperture does to a star as it moves over pixels and as seeing changes, neighbouring
    points share: the target does the same, and hides it in its own changes. Each star is held
    against all others; the better known half tells it. 0 where two cannot be compared.
    """
    n = len(ensemble.level)
    if n < MIN_WITNESSES:
        return 0.0
    _, ratio = leave_one_out(ensemble.normalised, ensemble.share)
    known = np.argsort(column_median(ensemble.error), kind="stable")[: max(MIN_WITNESSES, n // 2)]
    more = [clipped_scatter(ratio[:, k]) ** 2 - point_to_point(ratio[:, k]) ** 2 for k in known]
    told = [value for value in more if np.isfinite(value)]
    # The mean of the others wanders too.
    return float(np.sqrt(max(np.median(told) * (n - 1) / n, 0.0))) if told else 0.0


def is_quieter(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether residuals (n_frame,) are smaller than others beyond luck.

    By the mean difference of their squares at the same frames: noise that both share does not
    hide it.
    """
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < PRIOR_POINTS:
        return False
    a, b = one[both] ** 2, other[both] ** 2
    wild = WILD**2 * MAD_TO_SIGMA**2 * np.median(b)
    difference = np.minimum(a, wild) - np.minimum(b, wild)
    return bool(difference.mean() < -LUCK_SIGMA * difference.std() / np.sqrt(len(difference)))


def _beside(shapes: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Take the baseline off shapes, (n, m)."""
    return shapes - design @ np.linalg.lstsq(design, shapes, rcond=None)[0]
