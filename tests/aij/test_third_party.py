"""Another program's reader of AstroImageJ files takes ours: stellarphot, where it is installed.

Its reader needs astropy alone: ``pip install --no-deps stellarphot`` is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from lightcurve.aij.write_table import write_apertures, write_measurements
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from sim_cube import CubeTruth, simulate_cube


@pytest.fixture(scope="module")
def stellarphot():
    """Its module for AstroImageJ files, without the rest of the package."""
    # Not `importorskip`: that would import the package, which wants more than we need.
    package = importlib.util.find_spec("stellarphot")
    if package is None:
        pytest.skip("stellarphot is not installed (pip install --no-deps): no other reader to ask")
    path = Path(package.submodule_search_locations[0]) / "io" / "aij.py"
    spec = importlib.util.spec_from_file_location("stellarphot_io_aij", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def night():
    cube = simulate_cube(np.ones(20), CubeTruth(n_stars=9), np.random.default_rng(2))
    return cube, choose_curve(cube, Settings())


@pytest.mark.parametrize("name", ["measurements.csv", "measurements.tbl"])
def test_measurements(stellarphot, night, name, tmp_path):
    cube, curve = night
    path = write_measurements(tmp_path / name, cube, curve, image_height=1000)
    stars = stellarphot.parse_aij_table(str(path))
    np.testing.assert_array_equal(stars[0].counts.value, curve.target_flux)
    np.testing.assert_array_equal(stars[0].airmass, cube.airmass)
    np.testing.assert_allclose(stars[2].ra.to("deg").value, cube.plan.ra_deg[2], rtol=1e-12)
    np.testing.assert_allclose(stars[2].dec.value, cube.plan.dec_deg[2], rtol=1e-12)


def test_apertures(stellarphot, night, tmp_path):
    plan = night[0].plan
    path = write_apertures(
        tmp_path / "x.aperture", plan, range(4), radius=5.0, annulus=(9.0, 14.0), image_height=1000
    )
    found = stellarphot.ApertureFileAIJ.read(str(path))
    assert found.aperture.radius == 5.0
    assert found.aperture.rback1 == 9.0
    np.testing.assert_allclose(found.multiaperture.raapertures, plan.ra_deg[:4])
    np.testing.assert_allclose(found.multiaperture.xapertures, plan.x_ref[:4] + 0.5)
