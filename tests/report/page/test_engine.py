"""The page's own reckoning against the program's: the same curves, flags and fits."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Choice, Planet
from lightcurve.core.flags import Flag
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.retake import retake
from lightcurve.report.page.cube import Observed, cube_rows, make_cube
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.model import limb_darkening_prior, transit_flux
from lightcurve.transit.quick import quick_fit
from page_scripts import Scripts, array, unpacked
from sim_cube import CubeTruth, cube_times, simulate_cube

N = 120
PLANET = Planet("b", 10.0, 20.0, 2.0, 2460000.68, 0.12, 9.0, 88.5, teff_k=5800.0)
EXPOSURE_S = 100.0
SETTINGS = make_settings({})
AIJ = make_settings({"apertures": {"style": "aij"}})
NUMBERS = (
    "mid_time_err", "rp_over_rs", "rp_over_rs_err", "depth", "scatter", "chi2", "bic", "n_points",
)  # fmt: skip
ARRAYS = ("flux", "flux_err")
OF_FIT = ("trend", "detrended", "model")


@pytest.fixture(scope="module")
def scripts():
    with closing(Scripts()) as v8:
        yield v8


def make_night(seed, *, planet=PLANET, n=N, damage=True, **truth):
    """A night with all that happens to one: gaps, flags, lost stars, wild points."""
    rng = np.random.default_rng(seed)
    truth = CubeTruth(**({"n_stars": 14} | truth))
    dip = np.ones(n)
    if planet is not None:
        q = limb_darkening_prior(planet.teff_k, "R")[0]
        b = planet.a_over_rs * np.cos(np.radians(planet.inclination_deg))
        theta = np.array([planet.t0_bjd_tdb + 0.003, 0.115, planet.a_over_rs, b, *q])
        dip = transit_flux(cube_times(n, truth), theta, planet, exposure_days=EXPOSURE_S / 86400)
    m = simulate_cube(dip, truth, rng)
    flux, flags = m.flux.copy(), m.flags.copy()
    if damage:
        flux[rng.integers(0, n, 3), 0] *= 1.05
        flux[rng.integers(0, n, 6), rng.integers(1, 14, 6)] *= 1.3
        flux[rng.integers(0, n, 5), rng.integers(1, 14, 5), rng.integers(0, 6, 5)] = np.nan
        flags[rng.integers(0, n, 9), rng.integers(0, 14, 9)] |= np.uint16(Flag.SATURATED)
        flags[: n // 3, 5] |= np.uint16(Flag.NOT_MEASURED)
        flags[:, 6] |= np.uint16(Flag.EDGE)
    fwhm = m.fwhm_px.copy()
    fwhm[rng.integers(0, n, 2)] = np.nan
    return replace(m, flux=flux, flags=flags, fwhm_px=fwhm)


def as_kept(m, cube):
    """The measurements with the digits that the page has."""
    flux, err, step = (numbers(cube[name]) for name in ("flux", "flux_err", "flux_step"))
    rows = cube["rows"]
    kept = {"flux": m.flux.copy(), "flux_err": m.flux_err.copy()}
    kept["flux"][:, rows] = np.where(flux == -(2**31), np.nan, flux * step)
    kept["flux_err"][:, rows] = err
    return replace(m, **kept)


def numbers(packed):
    found = unpacked(packed)
    return array(found["block"]).reshape(found["shape"])


def by_program(m, settings, choice, planet=PLANET, blend=None):
    inside = None if planet is None else mark_transit(planet, m.bjd_tdb)
    curve = retake(m, settings, choice, in_transit=inside, blend=blend)
    fit = quick_fit(curve, planet, choice.covariates, exposure_s=EXPOSURE_S, filter_name="R")
    return curve, fit


def by_page(scripts, m, settings, choice, planet=PLANET, blend=None):
    inside = None if planet is None else mark_transit(planet, m.bjd_tdb)
    own = choose_curve(m, settings, in_transit=inside, blend=blend)
    night = Observed(settings, inside, blend, planet, EXPOSURE_S, "R")
    cube = make_cube(m, cube_rows(m, own), own, night)
    scripts.keep("data", {"cube": cube, "frames": {"file": m.file.tolist()}})
    return recomputed(scripts, choice), as_kept(m, cube)


def recomputed(scripts, choice):
    words = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(choice).items()}
    scripts.keep("choice", words)
    return scripts.run("app.engine.recompute(data, choice)")


def asdict(choice):
    return {name: getattr(choice, name) for name in choice.__slots__}


def assert_same(result, curve, fit, rtol=1e-6, *, of_weights=1e-4):
    for name in ARRAYS:
        np.testing.assert_allclose(array(result[name]), getattr(curve, name), rtol=rtol)
    for name in OF_FIT:
        np.testing.assert_allclose(array(result[name]), getattr(fit, name), rtol=rtol)
    np.testing.assert_allclose(array(result["residual"]), fit.residual, atol=rtol)
    assert result["flags"] == curve.flags.tolist()
    assert result["used"] == fit.used.astype(int).tolist()
    recipe = curve.need_recipe()
    assert result["rows"] == list(recipe.comparison_rows)
    np.testing.assert_allclose(array(result["weights"]), recipe.weights, rtol=of_weights)
    np.testing.assert_allclose(array(result["star_scatter"]), recipe.star_scatter, rtol=of_weights)
    assert result["covariates"] == list(fit.covariates)
    for name in NUMBERS:
        expected = getattr(fit, name)
        if expected is None:
            assert result[name] is None, name
        else:
            assert result[name] == pytest.approx(expected, rel=rtol), name
    if fit.mid_time is None:
        assert result["mid_time"] is result["fine"] is None
    else:
        assert result["mid_time"] == pytest.approx(fit.mid_time, abs=1e-6, rel=0)
        np.testing.assert_allclose(result["fine"]["flux"], fit.fine_flux, atol=rtol)
        np.testing.assert_allclose(result["fine"]["time"], fit.fine_time, rtol=0, atol=1e-6)


CHOICES = [
    Choice((1, 2, 3, 4, 5, 7, 8), 2, "scatter", ("airmass",)),
    Choice((3, 9), 0, "scatter", ()),
    Choice((4,), 1, "scatter", ("time", "airmass")),
    Choice(tuple(range(1, 14)), 8, "scatter", ("airmass", "x", "fwhm", "comparison_flux")),
    Choice(tuple(range(1, 14)), 3, "sum", ("airmass", "sky")),
    Choice((2, 5, 6, 11), 10, "sum", ("meridian_flip", "y"), ("simulated-0033.fits",)),
]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("truth", [{}, {"flip": True, "drift_px": 300.0}, {"cloud": True}])
def test_the_page_and_the_program_agree(scripts, choice, truth):
    m = make_night(7, **truth)
    result, kept = by_page(scripts, m, SETTINGS, choice)
    assert_same(result, *by_program(kept, SETTINGS, choice), rtol=1e-9, of_weights=1e-9)
    assert_same(result, *by_program(m, SETTINGS, choice))
