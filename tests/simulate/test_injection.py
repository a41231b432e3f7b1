"""The short version of the campaign of injections: each kind of night, each kind of weather."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import bench_injection as bench
from lightcurve.core.settings import FitSettings


@pytest.mark.parametrize("kind", ["white", "red"])
def test_transits_are_recovered_in_any_weather(kind, tmp_path):
    how = FitSettings(sample=False)
    pulls, found = [], 0
    for seed in range(len(bench.WEATHER)):
        fit, theta, duration = night = bench.one_night(seed, kind, how)
        bench.keep_night(tmp_path / "kept.jsonl", seed, kind, night)
        found += fit.found
        if not fit.found:
            continue
        for name, truth in (
            ("mid_time_bjd_tdb", theta[0]),
            ("rp_over_rs", theta[1]),
            ("duration_days", duration),
        ):
            p = fit.parameters[name]
            pulls.append((p.value - truth) / ((p.upper - p.lower) / 2))
    assert found >= len(bench.WEATHER) - (kind == "red")  # a wander may hide one
    assert np.abs(pulls).max() < 4
    assert 0.4 < np.std(pulls) < 1.8
    kept = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in kept] == list(range(len(bench.WEATHER)))


def test_nights_without_a_transit_show_none():
    how = FitSettings(sample=False)
    for seed in range(len(bench.WEATHER)):
        fit, _, _ = bench.one_night(seed, "empty", how)
        assert not fit.found
