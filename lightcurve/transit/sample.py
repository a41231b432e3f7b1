"""The posterior, sampled until its own autocorrelation says that it is long enough."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lightcurve.transit.problem import Priors, Problem

if TYPE_CHECKING:
    import emcee

__all__ = ["Posterior", "sample_posterior"]

N_WALKERS = 24  # or two more than twice the parameters
BLOCK = 100  # steps between two looks
LENGTHS = 50  # autocorrelation times that make a chain long enough to be believed
WANTED = 100  # and to tell a median, of as many walkers, to a fortieth of its error
MAX_SAMPLES = 6000
LEAPS = 0.8  # of the steps, where leaps are taken
WALKED = 0.25  # of the other steps are accepted; alone they forget in 4 steps for each parameter
TAILS = 8.0  # degrees of freedom of the leaps: wider than what they were learnt from
TINY = 1e-12  # of a variance, along what nothing moved in
Log = Callable[[np.ndarray], np.ndarray]  # log probabilities of parameters, (m, k) to (m,)
# Of walkers (n, k), with numpy's generator: places (n, k), and log q(from) - log q(to), (n,).
Propose = Callable[[np.ndarray, np.random.RandomState], tuple[np.ndarray, np.ndarray]]
AXIS = 2  # the place of a/R* in `lightcurve.transit.model.NAMES`; b comes next
STEP = 1e-6


class Sampled(Protocol):
    """What can be sampled: one light curve, or many."""

    @property
    def priors(self) -> Priors:
        """Of its k parameters."""

    def log_probabilities(self, thetas: np.ndarray, /) -> np.ndarray:
        """Compute the log posterior of parameters (m, k), up to a constant: (m,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Samples of k parameters, and how they were got.

    Attributes
    ----------
    samples : (n, k) float array
        Thinned, burn-in left out.
    autocorrelation_time : float
        The longest of all parameters, steps.
    steps : int
        Of each walker.
    acceptance : float
        Fraction of proposals.
    converged : bool
        True when the chain is 50 autocorrelation times long.
    """

    samples: np.ndarray
    autocorrelation_time: float
    steps: int
    acceptance: float
    converged: bool
    walkers: int = N_WALKERS

    def diagnostics(self) -> dict[str, float]:
        """List the numbers that tell how good the samples are."""
        return {
            "autocorrelation_time": self.autocorrelation_time,
            "sampling_steps": float(self.steps),
            "acceptance": self.acceptance,
            "converged": float(self.converged),
        }

    def note(self) -> str:
        """Say in words how the errors came about."""
        if not self.steps:
            return "errors from the least-squares covariance, not sampled"
        state = "converged" if self.converged else "NOT converged: treat the errors as rough"
        return (
            f"sampled with emcee: {self.walkers} walkers, {self.steps} steps, autocorrelation time "
            f"{self.autocorrelation_time:.0f}, {state}"
        )


def sample_posterior(
    problem: Sampled,
    theta: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    max_steps: int,
) -> Posterior:
    """Sample from the least-squares solution on, until 100 autocorrelation times or `max_steps`.

    The steps by which walkers learn where to go come before, and do not count.

    Parameters
    ----------
    problem : Sampled
        Such as a `Problem` or a `Joint`.
    theta, covariance : (k,) and (k, k) float arrays
        Where to begin, and how far apart.
    """
    n = max(N_WALKERS, 2 * len(theta) + 2)
    start = make_start(_walkers(problem, theta, covariance, rng, n), rng)
    chain, start = get_ready(problem.log_probabilities, start, min(BLOCK, max_steps))
    tau, converged = float("inf"), False
    while chain.iteration < min(max_steps, WANTED * tau):
        start = chain.run_mcmc(start, min(BLOCK, max_steps - chain.iteration))
        tau = float(np.max(chain.get_autocorr_time(tol=0)))
        converged = chain.iteration >= LENGTHS * tau
    known = np.isfinite(tau)
    burn = min(int(3 * tau) if known else chain.iteration // 2, chain.iteration // 2)
    many = math.ceil(n * (chain.iteration - burn) / MAX_SAMPLES)
    thin = max(many, int(tau / 2) if known else 1)
    samples = chain.get_chain(discard=burn, thin=thin, flat=True)
    return Posterior(
        samples=samples,
        autocorrelation_time=tau,
        steps=chain.iteration,
        acceptance=float(np.mean(chain.acceptance_fraction)),
        converged=converged,
        walkers=n,
    )


def get_ready(
    log_probabilities: Log, start: emcee.State, steps: int
) -> tuple[emcee.EnsembleSampler, emcee.State]:
    """Walk for a while to learn where walkers can leap to, and make the chain that will count.

    Its moves stay as they are, so that what was learnt cannot bend the posterior.
    """
    walk = make_chain(log_probabilities, *start.coords.shape)
    start = walk.run_mcmc(start, steps)
    trial = make_chain(log_probabilities, *start.coords.shape, seen=_later_half(walk))
    start = trial.run_mcmc(start, steps)
    leapt = float(np.mean(trial.acceptance_fraction)) - (1 - LEAPS) * WALKED
    # Leaps forget in 2 / leapt steps.
    seen = _later_half(trial) if leapt * start.coords.shape[1] > 0.5 else None
    return make_chain(log_probabilities, *start.coords.shape, seen=seen), start


def _later_half(chain: emcee.EnsembleSampler) -> np.ndarray:
    samples: np.ndarray = chain.get_chain(discard=chain.iteration // 2, flat=True)
    return samples


@dataclass(frozen=True, slots=True, eq=False)
class ByChord:
    """A light curve's problem with the half chord of the transit in the place of a/R*.

    Where nothing but the transit tells a/R*, that and the impact parameter b bend around each
    other; the chord, sqrt((1 + k)^2 - b^2) / a, follows from the duration, whatever b is.
    """

    problem: Problem

    @property
    def priors(self) -> Priors:
        """Bounds of the parameters; those of the chord are wide."""
        own = self.problem.priors
        lower, upper = own.lower.copy(), own.upper.copy()
        lower[AXIS], upper[AXIS] = 0.0, 1.0
        return replace(own, lower=lower, upper=upper)

    def swap(self, theta: np.ndarray) -> np.ndarray:
        """Put the chord for a/R* in parameters (..., 6), or a/R* for the chord; NaN for neither."""
        swapped = theta.copy()
        square = (1 + theta[..., 1]) ** 2 - theta[..., 3] ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            swapped[..., AXIS] = np.sqrt(square) / theta[..., AXIS]
        return swapped

    def tangent(self, theta: np.ndarray) -> np.ndarray:
        """Differentiate the swapped parameters by parameters, (6,): (6, 6)."""
        sides = [self.swap(theta + sign * STEP * np.eye(len(theta))) for sign in (1, -1)]
        return np.asarray((sides[0] - sides[1]).T / (2 * STEP))

    def log_probabilities(self, chords: np.ndarray) -> np.ndarray:
        """Compute the log posterior of parameters with a chord, (m, 6), up to a constant: (m,)."""
        theta = self.swap(chords)
        possible = np.isfinite(theta[:, AXIS]) & (theta[:, AXIS] > 0)
        chance = np.full(len(chords), -np.inf)
        volume = np.log(theta[possible, AXIS] / chords[possible, AXIS])
        chance[possible] = self.problem.log_probabilities(theta[possible]) + volume
        return chance


def sample_orbit(
    problem: Problem,
    theta: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    max_steps: int,
) -> Posterior:
    """Sample one light curve as `sample_posterior`; by the chord where a/R* is free."""
    if np.isfinite(problem.priors.width[AXIS]) and np.isfinite(problem.priors.width[AXIS + 1]):
        return sample_posterior(problem, theta, covariance, rng=rng, max_steps=max_steps)
    chord = ByChord(problem)
    there = chord.tangent(theta)
    swapped = chord.swap(theta)
    found = sample_posterior(
        chord, swapped, there @ covariance @ there.T, rng=rng, max_steps=max_steps
    )
    return replace(found, samples=chord.swap(found.samples))


@cache
def load_emcee() -> ModuleType:
    """Load emcee without its move by kernel densities, which loads all of scipy.stats: 0.3 s.

    Whoever asks emcee for that move has it nonetheless.
    """
    name = "emcee.moves.kde"
    if name in sys.modules:
        return import_module("emcee")
    sys.modules[name] = ModuleType(name)
    vars(sys.modules[name])["KDEMove"] = None
    try:
        emcee = import_module("emcee")
    finally:
        del sys.modules[name]
    of_moves = vars(emcee.moves)
    del of_moves["KDEMove"]

    def late(wanted: str) -> object:
        if wanted == "KDEMove":
            return import_module(name).KDEMove
        msg = f"module 'emcee.moves' has no attribute {wanted!r}"
        raise AttributeError(msg)

    of_moves["__getattr__"] = late
    return emcee


def make_chain(
    log_probabilities: Log, n: int, k: int, *, seen: np.ndarray | None = None
) -> emcee.EnsembleSampler:
    """Get n walkers ready that step by one another, by differential evolution (ter Braak 2006).

    On the bent, narrow ridge of a/R* and impact parameter they need half the steps of the stretch
    move. emcee's snooker move is left alone: it makes a posterior too narrow. Four steps of five
    leap to anywhere within what was seen, where that is told: the chain forgets six times as fast.

    log_probabilities: of many parameters at once, (m, k) to (m,). seen: (s, k), samples.
    """
    loaded = load_emcee()
    moves: list[tuple[emcee.moves.Move, float]] = [(loaded.moves.DEMove(), 1 - LEAPS)]
    if seen is not None:
        moves.append((loaded.moves.MHMove(_leaps(seen)), LEAPS))
    chain: emcee.EnsembleSampler = loaded.EnsembleSampler(
        n, k, log_probabilities, moves=moves, vectorize=True
    )
    chain.log_prob_fn = log_probabilities  # as it is: emcee's wrapper prints what stops it
    return chain


def _leaps(seen: np.ndarray) -> Propose:
    """Propose from Student's t of the samples' mean and covariance, wherever the walkers are."""
    mean, std, k = np.mean(seen, axis=0), np.std(seen, axis=0), seen.shape[1]
    std = np.where(std > 0, std, 1.0)
    values, vectors = np.linalg.eigh(np.cov(((seen - mean) / std).T).reshape(k, k))
    widths = np.sqrt(np.maximum(values, TINY))

    def log_density(coords: np.ndarray) -> np.ndarray:
        off = ((coords - mean) / std) @ vectors / widths
        found: np.ndarray = -0.5 * (TAILS + k) * np.log1p(np.sum(off**2, axis=1) / TAILS)
        return found

    def propose(coords: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        n = len(coords)
        tails = np.sqrt(TAILS / random.chisquare(TAILS, (n, 1)))
        there = mean + (tails * random.standard_normal((n, k)) * widths) @ vectors.T * std
        return there, log_density(coords) - log_density(there)

    return propose


def make_start(walkers: np.ndarray, rng: np.random.Generator) -> emcee.State:
    """Start with walkers, (w, k); numpy's legacy generator, which emcee draws from, is ours."""
    random = np.random.RandomState(rng.integers(2**32, dtype=np.uint32))
    state: emcee.State = load_emcee().State(walkers, random_state=random.get_state())
    return state


def draw_normal(
    problem: Sampled,
    theta: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    max_steps: int,
) -> Posterior:
    """Draw from the normal distribution about the best fit, in place of sampling.

    Draws outside the bounds are moved onto them.
    """
    draws = rng.multivariate_normal(theta, covariance, size=min(max_steps, MAX_SAMPLES))
    inside = np.clip(draws, problem.priors.lower, problem.priors.upper)
    return Posterior(inside, float("nan"), 0, float("nan"), converged=False)


def _walkers(
    problem: Sampled, theta: np.ndarray, covariance: np.ndarray, rng: np.random.Generator, n: int
) -> np.ndarray:
    """Draw possible starting points about the best fit."""
    width = np.sqrt(np.diag(covariance))
    inside = np.clip(
        theta, problem.priors.lower + 0.01 * width, problem.priors.upper - 0.01 * width
    )
    walkers: list[np.ndarray] = []
    shrink = 1.0
    while len(walkers) < n:
        draw = rng.multivariate_normal(inside, shrink * covariance, size=n)
        walkers += list(draw[np.isfinite(problem.log_probabilities(draw))])
        shrink = max(0.7 * shrink, 1e-4)
    return np.array(walkers[:n])
