"""The smooth model goes through the model at the points, and is as fine as the ingress asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Finding
from lightcurve.transit.fit import fit_points
from lightcurve.transit.fit_values import fit_from_json, fit_to_json
from lightcurve.transit.model import transit_flux
from lightcurve.transit.smooth import smooth_model
from lightcurve.transit.solve import Points
from sim_points import MID, PLANET

EXPOSURE_S = 600.0


@pytest.fixture(scope="module")
def fitted():
    time = MID + np.concatenate([np.linspace(-0.15, 0.15, 60), np.linspace(2.65, 2.95, 60)])
    theta = np.array([MID, 0.12, 8.0, 0.28, 0.35, 0.36])
    planet = replace(PLANET, dilution=0.7)
    flux = transit_flux(time, theta, planet, exposure_days=EXPOSURE_S / 86400)
    flux += np.random.default_rng(3).normal(0, 0.001, 120)
    points = Points(time, flux, np.full(120, 0.001), EXPOSURE_S)
    return time, fit_points(points, planet)


def test_it_goes_through_the_model_of_the_points(fitted):
    time, fit = fitted
    assert fit.verdict.finding is Finding.TRANSIT
    fine, flux = smooth_model(fit, PLANET, EXPOSURE_S, time)
    there = np.isfinite(fine)
    assert np.interp(time, fine[there], flux[there]) == pytest.approx(fit.model, abs=2e-5)
    assert np.isnan(fine).sum() == 1, "no line across the gap"
    assert np.nanmax(np.diff(fine)) < 0.1
    assert (fine[0], fine[-1]) == (time[0], time[-1])


def test_it_is_the_same_of_a_fit_read_back(fitted):
    time, fit = fitted
    columns = {"model": fit.model, "trend": fit.trend, "residual": fit.residuals, "used": fit.used}
    read = fit_from_json(fit_to_json(fit, PLANET), columns)
    np.testing.assert_array_equal(
        smooth_model(read, PLANET, EXPOSURE_S, time), smooth_model(fit, PLANET, EXPOSURE_S, time)
    )


def test_without_a_transit_there_is_none(fitted):
    time, fit = fitted
    without = replace(fit.verdict, finding=Finding.NONE)
    for nothing in (replace(fit, solution={}), replace(fit, verdict=without)):
        assert all(part.size == 0 for part in smooth_model(nothing, PLANET, EXPOSURE_S, time))
    assert smooth_model(fit, PLANET, EXPOSURE_S, np.full(3, np.nan))[0].size == 0
