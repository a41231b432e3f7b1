"""Transits of a period that nobody told: boxes fitted to a long light curve (BLS, by astropy)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Planet
from lightcurve.core.robust import robust_scatter

if TYPE_CHECKING:
    from astropy.timeseries import BoxLeastSquares

__all__ = ["Box", "box_planet", "search_transits"]

STEP = 10 / 1440  # days, over which points are averaged
SMOOTH = 1.0  # days, over which a star's own changes are taken off
DURATIONS = (0.06, 0.12, 0.25)  # days
SHORTEST = 0.4  # days, of a period
WIDEST = 0.12  # days, of a transit of a period of one day: of a star half as wide again as the Sun
BREAK = 30.0  # days without data: what is apart by more is searched by itself first
LONGEST = 100.0  # days that are searched at once
STEPS = 16  # periods, for each of the shortest transits that the span holds
MOST_PERIODS = 100_000
CONVINCING, PROMINENT = 8.5, 7.0  # sigma of the depth, and of the peak among all others
FINER = 8  # steps of period and duration about the best
USUAL_B = 0.3
FEWEST = 100  # averages


@dataclass(frozen=True, slots=True)
class Box:
    """Transits found: days, and shares of the light.

    Attributes
    ----------
    t0, period, duration : float
        BJD_TDB, days.
    depth, depth_err : float
    prominence : float
        Of its peak in the periodogram, sigma.
    transits : int
        That have points.
    span : float
        Days from the first point to the last.
    """

    t0: float
    period: float
    duration: float
    depth: float
    depth_err: float
    prominence: float
    transits: int
    span: float

    @property
    def found(self) -> bool:
        """Whether these are transits, and no noise."""
        clear = self.depth > CONVINCING * self.depth_err and self.prominence > PROMINENT
        return clear and self.transits > 1


def search_transits(time: np.ndarray, flux: np.ndarray) -> Box | None:
    """Search for the transits of one planet.

    Parameters
    ----------
    time, flux : (n,) float arrays
        BJD_TDB and relative flux, finite, in the order of time.

    Returns
    -------
    Box or None
        The likeliest, found or not; None of a light curve too short for any.
    """
    from astropy.timeseries import BoxLeastSquares

    moments, values = _averaged(time, flux)
    part = _longest(moments)
    if part.sum() < FEWEST:
        return None
    flat = _flattened(moments, values)
    noise = robust_scatter(flat)
    span = float(np.ptp(moments[part]))
    if span / 2 <= SHORTEST or not noise > 0:
        return None
    model = BoxLeastSquares(moments[part], flat[part], np.full(part.sum(), noise))
    periods = 1 / np.linspace(2 / span, 1 / SHORTEST, int(STEPS * span / DURATIONS[0] / SHORTEST))
    power = model.power(periods, DURATIONS, oversample=5).power
    best = int(np.argmax(power))
    level = _running_level(power)
    prominence = float((power - level)[best] / robust_scatter(power - level))
    whole = BoxLeastSquares(moments, flat, np.full(len(flat), noise))
    period, duration, middle = _refined(whole, float(periods[best]), float(np.ptp(moments)))
    stats = whole.compute_stats(period, duration, middle)
    depth, depth_err = (float(v) for v in stats["depth"])
    seen = int((stats["per_transit_count"] > 0).sum())
    return Box(middle, period, duration, depth, depth_err, prominence, seen, float(np.ptp(moments)))


def _averaged(time: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average points of ten minutes, (k,) each."""
    firsts = np.flatnonzero(np.append(True, np.diff(np.floor(time / STEP)) > 0))
    size = np.diff(np.append(firsts, len(time)))
    return np.add.reduceat(time, firsts) / size, np.add.reduceat(flux, firsts) / size


def _longest(time: np.ndarray) -> np.ndarray:
    """Mark the stretch of most points without a long break, (k,) bool."""
    number = np.append(0, np.cumsum(np.diff(time) > BREAK))
    one = number == np.argmax(np.bincount(number))
    return np.asarray(one & (time < time[one][0] + LONGEST))


def _flattened(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Take off what changes over a day, by running medians between breaks of half a day."""
    from scipy.ndimage import median_filter

    step = float(np.median(np.diff(time)))
    width = 2 * round(SMOOTH / step / 2) + 1
    parts = np.split(flux, np.flatnonzero(np.diff(time) > SMOOTH / 2) + 1)
    return np.concatenate([
        part / median_filter(part, min(width, len(part)), mode="nearest") for part in parts
    ])  # fmt: skip


def _running_level(power: np.ndarray) -> np.ndarray:
    """Level of a periodogram, which rises to long periods, (m,)."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(power, max(11, len(power) // 20), mode="nearest"))


def _refined(model: BoxLeastSquares, period: float, span: float) -> tuple[float, float, float]:
    """Find period, duration and a middle more finely about a period, over all data."""
    durations = np.geomspace(DURATIONS[0] / 2, min(WIDEST * period ** (1 / 3), period / 4), FINER)
    half = 2 * DURATIONS[0] * period / min(span, BREAK)
    number = int(np.clip(8 * half * span / period / DURATIONS[0], 50, MOST_PERIODS))
    found = model.power(np.linspace(period - half, period + half, number), durations, oversample=10)
    best = int(np.argmax(found.power))
    return float(found.period[best]), float(found.duration[best]), float(found.transit_time[best])


def box_planet(box: Box, name: str, ra_deg: float, dec_deg: float) -> Planet:
    """Make a planet of what was found, with errors as wide as what a box leaves open.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Of the star.
    """
    radius = math.sqrt(min(max(box.depth, 1e-6), 0.5))
    a = box.period / (math.pi * box.duration) * math.sqrt((1 + radius) ** 2 - USUAL_B**2)
    a = max(a, 1.5)
    errors = {
        "t0_bjd_tdb": box.duration / 10, "a_over_rs": a / 3,
        "period_days": box.duration / 10 * box.period / box.span,
        "inclination_deg": math.degrees(USUAL_B / a),
    }  # fmt: skip
    return Planet(
        name=name, ra_deg=ra_deg, dec_deg=dec_deg, period_days=box.period, t0_bjd_tdb=box.t0,
        rp_over_rs=radius, a_over_rs=a, errors=errors, source="boxes fitted to the light curve",
        inclination_deg=math.degrees(math.acos(USUAL_B / a)),
    )  # fmt: skip
