"""Errors quoted are held against the scatter seen: a warning where they are off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import LightCurve, Severity
from lightcurve.core.flags import Flag
from lightcurve.curve.quoted import judge_errors


def curve(n: int, factor: float, seed: int, error: float = 0.003) -> LightCurve:
    """A steep transit with a trend, of points that scatter `factor` times their errors."""
    rng, time = np.random.default_rng(seed), np.linspace(0, 0.2, n)
    shape = 1 - 0.02 * np.clip((0.06 - np.abs(time - 0.1)) / 0.02, 0, 1) + 0.1 * time
    errors = error * rng.uniform(0.8, 1.2, n)
    flux = shape + factor * errors * rng.normal(size=n)
    flags, none = np.zeros(n, np.uint16), np.full(n, np.nan)
    if n > 40:
        flux[20], flags[20] = 2.0, Flag.OUTLIER
        flux[30], flags[30] = np.nan, Flag.NOT_MEASURED
    return LightCurve(
        file=np.arange(n).astype(str), jd_utc=time, bjd_tdb=time, flux=flux, flux_err=errors,
        target_flux=none, comparison_flux=none, flags=flags, covariates={},
    )  # fmt: skip


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 2.5])
def test_the_factor_is_found_and_warned_of_where_it_is_not_one(factor: float) -> None:
    notes = [judge_errors(curve(100, factor, seed)) for seed in range(30)]
    told = [note.results["scatter_over_error"] for note in notes]
    assert np.mean([one.value for one in told]) == pytest.approx(factor, rel=0.04)
    inside = np.mean([one.lower < factor < one.upper for one in told])
    assert 0.5 < inside < 0.85
    warned = np.mean([note.severity is Severity.WARNING for note in notes])
    assert warned == 0 if factor == 1 else warned > 0.8


def test_a_variable_seen_once_a_night_says_nothing_of_its_errors() -> None:
    steady = curve(100, 1.0, 1)
    nightly = replace(
        steady,
        jd_utc=1000 * steady.jd_utc,
        flux=steady.flux + 0.2 * np.sin(2 * np.pi * 1000 * steady.jd_utc / 3.8),
    )
    note = judge_errors(nightly)
    assert (dict(note.results), note.severity) == ({}, Severity.INFO)


def test_a_short_series_is_not_judged() -> None:
    for n in (0, 2, 5, 15):
        note = judge_errors(curve(n, 3.0, 1))
        assert (dict(note.results), note.severity) == ({}, Severity.INFO)
