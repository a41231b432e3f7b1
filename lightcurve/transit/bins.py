"""Points closer together than a transit asks for, averaged before they are fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, StarCurves
from lightcurve.transit.model import STEPS_PER_INGRESS, expected_ingress
from lightcurve.transit.red_noise import MAX_POINTS

WIDEST = 0.25  # of the ingress: of what a mid-time rests on a hundredth is lost
WORTH = 2.0  # points a bin, from which on it saves something


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Points that are fitted as one, by the order of time; each has its weight in the mean.

    The model is averaged over a bin as over an exposure: the fit loses nothing but the time that
    the single points would take.
    """

    order: np.ndarray  # (n,) int, of the points used, by time
    firsts: np.ndarray  # (bin,) int, where each bin begins in that order
    weight: np.ndarray  # (n,) of the points in that order
    error: np.ndarray  # (bin,) of the means, in the units of the points' errors
    exposure_s: float  # of a box as wide as the points of a bin are spread

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average values of the points used, (n,) or (n, k): (bin,) or (bin, k)."""
        if len(self.firsts) == len(self.order):
            return values[self.order]
        total = np.add.reduceat((values[self.order].T * self.weight).T, self.firsts)
        return (total.T / np.add.reduceat(self.weight, self.firsts)).T

    def stars(self, stars: StarCurves, level: float = 1.0) -> StarCurves:
        """Average the curves of stars, of the points used, and put them on the level of the flux.

        What a star lacks does not count.
        """
        flux, error = stars.flux[self.order], stars.flux_err[self.order]
        there = np.isfinite(flux) & (error > 0)
        weight = np.where(there, np.where(there, error, 1.0) ** -2.0, 0.0)
        total = np.add.reduceat(weight, self.firsts)
        summed = np.add.reduceat(weight * np.where(there, flux, 0.0), self.firsts)
        total[total == 0] = np.nan
        return StarCurves(stars.names, level * summed / total, level * total**-0.5)


def make_bins(time: np.ndarray, error: np.ndarray, exposure_s: float, planet: Planet) -> Bins:
    """Lay out bins of points used, (n,) each: a twelfth of the ingress, or one for each point.

    Wider ones, to a quarter of it, where the night is so long that its red noise could not be
    modelled.
    """
    order = np.argsort(time, kind="stable")
    moments, weight = time[order], error[order] ** -2.0
    alone = Bins(order, np.arange(len(order)), weight, error[order], exposure_s)
    ingress, span = expected_ingress(planet), float(np.ptp(moments))
    width = min(max(ingress / STEPS_PER_INGRESS, 1.01 * span / MAX_POINTS), WIDEST * ingress)
    if not width > 0 or not span > 0:
        return alone
    number = np.floor((moments - moments[0]) / width)
    firsts = np.flatnonzero(np.append(True, np.diff(number) > 0))
    if len(order) < WORTH * len(firsts):
        return alone
    size = np.diff(np.append(firsts, len(order)))
    middle = np.repeat(np.add.reduceat(moments - moments[0], firsts) / size, size)
    # A box of this width has the variance of all that was exposed about the middles of the bins.
    spread = 12 * float(np.mean((moments - moments[0] - middle) ** 2)) * DAY_S**2
    joint = np.add.reduceat(weight, firsts) ** -0.5
    return Bins(order, firsts, weight, joint, float(np.sqrt(spread + exposure_s**2)))
