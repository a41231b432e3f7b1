"""A light curve of many transits: each in its place, and all folded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.settings import Settings
from lightcurve.night.fit_table import Known, fit_light_curve
from lightcurve.night.transits import cut_transits, fold_transits, take_points
from lightcurve.tables.light_curves import read_curve
from lightcurve.transit.ephemeris import transit_duration
from space_files import observe, planet_of, write_light_curve

SETTINGS = Settings.model_validate({"fit": {"sample": False}})


@pytest.fixture(scope="module")
def sector():
    return observe(11, cadence_s=900.0, days=10.0, late={1001: 0.004}, gap=False)


@pytest.fixture(scope="module")
def curve(sector, tmp_path_factory):
    return read_curve(write_light_curve(tmp_path_factory.mktemp("lc") / "lc.fits", sector))


def test_each_transit_has_its_window_and_baseline(sector, curve):
    parts = cut_transits(curve, sector.planet)
    assert list(parts) == sector.epochs.tolist()
    duration = transit_duration(sector.planet)
    for epoch, part in parts.items():
        off = part.bjd_tdb - sector.planet.t0_bjd_tdb - epoch * sector.planet.period_days
        assert np.abs(off).max() == pytest.approx(2.0 * duration, rel=0.5)
        assert (off < -duration / 2).sum() >= 12 <= (off > duration / 2).sum()


def test_a_night_and_a_curve_without_transits_stay_whole(sector, curve):
    night = np.flatnonzero(np.abs(curve.bjd_tdb - curve.bjd_tdb[0] - 1.3) < 0.2)
    assert cut_transits(take_points(curve, night), sector.planet) == {}
    rare = planet_of(period_days=300.0)
    assert cut_transits(curve, replace(rare, t0_bjd_tdb=rare.t0_bjd_tdb - 100)) == {}
    assert list(cut_transits(curve, rare)) == [1000]  # a sector is no night


def test_the_stack_has_the_depth_and_each_transit_its_time(sector, curve):
    fitted = fit_light_curve(curve, sector.planet, SETTINGS, known=Known())
    radius = fitted.fit.parameters["rp_over_rs"]
    error = (radius.upper - radius.lower) / 2
    assert abs(radius.value - 0.1) < 4 * error
    assert error < 0.002
    assert [one.epoch for one in fitted.transits] == sector.epochs.tolist()
    for one in fitted.transits:
        mid = one.fit.parameters["mid_time_bjd_tdb"]
        late = 0.004 if one.epoch == 1001 else 0.0
        true = sector.planet.t0_bjd_tdb + one.epoch * sector.planet.period_days + late
        assert abs(mid.value - true) < 4 * (mid.upper - mid.lower) / 2


def test_folding_takes_out_what_varies_slowly(sector, curve):
    folded = fold_transits(cut_transits(curve, sector.planet), sector.planet)
    good = folded.flags == 0
    assert np.all(np.diff(folded.bjd_tdb) >= 0)
    off = folded.bjd_tdb - sector.planet.t0_bjd_tdb
    phase = (off / sector.planet.period_days + 0.5) % 1 - 0.5
    outside = good & (np.abs(phase) * sector.planet.period_days > 0.1)
    assert np.nanstd(folded.flux[outside]) < 1.3 / np.sqrt(5000 * 600.0)
