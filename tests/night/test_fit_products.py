"""What a run makes of a known planet: the fit as the settings want it, and its neighbours."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import Exposure, Finding, Planet
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.neb import Disposition
from lightcurve.night import figures as neighbours
from lightcurve.night.figures import find_neighbours
from lightcurve.night.fit_products import summarise_fit
from lightcurve.night.settle import fit_if_known, predicted_transit
from lightcurve.setup.target import Target
from lightcurve.transit.fit_values import fit_from_json, fit_to_json
from lightcurve.transit.model import transit_flux
from sim_cube import CubeTruth, cube_times, simulate_cube

TRUTH = CubeTruth(n_stars=12, start_jd=2460000.55)
THETA = np.array([0.0, 0.12, 8.0, 0.28, 0.35, 0.36])


@pytest.fixture(scope="module")
def cube():
    moments = cube_times(120, TRUTH)
    planet = _planet()
    flux = transit_flux(moments, np.array([moments.mean(), *THETA[1:]]), planet)
    return simulate_cube(flux, TRUTH, np.random.default_rng(2))


def _planet():
    mid = float(cube_times(120, TRUTH).mean())
    return Planet("Test-1 b", 100.0, 0.0, 2.8, mid, 0.12, 8.0, 88.0, teff_k=5800.0)


def _fit(cube, **fit):
    return _fitted(cube, **fit)[0]


def _fitted(cube, **fit):
    settings = make_settings({"fit": {"sample": False, **fit}})
    scene = SimpleNamespace(reference=SimpleNamespace(exposure=Exposure(exposure_s=100.0)))
    target = Target("Test-1", 100.0, 0.0, "test", _planet())
    return fit_if_known(choose_curve(cube, settings), target, scene, settings)


def test_settings_reach_the_fit(cube, caplog):
    assert _fit(cube).verdict.finding is Finding.TRANSIT
    assert _fit(cube, covariates=["airmass", "fwhm"]).covariates == ("airmass", "fwhm")
    assert _fit(cube, covariates=["none"]).covariates == ()
    with caplog.at_level("INFO", logger="lightcurve"):
        assert _fit(cube, enabled=False) is None
    assert "--no-fit" in caplog.text


def test_a_fit_that_fails_costs_the_fit_alone(cube, caplog):
    with caplog.at_level("WARNING", logger="lightcurve"):
        fit, verdict = _fitted(cube, covariates=["meridian_flip"])
    assert fit is None
    assert "no covariate meridian_flip" in caplog.text
    assert verdict is not None
    assert verdict.finding is Finding.INCONCLUSIVE
    assert "no covariate meridian_flip" in verdict.reason
    told = verdict.results
    assert (told["verdict"].value, told["verdict_reason"].value) == ("inconclusive", verdict.reason)


def _night(cube, radius, planet=None):
    settings = make_settings({"stars": {"neb_radius_arcmin": radius}})
    target = Target("Test-1", 100.0, 0.0, "test", planet or _planet())
    curve = choose_curve(cube, settings)
    return SimpleNamespace(measurements=cube, curve=curve, settings=settings, target=target)


def test_neighbours_are_judged_by_their_own_curves(cube):
    """A star as bright as the target that fades by a tenth could feign it; a quiet one not."""
    plan = cube.plan
    order = np.argsort(-plan.flux_ref)
    loud, quiet = (int(row) for row in order[order != 0][:2])
    ra, dec = plan.ra_deg.copy(), plan.dec_deg.copy()
    ra[:], dec[:] = 200.0, 10.0
    ra[[0, loud, quiet]], dec[[0, loud, quiet]] = 100.0, [0.0, 1 / 60, 2 / 60]
    flux = cube.flux.copy()
    flux[40:80, loud] *= 0.9
    near = replace(cube, flux=flux, plan=replace(plan, ra_deg=ra, dec_deg=dec))
    found = find_neighbours(_night(near, 2.5))
    assert [round(one.separation_arcsec) for one in found] == [60, 120]
    assert found[0].disposition is Disposition.NOT_CLEARED
    assert found[1].disposition in {Disposition.CLEARED, Disposition.LIKELY}
    assert len(find_neighbours(_night(near, 1.5))) == 1
    assert find_neighbours(_night(near, 0)) == find_neighbours(_night(near, 0.5)) == ()


def test_curve_and_neighbours_take_the_same_points_as_in_transit(cube, monkeypatch):
    """Three sigma of the ephemeris, 10 min here, are added on both sides for both."""
    sure, vague = _planet(), replace(_planet(), errors={"t0_bjd_tdb": 10 / 3 / 1440})
    of_curve, of_neighbours = [], []

    def check(*_, in_transit, **__):
        of_neighbours.append(in_transit)
        return []

    monkeypatch.setattr(neighbours, "check_neighbours", check)
    for planet in (sure, vague):
        find_neighbours(_night(cube, 2.5, planet))
        of_curve.append(predicted_transit(Target("Test-1", 100.0, 0.0, "test", planet), cube))
    cadence_min = np.diff(cube.bjd_tdb)[0] * 1440
    for both in (of_curve, of_neighbours):
        added = both[1].sum() - both[0].sum()
        assert added == pytest.approx(20 / cadence_min, abs=2)
    assert np.array_equal(of_curve, of_neighbours)


def test_what_each_covariate_does_is_told_everywhere(cube):
    fit = _fit(cube)
    assert [told.covariate for told in fit.influences] == list(fit.covariates)
    content = json.loads(json.dumps(fit_to_json(fit, _planet())))
    columns = {"model": fit.model, "trend": fit.trend, "residual": fit.residuals, "used": fit.used}
    assert fit_from_json(content, columns).influences == fit.influences
    summary = summarise_fit(fit)
    for told in fit.influences:
        result = summary[f"influence_{told.covariate}"]
        assert result.value == told.radius_ratio_without
        # People are shown those that move the radius by a good part of its error.
        assert bool(result.label) == (abs(told.radius_ratio_without) > 0.2 * told.radius_ratio_err)
