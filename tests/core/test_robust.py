"""One robust scatter for the whole program."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import mad_std

from lightcurve.core.robust import MAD_TO_SIGMA, robust_scatter


def test_robust_scatter_is_that_of_astropy_and_blind_to_wild_values():
    values = np.random.default_rng(1).normal(5.0, 2.0, 20001)
    assert robust_scatter(values) == pytest.approx(mad_std(values), rel=1e-12)
    assert robust_scatter(values) == pytest.approx(2.0, rel=0.03)
    wild = np.append(values, [np.nan, np.inf, -np.inf, *np.full(20, 1e9)])
    assert robust_scatter(wild) == pytest.approx(2.0, rel=0.03)
    assert robust_scatter(values, about=0.0) == pytest.approx(
        MAD_TO_SIGMA * np.median(np.abs(values))
    )
    assert np.isnan(robust_scatter(np.full(3, np.nan)))
    assert np.isnan(robust_scatter(np.zeros(0)))
