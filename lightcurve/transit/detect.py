"""Is the predicted transit in the data? A test of its shape, beside the trend and noise of a night.

The flux is taken for a trend less A times the light that the predicted transit takes: A is 1 where
the transit is as predicted, 0 where there is none. At any mid-time A and its error follow from
least squares beside the trends of the fit, in white noise with a wander of any strength and memory.
How much likelier a dip makes the data is worked out with and without it on the mean over all these
noises: none is measured beside a dip that may be noise itself. How often noise alone makes as good
a dip anywhere among the times looked at is told by the length of the path of all shapes tried
(Davies 1987, Biometrika 74, 33): near shapes do not count twice.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Planet, StarCurves
from lightcurve.transit.bins import Bins
from lightcurve.transit.ephemeris import Prediction, transit_duration
from lightcurve.transit.model import TransitModel
from lightcurve.transit.problem import Priors
from lightcurve.transit.red_noise import Amplitudes, find_amplitudes, noise_prior

STEPS = 24  # of the mid-time, in a transit's duration
RP_RELATIVE = 0.05  # error of Rp/R*, where the planet file gives none
NORMAL = tuple(NormalDist().inv_cdf((k + 0.5) / 11) for k in range(11))  # equally likely
STRETCHES = tuple(np.geomspace(0.5, 2.0, 9))  # of the predicted duration
SHAPE_POINTS = 2001
MAX_POINTS = 300  # more are averaged: a transit is slow
MIN_INSIDE = 3  # points where more than half of the most is lost: one or two may be outliers
LIMIT_SIGMA = 3.0
EXCLUDED_ODDS = math.exp(-(LIMIT_SIGMA**2) / 2)  # of the data with a transit and without
UNKNOWN_DAYS = 10 / 1440  # one sigma of a predicted mid-time, where the ephemeris has no error
REACH_SIGMA = 3.5  # of the predicted mid-time, within which it may be
UNKNOWN_B = 0.3  # one sigma of an impact parameter that may be any from 0 to 1
AMPLITUDES = np.geomspace(0.01, 100.0, 400)  # tried as limits, in predicted transits


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The light that the predicted transit takes, averaged over the exposure."""

    since: np.ndarray  # (n,) days since mid-transit, ascending
    loss: np.ndarray  # (n,) 0 outside of the transit
    period: float
    duration: float
    amplitudes: np.ndarray  # (m,) equally likely by what is known of the planet, 1 as predicted

    @property
    def depth(self) -> float:
        """The most of it, at mid-transit."""
        return float(self.loss.max())

    def at(self, time: np.ndarray, mids: np.ndarray, stretch: float = 1.0) -> np.ndarray:
        """Light lost at times (n,) for mid-times (k,), the transit being stretched: (n, k)."""
        since = (time[:, None] - mids + self.period / 2) % self.period - self.period / 2
        return np.interp(since / stretch, self.since, self.loss, left=0.0, right=0.0)


def predicted_shape(planet: Planet, priors: Priors, exposure_s: float) -> Shape:
    """Compute the shape of the transit as the planet file has it, and how deep it may be."""
    mid, exposure = float(priors.centre[0]), exposure_s / DAY_S
    duration = transit_duration(planet)
    half = min(0.6 * duration + exposure, planet.period_days / 2)
    since = np.linspace(-half, half, SHAPE_POINTS)
    loss = 1 - TransitModel(mid + since, planet, exposure)(priors.centre)
    middle = TransitModel(np.array([mid]), planet, exposure)
    rp_err = planet.errors.get("rp_over_rs") or RP_RELATIVE * planet.rp_over_rs
    depths = []
    for rp_off, b_off in itertools.product(NORMAL, NORMAL):
        theta = priors.centre.copy()
        theta[1] = max(theta[1] + rp_off * rp_err, 1e-4)
        theta[3] = abs(theta[3] + b_off * min(priors.width[3], UNKNOWN_B))
        depths.append(1 - middle(theta)[0])
    amplitudes = np.nan_to_num(np.array(depths) / loss.max())
    return Shape(since, loss, planet.period_days, duration, amplitudes)


@dataclass(frozen=True, slots=True)
class Dip:
    """The likeliest dip of the predicted shape among some mid-times."""

    mid: float
    amplitude: float  # in predicted transits
    sigma: float  # over its error: root of twice the ln of how much likelier it makes the data
    chance: float = 1.0  # that noise alone makes one as good among the times looked at

    @property
    def error(self) -> float:
        """One sigma of the amplitude."""
        return self.amplitude / self.sigma if self.sigma > 0 else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A night in which the predicted transit is looked for.

    time, flux, errors : (n,) float arrays, ascending; flux relative to that out of transit,
        errors of white noise.
    held : (n, k) float array, trends in the flux, in units of their priors' sigma.
    stars : curves of other stars at the same times, which tell what noise to expect.
    """

    time: np.ndarray
    flux: np.ndarray
    errors: np.ndarray
    held: np.ndarray
    shape: Shape
    stars: StarCurves | None = None
    prior: np.ndarray = field(init=False)  # of noises

    def __post_init__(self) -> None:
        """Learn from the stars what noise to expect, once."""
        prior = noise_prior(self.time, self.stars, self.errors, self.held, self.shape.duration)
        object.__setattr__(self, "prior", prior)

    def near(self, prediction: Prediction, first: float, last: float) -> Dip:
        """Find the likeliest dip between two moments, where one is predicted.

        The transit as it is predicted is tried first, anything like it in the whole window next:
        each has half of the false alarms.
        """
        reach = REACH_SIGMA * _mid_err(prediction)
        expected = self.best(prediction.mid - reach, prediction.mid + reach, (1.0,))
        dip = min(expected, self.best(first, last), key=lambda d: d.chance)
        return replace(dip, chance=min(1.0, 2 * dip.chance))

    def best(self, first: float, last: float, stretches: tuple[float, ...] = STRETCHES) -> Dip:
        """Find the likeliest dip with its middle between two moments."""
        count = 2 + int(STEPS * (last - first) / self.shape.duration)
        mids = np.linspace(first, last, count)
        found = [self.measure(mids, stretch) for stretch in stretches]
        dip = max((_deepest(mids, amplitudes) for amplitudes in found), key=lambda d: d.sigma)
        units = np.stack([amplitudes.unit for amplitudes in found])
        return replace(dip, chance=_chance(dip.sigma, units))

    def measure(self, mids: np.ndarray, stretch: float = 1.0) -> Amplitudes:
        """Fit the amplitude at each of the mid-times (k,), beside level and trend."""
        loss = self.shape.at(self.time, mids, stretch)
        inside = np.sum(loss > 0.5 * self.shape.depth, axis=0) >= MIN_INSIDE
        return find_amplitudes(
            self.time,
            self.flux,
            self.errors,
            free=np.ones((len(self.time), 1)),
            held=self.held,
            shapes=-np.where(inside, loss, 0.0),
            longest_days=self.shape.duration,
            prior=self.prior,
        )

    def exclude(self, prediction: Prediction) -> tuple[float, bool]:
        """Find above which amplitude a transit about the predicted mid-time is excluded.

        Infinite where none is. Said too: whether the predicted one is, wherever and however deep
        it may be.
        """
        likely = self.shape.amplitudes
        odds = self._odds(prediction, np.concatenate([AMPLITUDES, likely]))
        excluded = odds[: -len(likely)] < EXCLUDED_ODDS
        count = int(np.argmin(excluded[::-1])) if not excluded.all() else len(excluded)
        limit = float(AMPLITUDES[-count]) if count else math.inf
        return limit, float(odds[-len(likely) :].mean()) < EXCLUDED_ODDS

    def _odds(self, prediction: Prediction, tried: np.ndarray) -> np.ndarray:
        """Compare amplitudes (m,) with none, on the mean over where the mid-time may be: (m,)."""
        error = _mid_err(prediction)
        count = 29 + int(2 * REACH_SIGMA * error * STEPS / self.shape.duration)
        offset = np.linspace(-REACH_SIGMA, REACH_SIGMA, min(count, 201))
        weight = np.exp(-(offset**2) / 2)
        return self.measure(prediction.mid + error * offset).odds(tried) @ (weight / weight.sum())


def make_search(
    time: np.ndarray,
    flux: np.ndarray,
    errors: np.ndarray,
    *,
    held: np.ndarray,
    shape: Shape,
    stars: StarCurves | None,
) -> Search:
    """Put points, in any order, into that of time, and average neighbours where they are many."""
    order = np.argsort(time, kind="stable")
    count = min(len(order), MAX_POINTS)
    firsts = np.array([part[0] for part in np.array_split(np.arange(len(order)), count)])
    weight = errors[order] ** -2.0
    joint = np.add.reduceat(weight, firsts) ** -0.5
    bins = Bins(order, firsts, weight, joint, exposure_s=0.0)
    return Search(
        time=bins.mean(time),
        flux=bins.mean(flux),
        errors=bins.error,
        held=bins.mean(held),
        shape=shape,
        stars=None if stars is None else bins.stars(stars),
    )


def _mid_err(prediction: Prediction) -> float:
    return prediction.mid_err if math.isfinite(prediction.mid_err) else UNKNOWN_DAYS


def _deepest(mids: np.ndarray, amplitudes: Amplitudes) -> Dip:
    gains = amplitudes.gains()
    k = int(np.argmax(gains))
    sigma = math.sqrt(max(float(gains[k]), 0.0))
    return Dip(float(mids[k]), float(amplitudes.estimate()[k]), sigma)


def _chance(sigma: float, units: np.ndarray) -> float:
    """Work out how often noise alone is as significant somewhere on a surface of shapes.

    units: (stretch, n, mid-time), shapes of length 1, or 0. Volume, half of the boundary and a
    corner of the surface count (Adler & Taylor 2007, Random fields and geometry, ch. 12).
    """
    there = np.sum(units**2, axis=1) > 0
    if not there.any() or not sigma > 0:
        return 1.0
    along = _angles(units[:, :, 1:], units[:, :, :-1], there[:, 1:] & there[:, :-1])
    across = _angles(units[1:], units[:-1], there[1:] & there[:-1])
    length, width = along.sum(axis=1).mean(), across.sum(axis=0).mean()
    density = math.exp(-(sigma**2) / 2) / (2 * math.pi)
    surface = length * width * sigma / math.sqrt(2 * math.pi) + length + width
    return min(1.0, math.erfc(sigma / math.sqrt(2)) / 2 + float(surface) * density)


def _angles(one: np.ndarray, other: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Angles between shapes (stretch, n, mid-time), 0 where one is missing: (stretch, mid-time)."""
    return np.where(there, np.arccos(np.clip(np.sum(one * other, axis=1), -1.0, 1.0)), 0.0)
