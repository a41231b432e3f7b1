"""Comparison ensemble: truth is a transparency that was put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.commands.options import OPTIONS
from lightcurve.core.errors import InputError
from lightcurve.core.robust import robust_scatter
from lightcurve.core.settings import make_settings
from lightcurve.curve.detrend import (
    clipped_scatter,
    column_median,
    column_scatter,
    point_to_point,
    scintillation,
)
from lightcurve.curve.ensemble import build_ensemble, relative_flux, take_members
from lightcurve.curve.weightings import WEIGHTINGS, Weighting


def _night(noise, n=200, seed=0):
    rng = np.random.default_rng(seed)
    noise = np.asarray(noise)
    level = 10 ** rng.uniform(3, 5, len(noise))
    clear = 1 + 0.2 * np.sin(np.linspace(0, 3, n))
    flux = level * clear[:, None] * (1 + noise * rng.normal(size=(n, len(noise))))
    return flux, flux * noise * 0.5, clear / np.median(clear)


def test_weights_follow_inverse_variance():
    noise = np.array([0.002, 0.004, 0.008, 0.004, 0.016, 0.004, 0.004, 0.008])
    flux, error, clear = _night(noise, n=2000)
    result = build_ensemble(flux, error)
    best = 1 / noise**2 / np.sum(1 / noise**2)
    assert result.weights == pytest.approx(best, rel=0.15)
    assert np.std(result.transparency / clear) < 1.1 / np.sqrt(np.sum(1 / noise**2))
    assert np.median(result.flux_err / result.flux) == pytest.approx(
        np.std(result.transparency / clear), rel=0.25
    )


def test_a_star_wrong_for_three_frames_is_ignored():
    flux, error, clear = _night([0.003] * 6)
    spoiled = flux.copy()
    spoiled[70:73, 2] *= 1.085
    result = build_ensemble(spoiled, error)
    assert not result.used[70:73, 2].any()
    assert result.used.mean() > 0.99
    assert np.abs(result.transparency / clear - 1)[70:73].max() < 0.006
    plain = build_ensemble(spoiled, error, weights="sum")
    assert plain.used.all()


def test_stars_that_leave_make_no_step():
    flux, error, clear = _night([0.003] * 8, n=300)
    gone = flux.copy()
    gone[150:, :4] = np.nan
    for weights in ("scatter", "sum"):
        ratio = build_ensemble(gone, error, weights=weights).transparency / clear
        step = np.median(ratio[150:]) - np.median(ratio[:150])
        assert abs(step) < 0.0015, weights


def test_sum_is_the_plain_sum_with_leave_one_out():
    flux, error, _ = _night([0.003, 0.005, 0.004])
    result = build_ensemble(flux, error, weights="sum")
    assert result.flux == pytest.approx(flux.sum(axis=1), rel=1e-12)
    assert result.flux_err == pytest.approx(np.sqrt((error**2).sum(axis=1)), rel=1e-12)
    relative, _ = relative_flux(result, flux, error, members=np.array([0, 1, 2]))
    expected = flux[:, 1] / (flux[:, 0] + flux[:, 2])
    assert relative[:, 1] == pytest.approx(expected / np.median(expected), rel=1e-9)


def test_target_never_moves_the_ensemble():
    flux, error, _ = _night([0.003] * 5)
    result = build_ensemble(flux[:, 1:], error[:, 1:])
    relative, relative_err = relative_flux(result, flux[:, :1], error[:, :1])
    assert relative[:, 0] == pytest.approx(
        flux[:, 0] / result.transparency / np.median(flux[:, 0] / result.transparency)
    )
    assert (relative_err > error[:, :1] / flux[:, :1] * relative * 0.999).all()


def test_members_can_be_taken():
    flux, error, _ = _night([0.003] * 5)
    whole = build_ensemble(flux, error, weights="sum")
    part = take_members(whole, np.array([1, 3]))
    assert part.flux == pytest.approx(flux[:, [1, 3]].sum(axis=1), rel=1e-3)


@pytest.mark.parametrize("weights", ["scatter", "sum"])
def test_one_star_is_its_own_ensemble(weights):
    flux, error, _ = _night([0.003])
    result = build_ensemble(flux, error, weights=weights)
    assert result.flux == pytest.approx(flux[:, 0], rel=1e-9)


def test_one_more_weighting_needs_one_entry(monkeypatch):
    """It is used by name, let through by the settings, and stands in the help."""
    monkeypatch.setattr(WEIGHTINGS, "entries", dict(WEIGHTINGS.entries))
    with pytest.raises(InputError, match="must be one of scatter, sum"):
        make_settings({"stars": {"weights": "brightest"}})

    def brightest(flux, flux_err):
        plain = WEIGHTINGS.get("sum").weigh(flux, flux_err)
        best = plain.level == plain.level.max(axis=-1, keepdims=True)
        return replace(plain, share=plain.share * best)

    WEIGHTINGS.register(Weighting("brightest", "the brightest star alone", brightest))
    assert make_settings({"stars": {"weights": "brightest"}}).weights == "brightest"
    assert "brightest (the brightest star alone)" in OPTIONS["stars.weights"].help_text()
    flux, error, _ = _night([0.003] * 3)
    alone = np.arange(3) == np.argmax(np.median(flux, axis=0))
    assert build_ensemble(flux, error, weights="brightest").weights.tolist() == alone.tolist()


def test_bad_input():
    flux, error, _ = _night([0.003] * 2)
    with pytest.raises(InputError, match="median"):
        build_ensemble(flux, error, weights="median")
    with pytest.raises(InputError, match="1 of 2"):
        build_ensemble(np.where([True, False], flux, np.nan), error)


@settings(max_examples=20)
@given(st.permutations(range(5)), st.floats(0.1, 50))
def test_order_of_stars_and_gain_do_not_matter(order, gain):
    flux, error, _ = _night([0.002, 0.003, 0.004, 0.005, 0.006], n=60)
    first = build_ensemble(flux, error)
    second = build_ensemble(gain * flux[:, order], gain * error[:, order])
    assert second.transparency == pytest.approx(first.transparency, rel=1e-6)
    assert second.weights == pytest.approx(first.weights[list(order)], rel=1e-4)


def test_scatters_of_known_noise():
    rng = np.random.default_rng(3)
    values = 5 + 0.01 * rng.normal(size=5000)
    slope = values + np.linspace(0, 1, 5000)
    spoiled = np.append(values, [100.0, np.nan])
    for estimate in (robust_scatter, clipped_scatter, point_to_point):
        assert estimate(spoiled) == pytest.approx(0.01, rel=0.04)
    assert point_to_point(slope) == pytest.approx(0.01, rel=0.04)
    assert np.isnan(clipped_scatter(np.array([1.0, 2.0, np.nan])))
    table = np.column_stack([values, np.full(5000, np.nan)])
    assert column_scatter(table)[0] == pytest.approx(robust_scatter(values))
    assert np.isnan(column_scatter(table)[1])


def test_column_median_is_that_of_numpy():
    rng = np.random.default_rng(4)
    for n in (1, 2, 7, 40):
        table = rng.normal(size=(n, 30))
        table[rng.random(table.shape) < 0.3] = np.nan
        table[0] = 1.0
        np.testing.assert_array_equal(column_median(table), np.nanmedian(table, axis=0))
    assert np.isnan(column_median(np.full((3, 1), np.nan)))[0]


@pytest.mark.parametrize(("n", "lowest"), [(5, 0.3), (10, 0.55), (15, 0.6)])
def test_the_scatter_of_a_short_steep_series_is_not_small_by_chance(n, lowest):
    rng = np.random.default_rng(7)
    found = [
        point_to_point(np.linspace(0, 0.13, n) + 0.012 * rng.normal(size=n)) for _ in range(500)
    ]
    assert np.percentile(found, 5) > lowest * 0.012
    assert np.median(found) == pytest.approx(0.012, rel=0.15)


def test_scintillation_against_youngs_formula():
    # Dravins et al. (1998) write it 0.09 D^(-2/3) X^1.75 exp(-h/8000) / sqrt(2 t) with D in cm;
    # Osborn et al. (2015) find about 1.5 times that at the zenith.
    young = 0.09 * 40 ** (-2 / 3) * np.exp(-1000 / 8000) / np.sqrt(2 * 60)
    ours = scintillation(np.array([1.0]), 60.0, diameter_m=0.4, height_m=1000)[0]
    assert ours / young == pytest.approx(1.5, rel=0.1)


@pytest.mark.parametrize("n", [6, 8, 12, 60])
def test_a_scatter_counts_what_was_fitted(n):
    """Five points about four coefficients hug them, and are no quieter for it."""
    rng, design = np.random.default_rng(8), np.vander(np.linspace(-1, 1, n), 4)
    found = []
    for _ in range(800):
        values = 0.01 * rng.normal(size=n)
        off = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        found.append(clipped_scatter(off, fitted=4) ** 2)
    assert np.sqrt(np.mean(found)) == pytest.approx(0.01, rel=0.06)
    assert np.isnan(clipped_scatter(off[:5], fitted=4))


@pytest.mark.parametrize("noise", [(0.002, 0.01), (0.002, 0.01, 0.03)])
def test_a_quiet_star_is_not_wild_where_noisy_ones_are_off(noise):
    """One in a million is beyond five sigma, whatever the others scatter."""
    rng, sigma = np.random.default_rng(4), np.array(noise)
    thrown = 0
    for _ in range(50):
        flux = 1e5 * (1 + sigma * rng.normal(size=(60, len(sigma))))
        thrown += np.sum(~build_ensemble(flux, sigma * flux).used)
    assert thrown <= 1
