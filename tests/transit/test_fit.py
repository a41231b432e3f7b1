"""The fit recovers what was put in, says no when nothing was, and its errors are honest."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lightcurve.core.data import (
    About,
    Dilution,
    Finding,
    LightCurve,
    Parameter,
    Planet,
    Severity,
    TransitFit,
    Verdict,
)
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.flags import NO_POINT, Flag
from lightcurve.core.settings import FitSettings
from lightcurve.night import figures
from lightcurve.transit.ephemeris import make_planet, predict_transit
from lightcurve.transit.fit import fit_points, fit_transit
from lightcurve.transit.fit_values import fit_to_json, planet_values
from lightcurve.transit.judge import time_of, timing_notes
from lightcurve.transit.model import transit_flux
from lightcurve.transit.quality import (
    coverage,
    red_noise_factor,
    residual_tests,
    time_averaging,
)
from lightcurve.transit.solve import Points

PLANET = Planet(
    name="Test b", ra_deg=0.0, dec_deg=0.0, period_days=3.0, t0_bjd_tdb=2459000.0,
    rp_over_rs=0.12, a_over_rs=9.0, inclination_deg=88.0, teff_k=5800.0,
    errors={"a_over_rs": 0.3, "inclination_deg": 0.5},
)  # fmt: skip
TRUTH = np.array([2459030.003, 0.12, 9.1, 0.33, 0.35, 0.36])
QUICK = FitSettings(sample=False)


def _points(seed=0, depth=1.0, window=(-0.12, 0.12), noise=0.002, n=150, **covariates):
    rng = np.random.default_rng(seed)
    time = TRUTH[0] + np.linspace(*window, n)
    flux = 1 + depth * (transit_flux(time, TRUTH, PLANET) - 1)
    flux = flux * (1 + noise * rng.normal(size=n))
    return Points(time, flux, np.full(n, noise), 60.0, covariates)


def _pull(fit, name, truth):
    p = fit.parameters[name]
    return (p.value - truth) / ((p.upper - p.lower) / 2)


def test_recovery_with_sampling():
    fit = fit_points(_points(1), PLANET)
    for name, truth in zip(("mid_time_bjd_tdb", "rp_over_rs"), TRUTH, strict=False):
        assert abs(_pull(fit, name, truth)) < 3
    assert fit.verdict.finding is Finding.TRANSIT
    assert fit.statistics["converged"] == 1
    assert fit.statistics["delta_bic_no_transit"] > 100
    assert fit.parameters["o_minus_c_minutes"].value == pytest.approx(0.003 * 1440, abs=2)
    assert fit.parameters["depth_percent"].value == pytest.approx(
        100 * (1 - transit_flux(TRUTH[:1], TRUTH, PLANET)[0]), rel=0.1
    )
    assert fit.residuals[fit.used].std() == pytest.approx(0.002, rel=0.15)
    again = fit_points(_points(1), PLANET)
    assert np.array_equal(fit.samples, again.samples)


def test_sampling_and_least_squares_agree():
    slow, fast = fit_points(_points(1), PLANET), fit_points(_points(1), PLANET, settings=QUICK)
    for name in ("mid_time_bjd_tdb", "rp_over_rs", "duration_days"):
        p, q = slow.parameters[name], fast.parameters[name]
        width = (p.upper - p.lower) / 2
        assert p.value == pytest.approx(q.value, abs=0.5 * width)
        assert (q.upper - q.lower) / 2 == pytest.approx(width, rel=0.3)


def test_pulls_are_normal():
    """A short version of benchmarks/bench_injection.py."""
    fits = [fit_points(_points(seed), PLANET, settings=QUICK) for seed in range(30)]
    for name, truth in (("mid_time_bjd_tdb", TRUTH[0]), ("rp_over_rs", TRUTH[1])):
        pulls = np.array([_pull(fit, name, truth) for fit in fits])
        assert abs(pulls.mean()) < 0.5
        assert 0.7 < pulls.std() < 1.3


def test_a_night_without_transit_says_so():
    verdicts = [
        fit_points(_points(s, depth=0.0), PLANET, settings=QUICK).verdict for s in range(12)
    ]
    assert not any(v.found for v in verdicts)
    assert sum(v.finding is Finding.NONE for v in verdicts) >= 10


@pytest.mark.parametrize(
    ("window", "finding", "words"),
    [
        ((-0.30, -0.15), Finding.NOT_OBSERVED, "the data end 1"),
        ((0.15, 0.30), Finding.NOT_OBSERVED, "the data begin 1"),
        ((-0.15, -0.03), Finding.INCONCLUSIVE, "none found, with"),
    ],
    ids=["before", "after", "half"],
)
def test_absence_is_not_told_of_what_was_not_observed(window, finding, words):
    fit = fit_points(_points(depth=0.0, window=window), PLANET, settings=QUICK)
    assert fit.verdict.finding is finding
    assert fit.verdict.reason.startswith(words)
    assert fit.verdict.depth_sigma is None


def test_a_gap_over_the_transit_is_said():
    points = _points(depth=0.0, window=(-0.3, 0.3), n=300)
    seen = np.abs(points.time - TRUTH[0]) > 0.15
    points = Points(points.time[seen], points.flux[seen], points.flux_err[seen], 60.0, {})
    verdict = fit_points(points, PLANET, settings=QUICK).verdict
    assert verdict.finding is Finding.NOT_OBSERVED
    assert verdict.reason == "the data have a gap of 436 min over the whole predicted transit"


def test_trends_are_removed():
    rng = np.random.default_rng(3)
    airmass = np.linspace(1, 2, 150) ** 2
    points = _points(airmass=airmass, sky=rng.normal(size=150), x=np.ones(150))
    points = replace(points, flux=1234 * points.flux * (1 - 0.01 * airmass))
    points = replace(points, flux_err=points.flux_err * 1234)
    fit = fit_points(points, PLANET, settings=QUICK)
    assert set(fit.covariates) == {"airmass", "sky", "time"}
    assert abs(_pull(fit, "rp_over_rs", TRUTH[1])) < 3
    assert fit.trend / (1234 * (1 - 0.01 * airmass)) == pytest.approx(1, abs=2e-3)
    forced = fit_points(
        points, PLANET, settings=FitSettings(sample=False, covariates=("sky", "airmass"))
    )
    assert forced.covariates == ("sky", "airmass")
    other = fit_points(points, PLANET, settings=FitSettings(sample=False, forbidden=("airmass",)))
    assert "airmass" not in other.covariates
    assert "time" in other.covariates
    with pytest.raises(FitError, match="no covariate fwhm"):
        fit_points(points, PLANET, settings=FitSettings(covariates=("fwhm",)))


def test_a_constant_covariate_is_named_and_the_others_are_fitted():
    points = _points(airmass=np.linspace(1, 2, 150), x=np.ones(150), y=np.full(150, np.nan))
    settings = FitSettings(sample=False, covariates=("x", "airmass", "y"))
    fit = fit_points(points, PLANET, settings=settings)
    assert fit.covariates == ("airmass",)
    warned = [note.subject for note in fit.notes if note.severity is Severity.WARNING]
    assert warned == ["x", "y"]
    assert fit.verdict.finding is Finding.TRANSIT


def test_partial_transit_stays_at_its_epoch():
    fit = fit_points(_points(window=(-0.12, 0.01)), PLANET, settings=QUICK)
    assert fit.verdict.finding is Finding.PARTIAL
    assert "egress" in fit.verdict.reason
    assert abs(_pull(fit, "mid_time_bjd_tdb", TRUTH[0])) < 3


@pytest.mark.parametrize(
    ("minutes", "errors", "words"),
    [
        (110.0, {}, "110.0 min late of the ephemeris (the ephemeris gives no error)"),
        (190.0, {}, "3.2 h late of the ephemeris (the ephemeris gives no error)"),
        (25.0, {}, ""),
        (-13.0, {"t0_bjd_tdb": 2 / 1440}, "13.0 min early of the ephemeris (5.8 sigma"),
        (6.0, {"t0_bjd_tdb": 2 / 1440}, ""),
    ],
    ids=["no-error-late", "no-error-hours", "no-error-near", "early", "near"],
)
def test_a_transit_at_another_time_is_remarked_on(minutes, errors, words):
    prediction = predict_transit(replace(PLANET, errors=errors), TRUTH[0])
    off = Parameter(minutes, minutes - 1, minutes + 1, "min")
    timing = time_of(off, prediction)
    notes = timing_notes(Verdict(Finding.TRANSIT), timing)
    assert words in "".join(map(str, notes))
    assert bool(notes) == bool(words)
    assert timing_notes(Verdict(Finding.NONE), timing) == ()


def test_the_fit_warns_of_a_transit_at_another_time(caplog):
    points = _points()
    planet = replace(PLANET, t0_bjd_tdb=PLANET.t0_bjd_tdb - 40 / 1440)
    fit = fit_points(points, planet, settings=QUICK)
    assert fit.verdict.finding is Finding.TRANSIT
    assert fit.notes[0].about is About.TIMING
    assert fit.notes[0].text in caplog.text


def test_flags_and_wild_points_take_no_part():
    points = _points()
    flux = points.flux.copy()
    flux[20] = 1.5
    flux[30] = np.nan
    flags = np.zeros(150, dtype=np.uint16)
    flags[40:50] = [flag for flag in Flag if flag & NO_POINT]
    flags[60:62] = [Flag.MENDED, Flag.NO_CENTROID]
    curve = LightCurve(
        file=np.array(["x"] * 150), jd_utc=points.time, bjd_tdb=points.time, flux=flux,
        flux_err=points.flux_err, target_flux=flux, comparison_flux=flux, flags=flags,
        covariates={"airmass": np.linspace(1, 2, 150)},
    )  # fmt: skip
    fit = fit_transit(curve, PLANET, exposure_s=60.0, settings=QUICK)
    assert not fit.used[20]
    assert not fit.used[30]
    assert not fit.used[40:50].any()
    assert fit.used[60:62].all()
    assert fit.used.sum() == 138
    assert np.isfinite(fit.model).all()
    assert np.isnan(fit.residuals[30])


def test_wild_points_that_show_one_after_the_other_are_left_out():
    points = _points(6)
    flux = points.flux.copy()
    # Each is hidden by the scatter that the next larger ones make.
    flux[[5, 6, 7]] += [0.014, 0.05, 0.4]
    flux[[20, 21, 22, 23]] -= [0.013, 0.016, 0.02, 0.03]
    fit = fit_points(replace(points, flux=flux), PLANET, settings=QUICK)
    assert fit.statistics["n_points"] == fit.used.sum()
    assert not fit.used[[6, 7]].any()
    assert fit.used.sum() >= 140


def test_too_few_points():
    points = _points()
    with pytest.raises(FitError, match="8 usable points of 150"):
        fit_points(replace(points, flux=np.where(np.arange(150) < 8, 1.0, np.nan)), PLANET)


def test_points_without_noise():
    flux = np.ones(150)
    flux[7] = 1.01  # left out as wild: what is left is flat
    with pytest.raises(FitError, match="149 points have one flux"):
        fit_points(replace(_points(), flux=flux), PLANET, settings=QUICK)


def test_json_holds_every_number():
    fit = fit_points(_points(), PLANET, settings=QUICK)
    out = json.loads(json.dumps(fit_to_json(fit, PLANET, extra={"seed": 1}), allow_nan=False))
    for name in (
        "mid_time_bjd_tdb", "rp_over_rs", "a_over_rs", "impact_parameter", "duration_days",
        "depth_percent", "o_minus_c_minutes",
    ):  # fmt: skip
        assert set(out[name]) == {"value", "lower", "upper", "unit"}
        assert out[name]["lower"] <= out[name]["value"] <= out[name]["upper"]
    for name in (
        "residual_scatter_percent", "n_points", "chi2", "bic", "delta_bic_no_transit", "beta",
        "verdict",
    ):  # fmt: skip
        assert name in out
    assert out["n_points"] == 150
    assert out["prediction_error_minutes"] is None


def test_red_noise_factor_of_known_noise():
    rng = np.random.default_rng(2)
    time = np.arange(400) * 2 / 1440
    white = [red_noise_factor(time, rng.normal(size=400)) for _ in range(50)]
    assert np.mean(white) == pytest.approx(1, abs=0.08)
    # White noise smoothed over 10 points: bins much longer than that have beta = sqrt(10).
    smooth = np.convolve(rng.normal(size=20000), np.ones(10), "valid")
    size, _, scatter, expected = time_averaging(np.arange(len(smooth)) * 1.0, smooth)
    assert scatter[size > 200][0] / expected[size > 200][0] == pytest.approx(np.sqrt(10), rel=0.2)


def test_the_figure_shows_the_curve_that_beta_was_worked_out_from(tmp_path, monkeypatch):
    points = _points(6)
    wander = 0.002 * np.sin((points.time - points.time[0]) * 2 * np.pi / 0.05)
    points = replace(points, flux=points.flux * (1 + wander))
    fit = fit_points(points, PLANET, settings=QUICK)
    drawn = {}
    monkeypatch.setattr(
        figures, "save_time_averaging", lambda _, *bins, title: drawn.update(b=bins, title=title)
    )
    curve = SimpleNamespace(bjd_tdb=points.time)
    night = SimpleNamespace(fit=fit, curve=curve, whose="It", name="it")
    next(one for one in figures.FIGURES if one.name == "time_averaging").draw(tmp_path, night)
    minutes, scatter, white = drawn["b"]
    inside = (minutes >= 8) & (minutes <= 40)
    assert fit.statistics["beta"] > 1.2
    assert f"{fit.statistics['beta']:.2f}" in drawn["title"]
    assert np.mean((scatter / white)[inside]) == pytest.approx(fit.statistics["beta"], rel=0.01)


def test_residual_tests_know_white_from_red():
    rng = np.random.default_rng(4)
    white = rng.normal(size=300)
    assert residual_tests(white)["autocorrelation_p"] > 0.01
    assert residual_tests(white)["normality_p"] > 0.01
    assert residual_tests(np.cumsum(white))["autocorrelation_p"] < 1e-6
    assert residual_tests(white**3)["normality_p"] < 1e-6
    assert np.isnan(residual_tests(white[:5])["normality_p"])


def test_coverage_counts_what_was_seen():
    time = np.arange(0.0, 1.0, 0.01)
    cover = coverage(time, 0.5, 0.4, 0.04)
    assert cover["coverage_transit"] == 1
    assert cover["baseline_before_min"] == pytest.approx(0.3 * 1440)
    cover = coverage(time[:50], 0.5, 0.4, 0.04)
    assert cover["coverage_transit"] == pytest.approx(0.5, abs=0.05)
    assert cover["coverage_ingress"] == 1
    assert cover["coverage_egress"] == 0
    # Half of an egress that lasts from 0.66 to 0.7, and a little by the reach of a point.
    assert coverage(time[:68], 0.5, 0.4, 0.04)["coverage_egress"] == pytest.approx(0.6, abs=0.1)


def test_an_unknown_exposure_is_not_averaged_over_and_said():
    points = _points(3)
    n = len(points.time)
    curve = LightCurve(
        file=np.arange(n).astype(str), jd_utc=points.time, bjd_tdb=points.time,
        flux=points.flux, flux_err=points.flux_err, target_flux=points.flux,
        comparison_flux=np.ones(n), flags=np.zeros(n, np.uint16), covariates={},
    )  # fmt: skip
    unknown = fit_transit(curve, PLANET, exposure_s=None, settings=QUICK)
    known = fit_transit(curve, PLANET, exposure_s=60.0, settings=QUICK)
    assert any("exposure not known" in note.text for note in unknown.notes)
    assert not any("exposure not known" in note.text for note in known.notes)


@pytest.mark.parametrize(
    ("finding", "found"),
    [(f, f in {Finding.TRANSIT, Finding.PARTIAL, Finding.ELSEWHERE}) for f in Finding],
    ids=[f.value for f in Finding],
)
def test_a_fit_says_whether_it_found_a_transit(finding, found):
    nothing = np.zeros(0)
    verdict = Verdict(finding, "and why")
    fit = TransitFit({}, nothing, nothing, nothing, nothing, {}, (), verdict)
    assert fit.found == found
    assert Verdict.read(str(verdict)) == verdict


def _diluted(share, dilution):
    """A curve of which the transit makes only a share, and what is known of that."""
    points = _points(3, depth=share, noise=0.0008)
    names = ("target_flux", "comparison_flux", "jd_utc")
    return LightCurve(
        file=np.arange(len(points.time)).astype(str), bjd_tdb=points.time, flux=points.flux,
        flux_err=points.flux_err, flags=np.zeros(len(points.time), np.uint16), covariates={},
        dilution=dilution, **dict.fromkeys(names, points.time),
    )  # fmt: skip


def _fitted(curve, planet=PLANET):
    return fit_transit(curve, planet, exposure_s=60.0, settings=QUICK)


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_diluted_transit_gives_the_radius_of_the_planet(share):
    fit = _fitted(_diluted(share, Dilution(share, 0.01, "a neighbour")))
    assert abs(_pull(fit, "rp_over_rs", TRUTH[1])) < 3
    assert fit.parameters["rp_over_rs"].value == pytest.approx(TRUTH[1], rel=0.03)
    loss = 100 * (1 - transit_flux(TRUTH[:1], TRUTH, PLANET)[0])
    assert abs(_pull(fit, "depth_percent", loss)) < 3
    assert abs(_pull(fit, "depth_uncorrected_percent", share * loss)) < 3
    assert fit.parameters["depth_uncorrected_percent"].value == pytest.approx(
        share * fit.parameters["depth_percent"].value, rel=0.01
    )
    plain = _fitted(_diluted(share, None))
    assert "dilution" not in plain.parameters
    assert plain.parameters["rp_over_rs"].value == pytest.approx(
        fit.parameters["rp_over_rs_uncorrected"].value, rel=0.01
    )
    assert next(n for n in fit.notes if n.about is About.DILUTION).severity is Severity.WARNING
    assert fit_to_json(fit, PLANET)["dilution"]["value"] == pytest.approx(share, abs=0.001)


def test_the_error_of_the_dilution_is_in_the_depth():
    sure, unsure = (_fitted(_diluted(0.6, Dilution(0.6, err, ""))) for err in (0.0, 0.06))
    for name, relative in (("depth_percent", 0.1), ("rp_over_rs", 0.05)):
        own, wide = (
            (p.upper - p.lower) / 2 / p.value
            for p in (sure.parameters[name], unsure.parameters[name])
        )
        assert wide == pytest.approx(np.hypot(own, relative), rel=0.15)
    seen = [f.parameters["depth_uncorrected_percent"] for f in (sure, unsure)]
    assert seen[0].upper - seen[0].lower == pytest.approx(seen[1].upper - seen[1].lower, rel=0.01)


def test_a_planet_file_says_the_dilution_and_is_believed():
    values = planet_values(PLANET) | {"dilution": 0.7, "dilution_err": 0.02}
    planet = make_planet(values, "test.toml")
    fit = _fitted(_diluted(0.7, Dilution(0.9, 0.01, "measured")), planet)
    assert fit.parameters["dilution"].value == pytest.approx(0.7, abs=0.001)
    assert abs(_pull(fit, "rp_over_rs", TRUTH[1])) < 3
    with pytest.raises(InputError):
        make_planet(values | {"dilution": 1.2}, "test.toml")


@pytest.mark.parametrize("share", [0.7, 1.0])
def test_what_is_asked_for_as_dilution_comes_first(share):
    curve = _diluted(share, Dilution(0.9, 0.01, "measured"))
    planet = replace(PLANET, dilution=0.8)
    settings = FitSettings(sample=False, dilution=(share, 0.02))
    fit = fit_transit(curve, planet, exposure_s=60.0, settings=settings)
    assert abs(_pull(fit, "rp_over_rs", TRUTH[1])) < 3
    assert ("dilution" in fit.parameters) == (share < 1)
    if share < 1:
        assert fit.parameters["dilution"].value == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize("told", [(0.0, 0.1), (1.1, 0.1), (0.9, -0.1)])
def test_a_dilution_that_cannot_be_is_refused(told):
    with pytest.raises(ValueError, match="--dilution"):
        FitSettings(dilution=told)
