"""Least squares of a few coefficients none of which is below 0."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from lightcurve.core.nonnegative import fit_nonnegative


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_it_is_scipys(k: int) -> None:
    rng = np.random.default_rng(k)
    held = 0
    for _ in range(100):
        design = rng.uniform(0, 1, (12, k)) * 10.0 ** rng.uniform(-6, 6, k)
        values = design @ (rng.normal(0.5, 1, k) / design.max(axis=0)) + rng.normal(0, 0.3, 12)
        found, (known, left) = fit_nonnegative(design, values), nnls(design, values)
        held += (known == 0).sum()
        size = design.max(axis=0)  # columns as unlike as these cost scipy's some digits
        np.testing.assert_allclose(found * size, known * size, atol=1e-5)
        assert np.linalg.norm(values - design @ found) <= left * (1 + 1e-12)
    assert held > 10


def test_of_what_none_can_suit_all_is_left_out() -> None:
    np.testing.assert_array_equal(fit_nonnegative(np.ones((5, 2)), -np.ones(5)), [0, 0])


def test_columns_that_say_the_same_share_what_they_say() -> None:
    found = fit_nonnegative(np.ones((5, 2)), np.full(5, 3.0))
    assert found.sum() == pytest.approx(3)
    assert (found >= 0).all()


def test_no_column_no_coefficient() -> None:
    assert fit_nonnegative(np.empty((5, 0)), np.ones(5)).shape == (0,)
