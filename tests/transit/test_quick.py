"""The quick fit against known truth, batman and a general least-squares solver."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from lightcurve.core.data import LightCurve, Planet
from lightcurve.core.flags import Flag
from lightcurve.transit.ephemeris import impact_parameter
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.quick import quick_fit

PLANET = Planet("b", 10.0, 20.0, 2.15, 2458000.0, 0.15, 6.0, 88.0, teff_k=6200.0)
MID = 2458000.0 + 50 * 2.15
EXPOSURE_S = 120.0


def theta_of(planet, mid, rp):
    q1, q2 = limb_darkening_prior(planet.teff_k, "R")[0]
    return np.array([mid, rp, planet.a_over_rs, impact_parameter(planet), q1, q2])


def make_curve(planet=PLANET, *, n=200, mid=MID + 0.004, rp=0.14, noise=0.002, span=0.12, seed=1):
    """A transit in noise, on a slope with airmass."""
    rng = np.random.default_rng(seed)
    time = MID + np.linspace(-span, span, n)
    airmass = 1.2 + 3 * (time - MID + 0.05) ** 2
    flux = transit_flux(time, theta_of(planet, mid, rp), planet, exposure_days=EXPOSURE_S / 86400)
    flux = 0.98 * flux * (1 + 0.05 * (airmass - airmass.mean()))
    error = noise * rng.uniform(0.8, 1.4, n)
    ones = np.ones(n)
    return LightCurve(
        file=np.array([f"f{k:03}.fits" for k in range(n)]),
        jd_utc=time - 0.002,
        bjd_tdb=time,
        flux=flux + error * rng.standard_normal(n),
        flux_err=np.maximum(error, 1e-6),
        target_flux=ones,
        comparison_flux=ones,
        flags=np.zeros(n, dtype=np.uint16),
        covariates={"airmass": airmass, "time": time - time.mean(), "sky": ones, "x": 3 * airmass},
    )


def fit(curve, planet=PLANET, covariates=("airmass",), **options):
    return quick_fit(curve, planet, covariates, exposure_s=EXPOSURE_S, filter_name="R", **options)


@pytest.mark.parametrize(("e", "omega"), [(0.0, 90.0), (0.4, 200.0)])
def test_truth_comes_back_without_noise(e, omega):
    planet = replace(PLANET, eccentricity=e, omega_deg=omega)
    found = fit(make_curve(planet, noise=0.0, mid=MID + 0.02, rp=0.12), planet)
    assert found.mid_time == pytest.approx(MID + 0.02, abs=1e-6)
    assert found.rp_over_rs == pytest.approx(0.12, abs=1e-6)
    flux = transit_flux(np.array([MID]), theta_of(planet, MID, 0.12), planet)
    assert found.depth == pytest.approx(1 - flux[0], abs=1e-6)
    assert found.scatter < 1e-6


def test_the_best_fit_is_that_of_a_general_solver():
    curve = make_curve()
    found = fit(curve)
    z = curve.covariates["airmass"]
    z = (z - z.mean()) / z.std()

    def residuals(p):
        light = transit_flux(
            curve.bjd_tdb, theta_of(PLANET, MID + p[2] / 1e3, p[3]), PLANET,
            exposure_days=EXPOSURE_S / 86400,
        )  # fmt: skip
        return (curve.flux - light * (p[0] + p[1] * z)) / curve.flux_err

    start, size = [1, 0.01, 3, 0.15], [1, 0.01, 1, 0.1]
    best = least_squares(residuals, start, "3-point", x_scale=size, diff_step=1e-4, xtol=1e-14)
    covariance = np.linalg.inv(best.jac.T @ best.jac) * 2 * best.cost / (200 - 4)
    assert found.chi2 == pytest.approx(2 * best.cost, rel=1e-6)
    assert found.bic == pytest.approx(2 * best.cost + 4 * np.log(200), rel=1e-6)
    assert found.mid_time - MID == pytest.approx(best.x[2] / 1e3, abs=1e-6)
    assert found.rp_over_rs == pytest.approx(best.x[3], rel=1e-4)
    assert found.mid_time_err == pytest.approx(np.sqrt(covariance[2, 2]) / 1e3, rel=1e-2)
    assert found.rp_over_rs_err == pytest.approx(np.sqrt(covariance[3, 3]), rel=1e-2)


def test_errors_are_as_large_as_the_truth_is_missed():
    fits = [fit(make_curve(seed=seed)) for seed in range(40)]
    pulls = [(f.mid_time - MID - 0.004) / f.mid_time_err for f in fits]
    pulls += [(f.rp_over_rs - 0.14) / f.rp_over_rs_err for f in fits]
    assert 0.8 < np.std(pulls) < 1.25


def test_flagged_points_take_no_part():
    curve = make_curve()
    flux, flags = curve.flux.copy(), curve.flags.copy()
    flux[[3, 90]], flux[7] = 3.0, np.nan
    flags[3], flags[5], flags[90] = Flag.CLOUD, Flag.CROWDED, Flag.OUTLIER
    found = fit(replace(curve, flux=flux, flags=flags))
    assert np.flatnonzero(~found.used).tolist() == [3, 7, 90]
    assert found.n_points == 197
    assert found.mid_time == pytest.approx(fit(curve).mid_time, abs=3e-4)
    assert np.isfinite(found.residual[[3, 90]]).all()


def test_columns_that_tell_nothing_new_are_left_out():
    found = fit(make_curve(), covariates=("airmass", "sky", "x", "time", "nothing"))
    assert found.covariates == ("airmass", "time")


def test_light_of_others_makes_the_transit_shallower_and_not_the_planet():
    curve = make_curve(noise=0.0, rp=0.12)
    light = 0.98 * (1 + 0.05 * (curve.covariates["airmass"] - curve.covariates["airmass"].mean()))
    diluted = replace(curve, flux=light * (1 - 0.8 * (1 - curve.flux / light)))
    found = fit(diluted, dilution=(0.8, 0.01))
    assert found.rp_over_rs == pytest.approx(0.12, abs=1e-6)


@pytest.mark.parametrize(
    ("curve", "planet"),
    [
        (make_curve(), None),
        (replace(make_curve(), bjd_tdb=make_curve().bjd_tdb + 1.0), PLANET),  # no transit in it
        (make_curve(rp=1e-3, seed=3), PLANET),
        (make_curve(), replace(PLANET, inclination_deg=60.0)),
        (make_curve(n=4), PLANET),
        (replace(make_curve(), bjd_tdb=np.full(200, np.nan)), PLANET),
    ],
)
def test_without_a_transit_level_and_trend_alone(curve, planet):
    found = fit(curve, planet)
    assert found.mid_time is found.rp_over_rs is found.depth is found.mid_time_err is None
    assert np.all(found.model == 1)
    assert np.isfinite([found.scatter, found.bic]).all()


def test_nothing_is_left():
    curve = make_curve()
    found = fit(replace(curve, flags=np.full(200, Flag.CLOUD, dtype=np.uint16)))
    assert found.n_points == 0
    assert np.isnan([found.scatter, found.bic, found.trend[0]]).all()
