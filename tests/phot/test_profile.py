"""The profile fitted by the few knots near each pixel is that of all equations written out."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.profile import EVERY, FLOOR, LOOSE, fit_profile


@pytest.mark.parametrize("reach", [2.8, 8.0, 25.0])
def test_each_pixel_is_told_by_the_knots_near_it(reach):
    """Without neighbours or cosmic rays the fit is one of least squares."""
    rng = np.random.default_rng(1)
    u, v = rng.uniform(-1, 1, (2, 3000)) * reach
    flux = 10 ** rng.uniform(4, 5, u.size)
    true = flux * np.exp(-(u**2 + 1.3 * v**2) / 5) / 14
    variance = true + 50
    light = rng.normal(true, np.sqrt(variance))
    found = fit_profile(light, variance, u, v, flux)
    # From what was found: the weights that its last pass had do not hang on the covariance.
    terms = flux[:, None] * found.terms(u, v)
    model = terms @ found.coefficients
    assert np.sqrt(np.mean((model - true) ** 2)) < 0.1 * np.sqrt(np.mean(true**2))
    np.testing.assert_allclose(flux * found.at(u, v), model, atol=3e-4 * model.max())
    one = np.column_stack([terms[:, ::EVERY]])
    mean = np.linalg.lstsq(one / np.sqrt(variance)[:, None], light / np.sqrt(variance))[0]
    loose = LOOSE * np.abs(mean) + FLOOR * np.abs(mean).max()
    tight = np.repeat(1 / loose**2, EVERY)
    tight[::EVERY] = 0
    spread = variance + (found.misfit * model) ** 2
    normal = (terms / spread[:, None]).T @ terms + np.diag(tight)
    dense = np.linalg.solve(normal, terms.T @ (light / spread))
    np.testing.assert_allclose(terms @ dense, model, atol=0.2 * np.sqrt(variance).min())
    scatter = np.sqrt(found.variance(terms[:50]))
    plain = np.sqrt(np.diag(terms @ np.linalg.inv(normal) @ terms.T)[:50])
    np.testing.assert_allclose(scatter, plain, rtol=0.02)
