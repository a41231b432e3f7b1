"""Samples of distributions that are known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lightcurve.transit.sample import N_WALKERS, get_ready, make_chain, make_start

WIDTHS = np.array([1e-3, 0.006, 0.12, 0.08, 0.1, 0.1])  # as unlike as those of a transit


def _sampled(
    log_probabilities, walkers: np.ndarray, steps: int = 3000, *, seen: np.ndarray | None = None
) -> np.ndarray:
    chain = make_chain(log_probabilities, *walkers.shape, seen=seen)
    chain.run_mcmc(make_start(walkers, np.random.default_rng(2)), steps)
    assert 0.05 < np.mean(chain.acceptance_fraction) < (0.6 if seen is None else 0.95)
    return chain.get_chain(discard=steps // 20, flat=True)


def test_a_correlated_normal_distribution_has_its_covariance() -> None:
    rng = np.random.default_rng(1)
    mix = rng.standard_normal((6, 6)) * WIDTHS[:, None]
    inverse = np.linalg.inv(mix)

    def normal(theta: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum((theta @ inverse.T) ** 2, axis=1)

    found = _sampled(normal, rng.standard_normal((N_WALKERS, 6)) @ mix.T)
    independent = found @ inverse.T  # 3000 steps of 24 walkers, every 25th its own
    assert np.mean(independent, axis=0) == pytest.approx(np.zeros(6), abs=0.05)
    assert np.cov(independent.T) == pytest.approx(np.eye(6), abs=0.06)
    assert np.percentile(independent, [15.865, 84.135]) == pytest.approx([-1, 1], abs=0.03)

    # Leaps learnt from what is off and too wide give the same, in fewer steps.
    seen = (0.7 + 1.3 * rng.standard_normal((400, 6))) @ mix.T
    start = rng.standard_normal((N_WALKERS, 6)) @ mix.T
    independent = _sampled(normal, start, 1000, seen=seen) @ inverse.T
    assert np.cov(independent.T) == pytest.approx(np.eye(6), abs=0.06)
    assert np.percentile(independent, [15.865, 84.135]) == pytest.approx([-1, 1], abs=0.03)


def test_nothing_beyond_a_bound_and_all_within_alike() -> None:
    def box(theta: np.ndarray) -> np.ndarray:
        return np.where(np.all((theta > 0) & (theta < 1), axis=1), 0.0, -np.inf)

    found = _sampled(box, np.random.default_rng(1).random((N_WALKERS, 2)))
    assert found.min() > 0
    assert found.max() < 1
    assert np.percentile(found, [10, 50, 90], axis=0) == pytest.approx(
        np.tile([[0.1], [0.5], [0.9]], 2), abs=0.02
    )


def test_a_bent_ridge_is_walked_to_its_ends() -> None:
    def banana(theta: np.ndarray) -> np.ndarray:
        x, y = theta.T
        return -0.5 * (x**2 + ((y - x**2) / 0.5) ** 2)

    found = _sampled(banana, np.random.default_rng(1).normal(0, 0.1, (N_WALKERS, 2)))
    leapt = _sampled(banana, found[-N_WALKERS:], seen=found[:400])
    for x, y in (found.T, leapt.T):
        assert np.std(x) == pytest.approx(1, rel=0.06)
        assert np.mean(y) == pytest.approx(1, rel=0.1)  # of x^2
        assert np.std(y - x**2) == pytest.approx(0.5, rel=0.05)


def test_leaps_are_taken_where_they_are_worth_it() -> None:
    """From anywhere on a thin ring nearly all would end off it."""
    rng = np.random.default_rng(3)
    walkers = rng.standard_normal((N_WALKERS, 2))
    walkers /= np.hypot(*walkers.T)[:, None]
    for width, leaps in ((0.5, True), (0.005, False)):

        def ring(theta: np.ndarray, width: float = width) -> np.ndarray:
            return -0.5 * ((np.hypot(*theta.T) - 1) / width) ** 2

        chain, _ = get_ready(ring, make_start(walkers, rng), 50)
        chain.run_mcmc(make_start(walkers, rng), 100)
        assert (np.mean(chain.acceptance_fraction) > 0.4) == leaps


def test_what_stops_a_chain_is_passed_on_without_a_word(capsys):
    def stop(_theta):
        raise KeyboardInterrupt

    chain = make_chain(stop, 8, 2)
    with pytest.raises(KeyboardInterrupt):
        chain.run_mcmc(np.random.default_rng(1).standard_normal((8, 2)), 2)
    assert capsys.readouterr() == ("", "")


def test_emcee_is_whole_for_others_and_loads_no_statistics_for_us() -> None:
    code = (
        "import sys; from lightcurve.transit.sample import load_emcee; load_emcee()\n"
        "import emcee\n"
        "assert 'scipy.stats' not in sys.modules\n"
        "assert emcee.moves.KDEMove().get_proposal\n"
        "from emcee.moves import KDEMove; from emcee.moves.kde import KDEMove as again\n"
        "assert KDEMove is again and not hasattr(emcee.moves, 'another')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
