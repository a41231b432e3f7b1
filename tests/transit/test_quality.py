"""A wrong ephemeris hides no transit, and a quiet or wandering night shows no dip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import About, Finding, LightCurve, Planet, Severity, Verdict
from lightcurve.core.settings import FitSettings
from lightcurve.night.fit_products import summarise_fit
from lightcurve.transit.fit import fit_transit
from lightcurve.transit.model import transit_flux
from lightcurve.transit.quality import dip_notes, find_dip

PLANET = Planet(
    name="Test b", ra_deg=0.0, dec_deg=0.0, period_days=3.0, t0_bjd_tdb=2459000.0,
    rp_over_rs=0.12, a_over_rs=9.0, inclination_deg=88.0, teff_k=5800.0,
    errors={"a_over_rs": 0.3, "inclination_deg": 0.5, "t0_bjd_tdb": 0.001},
)  # fmt: skip
TRUTH = np.array([2459030.003, 0.12, 9.1, 0.33, 0.35, 0.36])
OFF = Verdict(Finding.NOT_OBSERVED, "the data end 60 min before the predicted ingress")


def night(seed: int, depth: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    time = TRUTH[0] + np.linspace(-0.12, 0.12, 150)
    flux = 1 + depth * (transit_flux(time, TRUTH, PLANET) - 1)
    return time, flux * (1 + 0.002 * np.random.default_rng(seed).normal(size=150))


def test_a_transit_is_found_where_it_is() -> None:
    time, flux = night(1)
    mid, depth, error = find_dip(time, flux, 0.11)
    assert mid == pytest.approx(TRUTH[0], abs=0.01)
    assert depth == pytest.approx(0.0144, rel=0.25)
    assert depth > 10 * error
    (note,) = dip_notes(OFF, time, flux - 1, 0.11)
    assert note.about is About.DIP
    assert note.severity is Severity.WARNING
    dip = note.results["dip_depth_percent"]
    assert dip.unit == "%"
    assert dip.value == pytest.approx(100 * depth)
    assert dip.upper - dip.value == pytest.approx(100 * error)
    assert note.results["dip_time_bjd_tdb"].value == mid
    assert dip_notes(Verdict(Finding.TRANSIT, depth_sigma=9.0), time, flux - 1, 0.11) == ()


def test_quiet_and_drifting_nights_show_no_dip() -> None:
    for seed in range(100):
        time, flux = night(seed, depth=0.0)
        phase = (time - time[0]) / np.ptp(time)
        drift = 0.02 * phase + 0.03 * (phase - 0.4) ** 2
        assert dip_notes(OFF, time, flux - 1, 0.11) == ()
        assert dip_notes(OFF, time, flux - 1 + drift, 0.11) == (), seed
    assert dip_notes(OFF, time[:9], flux[:9], 0.11) == ()


def test_a_wrong_ephemeris_is_told_beside_the_verdict() -> None:
    time, flux = night(2)
    nothing = np.full(len(time), np.nan)
    curve = LightCurve(
        file=np.arange(len(time)).astype(str), jd_utc=time, bjd_tdb=time, flux=flux,
        flux_err=np.full(len(time), 0.002), target_flux=nothing, comparison_flux=nothing,
        flags=np.zeros(len(time), np.uint16), covariates={},
    )  # fmt: skip
    late = replace(PLANET, t0_bjd_tdb=PLANET.t0_bjd_tdb + 0.5)
    for planet, told in ((late, True), (PLANET, False)):
        fit = fit_transit(curve, planet, exposure_s=60.0, settings=FitSettings(sample=False))
        assert (fit.verdict.finding is Finding.NOT_OBSERVED) == told
        assert ("dip" in summarise_fit(fit)) == told
