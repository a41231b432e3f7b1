"""Least squares within bounds: the answer that is known, and scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from lightcurve.transit.bounded import solve_within


def pit(u: np.ndarray) -> np.ndarray:
    """Rosenbrock's (1960) curved valley, (2,) residuals; least at (1, 1)."""
    return np.array([10 * (u[1] - u[0] ** 2), 1 - u[0]])


def slope_of_pit(u: np.ndarray) -> np.ndarray:
    return np.array([[-20 * u[0], 10.0], [-1.0, 0.0]])


def test_a_curved_valley_is_followed_to_its_end() -> None:
    far = np.full(2, 10.0)
    found = solve_within(pit, slope_of_pit, np.array([-1.2, 1.0]), -far, far)
    np.testing.assert_allclose(found, [1, 1], atol=1e-6)


def test_what_lies_beyond_a_bound_is_sought_along_it() -> None:
    """Where x may be 0.5 at most, the least is where y is its square."""
    lower, upper = np.array([-2.0, -2.0]), np.array([0.5, 2.0])
    found = solve_within(pit, slope_of_pit, np.array([-1.2, 1.0]), lower, upper)
    np.testing.assert_allclose(found, [0.5, 0.25], atol=1e-6)


def test_a_start_beyond_the_bounds_is_moved_onto_them() -> None:
    lower, upper = np.zeros(2), np.full(2, 0.25)
    found = solve_within(pit, slope_of_pit, np.array([5.0, 5.0]), lower, upper)
    np.testing.assert_allclose(found, [0.25, 0.0625], atol=1e-6)


def test_a_parameter_without_effect_stays_where_it_is() -> None:
    found = solve_within(
        lambda u: np.array([u[0] - 3, u[0] - 5]), lambda _: np.array([[1.0, 0], [1.0, 0]]),
        np.array([0.0, 0.7]), np.full(2, -10.0), np.full(2, 10.0),
    )  # fmt: skip
    np.testing.assert_allclose(found, [4, 0.7], atol=1e-8)


def test_residuals_without_any_slope_end_it() -> None:
    first = np.array([0.1, 0.2])
    found = solve_within(
        lambda _: np.full(4, 1e3), lambda _: np.zeros((4, 2)), first, first - 1, first + 1
    )
    np.testing.assert_array_equal(found, first)


@pytest.mark.parametrize("seed", range(20))
def test_exponentials_in_noise_are_fitted_as_scipy_does(seed: int) -> None:
    """Size, rate, and level, two of them often at a bound."""
    rng = np.random.default_rng(seed)
    t, truth = np.linspace(0, 4, 40), rng.uniform([1, 0.3, -1], [3, 2, 1])
    data = truth[0] * np.exp(-truth[1] * t) + truth[2] + rng.normal(0, 0.05, 40)
    lower, upper = np.array([0.0, 0.1, -0.5]), np.array([2.5, 1.5, 2.0])

    def residuals(u: np.ndarray) -> np.ndarray:
        return (u[0] * np.exp(-u[1] * t) + u[2] - data) / 0.05

    def jacobian(u: np.ndarray) -> np.ndarray:
        fall = np.exp(-u[1] * t)
        return np.column_stack([fall, -u[0] * t * fall, np.ones(40)]) / 0.05

    first = np.array([1.5, 0.8, 0.0])
    found = solve_within(residuals, jacobian, first, lower, upper)
    told = least_squares(
        residuals, first, jacobian, bounds=(lower, upper), xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    assert ((found >= lower) & (found <= upper)).all()
    assert np.sum(residuals(found) ** 2) == pytest.approx(2 * told.cost, rel=1e-5)
    np.testing.assert_allclose(found, told.x, atol=1e-3)
