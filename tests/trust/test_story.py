"""Transits put into nights of known noise are found as they should be."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import lightcurve as lc
from lightcurve.cli import app
from lightcurve.core.data import Finding, Severity
from lightcurve.core.errors import InputError
from lightcurve.core.settings import FitSettings, make_settings
from lightcurve.night.fit_table import Known, fit_light_curve, read_to_fit
from lightcurve.night.transits import take_points as take_rows
from lightcurve.tables.run_folder import digest_of, read_trust
from lightcurve.transit.inject import Order, Purpose
from lightcurve.trust.pixels import share_kept
from lightcurve.trust.story import injector_of, white_error
from sim_season import PLANET, planet_file, write_curve

MID = PLANET.t0_bjd_tdb + 40 * PLANET.period_days
QUICK = FitSettings(sample=False)


def fitted_night(folder, seed=3, **options):
    path = write_curve(folder / "night.csv", MID, np.random.default_rng(seed), **options)
    settings = make_settings({"target": {"planet_file": planet_file(folder)}, "fit": QUICK})
    curve, planet, record = read_to_fit(path, settings, Known())
    known = Known(filter="Rc")
    return path, fit_light_curve(curve, planet, settings, known=known, record=record)


def test_what_the_fit_swallowed_of_the_noise_is_given_back(tmp_path):
    _, fitted = fitted_night(tmp_path, cadence_s=200.0, window=(-1.2, 1.2))
    injector = injector_of(fitted, QUICK, 1)
    time = fitted.curve.bjd_tdb
    dip = np.where(np.abs(time - MID) < 0.05, 1.0, 0.0)
    weights = dip / dip.sum() - (1 - dip) / (1 - dip).sum()  # in against out of transit
    rng = np.random.default_rng(9)
    left = fitted.fit.residuals
    as_they_are = np.std([weights @ np.roll(left, k) for k in range(len(left))])
    drawn = np.std([weights @ injector.noise.draw(rng)[1] for _ in range(400)])
    truth = 0.0015 * np.sqrt(weights @ weights)
    assert as_they_are < drawn
    # One night tells its noise to 1 / sqrt(4 night / duration).
    assert drawn == pytest.approx(truth, rel=3 / math.sqrt(4 * 2.4))


def test_a_deep_transit_is_found_where_it_was_put_and_none_where_none_was(tmp_path):
    _, fitted = fitted_night(tmp_path, cadence_s=480.0)
    injector = injector_of(fitted, QUICK, 1)
    trial = injector(Order(Purpose.ERRORS, 0.015, 0.0, 1))
    assert trial.detected
    assert trial.true["depth"] == pytest.approx(1.5, rel=0.1)
    assert abs(trial.pull("depth")) < 4
    assert abs(trial.pull("mid")) < 4
    late = injector(Order(Purpose.PHASE, 0.03, 0.03, 2))
    assert late.detected
    assert late.true["mid"] == pytest.approx(trial.true["mid"] + 0.03, abs=1e-9)
    assert not injector(Order(Purpose.NONE, 0.015, 0.0, 3)).detected
    first, again = (injector(Order(Purpose.RATE, 1e-4, 0.0, 4)) for _ in range(2))
    assert not first.detected
    assert first.chance == again.chance


def test_a_flat_night_is_all_noise_and_tells_its_limit(tmp_path):
    rng = np.random.default_rng(2)
    path = write_curve(tmp_path / "flat.csv", MID, rng, cadence_s=500.0, window=(0.6, 2.0))
    told = lc.inject_transits(
        path, tmp_path / "out", injections=40, planet=planet_file(tmp_path), filter="Rc",
        workers=1, offline=True,
    )  # fmt: skip
    assert told.fitted.fit.verdict.finding is Finding.NOT_OBSERVED
    assert told.observed is None
    assert 0.05 < told.limit[0] < 1.5
    assert told.false_alarms[0] == 0
    assert "depth" in told.widths
    content = json.loads((tmp_path / "out" / "trust.json").read_text())
    assert content["limit_percent"] == pytest.approx(told.limit[0])
    with (tmp_path / "out" / "trust.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(told.trials)
    assert (tmp_path / "out" / "figures" / "trust.png").stat().st_size > 20_000


def test_depths_to_try_follow_the_noise_of_rounded_fluxes_too(tmp_path):
    _, fitted = fitted_night(tmp_path, cadence_s=480.0)
    injector = injector_of(fitted, QUICK, 1)
    rounded = np.where(np.arange(len(fitted.fit.residuals)) % 3 == 0, 0.01, 0.0)
    steps = replace(fitted, fit=replace(fitted.fit, residuals=rounded))
    assert white_error(steps, injector) > white_error(fitted, injector)


def test_the_command_tells_what_stands_in_the_way(tmp_path):
    run = CliRunner().invoke(app, ["trust", str(tmp_path)])
    assert isinstance(run.exception, InputError)
    absent = CliRunner().invoke(app, ["trust", str(tmp_path / "absent.csv")])
    assert isinstance(absent.exception, InputError)
    assert "absent.csv" in str(absent.exception)


def test_what_was_concluded_is_believed_of_the_same_light_curve_alone(tmp_path):
    _, fitted = fitted_night(tmp_path, cadence_s=480.0)
    curve, words = fitted.curve, "errors of the depth are 1.40 +- 0.10 times too small"
    content = {
        "light_curve": digest_of(curve), "limit_percent": 0.8,
        "conclusions": ["95 of 100", words], "too_small": [words],
    }  # fmt: skip
    (tmp_path / "trust.json").write_text(json.dumps(content))
    told = read_trust(tmp_path, take_rows(curve, np.argsort(-curve.bjd_tdb)))
    assert told.limit_percent == 0.8
    assert [note.severity for note in told.notes] == [Severity.INFO, Severity.WARNING]
    assert read_trust(tmp_path, replace(curve, flux=1.001 * curve.flux)) is None
    assert read_trust(tmp_path / "elsewhere", curve) is None
    (tmp_path / "trust.json").write_text('{"conclusions": 3}')
    with pytest.raises(InputError):
        read_trust(tmp_path, curve)


def test_the_share_of_a_transit_that_is_left_is_found_in_the_ratio_of_two_curves():
    rng = np.random.default_rng(6)
    transit = 1 - 0.02 * (np.abs(np.linspace(-1, 1, 80)) < 0.4)
    ratio = 1.003 * (1 - 0.9 * (1 - transit)) + rng.normal(0, 2e-4, 80)
    kept, error = share_kept(ratio, transit)
    assert kept == pytest.approx(0.9, abs=4 * error)
    assert error == pytest.approx(2e-4 / 0.02 / np.sqrt(80 * 0.4 * 0.6), rel=0.3)
