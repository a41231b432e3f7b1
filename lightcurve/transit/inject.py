"""Transits of known depth and time, put into a night and looked for as `run` looks for them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import LightCurve, Parameter, Planet, TransitFit
from lightcurve.core.errors import FitError
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import contact_duration, impact_parameter, predict_transit
from lightcurve.transit.fit import diluted_as, solve_curve
from lightcurve.transit.model import TransitModel
from lightcurve.transit.own_noise import NightNoise, take_noise
from lightcurve.transit.problem import MAX_RP, Priors, make_priors
from lightcurve.transit.solve import Solution

__all__ = [
    "MEASURED",
    "Injector",
    "Order",
    "Purpose",
    "Trial",
    "half_of",
    "judge_trial",
    "make_injector",
    "truth_of",
]

MEASURED = {"depth": "depth_percent", "mid": "mid_time_bjd_tdb", "duration": "duration_days"}
RADII = 200  # between which a depth is looked up
TRIES = 50
LEAST_RP = 1e-3


class Purpose(Enum):
    """What an injection is for."""

    RATE = "rate"  # how deep a transit must be at the place of the night's own
    ERRORS = "errors"  # how far from the truth what is found lies
    PHASE = "phase"  # anywhere in the night
    PIXELS = "pixels"  # into the frames themselves
    NONE = "none"  # no transit where one is predicted


@dataclass(frozen=True, slots=True)
class Order:
    """An injection: its depth as predicted, fraction of the star's light, and days moved.

    number: of the injection; what is drawn for it hangs on that and the seed alone.
    """

    purpose: Purpose
    depth: float
    moved: float
    number: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of an injection.

    true, found, error : by the names of `MEASURED`: per cent, BJD_TDB, days. The last two are empty
        where nothing was found.
    chance : that noise alone makes such a dip.
    """

    order: Order
    true: dict[str, float]
    found: dict[str, float]
    error: dict[str, float]
    finding: str
    detected: bool = False
    chance: float = 1.0

    def pull(self, name: str) -> float:
        """How many errors what was found is off; NaN where nothing was."""
        if name not in self.found or not self.error[name] > 0:
            return math.nan
        return (self.found[name] - self.true[name]) / self.error[name]


@dataclass(frozen=True, slots=True, eq=False)
class Injector:
    """A night into which transits are put, and its planet.

    radii, depths : (k,) float arrays, ascending: which radius ratio is of which depth.
    late : days after the prediction at which the night's own transit lies.
    """

    noise: NightNoise
    planet: Planet
    radii: np.ndarray
    depths: np.ndarray
    filter_name: str | None
    settings: FitSettings
    seed: int
    late: float = 0.0

    @property
    def time(self) -> np.ndarray:
        """BJD_TDB of the points that count, (n,)."""
        return self.noise.curve.bjd_tdb[self.noise.usable]

    @property
    def place(self) -> float:
        """Mid-time, BJD_TDB, of a transit that was not moved."""
        return predict_transit(self.planet, float(self.time.mean())).mid + self.late

    def __call__(self, order: Order) -> Trial:
        """Put one transit in, and look for it."""
        rng = np.random.default_rng([self.seed, order.number])
        curve, exposure = self.noise.curve, self.noise.exposure_days
        planet = self.planet_of(order)
        asked = self.settings.dilution
        seen = diluted_as(planet, curve.dilution, asked, self.filter_name)[0]
        time = self.time
        theta = self.draw_truth(seen, rng)
        transit = TransitModel(time, seen, exposure)(theta)
        if order.purpose is Purpose.NONE or not np.isfinite(transit).all():
            transit = np.ones(len(time))
        night = self.noise.put_in(transit, rng)
        true = truth_of(theta, planet)
        try:
            with _hushed():
                fit = solve_curve(
                    night, planet, exposure_s=exposure * DAY_S, filter_name=self.filter_name,
                    settings=self.settings, rng=rng,
                )[0]  # fmt: skip
        except FitError as error:
            return Trial(order, true, {}, {}, finding=str(error))
        return judge_trial(order, true, fit)

    def planet_of(self, order: Order) -> Planet:
        """Let the planet be of another depth, and transit at another time."""
        radius = float(np.interp(order.depth, self.depths, self.radii))
        share = radius / self.planet.rp_over_rs
        errors = dict(self.planet.errors)
        if "rp_over_rs" in errors:
            errors["rp_over_rs"] *= share
        t0 = self.planet.t0_bjd_tdb + order.moved
        return replace(self.planet, rp_over_rs=radius, t0_bjd_tdb=t0, errors=errors)

    def draw_truth(self, planet: Planet, rng: np.random.Generator) -> np.ndarray:
        """Draw an orbit and limb darkening from what is known of them, (6,)."""
        priors = make_priors(planet, self.time, self.filter_name)
        centre = priors.centre.copy()
        centre[0] += self.late
        width = np.where(np.isfinite(priors.width), priors.width, 0.0)
        for _ in range(TRIES):
            theta = centre + width * rng.normal(size=len(centre))
            if "impact_parameter" in planet.free:
                theta[3] = rng.uniform(0.0, 1.0)
            if "a_over_rs" in planet.free:  # as long as expected, whatever the impact parameter
                chord = ((1 + theta[1]) ** 2 - theta[3] ** 2) / (
                    (1 + theta[1]) ** 2 - centre[3] ** 2
                )
                theta[2] *= math.sqrt(max(chord, 0.0))
            if possible(theta, priors):
                return theta
        return centre


@contextmanager
def _hushed() -> Iterator[None]:
    """Let a fit not warn: it is one of hundreds, and of no night that was."""
    log = logging.getLogger("lightcurve.transit")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def possible(theta: np.ndarray, priors: Priors) -> bool:
    """Say whether a transit can be that, wherever in the night it is."""
    inside = (theta >= priors.lower) & (theta <= priors.upper)
    return bool(inside[1:].all() and theta[3] < 1 + theta[1])


def judge_trial(order: Order, true: dict[str, float], fit: TransitFit) -> Trial:
    """Hold what was found against what was put in. Another dip of the night is no detection."""
    told = {name: fit.parameters[key] for name, key in MEASURED.items() if key in fit.parameters}
    detected = fit.found
    if order.purpose is not Purpose.NONE and detected:
        detected = abs(told["mid"].value - true["mid"]) < true["duration"] / 2
    return Trial(
        order,
        true,
        found={name: p.value for name, p in told.items()},
        error={name: half_of(p) for name, p in told.items()},
        finding=fit.verdict.finding.value,
        detected=bool(detected),
        chance=fit.statistics["false_alarm_probability"],
    )


def half_of(parameter: Parameter) -> float:
    """One sigma of it."""
    return (parameter.upper - parameter.lower) / 2


def make_injector(
    curve: LightCurve,
    planet: Planet,
    fit: TransitFit,
    best: Solution,
    *,
    exposure_s: float,
    filter_name: str | None,
    settings: FitSettings,
    seed: int,
) -> Injector:
    """Get a night ready that was fitted.

    Its transit lies where it was found, or else where it is predicted; in the middle of the night
    where that is not in it.

    Parameters
    ----------
    curve : LightCurve
        In the order of time.
    fit, best : TransitFit, Solution
        As `solve_curve` gave them without sampling.
    exposure_s : float
        Seconds.
    """
    exposure_days = exposure_s / DAY_S
    noise = take_noise(curve, fit, best, exposure_days=exposure_days, settings=settings)
    time = curve.bjd_tdb[noise.usable]
    predicted = predict_transit(planet, float(time.mean())).mid
    found = fit.parameters.get("mid_time_bjd_tdb")
    late = 0.0 if found is None else found.value - predicted
    if found is None and not time.min() < predicted < time.max():
        middle = float(time.min() + time.max()) / 2
        planet = replace(planet, t0_bjd_tdb=planet.t0_bjd_tdb + middle - predicted)
    radii, depths = tabulate_depths(planet, filter_name)
    plain = settings.model_copy(update={"sample": False})
    return Injector(noise, planet, radii, depths, filter_name, plain, seed, late)


def truth_of(theta: np.ndarray, planet: Planet) -> dict[str, float]:
    """Work out what a fit should find: depth of the star alone, per cent, mid-time, duration.

    theta: (6,) float array, in the order of `NAMES` of `transit.model`.
    Returns them by the names of `MEASURED`: per cent, BJD_TDB, days.
    """
    duration = contact_duration(planet, rp=theta[1], a=theta[2], b=theta[3])
    return {"depth": 100 * loss(theta, planet), "mid": theta[0], "duration": float(duration)}


def loss(theta: np.ndarray, planet: Planet) -> float:
    """Work out the share of the star's own light that is lost at mid-transit."""
    alone = replace(planet, dilution=None)
    light = TransitModel(np.array([theta[0]]), alone, 0.0)(theta)[0]
    return float(1 - light) if np.isfinite(light) else 0.0


def tabulate_depths(planet: Planet, filter_name: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Work out how deep a planet's transit is for radius ratios: both (k,), ascending."""
    centre = make_priors(planet, np.array([planet.t0_bjd_tdb]), filter_name).centre
    least = max(LEAST_RP, impact_parameter(planet) - 1 + LEAST_RP)
    radii = np.geomspace(least, MAX_RP, RADII)
    depths = [loss(np.array([centre[0], radius, *centre[2:]]), planet) for radius in radii]
    return radii, np.maximum.accumulate(depths)
