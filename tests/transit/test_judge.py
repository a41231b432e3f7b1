"""What is there is found, `no transit` is told of what is excluded, and the rest is left open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.data import (
    About,
    Finding,
    LightCurve,
    Planet,
    Severity,
    StarCurves,
    TransitFit,
)
from lightcurve.core.errors import FitError
from lightcurve.core.settings import FitSettings
from lightcurve.night.fit_products import summarise_fit
from lightcurve.transit.detect import Dip, Search, make_search, predicted_shape
from lightcurve.transit.ephemeris import predict_transit
from lightcurve.transit.fit import fit_points, fit_transit
from lightcurve.transit.fit_values import fit_from_json, fit_to_json
from lightcurve.transit.judge import Evidence, Timing, judge
from lightcurve.transit.model import transit_flux
from lightcurve.transit.problem import make_priors
from lightcurve.transit.solve import Points

PERIOD, A_OVER_R, MID = 3.0, 9.0, 2459030.0
QUICK = FitSettings(sample=False)
RP, B = 0.12, 0.3


def planet_of(rp: float = RP, b: float = B, **more: float) -> Planet:
    """A planet on a circular orbit, unless eccentricity and omega_deg say otherwise."""
    e, omega = more.get("eccentricity", 0.0), np.radians(more.get("omega_deg", 90.0))
    distance = A_OVER_R * (1 - e**2) / (1 + e * np.sin(omega))
    return Planet(
        name="Test b", ra_deg=0.0, dec_deg=0.0, period_days=PERIOD, t0_bjd_tdb=MID, rp_over_rs=rp,
        a_over_rs=A_OVER_R, inclination_deg=float(np.degrees(np.arccos(b / distance))),
        teff_k=5800.0, errors={"a_over_rs": 0.3, "inclination_deg": 0.5, "t0_bjd_tdb": 0.001},
        **more,
    )  # fmt: skip


def dimming(time: np.ndarray, rp: float = RP, b: float = B, speed: float = 1.0) -> np.ndarray:
    """Relative flux by summing a limb-darkened disc, pixel by pixel.

    speed: of the planet at mid-transit, over that of a circular orbit.
    """
    grid = (np.arange(160) + 0.5) / 80 - 1
    x, y = np.meshgrid(grid, grid)
    squared = x**2 + y**2
    mu = np.sqrt(np.clip(1 - squared, 0, None))
    light = np.where(squared < 1, 1 - 0.4 * (1 - mu) - 0.2 * (1 - mu) ** 2, 0.0)
    phase = 2 * np.pi * speed * (time - MID) / PERIOD
    places = np.column_stack([A_OVER_R * np.sin(phase), b * np.cos(phase)])
    hidden = [np.sum(light[(x - u) ** 2 + (y - v) ** 2 < rp**2]) for u, v in places]
    return 1 - np.array(hidden) / light.sum()


def night(
    first: float = -0.12, last: float = 0.12, *, noise: float = 0.002, seed: int = 0, n: int = 150
) -> tuple[np.ndarray, np.ndarray]:
    """Times, days from MID, and white noise."""
    time = MID + np.linspace(first, last, n)
    return time, noise * np.random.default_rng(seed).normal(size=n)


def fitted(
    time: np.ndarray, flux: np.ndarray, planet: Planet, *, noise: float = 0.002, **covariates
) -> TransitFit:
    points = Points(time, flux, np.full(len(time), noise), 60.0, covariates, "V")
    return fit_points(points, planet, settings=QUICK)


def test_the_shape_is_that_of_a_disc_over_a_disc() -> None:
    planet = planet_of()
    shape = predicted_shape(planet, make_priors(planet, np.array([MID]), "V"), 0.0)
    time = MID + np.linspace(-0.08, 0.08, 81)
    there = shape.at(time, np.array([MID]))[:, 0]
    # Limb darkening differs a little, and pixels are coarse.
    assert there == pytest.approx(1 - dimming(time), abs=1.5e-3)
    assert np.median(shape.amplitudes) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("rp", "b", "window"),
    [
        (0.12, 0.3, (-0.12, 0.12)),
        (0.12, 1.0, (-0.12, 0.12)),
        (0.3, 0.3, (-0.12, 0.12)),
        (0.7, 0.3, (-0.14, 0.14)),
        (1.0, 0.2, (-0.16, 0.16)),
    ],
    ids=["plain", "grazing", "deep", "deeper", "as large as the star"],
)
def test_transits_of_every_size_are_found(rp, b, window, seed) -> None:
    time, noise = night(*window, seed=seed)
    fit = fitted(time, dimming(time, rp, b) + noise, planet_of(rp, b))
    assert fit.verdict.finding is Finding.TRANSIT
    amplitude, error = (fit.statistics[f"amplitude_over_predicted{end}"] for end in ("", "_err"))
    assert amplitude == pytest.approx(1, abs=4 * error + 0.1)
    assert fit.verdict.depth_sigma == pytest.approx(amplitude / error)
    assert fit.parameters["mid_time_bjd_tdb"].value == pytest.approx(MID, abs=0.004)


def test_discs_that_touch_from_within_at_mid_transit_have_a_flux() -> None:
    """Rp/R* 0.7 at b = 0.3: a flux of -0.17 by the integral that batman solves."""
    time = MID + np.linspace(-0.1, 0.1, 41)
    theta = np.array([MID, 0.7, A_OVER_R, 0.3, 0.36, 1 / 3])  # 0.4 and 0.2, quadratic
    flux = transit_flux(time, theta, planet_of(0.7))
    assert flux == pytest.approx(dimming(time, 0.7), abs=1e-3)


@pytest.mark.parametrize("speed", [0.6, 1.7])
def test_a_transit_of_another_duration_than_predicted_is_found(speed) -> None:
    time, noise = night()
    fit = fitted(time, dimming(time, speed=speed) + noise, planet_of())
    assert fit.verdict.finding is Finding.TRANSIT


def test_noise_alone_is_as_significant_as_its_chance_says() -> None:
    """On half of the nights the chance is below a half, on a fifth below a fifth."""
    rng = np.random.default_rng(5)
    planet = planet_of()
    priors = make_priors(planet, np.array([MID]), "V")
    time = MID + np.linspace(-0.12, 0.12, 100)
    shape = predicted_shape(planet, priors, 60.0)
    chances = []
    for _ in range(60):
        flux = 1 + 0.002 * rng.normal(size=len(time))
        search = Search(time, flux, np.full(100, 0.002), np.zeros((100, 0)), shape)
        chances.append(search.best(priors.lower[0], priors.upper[0]).chance)
    chances = np.array(chances)
    for level in (0.1, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(chances))
        assert np.mean(chances < level) < level + 3 * error


def test_an_eccentric_transit_is_found() -> None:
    # At periastron the planet moves (1 + e) / sqrt(1 - e^2) times as fast.
    planet = planet_of(eccentricity=0.5, omega_deg=90.0)
    time, noise = night()
    flux = dimming(time, speed=1.5 / np.sqrt(0.75))
    fit = fitted(time, flux + noise, planet)
    assert fit.verdict.finding is Finding.TRANSIT


@pytest.mark.parametrize("window", [(-0.16, -0.02), (0.02, 0.16)], ids=["ingress", "egress"])
def test_a_dip_at_the_edge_is_a_partial_transit(window) -> None:
    """Two per cent at the predicted contacts, of 10 sigma, once called `no transit`."""
    time, noise = night(*window, n=60, noise=0.004)
    drift = {"x": np.linspace(-1, 1, 60), "airmass": np.linspace(1, 1.6, 60) ** 2}
    fit = fitted(time, dimming(time, 0.14) + noise, planet_of(0.14), noise=0.004, **drift)
    assert fit.verdict.finding is Finding.PARTIAL
    assert fit.verdict.depth_sigma > 4


@pytest.mark.parametrize(
    ("gap", "finding"),
    [
        ((-0.02, 0.015), Finding.TRANSIT),  # in the floor
        ((-0.052, -0.03), Finding.PARTIAL),  # over all of ingress, which lasts 18 min
        ((0.01, 0.046), Finding.TRANSIT),  # up to the middle of egress, from 0.037 to 0.051
    ],
    ids=["floor", "ingress", "half of egress"],
)
def test_a_transit_is_whole_where_half_of_ingress_and_of_egress_is_seen(gap, finding) -> None:
    time, noise = night(noise=0.001)
    kept = (time < MID + gap[0]) | (time > MID + gap[1])
    fit = fitted(time[kept], (dimming(time) + noise)[kept], planet_of(), noise=0.001)
    assert fit.verdict.finding is finding
    assert fit.statistics["coverage_transit"] < 0.9


@pytest.mark.parametrize("ratio", [0.28, 0.4, 3.4])
def test_a_dip_of_another_depth_is_none_within_its_error_either(ratio) -> None:
    """Wanders of 0.27, 0.40 and 3.2 predicted depths, of three to five sigma, were transits."""
    planet = planet_of()
    time, _ = night()
    tests = Evidence(
        predict_transit(planet, MID), Dip(MID, ratio, sigma=4.0, chance=8e-4), None,
        gain=20.0, limit=0.6, excluded=True, depth=0.017, seen=1.0,
    )  # fmt: skip
    verdict = judge(tests, Timing(0.0, 2.0, 70.0), {}, time)
    assert verdict.finding is Finding.INCONCLUSIVE


def test_an_ephemeris_of_large_error_makes_no_transit_of_one_hours_off() -> None:
    """3 h late with 43 min of error, 4.2 sigma: it lies where the fit may have its mid-time."""
    errors = {"a_over_rs": 0.3, "inclination_deg": 0.5, "t0_bjd_tdb": 0.03}
    planet = replace(planet_of(), t0_bjd_tdb=MID - 3 / 24, errors=errors)
    time, noise = night(-0.2, 0.2, n=240)
    fit = fitted(time, dimming(time) + noise, planet)
    assert fit.verdict.finding is Finding.ELSEWHERE
    assert fit.parameters["o_minus_c_minutes"].value == pytest.approx(180, abs=3)
    near = fitted(time, dimming(time) + noise, replace(planet, t0_bjd_tdb=MID - 1 / 24))
    assert near.verdict.finding is Finding.TRANSIT


def test_no_transit_is_told_where_its_depth_is_excluded() -> None:
    for seed in range(4):
        time, noise = night(seed=seed)
        fit = fitted(time, 1 + noise, planet_of())
        assert fit.verdict.finding is Finding.NONE
        assert fit.statistics["depth_limit_percent"] < fit.statistics["predicted_depth_percent"]
        # Three sigma of a box as long as the transit, in white noise.
        inside = np.sum(np.abs(time - MID) < 0.05)
        expected = 3 * 0.2 * np.sqrt(1 / inside + 1 / (len(time) - inside))
        assert 0.4 * expected < fit.statistics["depth_limit_percent"] < 3 * expected


@pytest.mark.parametrize("there", [True, False], ids=["there", "absent"])
def test_a_transit_too_shallow_to_be_seen_is_left_open(there) -> None:
    planet = planet_of(0.03)
    for seed in range(4):
        time, noise = night(seed=seed, noise=0.004)
        flux = dimming(time, 0.03) if there else np.ones(len(time))
        fit = fitted(time, flux + noise, planet, noise=0.004)
        assert fit.verdict.finding is Finding.INCONCLUSIVE
        assert fit.statistics["depth_limit_percent"] > fit.statistics["predicted_depth_percent"]


def test_a_grazing_transit_may_be_too_shallow_to_be_excluded() -> None:
    time, noise = night()
    fit = fitted(time, 1 + noise, planet_of(b=1.05))
    assert fit.verdict.finding is Finding.INCONCLUSIVE


def test_an_inconclusive_fit_has_no_results() -> None:
    time, noise = night(noise=0.004)
    fit = fitted(time, dimming(time, 0.03) + noise, planet_of(0.03), noise=0.004)
    assert not fit.parameters
    assert fit.samples is None
    assert not fit.solution
    assert fit.model == pytest.approx(1)
    assert not {"rp_over_rs", "depth_percent", "o_minus_c_minutes"} & set(summarise_fit(fit))
    assert "depth_limit_percent" in summarise_fit(fit)
    told = json.loads(json.dumps(fit_to_json(fit, planet_of(0.03)), allow_nan=False))
    assert told["rp_over_rs"] == {
        "value": None, "lower": None, "upper": None, "unit": "stellar radii",
    }  # fmt: skip
    assert told["unproven"]["rp_over_rs"]["value"] > 0
    columns = {
        "model": fit.model, "trend": fit.trend, "residual": fit.residuals, "used": fit.used,
    }  # fmt: skip
    back = fit_from_json(told, columns)
    assert not back.parameters
    assert back.unproven["rp_over_rs"] == fit.unproven["rp_over_rs"]


@pytest.mark.parametrize("hours", [-3.0, 3.0])
def test_a_transit_hours_off_has_a_verdict_and_a_warning(hours, caplog) -> None:
    planet = replace(planet_of(), t0_bjd_tdb=MID - hours / 24)
    time, noise = night(-0.2, 0.2, n=240)
    fit = fitted(time, dimming(time) + noise, planet)
    assert fit.verdict.finding is Finding.ELSEWHERE
    assert fit.found
    off = fit.parameters["o_minus_c_minutes"]
    assert off.value == pytest.approx(60 * hours, abs=3)
    note = fit.notes[0]
    assert (note.about, note.severity) == (About.TIMING, Severity.WARNING)
    assert "3.0 h" in note.text
    assert note.text in caplog.text


def test_a_dip_of_another_depth_elsewhere_is_remarked_on() -> None:
    planet = replace(planet_of(), t0_bjd_tdb=MID - 0.5)
    time, noise = night()
    fit = fitted(time, dimming(time, 0.25) + noise, planet)
    assert fit.verdict.finding is Finding.NOT_OBSERVED
    (note,) = (n for n in fit.notes if n.about is About.DIP)
    assert note.severity is Severity.WARNING
    dip = note.results["dip_depth_percent"]
    assert dip.unit == "%"
    assert dip.value == pytest.approx(100 * (1 - dimming(np.array([MID]), 0.25)[0]), rel=0.2)
    assert note.results["dip_time_bjd_tdb"].value == pytest.approx(MID, abs=0.01)
    assert summarise_fit(fit)["dip_time_bjd_tdb"] == note.results["dip_time_bjd_tdb"]


@pytest.mark.parametrize(("rp_true", "rp_file"), [(0.15, 0.05), (0.05, 0.15)])
def test_a_dip_of_quite_another_depth_is_no_result(rp_true, rp_file) -> None:
    """Nine times too deep or too shallow: another object, or a wander, however significant."""
    planet = planet_of(rp_file)
    time, noise = night(noise=0.0005)
    fit = fitted(time, dimming(time, rp_true) + noise, planet, noise=0.0005)
    assert fit.verdict.finding is Finding.INCONCLUSIVE
    assert not fit.parameters
    ratio = fit.statistics["amplitude_over_predicted"]
    assert ratio == pytest.approx((rp_true / rp_file) ** 2, rel=0.2)


def test_a_planet_twice_as_deep_as_its_file_says_is_found() -> None:
    time, noise = night(noise=0.001)
    fit = fitted(time, dimming(time, 0.12) + noise, planet_of(0.085), noise=0.001)
    assert fit.verdict.finding is Finding.TRANSIT


def test_quiet_and_drifting_nights_show_no_dip() -> None:
    planet = replace(planet_of(), t0_bjd_tdb=MID - 0.5)
    for seed in range(6):
        time, noise = night(seed=seed)
        phase = np.linspace(0, 1, len(time))
        drift = (0.02 * phase + 0.03 * (phase - 0.4) ** 2) * (seed % 2)
        fit = fitted(time, 1 + noise + drift, planet, airmass=(phase - 0.4) ** 2)
        assert fit.verdict.finding is Finding.NOT_OBSERVED
        assert not any(n.about is About.DIP for n in fit.notes)


def test_stars_that_are_quiet_let_a_shallower_transit_be_seen() -> None:
    """A night alone cannot tell a wander from none; its stars can."""
    time, noise = night(n=100)
    rng = np.random.default_rng(3)
    memory = np.exp(-np.abs(time[:, None] - time) * 24)  # an hour
    wander = np.linalg.cholesky(memory) @ rng.normal(size=(100, 6))
    flux = dimming(time, 0.06) + noise
    white = rng.normal(size=(100, 6))
    errors = []
    for red in (0.0, 1.0):
        light = 1 + 0.002 * (white + red * wander)
        stars = StarCurves(tuple("ABCDEF"), light, np.full((100, 6), 0.002))
        points = Points(time, flux, np.full(100, 0.002), 60.0, {}, "V", stars)
        fit = fit_points(points, planet_of(0.06), settings=QUICK)
        errors.append(fit.statistics["amplitude_over_predicted_err"])
    alone = fitted(time, flux, planet_of(0.06)).statistics["amplitude_over_predicted_err"]
    quiet, restless = errors
    assert quiet < 0.9 * alone
    assert restless > alone


def test_a_night_of_many_points_is_searched_with_its_stars() -> None:
    time, noise = night(n=2000)
    rng = np.random.default_rng(3)
    light = 1 + 0.002 * rng.normal(size=(2000, 3))
    stars, order = (
        StarCurves(("A", "B", "C"), light, np.full((2000, 3), 0.002)),
        rng.permutation(2000),
    )
    points = Points(
        time[order], (dimming(time, 0.04) + noise)[order], np.full(2000, 0.002), 10.0, {}, "V",
        stars.at(order),
    )  # fmt: skip
    assert fit_points(points, planet_of(0.04), settings=QUICK).verdict.finding is Finding.TRANSIT


def test_many_points_are_averaged_with_their_stars() -> None:
    rng = np.random.default_rng(3)
    n = 650
    time, order = MID + np.linspace(-0.1, 0.1, n), rng.permutation(n)
    errors, light = np.full(n, 0.004), 1 + 0.002 * rng.normal(size=(n, 2))
    light[:400, 1] = np.nan
    stars = StarCurves(("A", "B"), light, np.full((n, 2), 0.002))
    shape = predicted_shape(planet_of(), make_priors(planet_of(), time, "V"), 0.0)
    flux, line = 1 + 0.004 * rng.normal(size=n), time - MID
    search = make_search(
        time[order], flux[order], errors[order], held=line[order, None], shape=shape,
        stars=stars.at(order),
    )  # fmt: skip
    assert len(search.time) <= 300
    assert np.sum(search.errors**-2) == pytest.approx(n / 0.004**2)
    assert np.sum(search.flux / search.errors**2) * 0.004**2 == pytest.approx(flux.sum())
    assert search.held[:, 0] == pytest.approx(search.time - MID)
    assert np.std(search.stars.flux[:, 0]) == pytest.approx(0.002 / np.sqrt(n / 300), rel=0.15)
    assert np.median(search.stars.flux_err[:, 0]) == pytest.approx(0.002 / np.sqrt(2), rel=0.01)
    assert np.isnan(search.stars.flux[:150, 1]).all()
    assert np.isfinite(search.stars.flux[-100:, 1]).all()


def test_every_statistic_of_a_fit_is_described() -> None:
    time, noise = night()
    told = fit_to_json(fitted(time, 1 + noise, planet_of()), planet_of())
    text = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
    assert [name for name in told["statistics"] if f"`{name}`" not in text] == []


def test_an_orbit_that_does_not_transit_is_refused() -> None:
    time, noise = night()
    with pytest.raises(FitError, match=r"impact parameter 1\.200.*1\.120"):
        fitted(time, 1 + noise, planet_of(b=1.2))
    with pytest.raises(FitError, match="into its star"):
        fitted(time, 1 + noise, replace(planet_of(), eccentricity=0.94))


def test_equal_and_doubled_times_are_told() -> None:
    time, noise = night()
    with pytest.raises(FitError, match="at 1 different times"):
        fitted(np.full(150, MID), 1 + noise, planet_of())
    with pytest.raises(FitError, match="4 usable points of 4"):
        fitted(time[:4], 1 + noise[:4], planet_of())
    doubled = np.repeat(time[::2], 2)
    fit = fitted(doubled, dimming(doubled) + noise, planet_of())
    assert fit.verdict.finding is Finding.TRANSIT
    (note,) = (n for n in fit.notes if n.about is About.COARSE_TIMES)
    assert note.severity is Severity.WARNING
    assert "75 of 150" in note.text


def test_of_a_light_curve_too() -> None:
    time, noise = night()
    nothing = np.full(len(time), np.nan)
    curve = LightCurve(
        file=np.arange(len(time)).astype(str), jd_utc=time, bjd_tdb=time, flux=1 + noise,
        flux_err=np.full(len(time), 0.002), target_flux=nothing, comparison_flux=nothing,
        flags=np.zeros(len(time), np.uint16), covariates={},
    )  # fmt: skip
    late = replace(planet_of(), t0_bjd_tdb=MID + 0.5)
    for planet, finding in ((late, Finding.NOT_OBSERVED), (planet_of(), Finding.NONE)):
        fit = fit_transit(curve, planet, exposure_s=60.0, settings=QUICK)
        assert fit.verdict.finding is finding
