"""Whether mid-times follow a linear ephemeris, by the evidence for others.

A wave of any period is summed over a grid of waves, each of which `evidence` can solve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from lightcurve.transit.evidence import MINUTES, SIZES, Data, Models, log_mean
from lightcurve.transit.times import Ephemeris, Times, fit_ephemeris, of_line

__all__ = ["CONVINCING", "Timing", "Variation", "try_variations"]

WORSE = np.geomspace(1.1, 5.0, 6)  # by which all errors may be too small
# A model that is wrong is so much likelier than the true one in less than one case of as many, as
# the mean of a ratio of evidences is 1 where the lower one is true (Markov's inequality).
CONVINCING = 50.0
PER_CYCLE = 4  # steps of the frequency that shift the last epoch by a cycle
FINE = 81  # steps across two of these, about the likeliest
MOST_WAVES = 20000
FEWEST = {"quadratic": 4, "periodic": 6}  # epochs: one more than the model has parameters
GRID = 400
NOT_KNOWN = (math.nan, math.nan)


class Variation(Enum):
    """How mid-times go."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"
    PERIODIC = "periodic"
    SCATTER = "scatter"  # beyond their errors, in no order that could be told
    UNTESTED = "untested"  # too few epochs


@dataclass(frozen=True, slots=True, eq=False)
class Timing:
    """What mid-times say of how they go.

    Attributes
    ----------
    log_evidence : mapping of str to float
        Natural logarithm of the evidence for ``quadratic``, ``periodic`` and ``scatter`` over that
        for a linear ephemeris; without those that the epochs are too few for.
    ephemeris : Ephemeris
        The linear part of the model that was found.
    size_minutes, period_epochs : (float, float)
        Of the variation found, value and one sigma: amplitude and period of a wave; change of the
        mid-time between the middle and the ends of the epochs; scatter. NaN where there is none.
    period_change : (float, float)
        Days per epoch, and one sigma, of a quadratic one; NaN else.
    grid, minutes : (k,) float arrays
        Epochs, and there the likeliest variation from `ephemeris`; empty where there is none.
    """

    found: Variation
    log_evidence: Mapping[str, float]
    ephemeris: Ephemeris
    size_minutes: tuple[float, float] = NOT_KNOWN
    period_epochs: tuple[float, float] = NOT_KNOWN
    period_change: tuple[float, float] = NOT_KNOWN
    grid: np.ndarray = field(default_factory=lambda: np.empty(0))
    minutes: np.ndarray = field(default_factory=lambda: np.empty(0))


def try_variations(times: Times, known: Ephemeris) -> Timing:
    """Compare a linear ephemeris with a quadratic and a periodic one, and with mere scatter.

    One is found where its evidence is 50 times that for a linear ephemeris, and, of a quadratic or
    periodic one, that for scatter: errors that are too small are no variation.
    """
    line = fit_ephemeris(times, known)
    if len(np.unique(times.epoch)) < min(FEWEST.values()):
        return Timing(Variation.UNTESTED, {}, line)
    data = Data.of(times, known)
    models, waves = _solve_all(data, times.epoch)
    scatter, size = _scatter(data)
    evidence = {name: one.total for name, one in models.items()} | {"scatter": scatter}
    best = max(models, key=lambda name: evidence[name])
    bar = math.log(CONVINCING)
    if evidence[best] > bar + max(scatter, 0.0):
        return _found(Variation(best), models, waves, data, known, evidence)
    if scatter > bar:
        more = (size[0] / MINUTES) ** 2 * np.eye(len(times.mid))
        line = fit_ephemeris(replace(times, cov=times.cov + more), known)
        return Timing(Variation.SCATTER, evidence, line, size_minutes=size)
    return Timing(Variation.LINEAR, evidence, line)


def weigh_all(times: Times, known: Ephemeris) -> float:
    """Logarithm of the evidence for all models, each variation of them one case of fifty.

    Of mid-times in minutes, up to a constant that T0 and period bring, whatever the epochs are.
    """
    data = Data.of(times, known)
    plain = data.log_evidence(data.cov) - 0.5 * len(times.mid) * math.log(2 * math.pi)
    plain -= math.log(data.half)  # the slope in half spans, flat by the epoch
    if len(np.unique(times.epoch)) < min(FEWEST.values()):
        return plain
    models, _ = _solve_all(data, times.epoch)
    others = [_scatter(data)[0], *(one.total for one in models.values())]
    rare = -math.log(CONVINCING)
    return plain + float(np.logaddexp.reduce([0.0, *(rare + one for one in others)]))


def _solve_all(data: Data, epoch: np.ndarray) -> tuple[dict[str, Models], np.ndarray]:
    """Solve for all variations that the epochs suffice for; with them the waves' frequencies."""
    models = {"quadratic": data.solve((data.phase**2)[None, :, None])}
    waves = _frequencies(2 * data.half)
    if len(np.unique(epoch)) >= FEWEST["periodic"]:
        coarse = data.solve(data.columns(waves, epoch)).log_evidence.max(axis=1)
        best, step = waves[int(np.argmax(coarse))], waves[1] - waves[0]
        near = np.clip(best + step * np.linspace(-1, 1, FINE), waves[0], waves[-1])
        waves = np.unique(np.append(waves, near))
        solved = data.solve(data.columns(waves, epoch))
        models["periodic"] = solved.weighed(np.gradient(waves) / waves)
    return models, waves


def _frequencies(span: float) -> np.ndarray:
    """Cycles an epoch, (m,): from half a cycle in all epochs to one in two."""
    count = min(int(PER_CYCLE * span) + 2, MOST_WAVES)
    return np.linspace(0.5 / span, 0.5, count)


def _scatter(data: Data) -> tuple[float, tuple[float, float]]:
    """Evidence for scatter over a line, and its size with one sigma, minutes.

    Half of it is for a scatter beside the errors, half for errors that are too small.
    """
    plain, eye = data.log_evidence(data.cov), np.eye(len(data.late))
    added = np.array([data.log_evidence(data.cov + s**2 * eye) for s in SIZES]) - plain
    scaled = np.array([data.log_evidence(data.cov * f**2) for f in WORSE]) - plain
    weight = np.exp(added - added.max())
    weight /= weight.sum()
    size = float(weight @ SIZES)
    sigma = math.sqrt(float(weight @ (SIZES - size) ** 2))
    return float(np.logaddexp(log_mean(added), log_mean(scaled)) - math.log(2)), (size, sigma)


def _average(
    solved: Mapping[str, Models], evidence: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Average T0 and period over all variations, each as far as it is likely, and covariance.

    A long wave and a changing period, which few epochs cannot tell apart, differ in their line.
    """
    likely = np.array([evidence[name] for name in solved])
    weight = np.exp(likely - likely.max())
    weight /= weight.sum()
    means, covs = (
        np.array(part) for part in zip(*(one.average() for one in solved.values()), strict=True)
    )
    mean = weight @ means
    off = means - mean
    return mean, np.einsum("m,mij->ij", weight, covs + off[:, :, None] * off[:, None, :])


def _found(
    what: Variation,
    solved: Mapping[str, Models],
    waves: np.ndarray,
    data: Data,
    known: Ephemeris,
    evidence: Mapping[str, float],
) -> Timing:
    """Describe the variation that was found."""
    steps, models = np.array([1.0, data.half]), solved[what.value]
    mean, cov = _average(solved, evidence)
    line = of_line(
        known, data.centre, mean / steps / MINUTES, cov / np.outer(steps, steps) / MINUTES**2
    )
    row, size = np.unravel_index(int(np.argmax(models.log_evidence)), models.log_evidence.shape)
    best, error = models.mean[row, size], np.sqrt(np.diag(models.cov[row, size]))
    reach = math.hypot(*best[2:]) if len(best) > 3 else abs(float(best[2]))
    grid = np.linspace(data.centre - data.half, data.centre + data.half, GRID)
    phase = (grid - data.centre) / data.half
    periodic = what is Variation.PERIODIC
    columns = data.columns(waves[row : row + 1], grid)[0] if periodic else (phase**2)[:, None]
    there = (
        np.column_stack([np.ones(GRID), phase, columns]) @ best
        - np.column_stack([np.ones(GRID), phase]) @ mean
    )
    weight = models.weight.sum(axis=1)
    period = float(weight @ (1 / waves)) if periodic else math.nan
    spread = math.sqrt(float(weight @ (1 / waves - period) ** 2)) if periodic else math.nan
    bend = 2 / data.half**2 / MINUTES
    change = (bend * float(best[2]), bend * float(error[2]))
    return Timing(
        what, evidence, line,
        size_minutes=(reach, float(error[2:].max())),
        period_epochs=(period, spread),
        period_change=NOT_KNOWN if periodic else change,
        grid=grid,
        minutes=there,
    )  # fmt: skip
