"""Frames of few stars: where they are, or refused; never somewhere else."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.astrometry.few import as_it_lies, faintest, register_few
from lightcurve.astrometry.register import make_reference
from lightcurve.astrometry.transform import apply
from lightcurve.core.data import Detections, FoundBy
from lightcurve.core.errors import RegistrationError

SHAPE = (110, 130)
NOISE = 8.0


def seen(xy: np.ndarray, flux: np.ndarray) -> Detections:
    """Detections of what lies on the frame and is bright enough, brightest first."""
    inside = ((xy > 3) & (xy < np.array(SHAPE[::-1]) - 4)).all(axis=1)
    wide = np.full(len(xy), 3.0)
    one = Detections(*xy.T, flux, flux, wide, 100.0, NOISE)
    order = np.argsort(-flux)
    order = order[(inside & (flux > faintest(one)))[order]]
    return Detections(*xy[order].T, flux[order], flux[order], wide[order], 100.0, NOISE)


def pattern(stars: Detections):
    return make_reference(stars.x, stars.y, stars.flux, SHAPE, faintest(stars))


def moved(xy: np.ndarray, shift: tuple[float, float], *, turn_deg: float = 0.0, flip: bool = False):
    """Carry places as a mount does: flipped, turned about the middle, and shifted."""
    middle = (np.array(SHAPE[::-1]) - 1) / 2
    angle = np.radians(turn_deg + 180 * flip)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (xy - middle) @ rotation.T + middle + shift


DRIFT = np.array([3.0, 2.0])
TWO, LIGHT = np.array([[40.0, 50.0], [90.0, 62.0]]), np.array([9e4, 4e4])


@pytest.mark.parametrize("flip", [False, True])
def test_two_stars_and_the_mount(flip: bool) -> None:
    reference = pattern(seen(TWO, LIGHT))
    there = moved(TWO, (4.0, -6.5), turn_deg=1.0, flip=flip)
    found = register_few(seen(there, 0.4 * LIGHT), reference, as_it_lies(SHAPE))
    assert found.found_by == FoundBy.FEW_STARS
    assert found.n_matched == 2
    np.testing.assert_allclose(apply(found.matrix, TWO), there, atol=0.05)


def test_one_star_and_the_guiding() -> None:
    reference = pattern(seen(TWO, LIGHT))
    clouded = seen(TWO + DRIFT, np.array([1.5e3, 4e2]))  # the fainter is not seen any more
    assert len(clouded) == 1
    found = register_few(clouded, reference, as_it_lies(SHAPE))
    assert found.found_by == FoundBy.ONE_STAR
    np.testing.assert_allclose(apply(found.matrix, TWO), TWO + DRIFT, atol=1e-9)


def test_a_cloud_on_the_reference_bars_no_clear_frame() -> None:
    reference = pattern(seen(TWO, 0.1 * LIGHT))
    found = register_few(seen(TWO + DRIFT, LIGHT), reference, as_it_lies(SHAPE))
    assert found.n_matched == 2
    np.testing.assert_allclose(apply(found.matrix, TWO), TWO + DRIFT, atol=1e-9)


def test_a_star_that_should_be_seen_contradicts() -> None:
    reference = pattern(seen(TWO, LIGHT))
    for one in (TWO[:1], TWO[1:]):  # as bright as it was, and the other is nowhere
        with pytest.raises(RegistrationError):
            register_few(seen(one, np.array([9e4])), reference, as_it_lies(SHAPE))


def test_two_equal_answers_are_none() -> None:
    """Two equal stars on either side of the middle: a frame and a flipped one look the same."""
    middle = (np.array(SHAPE[::-1]) - 1) / 2
    pair = middle + np.array([[-30.0, 5.0], [30.0, -5.0]])
    equal = np.array([5e4, 5e4])
    with pytest.raises(RegistrationError):
        register_few(seen(pair + DRIFT / 6, equal), pattern(seen(pair, equal)), as_it_lies(SHAPE))


def test_a_guess_of_the_header_is_moved_to_the_stars() -> None:
    reference = pattern(seen(TWO, LIGHT))
    there = moved(TWO, (-30.0, 20.0), turn_deg=90.0)
    guess = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    guess[:, 2] = (there - apply(guess, TWO)).mean(axis=0) + 2 * DRIFT
    found = register_few(seen(there, LIGHT), reference, [guess], FoundBy.HEADER)
    assert found.found_by == FoundBy.HEADER
    np.testing.assert_allclose(apply(found.matrix, TWO), there, atol=0.01)


def test_a_frame_is_placed_rightly_or_not_at_all() -> None:
    """Fields of one to five stars: guided, drifting, flipped, clouded, stars coming and going."""
    rng = np.random.default_rng(7)
    right, wrong, tried = 0, 0, 300
    for _ in range(tried):
        n = rng.integers(1, 6)
        xy = rng.uniform(15, np.array(SHAPE[::-1]) - 15, (n, 2))
        flux = 10 ** rng.uniform(3.6, 5.0, n)
        reference = pattern(seen(xy + rng.normal(0, 0.05, xy.shape), flux))
        there = moved(
            xy, rng.normal(0, 3.0, 2), turn_deg=rng.normal(0, 0.5), flip=rng.random() < 0.3
        )
        light = flux * rng.choice([1.0, 0.5, 0.1]) * rng.normal(1, 0.02, n)
        stars = seen(there + rng.normal(0, 0.1, xy.shape), light)
        try:
            found = register_few(stars, reference, as_it_lies(SHAPE))
        except RegistrationError:
            continue
        off = np.hypot(*(apply(found.matrix, xy) - there).T)
        matched_only = off.min() if found.n_matched == 1 else off.max()
        right, wrong = right + (matched_only < 2.5), wrong + (matched_only >= 2.5)
    assert wrong <= 0.01 * tried
    assert right >= 0.85 * tried
