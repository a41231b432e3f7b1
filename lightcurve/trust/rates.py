"""What injections say: how deep a transit must be to be found, and how right the errors are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.robust import robust_scatter

HALF, MOST = 0.5, 0.95
WIDTHS = np.geomspace(0.04, 1.0, 12)  # of the rise, in the ln of the depth
USUAL_WIDTH, WIDTH_FACTOR = 0.25, 2.0  # thresholds lie near four errors: the rise is a quarter
TOPS = np.array([1.0, 0.97, 0.92, 0.85, 0.75, 0.65, 0.55, 0.4, 0.2])  # rates of deep transits
TOP_ODDS = np.array([0.5, *[0.5 / 8] * 8])
PLACES = 80
REACH = 3.0  # times beyond the depths tried at which half may be found


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """How often transits are found by their depth: curves, and how probable each is.

    place, width, top : (k,) float arrays: the rate is top Phi(ln(depth / place) / width).
    weight : (k,) float array, sum 1.
    night : relative error of all depths, as one night tells its noise no better.
    """

    place: np.ndarray
    width: np.ndarray
    top: np.ndarray
    weight: np.ndarray
    night: float

    def rate(self, depth: float) -> tuple[float, float]:
        """Tell the rate at a depth, and its error by the number of trials."""
        rates = _rates(np.array([depth]), self.place, self.width, self.top)[:, 0]
        mean = float(self.weight @ rates)
        return mean, math.sqrt(max(0.0, float(self.weight @ rates**2) - mean**2))

    def rate_of_nights(self, depth: float) -> float:
        """Tell the error of a rate by what one night tells of its noise."""
        low, high = (self.rate(depth * factor)[0] for factor in (1 - self.night, 1 + self.night))
        return (high - low) / 2

    def depth(self, rate: float) -> tuple[float, float]:
        """Find the depth of a rate, and its error; infinite where no depth is found so often."""
        reached = self.top > rate
        if self.weight[reached].sum() < HALF:
            return math.inf, math.inf
        from scipy.special import ndtri

        weight = self.weight[reached] / self.weight[reached].sum()
        place, width = self.place[reached], self.width[reached]
        logs = np.log(place) + width * ndtri(rate / self.top[reached])
        mean = float(weight @ logs)
        spread = math.sqrt(max(0.0, float(weight @ logs**2) - mean**2))
        return math.exp(mean), math.exp(mean) * math.hypot(spread, self.night)


def fit_detection(depths: np.ndarray, found: np.ndarray, night: float = 0.0) -> Detection:
    """Fit the rate of detection to trials: (n,) depths, all above 0, and (n,) bool.

    Every curve takes part by its probability; beforehand the rise is a quarter of the depth within
    a factor of two, and deep transits are as likely as not found always.
    """
    logs = np.linspace(math.log(depths.min() / REACH), math.log(depths.max() * REACH), PLACES)
    place, width, top = (a.ravel() for a in np.meshgrid(np.exp(logs), WIDTHS, TOPS, indexing="ij"))
    usual = -0.5 * (np.log(width / USUAL_WIDTH) / math.log(WIDTH_FACTOR)) ** 2
    odds = np.log(TOP_ODDS)[np.searchsorted(-TOPS, -top)]
    rates = np.clip(_rates(depths, place, width, top), 1e-6, 1 - 1e-6)
    likely = usual + odds + np.log(rates) @ found + np.log1p(-rates) @ ~found
    weight = np.exp(likely - likely.max())
    keep = weight > 1e-9
    weight = weight[keep] / weight[keep].sum()
    return Detection(place[keep], width[keep], top[keep], weight, night)


def _rates(depths: np.ndarray, place: np.ndarray, width: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Work out the rates of k curves at n depths, (k, n)."""
    from scipy.special import ndtr

    safe = np.log(np.maximum(depths, 1e-12))
    rates: np.ndarray = top[:, None] * ndtr((safe - np.log(place)[:, None]) / width[:, None])
    return rates


@dataclass(frozen=True, slots=True)
class Width:
    """How pulls lie: (found - true) / error.

    mean, width : 0 and 1 where values and errors are right.
    mean_err, width_err : by the number of trials.
    bias : the mean of found less true, in the unit of the values; and its error.
    count : of trials.
    """

    mean: float
    mean_err: float
    width: float
    width_err: float
    bias: float
    bias_err: float
    count: int


def measure_width(pulls: Sequence[float], off: Sequence[float]) -> Width | None:
    """Measure how pulls lie, and how far off values are; None of fewer than four.

    Widths are standard deviations, those beyond five robust ones left out: one that was fitted to
    another dip is a miss and no error.
    """
    both = np.array([pulls, off], dtype=float).T
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) < 4:
        return None
    middle = np.median(both[:, 0])
    scatter = robust_scatter(both[:, 0])
    kept = both[np.abs(both[:, 0] - middle) <= 5 * max(scatter, 1e-9)]
    n = len(kept)
    width, spread = kept.std(axis=0, ddof=1)
    mean, bias = kept.mean(axis=0)
    return Width(
        mean=float(mean),
        mean_err=float(width / math.sqrt(n)),
        width=float(width),
        width_err=float(width / math.sqrt(2 * (n - 1))),
        bias=float(bias),
        bias_err=float(spread / math.sqrt(n)),
        count=n,
    )


def share_of(found: int, n: int) -> tuple[float, float, float]:
    """Tell a share and its 16 and 84 % limits (Wilson 1927, JASA 22, 209)."""
    if n == 0:
        return math.nan, 0.0, 1.0
    share, z = found / n, 1.0
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, max(0.0, middle - half), min(1.0, middle + half)
