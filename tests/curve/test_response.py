"""What places of the chip do to stars that drift: from some stars, for another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightcurve.core.data import Aperture, ApertureKind, StarRole
from lightcurve.core.settings import make_settings
from lightcurve.curve.aperture import take_aperture
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.response import SIZES, _compare, _powers, measure_response
from sim_cube import CubeTruth, simulate_cube

N = 120


def _vignetted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine to the fourth about a point that is not the middle: 30 % less in a corner."""
    return np.cos(np.arctan(np.hypot(x - 420.0, y - 560.0) / 1700.0)) ** 4


def _night(seed, response=None, own=0.0, **truth):
    """A night over a chip; each star has a drift of its own, as colours make it."""
    rng = np.random.default_rng(seed)
    cube = simulate_cube(np.ones(N), CubeTruth(n_stars=40, **truth), rng)
    drift = own * rng.normal(size=40) * np.linspace(-1, 1, N)[:, None]
    factor = np.exp(drift) * (1.0 if response is None else response(cube.x, cube.y))
    return replace(
        cube, flux=cube.flux * factor[..., None], flux_err=cube.flux_err * factor[..., None]
    )


def _measure(cube, rows=range(2, 40)):
    piece = take_aperture(cube, Aperture(ApertureKind.FIXED, 5.0))
    return measure_response(cube, piece, np.array(rows))


@pytest.mark.parametrize("flip", [False, True])
def test_stars_that_had_no_part_are_foretold(flip):
    """Ten of them, in what they do against the others."""
    cube = _night(1, _vignetted, own=0.001, drift_px=160.0, flip=flip)
    truth, told = np.log(_vignetted(cube.x, cube.y)), np.log(_measure(cube, range(10, 40)))
    always = np.isfinite(truth).all(axis=0)

    def against_others(of_place):
        mine, others = of_place[:, :10][:, always[:10]], of_place[:, 10:][:, always[10:]]
        drift = mine - others.mean(axis=1)[:, None]
        return drift - drift.mean(axis=0)

    drift, left = against_others(truth), against_others(truth - told)
    assert drift.shape[1] > 4
    assert drift.std() > 0.004
    assert left.std() < 0.2 * drift.std()


@pytest.mark.parametrize("own", [0.0, 0.004])
def test_nothing_is_said_of_a_flat_chip(own):
    """By noise alone, or with drifts that are the stars' own: of 20 nights one may be unlucky."""
    told = [_measure(_night(seed, own=own, drift_px=60.0)) is not None for seed in range(20)]
    assert sum(told) <= 1


def _plain_excess(told, star, surface):
    """Hold one star against a surface, frame by frame."""
    own, weight = told.share[:, star], told.weight[:, star] * (1 - told.share[:, star])
    left = (told.curve[:, star] - told.columns[:, star] @ surface) / (1 - own)
    left -= np.average(left, weights=weight)
    return float(weight @ left**2 / np.count_nonzero(weight))


def test_all_stars_at_once_are_as_one_by_one():
    """With stars that leave the field; and what others foretell is by equations without a star."""
    cube = _night(5, _vignetted, own=0.001, drift_px=160.0)
    piece = take_aperture(cube, Aperture(ApertureKind.FIXED, 5.0))
    told = _compare(piece, np.arange(2, 40), _powers(cube.x, cube.y))
    assert (told.weight == 0).any()
    stars = range(told.curve.shape[1])
    normal, right = told.equations()
    for size, (surface, foretold) in zip(SIZES, told.fits(SIZES), strict=True):
        alone = [_plain_excess(told, k, surface) for k in stars]
        assert told.excess(surface) == pytest.approx(alone, rel=1e-9)
        counts = np.ones(len(alone))
        for _ in range(5):
            whole = sum(c * n for c, n in zip(counts, normal, strict=True))
            sums = sum(c * r for c, r in zip(counts, right, strict=True))
            best = np.linalg.solve(whole + np.eye(27) / size**2, sums)
            left = np.array([_plain_excess(told, k, best) for k in stars])
            counts = 1 / np.maximum(left / np.median(left), 1)
        assert surface == pytest.approx(best, rel=1e-6, abs=1e-9)
        for k in (0, 7, len(alone) - 1):
            rest = whole - counts[k] * normal[k] + np.eye(27) / size**2
            others = np.linalg.solve(rest, sums - counts[k] * right[k])
            assert foretold[k] == pytest.approx(_plain_excess(told, k, others), rel=1e-6)


def test_few_stars_tell_nothing():
    assert _measure(_night(1, _vignetted, drift_px=160.0), range(2, 9)) is None


def test_the_check_star_is_flat_where_the_chip_is_not():
    """The bright star that drifts most is checked, as a user might ask for it."""
    cube = _night(3, _vignetted, drift_px=160.0)
    moved = np.log(_vignetted(cube.x, cube.y)).std(axis=0)  # NaN for stars that leave
    row = int(np.nanargmax(np.where(cube.plan.flux_ref > cube.plan.flux_ref[0], moved, np.nan)))
    role = np.where(np.arange(40) == row, StarRole.CHECK, cube.plan.role)
    plan = replace(cube.plan, role=role)
    recipe = choose_curve(replace(cube, plan=plan), make_settings({})).recipe
    verdict = recipe.check_verdict
    assert verdict.star == f"K{row + 1}"
    assert verdict.troubles == ()
    assert verdict.by_place > 0.01
    assert verdict.results["check_by_place_percent"].value == pytest.approx(100 * verdict.by_place)
    assert abs(verdict.trend) < 0.2 * verdict.by_place
    assert np.nanstd(recipe.check_flux) < 1.3 * verdict.expected
    flat = choose_curve(replace(_night(3, drift_px=160.0), plan=plan), make_settings({})).recipe
    assert np.isnan(flat.check_verdict.by_place)
    assert flat.check_flux is None
