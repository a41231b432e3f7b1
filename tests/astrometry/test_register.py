"""Registration by star pattern: known transforms recovered, unrelated fields refused."""

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.astrometry import register as pattern
from lightcurve.astrometry.register import (
    LEVELS,
    MAX_FALSE_PROBABILITY,
    false_match_probability,
    make_reference,
    register,
    triangles_of,
    within,
)
from lightcurve.astrometry.transform import apply, fit_affine, fit_similarity
from lightcurve.core.errors import RegistrationError
from lightcurve.phot.detect import detect

SIZE = np.array([650, 500])
SHAPE = (500, 650)


def random_transform(rng: np.random.Generator) -> np.ndarray:
    """Any angle, mirrored or not, scale within 4 %, shifts to half the frame."""
    angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.96, 1.04)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([1, rng.choice([-1, 1])])
    centre = SIZE / 2
    return np.column_stack([linear, centre - linear @ centre + rng.uniform(-0.5, 0.5, 2) * SIZE])


def on_frame(points: np.ndarray) -> np.ndarray:
    return ((points > 0) & (points < SIZE)).all(axis=1)


def random_pair(rng: np.random.Generator, n_common: int | None) -> tuple:
    """A reference field, what a frame shows of it, and the truth."""
    while True:
        n = int(rng.integers(8, 80))
        field, flux = rng.uniform([0, 0], SIZE, (n, 2)), 10 ** rng.uniform(2, 5, n)
        matrix = random_transform(rng)
        seen = np.flatnonzero(
            on_frame(apply(matrix, field)) & (rng.random(n) > rng.uniform(0, 0.5))
        )
        if n_common is not None:
            seen = rng.permutation(seen)[:n_common]
        # Up to half of the reference's stars may be missing in the frame.
        if len(seen) >= max(n_common or 6, n / 2):
            break
    k = len(seen)
    n_spurious = int(rng.integers(0, k + 1))
    noise = rng.uniform(0.02, 0.3)
    xy = np.vstack(
        [
            apply(matrix, field[seen]) + rng.normal(0, noise, (k, 2)),
            rng.uniform([0, 0], SIZE, (n_spurious, 2)),
        ]
    )
    brightness = np.concatenate(
        [flux[seen] * 10 ** rng.normal(0, 0.1, k), 10 ** rng.uniform(2, 5, n_spurious)]
    )
    return field, flux, xy, brightness, matrix, field[seen]


@pytest.mark.parametrize("n_common", [None, 6])
def test_finds_any_transform_of_twelve_hundred(n_common: int | None) -> None:
    rng = np.random.default_rng(20171220)
    for _ in range(600):
        field, flux, xy, brightness, matrix, common = random_pair(rng, n_common)
        found = register(*xy.T, brightness, make_reference(*field.T, flux, SHAPE))
        # Six stars with 0.3 px noise leave the far corner uncertain by several times that.
        assert np.abs(apply(found.matrix, common) - apply(matrix, common)).max() < 1.5
        assert found.mirrored == (np.linalg.det(matrix[:, :2]) < 0)
        assert found.false_match_probability < MAX_FALSE_PROBABILITY
        assert found.n_matched >= 6


def spread(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform([0, 0], SIZE, (n, 2))


def cluster(rng: np.random.Generator, n: int) -> np.ndarray:
    centre = rng.normal(SIZE / 2, rng.uniform(15, 60), (n // 2, 2))
    points = np.vstack([spread(rng, n - n // 2), centre])
    return points[on_frame(points)]


@pytest.mark.parametrize("sky", [spread, cluster])
@pytest.mark.parametrize("n", [12, 40, 250])
def test_refuses_unrelated_fields(sky: object, n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(15):
        one, other = sky(rng, n), sky(rng, n)
        pattern = make_reference(*one.T, rng.random(len(one)), SHAPE)
        with pytest.raises(RegistrationError, match="may be chance") as caught:
            register(*other.T, rng.random(len(other)), pattern)
        assert caught.value.n_detected == len(other)
        assert caught.value.n_catalog == len(one)
        assert caught.value.best < n / 2


def test_stated_probability_is_not_below_the_true_one() -> None:
    # Two fields of 10 stars, the best of all similarities through pairs: count how often chance
    # brings k of them together, and compare with the bound.
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(5)
    happened, stated = [], []
    for _ in range(25):
        one, other = spread(rng, 10), spread(rng, 10)
        tree, best, bound = cKDTree(other), 0, 1.0
        for a in range(10):
            for b in range(10):
                for c in range(10):
                    for d in range(c):
                        if a == b:
                            continue
                        ratio = np.hypot(*(one[a] - one[b])) / np.hypot(*(other[c] - other[d]))
                        if abs(np.log(ratio)) > 0.05:
                            continue
                        matrix = fit_similarity(one[[a, b]], other[[c, d]])
                        off, _ = tree.query(apply(matrix, one))
                        if (off < 2).sum() > best:
                            best = int((off < 2).sum())
                            bound = false_match_probability(
                                off[off < 2], apply(matrix, one), tree, SHAPE
                            )
        happened.append(best)
        stated.append(bound)
    assert max(happened) < 6
    assert min(stated) > 0.001


@pytest.mark.parametrize("grid", [True, False])
@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 180.0, 33.0])
def test_hot_pixels_that_stand_still_do_not_mislead(grid: bool, turn_deg: float) -> None:
    rng = np.random.default_rng(int(turn_deg))
    for _ in range(10):
        stars, flux = spread(rng, 60), 10 ** rng.uniform(2, 4, 60)
        c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        linear = np.array([[c, -s], [s, c]])
        shift = SIZE / 2 - linear @ (SIZE / 2) + rng.uniform(10, 60, 2)
        matrix = np.column_stack([linear, shift])
        there = apply(matrix, stars)
        seen = on_frame(there)
        hot = spread(rng, 25)
        if grid:
            hot = np.stack(np.meshgrid(*[np.linspace(50, 450, 5)] * 2), -1).reshape(-1, 2)
        hot_flux = 10 ** rng.uniform(2, 4, 25)
        pattern = make_reference(
            *np.vstack([stars, hot]).T, np.concatenate([flux, hot_flux]), SHAPE
        )
        xy = np.vstack([there[seen], hot])
        found = register(*xy.T, np.concatenate([flux[seen], hot_flux]), pattern)
        assert np.allclose(apply(found.matrix, stars[seen]), there[seen], atol=0.5)


def test_a_satellite_trail_does_not_mislead() -> None:
    rng = np.random.default_rng(9)
    stars, flux = spread(rng, 40), 10 ** rng.uniform(2, 4, 40)
    trail = np.column_stack([np.linspace(5, 640, 40), np.linspace(30, 400, 40)])
    xy = np.vstack([stars + np.array([20, -7]), trail])
    brightness = np.concatenate([flux, np.full(40, 2e4)])
    found = register(*xy.T, brightness, make_reference(*stars.T, flux, SHAPE))
    assert np.allclose(found.matrix, [[1, 0, 20], [0, 1, -7]], atol=1e-6)


def test_trailed_stars_register() -> None:
    # Trailing smears each centroid along one direction, by up to a pixel differently.
    rng = np.random.default_rng(10)
    stars, flux = spread(rng, 40), 10 ** rng.uniform(2, 4, 40)
    xy = stars + (31, 4) + rng.normal(0, 1, (40, 1)) * (0.6, 0.2)
    found = register(*xy.T, flux, make_reference(*stars.T, flux, SHAPE))
    assert np.abs(apply(found.matrix, stars) - stars - (31, 4)).max() < 1.0


def test_too_few_stars_say_so() -> None:
    rng = np.random.default_rng(1)
    stars = spread(rng, 20)
    pattern = make_reference(*stars.T, np.ones(20), SHAPE)
    with pytest.raises(RegistrationError, match="5 stars in the frame and 20 in the reference"):
        register(*stars[:5].T, np.ones(5), pattern)
    with pytest.raises(RegistrationError, match="0 stars"):
        register([], [], [], pattern)


def test_neither_order_nor_pickling_nor_a_nan_matters() -> None:
    rng = np.random.default_rng(3)
    stars, flux = spread(rng, 50), np.round(10 ** rng.uniform(1, 2, 50))  # with ties
    xy = stars @ np.array([[0.6, -0.8], [0.8, 0.6]]) + (10, 250)
    pattern = make_reference(*stars.T, flux, SHAPE)
    first = register(*xy.T, flux, pattern)
    order = rng.permutation(50)
    again = pickle.loads(pickle.dumps(make_reference(*stars[order].T, flux[order], SHAPE)))  # noqa: S301
    nan = np.full((1, 2), np.nan)
    second = register(
        *np.vstack([nan, xy[order[::-1]]]).T, np.append(9e9, flux[order[::-1]]), again
    )
    assert np.array_equal(first.matrix, second.matrix)
    assert first.n_matched == second.n_matched


def test_fits_recover_what_was_put_in() -> None:
    rng = np.random.default_rng(4)
    points = spread(rng, 30)
    affine = np.array([[1.01, 0.002, 5.0], [-0.003, 0.98, -7.0]])
    assert np.allclose(fit_affine(points, apply(affine, points)), affine)
    mirrored = np.array([[0.6, 0.8, 3.0], [0.8, -0.6, 4.0]])
    assert np.allclose(fit_similarity(points, apply(mirrored, points)), mirrored)


def test_the_real_night(hatp32: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [detect(fits.getdata(path).astype(np.float32), saturation_adu=4095) for path in hatp32]
    assert len(found) == 142
    tried, refine = [], pattern._refine
    monkeypatch.setattr(pattern, "_refine", lambda *given: tried.append(given) or refine(*given))
    for k in (0, len(found) // 2):
        reference = make_reference(found[k].x, found[k].y, found[k].flux, SHAPE)
        tried.clear()
        night = [register(stars.x, stars.y, stars.flux, reference) for stars in found]
        assert np.median([r.rms_px for r in night]) < 0.15
        # Standing still, and then the transform that most triangles call for: others are seldom
        # looked at, or registration would take longer than all else.
        assert len(tried) < 2.1 * len(night)
        # The telescope drifts smoothly: no step between frames above the known 12 px.
        shifts = [apply(r.matrix, np.array([[325.0, 250.0]]))[0] for r in night]
        assert max(np.hypot(*(b - a)) for a, b in pairwise(shifts)) < 14
        assert not any(r.mirrored for r in night)


def test_a_reference_sent_to_another_process_is_the_same() -> None:
    rng = np.random.default_rng(6)
    x, y, flux = rng.uniform(0, 500, (3, 80))
    sent = make_reference(x, y, flux, (500, 500))
    packed = pickle.dumps(sent)
    assert len(packed) < 4000  # beyond 64 kB a process is not started before the last one reads
    came = pickle.loads(packed)  # noqa: S301 - our own
    np.testing.assert_array_equal([came.x, came.y], [sent.x, sent.y])
    for level in range(len(LEVELS)):
        ours, theirs = triangles_of(sent, level), triangles_of(came, level)
        np.testing.assert_array_equal(ours.corners, theirs.corners)
        np.testing.assert_array_equal(ours.invariants, theirs.invariants)


def test_pairs_of_near_values_are_all_pairs_of_near_values() -> None:
    rng = np.random.default_rng(8)
    for n, m in ((40, 200), (200, 3), (0, 5), (5, 0)):
        values, rising = rng.uniform(0, 50, n), np.sort(rng.uniform(0, 50, m).round())
        row, column = within(values, rising, 1.5, most=n * m + 1)
        plain = np.argwhere(np.abs(values[:, None] - rising) <= 1.5)
        np.testing.assert_array_equal(np.column_stack([row, column]), plain)
        row, column = within(values, rising, 1.5, most=len(plain) // 3 + 1)
        some = plain[plain[:, 0] % 3 == 0]
        np.testing.assert_array_equal(np.column_stack([row, column]), some)


SHIFT = np.array([7.3, -4.2])
LINE = np.linspace(20, 480, 100)
GRID = np.mgrid[50:650:60, 25:500:50].reshape(2, -1).T.astype(float)
COMB = np.mgrid[100:650:110, 20:480:20].reshape(2, -1).T.astype(float)
DEGENERATE = {
    "line": np.column_stack([LINE, LINE]),
    "column": np.column_stack([np.full(100, 300.0), LINE]),
    "two places": np.repeat([[200.0, 400.0], [500.0, 100.0]], 50, axis=0),
    "grid": GRID,
    "comb": COMB,
}


@pytest.mark.parametrize("kind", DEGENERATE)
def test_stars_whose_triangles_are_all_alike_cost_no_more_than_others(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted by the pairs of triangles that are fitted, which the cost goes by."""
    fitted = []
    plain = pattern._similarities

    def counted(here: np.ndarray, there: np.ndarray) -> tuple:
        fitted.append(here.shape[1])
        return plain(here, there)

    monkeypatch.setattr(pattern, "_similarities", counted)
    rng = np.random.default_rng(5)
    stars = DEGENERATE[kind]
    flux = np.sort(rng.uniform(1e3, 1e5, len(stars)))[::-1]
    reference = make_reference(*stars.T, flux, SHAPE)
    seen = stars + SHIFT + rng.normal(0, 0.1, stars.shape)
    try:
        found = register(*seen.T, flux, reference)
    except RegistrationError:
        found = None
    assert max(fitted, default=0) <= pattern.MAX_LIKE
    if kind in {"line", "column", "two places"}:  # nothing tells one side from the other
        assert found is None


@pytest.mark.parametrize("kind", ["grid", "comb"])
def test_a_pattern_that_repeats_is_found_standing_still(kind: str) -> None:
    rng = np.random.default_rng(5)
    stars = DEGENERATE[kind]
    flux = rng.uniform(1e3, 1e5, len(stars))
    found = register(*stars.T, flux, make_reference(*stars.T, flux, SHAPE))
    np.testing.assert_allclose(found.matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


@pytest.mark.parametrize("kind", ["line", "column"])
def test_a_bright_line_does_not_hide_the_stars(kind: str) -> None:
    """A satellite's trail in pieces, or a hot column, in the frame alone and brighter than all."""
    rng = np.random.default_rng(7)
    stars, flux = rng.uniform([40, 40], SIZE - 40, (80, 2)), rng.uniform(1e3, 1e5, 80)
    seen = np.vstack([DEGENERATE[kind], stars + SHIFT])
    light = np.concatenate([np.full(100, 1e6), flux])
    found = register(*seen.T, light, make_reference(*stars.T, flux, SHAPE))
    np.testing.assert_allclose(found.matrix[:, 2], SHIFT, atol=1e-6)
