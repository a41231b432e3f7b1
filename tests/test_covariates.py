"""Covariates: one formula for measurements and tables, and one entry for all that is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sim_cube import CubeTruth, simulate_cube

from lightcurve.commands.options import OPTIONS
from lightcurve.config import make_settings
from lightcurve.covariates import COVARIATES, Covariate, covariates_of, standardise
from lightcurve.curve.choose import choose_curve
from lightcurve.errors import InputError
from lightcurve.formats.tables import read_lightcurve, write_lightcurve
from lightcurve.quantities import columns_of


@pytest.fixture
def cube():
    truth = CubeTruth(flip=True, drift_px=30.0, n_stars=12)
    return simulate_cube(np.ones(60), truth, np.random.default_rng(1))


def test_a_table_gives_what_the_measurements_gave(cube, tmp_path):
    curve = choose_curve(cube, make_settings({}))
    back = read_lightcurve(write_lightcurve(tmp_path / "lightcurve.csv", curve, cube))
    assert list(back.covariates) == list(curve.covariates) == list(COVARIATES.names())
    for name, values in curve.covariates.items():
        np.testing.assert_allclose(back.covariates[name], values, rtol=1e-12)


def test_a_night_has_only_what_its_columns_give(cube):
    columns = columns_of(replace(cube, rotation_deg=np.zeros(60)))
    assert "meridian_flip" not in covariates_of(columns)
    assert "comparison_flux" not in covariates_of(columns)
    del columns["airmass"]
    assert "airmass" not in covariates_of(columns)


def test_standardised_over_what_is_used():
    values = np.array([1.0, 3.0, np.nan, 100.0])
    use = np.array([True, True, True, False])
    np.testing.assert_allclose(standardise(values, use), [-1, 1, 0, 98])
    np.testing.assert_array_equal(standardise(np.ones(4)), np.zeros(4))
    np.testing.assert_array_equal(standardise(values, np.zeros(4, bool)), np.zeros(4))


def test_one_more_covariate_needs_one_entry(cube, tmp_path, monkeypatch):
    """It is computed on both ways, asked for by name, and stands in the help."""
    monkeypatch.setattr(COVARIATES, "entries", dict(COVARIATES.entries))
    with pytest.raises(InputError, match="must be one of airmass"):
        make_settings({"fit": {"covariates": ["blur"]}})
    COVARIATES.register(
        Covariate("blur", "seeing squared", ("fwhm_px",), lambda c: c["fwhm_px"] ** 2)
    )
    settings = make_settings({"fit": {"covariates": ["blur"]}})
    assert "blur" in OPTIONS["fit.covariates"].help_text()
    curve = choose_curve(cube, settings)
    np.testing.assert_array_equal(curve.covariates["blur"], cube.fwhm_px**2)
    back = read_lightcurve(write_lightcurve(tmp_path / "lightcurve.csv", curve, cube))
    np.testing.assert_allclose(back.covariates["blur"], cube.fwhm_px**2)
