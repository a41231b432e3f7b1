"""Widths by Moffat profiles, how they change over the field, and a PSF that follows it."""

from __future__ import annotations

import numpy as np
import pytest

from field import FieldSpec, Stars, render, shapes
from lightcurve.phot.epsf import build_psf
from lightcurve.phot.moffat import MoffatStars, fit_moffats, shape_over_field
from lightcurve.phot.psf_fit import fit_psf, flux_error
from lightcurve.phot.surface import fit_surface

VARYING = {"fwhm_px": (3.0, 0.3, 0.15, 0.5, 0.0, 0.4), "e1": (0.0, 0.1), "e2": (0.0, 0.0, 0.1)}


def frame(**spec: object) -> tuple[FieldSpec, Stars, np.ndarray, np.ndarray]:
    """Stars that stand apart, light above the sky, and the variance of a sky pixel."""
    ordered = FieldSpec(n_stars=300, spacing_px=22.0, flux_range=(4e3, 2e5), **spec)
    rendered, truth = render(ordered, 1), render(ordered, 1).truth
    ny, nx = ordered.shape
    room = np.minimum.reduce([truth.x, truth.y, nx - 1 - truth.x, ny - 1 - truth.y])
    sky = (ordered.sky_adu * ordered.gain + ordered.read_e**2) / ordered.gain**2
    light = rendered.pixels - ordered.sky_adu
    return ordered, truth.only(room > 12), light, np.full(light.shape, sky)


def fitted(spec: FieldSpec, truth: Stars, light: np.ndarray, sky: np.ndarray) -> MoffatStars:
    variance = sky + np.maximum(light, 0) / spec.gain
    return fit_moffats(light, variance, light > -1e9, truth.x + 0.2, truth.y - 0.1, 3.4)


@pytest.mark.parametrize("beta", [2.2, 3.0, 4.5, 40.0])
def test_widths_are_true_for_narrow_and_wide_wings(beta: float) -> None:
    spec, truth, light, sky = frame(beta=beta, **VARYING)
    found = fitted(spec, truth, light, sky)
    fwhm, e1, e2 = shapes(spec, truth.x, truth.y)
    assert np.nanmedian(found.fwhm / fwhm) == pytest.approx(1, abs=0.005)
    assert np.nanstd(np.log(found.fwhm / fwhm) / found.size_err) == pytest.approx(1, abs=0.25)
    assert np.nanmedian(found.e1 - e1) == pytest.approx(0, abs=0.01)
    assert np.nanmedian(found.e2 - e2) == pytest.approx(0, abs=0.01)
    surface = shape_over_field(found, 3.4)
    off = surface.at(truth.x, truth.y) - np.column_stack([np.log(fwhm), e1, e2])
    assert surface.order == 2
    assert np.abs(off).max() < 0.04


def test_the_order_is_that_for_which_there_is_evidence() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 1000, (2, 150))
    for order, shape in enumerate((0 * x, (x - y) / 500, (x / 500 - 1) ** 2)):
        values = np.column_stack([shape + rng.normal(0, 0.1, 150)])
        values[::20] += 5.0  # what is no star
        assert fit_surface(x, y, values, np.ones(150)).order == order
    # Of few stars, or stars in a part of the frame, no more is taken than they tell.
    assert fit_surface(x[:7], y[:7], x[:7, None], np.ones(7)).order == 0


def test_fluxes_have_honest_errors_all_over_a_field_that_varies() -> None:
    spec, truth, light, sky = frame(**VARYING)
    good, places = light > -1e9, (truth.x, truth.y)
    rows = np.arange(len(truth))
    psf = build_psf(light, sky, good, places, rows[20:], 3.3, gain_e_per_adu=spec.gain)
    assert psf.order == 2
    fit = fit_psf(light, sky, good, psf, *places, gain_e_per_adu=spec.gain)
    error = flux_error(fit, psf, rows[:40], sky, spec.gain)
    assert error < 0.01
    off = fit.flux / truth.flux
    err = np.hypot(fit.flux_err / fit.flux, error)
    pull = (off / np.average(off, weights=err**-2) - 1) / err
    away = np.hypot(truth.x - 255.5, truth.y - 255.5)
    for part in (away < 150, away > 250, rows < 60, rows >= 60):
        assert 0.7 < np.std(pull[part]) < 1.25
        assert abs(np.mean(pull[part])) < 0.4
    same = build_psf(
        light, sky, good, places, rows[20:], 3.3, gain_e_per_adu=spec.gain, max_order=0
    )
    one = fit_psf(light, sky, good, same, *places, gain_e_per_adu=spec.gain)
    assert flux_error(one, same, rows[:40], sky, spec.gain) > 0.015
    wide, narrow = psf.enclosed_at(4.0, np.array([500.0, 256.0]), np.array([480.0, 256.0]))
    assert wide < 0.9 * narrow
    assert psf.at(500.0, 480.0).enclosed(4.0) == pytest.approx(wide)
