"""The posterior, sampled until its own autocorrelation says that it is long enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightcurve.transit.problem import Priors

__all__ = ["Posterior", "sample_posterior"]

N_WALKERS = 24  # or two more than twice the parameters
BLOCK = 100  # steps between two looks
LENGTHS = 50  # autocorrelation times that make a chain long enough
MAX_SAMPLES = 4000
BLUR = 1e-5
WINDOW = 5  # autocorrelation times over which one is summed


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
            f"sampled by differential evolution: {self.walkers} walkers, {self.steps} steps, "
            f"autocorrelation time {self.autocorrelation_time:.0f}, {state}"
        )


def sample_posterior(
    problem: Sampled,
    theta: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    max_steps: int,
) -> Posterior:
    """Sample from the least-squares solution on, until converged or `max_steps`.

    Parameters
    ----------
    problem : Sampled
        Such as a `Problem` or a `Joint`.
    theta, covariance : (k,) and (k, k) float arrays
        Where to begin, and how far apart.
    """
    n = max(N_WALKERS, 2 * len(theta) + 2)
    chain = Chain(problem.log_probabilities, _walkers(problem, theta, covariance, rng, n), rng)
    tau, converged = float("inf"), False
    while chain.steps < max_steps and not converged:
        chain.run(min(BLOCK, max_steps - chain.steps))
        tau = float(np.max(autocorrelation_times(chain.places)))
        converged = chain.steps >= LENGTHS * tau
    known = np.isfinite(tau)
    burn = min(int(3 * tau) if known else chain.steps // 2, chain.steps // 2)
    thin = max(1, int(tau / 2) if known else 1)
    samples = chain.places[burn + thin - 1 :: thin].reshape(-1, len(theta))
    return Posterior(
        samples=samples[-MAX_SAMPLES:],
        autocorrelation_time=tau,
        steps=chain.steps,
        acceptance=chain.accepted / (chain.steps * n),
        converged=converged,
        walkers=n,
    )


class Chain:
    """Walkers that find their steps by one another: differential evolution (ter Braak 2006).

    On the bent, narrow ridge of a/R* and impact parameter they need half the steps of the stretch
    move. Half of the walkers, drawn anew each time, moves along the differences of those that
    stand, and then these along theirs (Foreman-Mackey et al. 2013): a half is computed at once.

    log_probabilities: of many parameters, (m, k) to (m,). walkers: (w, k), possible ones.
    """

    def __init__(
        self,
        log_probabilities: Callable[[np.ndarray], np.ndarray],
        walkers: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.compute, self.rng = log_probabilities, rng
        self.here, self.height = walkers.copy(), log_probabilities(walkers)
        self.places = np.empty((0, *walkers.shape))  # (steps, w, k), all that were
        self.accepted = 0
        self.length = 2.38 / np.sqrt(2 * walkers.shape[1])

    @property
    def steps(self) -> int:
        """Steps that each walker has taken."""
        return len(self.places)

    def run(self, steps: int) -> None:
        """Take so many steps more."""
        places = np.empty((steps, *self.here.shape))
        for place in places:
            first, second = np.array_split(self.rng.permutation(len(self.here)), 2)
            self._move(first, self.here[second])
            self._move(second, self.here[first])
            place[:] = self.here
        self.places = np.concatenate([self.places, places])

    def _move(self, moving: np.ndarray, others: np.ndarray) -> None:
        """Let walkers, (m,) rows, step along the difference of two of the others, each its own."""
        n = len(moving)
        one, other = others[np.argsort(self.rng.random((n, len(others))), axis=1)[:, :2].T]
        # A little noise, lest they never leave the lattice of all differences.
        length = self.length * (1 + BLUR * self.rng.standard_normal((n, 1)))
        proposed = self.here[moving] + length * (one - other)
        height = self.compute(proposed)
        taken = np.log(self.rng.random(n)) < height - self.height[moving]
        rows = moving[taken]
        self.here[rows], self.height[rows] = proposed[taken], height[taken]
        self.accepted += len(rows)


def autocorrelation_times(places: np.ndarray) -> np.ndarray:
    """Tell after how many steps walkers have forgotten where they were, for each parameter.

    Sokal's estimate, of the walkers' mean autocorrelation, as far as five times itself (Goodman &
    Weare 2010). places: (steps, w, k). Returns (k,), NaN where nothing has moved.
    """
    n = len(places)
    size = 2 ** int(np.ceil(np.log2(2 * n)))
    power = np.abs(np.fft.rfft(places - places.mean(axis=0), size, axis=0)) ** 2
    together = np.fft.irfft(power, axis=0)[:n]
    with np.errstate(invalid="ignore"):
        times = 2 * np.cumsum(np.mean(together / together[0], axis=1), axis=0) - 1
    beyond = np.arange(n)[:, None] >= WINDOW * times
    last = np.where(beyond.any(axis=0), np.argmax(beyond, axis=0), n - 1)
    return times[last, np.arange(times.shape[1])]


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
