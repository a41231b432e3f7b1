"""Red noise: what is put in is found, what is not there is not, and the errors carry it."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import StarCurves
from lightcurve.transit.red_noise import find_red_noise

N = 160
TIME = np.arange(N) * 2 / 1440
DESIGN = np.column_stack([np.ones(N), TIME, np.abs(TIME - TIME.mean()) < 0.05])


def _wander(rng, tau):
    covariance = np.exp(-np.abs(TIME[:, None] - TIME) / tau)
    return np.linalg.cholesky(covariance + 1e-12 * np.eye(N)) @ rng.normal(size=N)


def _residuals(rng, amplitude, tau=0.02):
    values = rng.normal(size=N) + amplitude * _wander(rng, tau)
    return values - DESIGN @ np.linalg.lstsq(DESIGN, values, rcond=None)[0]


def _find(residuals):
    return find_red_noise(
        TIME, 0.002 * residuals, np.full(N, 0.002), design=DESIGN, longest_days=0.1
    )


def test_amplitude_is_recovered_though_the_fit_absorbed_some():
    rng = np.random.default_rng(0)
    found = [_find(_residuals(rng, 1.0)) for _ in range(20)]
    assert all(f is not None for f in found)
    assert np.median([f.amplitude for f in found]) == pytest.approx(1.0, rel=0.2)
    # One night says little about the time: what is probable reaches up to the longest.
    assert 0.01 < np.median([f.time_days for f in found]) < 0.05
    assert np.median([f.probability for f in found]) > 0.95


def test_white_noise_is_mostly_left_alone():
    rng = np.random.default_rng(1)
    found = [_find(_residuals(rng, 0.0)) for _ in range(20)]
    assert np.median([f.probability for f in found]) < 0.7
    assert np.median([f.amplitude for f in found]) < 0.3


def test_a_trend_that_priors_hold_is_no_wander_and_hides_none():
    """A slope within its prior is not taken for noise; one that its prior forbids is."""
    rng = np.random.default_rng(4)
    line = (TIME - TIME.mean()) / TIME.std()
    found = {}
    for width in (2.0, 0.01):
        data = [0.002 * (rng.normal(size=N) + 1.5 * line) for _ in range(10)]
        found[width] = [
            find_red_noise(
                TIME, values, np.full(N, 0.002), design=np.ones((N, 1)),
                trend=0.002 * width * line[:, None], longest_days=0.1,
            ).probability
            for values in data
        ]  # fmt: skip
    assert np.median(found[2.0]) < 0.5
    assert np.median(found[0.01]) > 0.99


def test_whitening_whitens():
    rng = np.random.default_rng(2)
    residuals = _residuals(rng, 2.0)
    found = _find(residuals)
    white = found.whiten @ (0.002 * residuals)
    assert np.corrcoef(residuals[1:], residuals[:-1])[0, 1] > 0.5
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.25
    assert np.std(white) == pytest.approx(1, rel=0.2)


def test_errors_of_a_depth_are_honest():
    """Generalised least squares with the noise found: pulls of a box's depth have width one."""
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(40):
        data = rng.normal(size=N) + 0.8 * _wander(rng, 0.02)
        start = DESIGN @ np.linalg.lstsq(DESIGN, data, rcond=None)[0]
        found = find_red_noise(TIME, data - start, np.ones(N), design=DESIGN, longest_days=0.1)
        whiten = np.eye(N) if found is None else found.whiten
        design, values = whiten @ DESIGN, whiten @ data
        best = np.linalg.lstsq(design, values, rcond=None)[0]
        scale = np.sum((values - design @ best) ** 2) / (N - 3)
        error = np.sqrt(scale * np.linalg.inv(design.T @ design)[2, 2])
        pulls.append(best[2] / error)
    assert 0.8 < np.std(pulls) < 1.5


def _stars(rng, amplitude, number, noise=0.002):
    """Stars of a night whose wanders are shares of the light: bright and faint have the same."""
    own = noise * rng.uniform(0.5, 2.0, number)
    wanders = np.column_stack([_wander(rng, 0.02) for _ in range(number)])
    flux = 1 + own * rng.normal(size=(N, number)) + 0.002 * amplitude * wanders
    return StarCurves(tuple(f"C{k + 2}" for k in range(number)), flux, np.tile(own, (N, 1)))


def _depth(rng, amplitude, stars):
    """Error of a box's depth, and how far off it is, by generalised least squares."""
    data = 0.002 * (rng.normal(size=N) + amplitude * _wander(rng, 0.02))
    start = DESIGN @ np.linalg.lstsq(DESIGN, data, rcond=None)[0]
    found = find_red_noise(
        TIME, data - start, np.full(N, 0.002), design=DESIGN, longest_days=0.1, stars=stars
    )
    design, values = found.whiten @ DESIGN, found.whiten @ data
    best = np.linalg.lstsq(design, values, rcond=None)[0]
    scale = np.sum((values - design @ best) ** 2) / (N - 3)
    return best[2], np.sqrt(scale * np.linalg.inv(design.T @ design)[2, 2])


@pytest.mark.parametrize("amplitude", [0.0, 0.7])
def test_what_the_stars_show_makes_errors_honest_on_quiet_and_on_wandering_nights(amplitude):
    """Twelve stars wander as the target does, each for itself: pulls of width one either way."""
    rng = np.random.default_rng(5)
    found = np.array([_depth(rng, amplitude, _stars(rng, amplitude, 12)) for _ in range(25)])
    assert 0.8 < np.sqrt(np.mean((found[:, 0] / found[:, 1]) ** 2)) < 1.2
    if not amplitude:
        alone = np.array([_depth(rng, amplitude, None) for _ in range(8)])
        assert np.mean(found[:, 1]) < 0.9 * np.mean(alone[:, 1])


def test_a_star_that_wanders_alone_is_believed_and_one_star_says_nothing():
    rng = np.random.default_rng(6)
    quiet = _stars(rng, 0.0, 12)
    residuals = 0.002 * _residuals(rng, 1.5)
    args = {"design": DESIGN, "longest_days": 0.1}
    found, alone, one = (
        find_red_noise(TIME, residuals, np.full(N, 0.002), stars=stars, **args).amplitude
        for stars in (quiet, None, StarCurves(("C2",), quiet.flux[:, :1], quiet.flux_err[:, :1]))
    )
    assert found > 1
    assert one == alone


def test_stars_that_come_and_go_do_not_stop_it():
    """Missing points are bridged where they are few; a star that is mostly missing has no say."""
    rng = np.random.default_rng(7)
    stars, residuals = _stars(rng, 0.0, 8), 0.002 * _residuals(rng, 0.0)
    flux = stars.flux.copy()
    flux[::20, :4] = np.nan
    flux[:100, 4] = np.nan
    flux[50] = np.nan
    args = {"design": DESIGN, "longest_days": 0.1}
    patchy = find_red_noise(
        TIME,
        residuals,
        np.full(N, 0.002),
        stars=StarCurves(stars.names, flux, stars.flux_err),
        **args,
    )
    whole = find_red_noise(TIME, residuals, np.full(N, 0.002), stars=stars, **args)
    assert patchy.amplitude == pytest.approx(whole.amplitude, abs=0.15)
    assert np.isnan(flux[0, 0])
    assert (patchy.n_stars, whole.n_stars) == (7, 8)


def test_too_few_or_too_many_points_are_left_white():
    few = slice(0, 30)
    args = {"design": DESIGN[few], "longest_days": 0.1}
    assert find_red_noise(TIME[few], np.ones(30), np.ones(30), **args) is None
    assert _find(np.zeros(N)) is None
