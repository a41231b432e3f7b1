"""Ephemeris, durations, limb darkening and model, against formulas and batman itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lightcurve.core.data import Planet
from lightcurve.core.errors import InputError
from lightcurve.transit.ephemeris import (
    contact_duration,
    impact_parameter,
    make_planet,
    predict_transit,
    read_planet,
    transit_duration,
)
from lightcurve.transit.model import (
    TransitModel,
    load_batman,
    supersample_factor,
    transit_flux,
)
from lightcurve.transit.problem import make_priors

VALUES = {
    "name": "Test b",
    "ra": "02:04:10.278",
    "dec": "+46:41:16.21",
    "period_days": 2.1500082,
    "t0_bjd_tdb": 2455867.402743,
    "rp_over_rs": 0.15,
    "a_over_rs": 6.05,
    "inclination_deg": 88.9,
}


def _planet(**changes) -> Planet:
    return make_planet(VALUES | changes, "test")


batman = load_batman()


def _batman(time, theta, planet, **kwargs):
    """Independent path: batman called directly with an inclination."""
    p = batman.TransitParams()
    e, w = planet.eccentricity, np.radians(planet.omega_deg)
    p.t0, p.rp, p.a, p.per, p.ecc, p.w = (*theta[:3], planet.period_days, e, planet.omega_deg)
    p.inc = np.degrees(np.arccos(theta[3] / theta[2] * (1 + e * np.sin(w)) / (1 - e**2)))
    u1 = 2 * np.sqrt(theta[4]) * theta[5]
    p.u, p.limb_dark = [u1, np.sqrt(theta[4]) - u1], "quadratic"
    return batman.TransitModel(p, time, **kwargs).light_curve(p)


def test_planet_file_is_read(shared_data):
    planet = read_planet(next((shared_data / "planets").iterdir()))
    assert planet.ra_deg == pytest.approx(31.042825)
    assert planet.dec_deg == pytest.approx(46.6878361)
    assert planet.teff_k == 6207
    prediction = predict_transit(planet, 2458107.7)
    assert prediction.mid == pytest.approx(2458107.7113, abs=5e-5)
    assert prediction.epoch == 1042
    assert np.isnan(prediction.mid_err)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"period_days": -1}, "period_days = -1 is outside"),
        ({"rp_over_rs": "big"}, "must be a number"),
        ({"perod_days": 3}, "perod_days is not known"),
        ({"ra": "2 hours of sleep"}, "no angle"),
        ({"ra": [1, 2]}, "no angle"),
        ({"ra": True}, "no angle"),
        ({"dec": float("nan")}, "outside"),
        ({"dec": 95.0}, "outside"),
        ({"logg_err": float("nan")}, "must be a number"),
        ({"star": 3}, "star is not known"),
    ],
)
def test_wrong_planet_values_are_named(changes, words):
    with pytest.raises(InputError, match=words):
        _planet(**changes)


def test_planet_file_errors(tmp_path):
    path = tmp_path / "planet.toml"
    with pytest.raises(InputError, match="cannot be read"):
        read_planet(path)
    path.write_text("name = 'x'")
    with pytest.raises(InputError, match="period_days"):
        read_planet(path)
    path.write_text(f"name = 1{5000 * '0'}")
    with pytest.raises(InputError, match=r"planet\.toml"):
        read_planet(path)
    path.write_text("name = ")
    with pytest.raises(InputError, match=r"planet\.toml"):
        read_planet(path)


def test_error_of_the_prediction_grows_with_epochs():
    planet = _planet(period_days_err=1e-6, t0_bjd_tdb_err=3e-4)
    after = predict_transit(planet, planet.t0_bjd_tdb + 1000 * planet.period_days + 0.1)
    assert after.epoch == 1000
    assert after.mid_err == pytest.approx(np.hypot(3e-4, 1e-3))


@pytest.mark.parametrize("ecc", [0.0, 0.3])
@pytest.mark.parametrize("inclination", [90.0, 86.0])
def test_duration_is_where_the_model_leaves_one(ecc, inclination):
    planet = _planet(eccentricity=ecc, omega_deg=40.0, inclination_deg=inclination)
    time = np.linspace(-0.15, 0.15, 200001)
    b = impact_parameter(planet)
    flux = transit_flux(time, np.array([0.0, 0.15, 6.05, b, 0.3, 0.3]), planet)
    inside = time[flux < 1 - 1e-9]
    # Winn's formula is itself an approximation for eccentric orbits.
    tolerance = 2e-5 if ecc == 0 else 2e-3
    assert transit_duration(planet) == pytest.approx(np.ptp(inside), abs=tolerance)


@pytest.mark.parametrize(("ecc", "omega"), [(0.1, 200.0), (0.3, 0.0), (0.5, 140.0)])
def test_contacts_of_an_eccentric_orbit_are_those_of_newtons_law(ecc, omega):
    """Integrated from conjunction on, both ways, without Kepler's equation."""
    planet = _planet(
        eccentricity=ecc, omega_deg=omega, a_over_rs=9.0, inclination_deg=86.5, rp_over_rs=0.1
    )
    w, tilt = np.radians([omega, planet.inclination_deg])
    anomaly, pull = np.pi / 2 - w, (2 * np.pi / planet.period_days) ** 2 * 9.0**3
    distance = 9.0 * (1 - ecc**2) / (1 + ecc * np.cos(anomaly))
    # From periastron; y along the line of sight at conjunction is found by turning by omega.
    place = distance * np.array([np.cos(anomaly), np.sin(anomaly)])
    speed = np.sqrt(pull / (9.0 * (1 - ecc**2)))
    start = [*place, -speed * np.sin(anomaly), speed * (ecc + np.cos(anomaly))]

    def fall(_, state):
        return [*state[2:], *(-pull * state[:2] / np.hypot(*state[:2]) ** 3)]

    def touches(_, state):
        across = state[0] * np.cos(w) - state[1] * np.sin(w)
        along = state[0] * np.sin(w) + state[1] * np.cos(w)
        return np.hypot(across, along * np.cos(tilt)) - 1.1

    times = [
        solve_ivp(fall, (0, end), start, events=touches, rtol=1e-10, atol=1e-10).t_events[0][0]
        for end in (-0.2, 0.2)
    ]
    found = predict_transit(planet, planet.t0_bjd_tdb)
    assert found.ingress - found.mid == pytest.approx(times[0], abs=1e-5)
    assert found.egress - found.mid == pytest.approx(times[1], abs=1e-5)
    assert abs(sum(times)) > 2e-4  # a circular orbit's are half a minute off


def test_no_transit_has_no_duration():
    assert transit_duration(_planet(inclination_deg=60.0)) == 0
    assert contact_duration(_planet(), rp=0.1, a=8.0, b=0.95, inner=True) == 0


@pytest.mark.parametrize("ecc", [0.0, 0.2])
def test_model_is_batmans(ecc):
    planet = _planet(eccentricity=ecc, omega_deg=70.0)
    time = 2458107.7 + np.linspace(-0.1, 0.1, 300)
    theta = np.array([2458107.71, 0.12, 7.0, 0.4, 0.35, 0.4])
    assert transit_flux(time, theta, planet) == pytest.approx(
        _batman(time, theta, planet), abs=1e-7
    )


def test_long_exposures_are_averaged():
    planet = _planet()
    time = np.linspace(-0.1, 0.1, 60)
    theta = np.array([0.0, 0.15, 6.05, 0.1, 0.3, 0.3])
    for minutes in (1.0, 5.0, 30.0):
        exposure = minutes / 1440
        truth = _batman(time, theta, planet, supersample_factor=301, exp_time=exposure)
        ours = transit_flux(time, theta, planet, exposure_days=exposure)
        assert np.abs(ours - truth).max() < 2e-5, minutes
    assert supersample_factor(planet, 30 / 1440) > supersample_factor(planet, 1 / 1440)
    assert supersample_factor(planet, 0.0) == 1


def test_impossible_orbit_is_nan():
    model = TransitModel(np.linspace(-0.1, 0.1, 9), _planet(), 0.0)
    assert np.isnan(model(np.array([0.0, 0.1, 1.1, 1.5, 0.3, 0.3]))).all()


def test_priors_keep_to_one_epoch():
    planet = _planet(period_days=0.2, a_over_rs=1.5, t0_bjd_tdb=2458000.0)
    priors = make_priors(planet, 2458000.0 + np.linspace(-0.05, 0.05, 50))
    assert priors.upper[0] - priors.lower[0] <= planet.period_days * (1 + 1e-9)
    assert any("no error" in note for note in priors.notes)
    priors = make_priors(
        _planet(a_over_rs_err=0.04, inclination_deg_err=0.5), np.array([2458000.0])
    )
    assert priors.width[2] == 0.04
    assert priors.width[3] == pytest.approx(6.05 * np.radians(0.5), rel=1e-3)
