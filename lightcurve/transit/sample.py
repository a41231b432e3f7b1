"""The posterior, sampled until its own autocorrelation says that it is long enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lightcurve.transit.problem import Priors

if TYPE_CHECKING:
    import emcee

__all__ = ["Posterior", "sample_posterior"]

N_WALKERS = 24  # or two more than twice the parameters
BLOCK = 100  # steps between two looks
LENGTHS = 50  # autocorrelation times that make a chain long enough to be believed
WANTED = 100  # and to tell a median, of as many walkers, to a fortieth of its error
MAX_SAMPLES = 6000


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

    Parameters
    ----------
    problem : Sampled
        Such as a `Problem` or a `Joint`.
    theta, covariance : (k,) and (k, k) float arrays
        Where to begin, and how far apart.
    """
    n = max(N_WALKERS, 2 * len(theta) + 2)
    chain = make_chain(problem.log_probabilities, n, len(theta))
    start = make_start(_walkers(problem, theta, covariance, rng, n), rng)
    tau, converged = float("inf"), False
    while chain.iteration < min(max_steps, WANTED * tau):
        start = chain.run_mcmc(start, min(BLOCK, max_steps - chain.iteration))
        tau = float(np.max(chain.get_autocorr_time(tol=0)))
        converged = chain.iteration >= LENGTHS * tau
    known = np.isfinite(tau)
    burn = min(int(3 * tau) if known else chain.iteration // 2, chain.iteration // 2)
    thin = max(1, int(tau / 2) if known else 1)
    samples = chain.get_chain(discard=burn, thin=thin, flat=True)
    return Posterior(
        samples=samples[-MAX_SAMPLES:],
        autocorrelation_time=tau,
        steps=chain.iteration,
        acceptance=float(np.mean(chain.acceptance_fraction)),
        converged=converged,
        walkers=n,
    )


def make_chain(
    log_probabilities: Callable[[np.ndarray], np.ndarray], n: int, k: int
) -> emcee.EnsembleSampler:
    """Get n walkers ready that step by one another, by differential evolution (ter Braak 2006).

    On the bent, narrow ridge of a/R* and impact parameter they need half the steps of the stretch
    move. emcee's snooker move is left alone: it makes a posterior too narrow.

    log_probabilities: of many parameters at once, (m, k) to (m,).
    """
    import emcee

    moves = [(emcee.moves.DEMove(), 1.0)]
    chain = emcee.EnsembleSampler(n, k, log_probabilities, moves=moves, vectorize=True)
    chain.log_prob_fn = log_probabilities  # as it is: emcee's wrapper prints what stops it
    return chain


def make_start(walkers: np.ndarray, rng: np.random.Generator) -> emcee.State:
    """Start with walkers, (w, k); numpy's legacy generator, which emcee draws from, is ours."""
    import emcee

    state = np.random.RandomState(rng.integers(2**32, dtype=np.uint32))
    return emcee.State(walkers, random_state=state.get_state())


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
