"""The posterior, sampled until its own autocorrelation says that it is long enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.transit.problem import Problem

N_WALKERS = 24
BLOCK = 250
LENGTHS = 50  # autocorrelation times that make a chain long enough
MAX_SAMPLES = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Samples and how they were got."""

    samples: np.ndarray  # (n, 6), thinned, burn-in left out
    autocorrelation_time: float  # the longest of all parameters, steps
    steps: int  # of each walker
    acceptance: float  # fraction of proposals
    converged: bool  # true when the chain is 50 autocorrelation times long

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
            f"sampled with emcee: {N_WALKERS} walkers, {self.steps} steps, autocorrelation time "
            f"{self.autocorrelation_time:.0f}, {state}"
        )


def sample_posterior(
    problem: Problem,
    theta: np.ndarray,
    covariance: np.ndarray,
    *,
    rng: np.random.Generator,
    max_steps: int,
) -> Posterior:
    """Sample with emcee from the least-squares solution on, until converged or `max_steps`.

    Differential-evolution moves (ter Braak 2006) with one snooker move in five: on the bent,
    narrow ridge of a/R* and impact parameter they need half the steps of the stretch move.
    """
    import emcee

    # emcee draws from numpy's legacy generator only; its state is set from ours.
    state = np.random.RandomState(rng.integers(2**32, dtype=np.uint32))
    sampler = emcee.EnsembleSampler(
        N_WALKERS,
        len(theta),
        problem.log_probability,
        moves=[(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)],
    )
    start = emcee.State(_walkers(problem, theta, covariance, rng), random_state=state.get_state())
    tau, converged = float("inf"), False
    while sampler.iteration < max_steps and not converged:
        start = sampler.run_mcmc(start, min(BLOCK, max_steps - sampler.iteration))
        tau = float(np.max(sampler.get_autocorr_time(tol=0)))
        converged = sampler.iteration >= LENGTHS * tau
    known = np.isfinite(tau)
    burn = min(int(3 * tau) if known else sampler.iteration // 2, sampler.iteration // 2)
    thin = max(1, int(tau / 2) if known else 1)
    samples = sampler.get_chain(discard=burn, thin=thin, flat=True)
    return Posterior(
        samples=samples[-MAX_SAMPLES:],
        autocorrelation_time=tau,
        steps=sampler.iteration,
        acceptance=float(np.mean(sampler.acceptance_fraction)),
        converged=converged,
    )


def draw_normal(
    problem: Problem,
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
    problem: Problem, theta: np.ndarray, covariance: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw possible starting points about the best fit."""
    width = np.sqrt(np.diag(covariance))
    inside = np.clip(
        theta, problem.priors.lower + 0.01 * width, problem.priors.upper - 0.01 * width
    )
    walkers: list[np.ndarray] = []
    shrink = 1.0
    while len(walkers) < N_WALKERS:
        draw = rng.multivariate_normal(inside, shrink * covariance, size=N_WALKERS)
        walkers += [d for d in draw if np.isfinite(problem.log_probability(d))]
        shrink = max(0.7 * shrink, 1e-4)
    return np.array(walkers[:N_WALKERS])
