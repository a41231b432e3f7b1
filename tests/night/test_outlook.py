"""What a night promises is what it then gives: coverage, and the errors of repeated trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core import times
from lightcurve.core.data import Exposure, Planet, Site, StarRole
from lightcurve.night.outlook import Covered, cover, expect, transit_errors
from lightcurve.transit.ephemeris import dip_shape, predict_transit
from sim_cube import CubeTruth, cube_times, simulate_cube

SITE = Site(30.0, 0.0, 0.0, "")
PLANET = Planet("Test-1 b", 100.0, 20.0, 3.0, 2460000.5, 0.12, 9.0, 89.0)
PLACE = (PLANET.ra_deg, PLANET.dec_deg)


def lights(first_bjd: float, last_bjd: float, n: int = 120) -> list[Exposure]:
    """Frames between two moments as the star's light arrives at the Sun."""
    bjd = np.linspace(first_bjd, last_bjd, n)
    offset = times.bjd_tdb(np.array([bjd[0]]), *PLACE, SITE)[0] - bjd[0]
    return [Exposure(mid_jd_utc=moment - offset, site=SITE) for moment in bjd]


def covered(before_h: float, after_h: float) -> Covered:
    """Frames from so many hours before mid-transit to so many after."""
    found = cover(PLANET, PLACE, lights(2460000.5 - before_h / 24, 2460000.5 + after_h / 24))
    assert found is not None
    return found


def test_a_whole_transit_with_its_baseline() -> None:
    half = 12 * predict_transit(PLANET, 2460000.5).duration
    found = covered(half + 1, half + 0.5)
    assert (found.transit, found.ingress, found.egress) == (1.0, 1.0, 1.0)
    assert found.before == pytest.approx(60, abs=0.2)
    assert found.after == pytest.approx(30, abs=0.2)
    assert 1440 * (found.last - found.first) == pytest.approx(120 * half, abs=0.1)


def test_half_a_transit_and_none() -> None:
    found = covered(0.0, 4.0)
    assert found.transit == pytest.approx(0.5, abs=0.03)
    assert (found.ingress, found.egress, found.before) == (0.0, 1.0, 0.0)
    missed = covered(-5.0, 9.0)
    assert (missed.transit, missed.before) == (0.0, 0.0)
    assert missed.after == pytest.approx(240, abs=0.5)


def test_nothing_is_covered_without_a_planet_or_times() -> None:
    assert cover(None, PLACE, lights(2460000.4, 2460000.6)) is None
    assert cover(PLANET, PLACE, [Exposure()]) is None
    assert cover(replace(PLANET, inclination_deg=45.0), PLACE, lights(2460000.4, 2460000.6)) is None


def test_errors_of_depth_and_time_are_those_of_trials() -> None:
    """Least squares of the same model on noise alone, many times."""
    rng = np.random.default_rng(3)
    bjd = np.linspace(2460000.38, 2460000.64, 150)
    errors = transit_errors(PLANET, bjd, 0.003)
    assert errors is not None
    late = bjd - bjd.mean()
    step = 20 / 86400
    slope = (dip_shape(PLANET, bjd - step) - dip_shape(PLANET, bjd + step)) / (2 * step)
    shapes = [dip_shape(PLANET, bjd), PLANET.rp_over_rs**2 * slope, late**0, late, late**2]
    noise = 0.003 * rng.normal(size=(150, 4000))
    found = np.linalg.lstsq(np.column_stack(shapes), noise, rcond=None)[0]
    assert errors == pytest.approx(found[:2].std(axis=1), rel=0.05)


def test_what_frames_do_not_tell_has_no_error() -> None:
    outside = np.linspace(2460000.7, 2460000.9, 100)
    assert transit_errors(PLANET, outside, 0.003) is None
    assert transit_errors(PLANET, outside[:3], 0.003) is None


def test_the_error_of_a_point_is_the_scatter_of_a_curve_of_many() -> None:
    """Against the weighted mean of the comparison stars, formed here."""
    truth = CubeTruth(n_stars=4, target_electrons=1e5, extinction=0.0, cadence_s=20.0)
    moments = cube_times(600, truth)
    cube = simulate_cube(np.ones(600), truth, np.random.default_rng(1))
    found = expect(cube, None, moments, field_tells=False)
    assert found is not None
    compared = cube.plan.role != StarRole.TARGET
    scatters = []
    for k in range(len(cube.radii)):
        flux = cube.flux[:, :, k] / np.median(cube.flux[:, :, k], axis=0)
        weight = np.median(cube.flux_err[:, :, k] / cube.flux[:, :, k], axis=0)[compared] ** -2
        mean = flux[:, compared] @ weight / weight.sum()
        scatters.append(np.std(flux[:, ~compared][:, 0] / mean))
    assert found.point == pytest.approx(min(scatters), rel=0.1)
    assert found.target < found.point
    assert np.isnan(found.depth_err)
    with_planet = expect(cube, PLANET, np.linspace(2460000.4, 2460000.6, 100), field_tells=False)
    assert with_planet is not None
    assert with_planet.depth == pytest.approx(0.0144)
    assert 0 < with_planet.depth_err < 0.01


def test_a_target_without_light_promises_nothing() -> None:
    truth = CubeTruth(n_stars=5)
    cube = simulate_cube(np.ones(10), truth, np.random.default_rng(1))
    flux = cube.flux.copy()
    flux[:, cube.plan.role == StarRole.TARGET] = np.nan
    dark = replace(cube, flux=flux)
    assert expect(dark, None, cube_times(10, truth), field_tells=True) is None
