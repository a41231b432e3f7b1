"""Covariates: one formula for measurements and tables, and one entry for all that is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.commands.options import OPTIONS
from lightcurve.core.covariates import COVARIATES, Covariate, covariates_of, standardise
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import QUANTITIES, Quantity, columns_of
from lightcurve.core.settings import make_settings
from lightcurve.curve.blend import Blend, Companion, field_profile
from lightcurve.curve.choose import choose_curve
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.reduced import stack_results
from lightcurve.night.store import decode_result, encode_result
from lightcurve.setup.target import find_target
from lightcurve.tables.run_tables import read_lightcurve, write_lightcurve
from sim import tiny_night
from sim_cube import CubeTruth, simulate_cube


@pytest.fixture
def cube():
    truth = CubeTruth(flip=True, drift_px=30.0, n_stars=12)
    return simulate_cube(np.ones(60), truth, np.random.default_rng(1))


def test_a_table_gives_what_the_measurements_gave(cube, tmp_path):
    beside = (Companion(12.0, 0.0, 0.2, 0.01, "a catalogue"),)
    blend = Blend(field_profile(cube), cube.fwhm_px, beside)
    curve = choose_curve(cube, make_settings({}), blend=blend)
    back = read_lightcurve(write_lightcurve(tmp_path / "lightcurve.csv", curve, cube))
    assert list(back.covariates) == list(curve.covariates) == list(COVARIATES.names())
    for name, values in curve.covariates.items():
        np.testing.assert_allclose(back.covariates[name], values, rtol=1e-12)
    alone = choose_curve(cube, make_settings({}), blend=replace(blend, companions=()))
    assert set(curve.covariates) - set(alone.covariates) == {"other_light"}


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


def test_one_from_a_header_needs_a_quantity_and_an_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(QUANTITIES, "entries", dict(QUANTITIES.entries))
    monkeypatch.setattr(COVARIATES, "entries", dict(COVARIATES.entries))
    folder = tmp_path / "night"
    tiny_night(folder, n_frames=6, shape=(200, 240), n_stars=40, header_wcs=True)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    inventory, target = take_inventory(folder, settings), find_target(settings.target)
    for k, entry in enumerate(inventory.used("light")):
        with fits.open(entry.path, mode="update") as hdus:
            hdus[0].header["FOCUSPOS"] = 100.0 + k if k else "unknown"
    scene = prepare_night(inventory, target, settings, tmp_path / "masters")
    before = scene.recipe.fingerprint()
    QUANTITIES.register(Quantity("focus", "position of the focuser", keyword="FOCUSPOS"))
    COVARIATES.register(Covariate("focus", "of the focuser, steps", ("focus",)))
    assert scene.recipe.fingerprint() != before
    results = [decode_result(encode_result(measure_frame(p, scene.recipe))) for p in scene.lights]
    night = stack_results(results, scene.recipe)
    expected = [np.nan, 101, 102, 103, 104, 105]
    np.testing.assert_array_equal(covariates_of(columns_of(night))["focus"], expected)
    curve = choose_curve(night, settings)
    back = read_lightcurve(write_lightcurve(tmp_path / "lightcurve.csv", curve, night))
    np.testing.assert_array_equal(back.covariates["focus"], expected)
