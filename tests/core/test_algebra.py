"""One thread for linear algebra: what is asked for, and given back."""

from __future__ import annotations

import numpy as np
import scipy.linalg  # noqa: F401  (loads its library)
from threadpoolctl import threadpool_info, threadpool_limits

from lightcurve.core.algebra import one_thread


def threads() -> set[int]:
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_one_thread_and_then_as_many_as_before() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with one_thread():
            assert threads() == {1}
        assert threads() == before


def test_products_have_the_same_bits_whatever_the_threads() -> None:
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(4000, 150))
    found = []
    for number in (1, 2):
        with threadpool_limits(limits=number, user_api="blas"), one_thread():
            found.append(np.linalg.inv(wide.T @ wide).tobytes())
    assert found[0] == found[1]
