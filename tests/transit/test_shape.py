"""A transit's shape from what people have, against batman, Kepler's third law and draws."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import Severity
from lightcurve.core.errors import InputError
from lightcurve.core.settings import FitSettings
from lightcurve.transit.ephemeris import (
    impact_parameter,
    make_planet,
    predict_transit,
    transit_duration,
)
from lightcurve.transit.fit import fit_points
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.problem import make_priors, orbit_spread
from lightcurve.transit.sample import ByChord
from lightcurve.transit.shape import SUN_DENSITY, SUN_GRAVITY, lacking
from lightcurve.transit.solve import Points, solve_points

BASE = {
    "name": "Test b", "ra": 10.0, "dec": 20.0, "period_days": 3.0, "t0_bjd_tdb": 2459000.0,
}  # fmt: skip
STAR = {"teff_k": 5800.0, "logg": 4.4, "feh": 0.0}
SIZE = {"rp_over_rs": 0.1}


def _planet(**values):
    return make_planet(BASE | values, "test.toml")


def _hours(a, b, ecc=0.0, omega=90.0):
    """How long batman's transit takes light away."""
    planet = _planet(**SIZE, a_over_rs=a, inclination_deg=90.0, eccentricity=ecc, omega_deg=omega)
    time = np.linspace(-0.2, 0.2, 40001)
    flux = transit_flux(time, np.array([0.0, 0.1, a, b, 0.3, 0.3]), planet)
    return 24 * np.ptp(time[flux < 1 - 1e-9])


@pytest.mark.parametrize("ecc", [0.0, 0.3])
@pytest.mark.parametrize(("a", "b"), [(9.0, 0.2), (6.0, 0.7), (20.0, 0.5)])
def test_a_duration_of_batmans_gives_its_orbit_back(a, b, ecc):
    orbit = {"eccentricity": ecc, "omega_deg": 50.0}
    hours = _hours(a, b, ecc, 50.0)
    # Winn's formula is an approximation for eccentric orbits.
    close = 3e-3 if ecc else 4e-4
    by_b = _planet(**SIZE, **orbit, duration_hours=hours, impact_parameter=b)
    assert by_b.a_over_rs == pytest.approx(a, rel=close)
    by_a = _planet(**SIZE, **orbit, duration_hours=hours, a_over_rs=a)
    assert impact_parameter(by_a) == pytest.approx(b, abs=0.02)
    by_angle = _planet(**SIZE, **orbit, duration_hours=hours, inclination_deg=by_b.inclination_deg)
    assert by_angle.a_over_rs == pytest.approx(a, rel=close)
    assert by_angle.free == ("a_over_rs",)
    for planet in (by_b, by_a, by_angle):
        assert 24 * transit_duration(planet) == pytest.approx(hours, rel=1e-3)


@pytest.mark.parametrize(("a", "b", "ecc"), [(9.0, 0.3, 0.0), (6.0, 0.7, 0.2), (15.0, 0.5, 0.4)])
def test_two_durations_give_the_orbit_back(a, b, ecc):
    orbit = {"eccentricity": ecc, "omega_deg": 20.0}
    truth = _planet(**SIZE, **orbit, a_over_rs=a, impact_parameter=b)
    hours = [24 * transit_duration(truth, inner=inner) for inner in (False, True)]
    planet = _planet(
        **SIZE, **orbit, duration_hours=hours[0], duration_hours_err=0.05,
        full_duration_hours=hours[1], full_duration_hours_err=0.06,
    )  # fmt: skip
    assert planet.a_over_rs == pytest.approx(a)
    assert impact_parameter(planet) == pytest.approx(b)
    assert [one.days * 24 for one in planet.durations] == pytest.approx(hours)
    assert [one.err * 24 for one in planet.durations] == pytest.approx([0.05, 0.06])
    pulls = make_priors(planet, np.array([2459000.0])).duration_pulls(
        np.array([2459000.0, 0.1, a, b, 0.3, 0.3])
    )
    assert pulls == pytest.approx([0.0, 0.0], abs=1e-6)


def test_stars_are_weighed_by_keplers_third_law():
    # The Earth: a year, and an astronomical unit in solar radii.
    year = _planet(period_days=365.256363, mass_sun=1.0, radius_sun=1.0, **SIZE)
    assert year.a_over_rs == pytest.approx(215.03, rel=1e-3)
    axis = _planet(period_days=365.256363, semi_major_axis_au=1.0, radius_sun=1.0, **SIZE)
    assert axis.a_over_rs == pytest.approx(215.032, rel=1e-6)
    density = _planet(density_g_cm3=SUN_DENSITY, **SIZE)
    weight = _planet(mass_sun=1.0, radius_sun=1.0, **SIZE)
    gravity = _planet(star={"logg": SUN_GRAVITY, "radius_sun": 1.0}, **SIZE)
    assert density.a_over_rs == weight.a_over_rs == pytest.approx(gravity.a_over_rs)
    # And what the fit says of the star's density is the same of them.
    assert density.free == ("impact_parameter",)


def test_errors_are_propagated():
    planet = _planet(
        mass_sun=1.0, mass_sun_err=0.06, radius_sun=1.1, radius_sun_err=0.04,
        radius_jupiter=1.2, radius_jupiter_err=0.05, impact_parameter=0.4, impact_parameter_err=0.1,
    )  # fmt: skip
    # To first order: a goes as (M / R^3)^(1/3).
    relative = np.hypot(0.06 / 3, 0.04 / 1.1)
    assert planet.errors["a_over_rs"] == pytest.approx(planet.a_over_rs * relative, rel=0.04)
    relative = np.hypot(0.05 / 1.2, 0.04 / 1.1)
    assert planet.errors["rp_over_rs"] == pytest.approx(planet.rp_over_rs * relative, rel=0.04)
    priors = make_priors(planet, np.array([2459000.0]))
    assert priors.width[2:4] == pytest.approx([planet.errors["a_over_rs"], 0.1])


@pytest.mark.parametrize("b", [0.0, 0.6])
@pytest.mark.parametrize("teff", [4500.0, 6500.0])
def test_a_depth_is_the_light_lost_at_mid_transit(b, teff):
    star = STAR | {"teff_k": teff}
    q = limb_darkening_prior(teff, "TESS", logg=4.4, feh=0.0)[0]
    truth = _planet(rp_over_rs=0.09, a_over_rs=9.0, inclination_deg=90.0)
    depth = 1 - transit_flux(np.zeros(1) + 2459000, np.array([2459000, 0.09, 9.0, b, *q]), truth)[0]
    planet = _planet(depth_percent=100 * depth, a_over_rs=9.0, impact_parameter=b, star=star)
    assert planet.rp_over_rs == pytest.approx(0.09, rel=0.006)
    assert planet.errors["rp_over_rs"] == pytest.approx(0.04 * 0.09, rel=0.1)
    squared = _planet(radius_ratio_squared_percent=0.81, a_over_rs=9.0, impact_parameter=b)
    assert squared.rp_over_rs == pytest.approx(0.09)
    assert "rp_over_rs" not in squared.errors


def test_eccentricity_in_any_form():
    e, omega = 0.3, 130.0
    x, y = np.cos(np.radians(omega)), np.sin(np.radians(omega))
    plain = _planet(**SIZE, a_over_rs=9.0, inclination_deg=89.0, eccentricity=e, omega_deg=omega)
    for form in (
        {"e_cos_omega": e * x, "e_sin_omega": e * y},
        {"sqrt_e_cos_omega": np.sqrt(e) * x, "sqrt_e_sin_omega": np.sqrt(e) * y},
    ):
        planet = _planet(**SIZE, a_over_rs=9.0, inclination_deg=89.0, **form)
        assert planet.eccentricity == pytest.approx(e)
        assert planet.omega_deg == pytest.approx(omega)
        assert transit_duration(planet) == pytest.approx(transit_duration(plain))
    with pytest.raises(InputError, match="give both"):
        _planet(**SIZE, a_over_rs=9.0, inclination_deg=89.0, e_cos_omega=0.1)


def test_errors_of_the_orbit_widen_that_of_the_axis():
    shape = {**SIZE, "a_over_rs": 9.0, "a_over_rs_err": 0.2, "inclination_deg": 89.0}
    orbit = {"eccentricity": 0.3, "omega_deg": 40.0}
    errors = {"eccentricity_err": 0.04, "omega_deg_err": 8.0}
    rng = np.random.default_rng(3)
    e, omega = rng.normal(0.3, 0.04, 20000), np.radians(rng.normal(40, 8, 20000))
    drawn = np.log((1 + e * np.sin(omega)) / np.sqrt(1 - e**2))
    planet = _planet(**shape, **orbit, **errors)
    assert orbit_spread(planet) == pytest.approx(np.std(drawn), rel=0.05)
    width = make_priors(planet, np.array([2459000.0])).width[2]
    assert width == pytest.approx(np.hypot(0.2, 9.0 * orbit_spread(planet)))
    assert make_priors(_planet(**shape), np.array([2459000.0])).width[2] == 0.2


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ({"a_over_rs": 6.0, "inclination_deg": 89.0, "density_g_cm3": 4.0}, ("6 ", "12.39")),
        ({"a_over_rs": 9.0, "inclination_deg": 89.0, "duration_hours": 4.0}, ("4", "2.78")),
        (
            {"mass_sun": 1.0, "radius_sun": 1.0, "duration_hours": 4.5, "duration_hours_err": 0.1},
            ("4.5", "2.887"),
        ),
    ],
)
def test_what_contradicts_is_told_with_its_numbers(values, numbers):
    planet = _planet(**SIZE, **values)
    warned = [note.text for note in planet.notes if note.severity is Severity.WARNING]
    assert len(warned) == 1
    assert all(number in warned[0] for number in numbers)


def test_a_duration_that_no_star_of_that_size_has_is_believed():
    planet = _planet(
        **SIZE, mass_sun=1.0, radius_sun=1.0, duration_hours=4.5, duration_hours_err=0.1
    )
    assert 24 * transit_duration(planet) == pytest.approx(4.5)
    assert "a_over_rs" in planet.free


def test_an_axis_that_is_not_believed_is_not_used():
    planet = _planet(**SIZE, a_over_rs=8.75, a_over_rs_err=0.2, duration_hours=6.0)
    assert 24 * transit_duration(planet) == pytest.approx(6.0)
    assert planet.a_over_rs < 5
    assert planet.free == ("a_over_rs", "impact_parameter")
    assert "a_over_rs" not in planet.errors


@pytest.mark.parametrize(
    "values",
    [
        SIZE,
        {"duration_hours": 3.0},
        SIZE | {"duration_hours": 40.0},
        SIZE | {"duration_hours": 2.0, "full_duration_hours": 2.5},
        SIZE | {"duration_hours": 2.5, "impact_parameter": 1.5},
        SIZE | {"mass_sun": 1.0, "radius_sun": 30.0},
        SIZE | {"duration_hours": 2.5, "e_cos_omega": 0.9, "e_sin_omega": 0.9},
        SIZE | {"duration_hours": 2.5, "dilution": 0.9, "contamination": 0.1},
        SIZE | {"duration_hours": 2.5, "contamination": {"Zorro": 0.1}},
        SIZE | {"duration_hours": 2.5, "contamination": {"V_err": 0.1}},
        SIZE | {"duration_hours": 2.5, "dilution": {"V": 1.4}},
        SIZE | {"duration_hours": 10**400},
        SIZE | {"duration_hours": 2.5, "ra": 10**400},
        {"radius_jupiter": 9.0, "radius_sun": 0.01, "duration_hours": 2.5},
        SIZE | {"semi_major_axis_au": 1000.0, "radius_sun": 0.001},
    ],
)
def test_too_little_or_nonsense_is_refused(values):
    with pytest.raises(InputError):
        _planet(**values)


def test_what_is_lacking_is_named():
    assert lacking({"rp_over_rs", "duration_hours"}) == []
    assert lacking({"depth_percent", "mass_sun", "radius_sun"}) == []
    assert len(lacking({"radius_earth"})) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"depth_percent": 1.0, "duration_hours": 2.5, "duration_hours_err": 0.1, "star": STAR},
        {**SIZE, "a_over_rs": 9.0, "impact_parameter": 0.3, "impact_parameter_err": 0.05},
        {**SIZE, "duration_hours": 2.5, "dilution": {"ip": 0.9, "ip_err": 0.01, "V": 0.8}},
        {**SIZE, "density_g_cm3": 1.2, "density_g_cm3_err": 0.1, "sqrt_e_cos_omega": 0.1,
         "sqrt_e_sin_omega": 0.2},
    ],
)  # fmt: skip
def test_a_planet_is_kept_and_read_back(values):
    planet = _planet(**values)
    assert make_planet(planet_values(planet), "test.toml") == planet


def test_dilution_goes_by_filter():
    planet = _planet(**SIZE, duration_hours=2.5, contamination={"ip": 0.25, "ip_err": 0.05})
    assert planet.seen_in("V").dilution is planet.seen_in(None).dilution is None
    seen = planet.seen_in("ip")
    assert seen.dilution == pytest.approx(0.8)
    assert seen.errors["dilution"] == pytest.approx(0.05 * 0.8**2)
    one = _planet(**SIZE, duration_hours=2.5, contamination=0.25)
    assert one.dilution == pytest.approx(0.8)


def _candidate(rng, *, b, ecc=0.0, omega=70.0):
    """A night of a candidate with period, epoch, depth and duration known; and the truth."""
    orbit = {"eccentricity": ecc, "omega_deg": omega}
    truth = _planet(**SIZE, **orbit, a_over_rs=9.0, impact_parameter=b, star=STAR)
    mid, length = 2459000.0 + 0.004, transit_duration(truth)
    time = np.arange(mid - length / 2 - 0.05, mid + length / 2 + 0.05, 300 / 86400)
    q = limb_darkening_prior(5800.0, "V", logg=4.4, feh=0.0)[0]
    theta = np.array([mid, 0.1, 9.0, b, *q])
    flux = transit_flux(time, theta, truth, exposure_days=300 / 86400)
    depth = 100 * (1 - transit_flux(np.array([mid]), theta, truth)[0])
    flux *= 1 + 1e-3 * rng.normal(size=len(time))
    planet = _planet(
        depth_percent=depth * rng.normal(1, 0.05), duration_hours=24 * length * rng.normal(1, 0.03),
        duration_hours_err=0.03 * 24 * length, t0_bjd_tdb_err=0.005, star=STAR, **orbit,
    )  # fmt: skip
    points = Points(time, flux, np.full(len(time), 1e-3), 300.0, filter_name="V")
    return (
        points,
        planet,
        {"mid_time_bjd_tdb": mid, "duration_days": length, "depth_percent": depth},
    )


@pytest.mark.parametrize(("b", "ecc"), [(0.2, 0.0), (0.7, 0.0), (0.4, 0.35)])
def test_a_candidate_is_recovered(b, ecc):
    points, planet, truth = _candidate(np.random.default_rng(8), b=b, ecc=ecc)
    fit = fit_points(points, planet, settings=FitSettings(sample=False))
    assert fit.found
    for name, value in truth.items():
        found = fit.parameters[name]
        assert abs(found.value - value) < 3.5 * (found.upper - found.lower) / 2, name
    assert (
        abs(predict_transit(planet, truth["mid_time_bjd_tdb"]).duration - truth["duration_days"])
        < 0.02
    )


def test_the_chord_samples_the_same_posterior():
    points, planet, _ = _candidate(np.random.default_rng(9), b=0.5)
    solved, _, _ = solve_points(points, planet, FitSettings(), np.ones(len(points.time), bool))
    chord, theta = ByChord(solved.problem), solved.theta + np.array([0, 0, 0, 0.1, 0, 0])
    there = chord.swap(theta)
    assert chord.swap(there) == pytest.approx(theta, rel=1e-12)
    # Densities change by the determinant of the derivatives.
    other = theta + np.array([1e-4, 1e-3, 0.05, 0.02, 0.01, 0.01])
    plain = solved.problem.log_probabilities(np.array([theta, other]))
    swapped = chord.log_probabilities(chord.swap(np.array([theta, other])))
    volume = [np.log(abs(np.linalg.det(chord.tangent(one)))) for one in (theta, other)]
    assert np.diff(swapped + volume) == pytest.approx(np.diff(plain), abs=1e-6)
    beyond = there.copy()
    beyond[3] = 1.3  # passes the star by
    assert chord.log_probabilities(np.array([beyond]))[0] == -np.inf
