"""Centroids that go ahead of their steps end where the steps alone end."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.centroid import windowed_centroid

HALF, SIGMA = 8, 1.4
OFFSET = np.arange(-HALF, HALF + 1.0)


def star(x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian stars (n, m, m) of unit peak at x, y (n,)."""
    u, v = OFFSET - x[:, None], OFFSET - y[:, None]
    return np.exp(-(u[:, None, :] ** 2 + v[:, :, None] ** 2) / (2 * sigma**2))


def step_by_step(box: np.ndarray, place: np.ndarray, steps: int) -> np.ndarray:
    """Go to where a Gaussian window stays, a step of twice the mean offset at a time."""
    v, u = np.meshgrid(OFFSET, OFFSET, indexing="ij")
    for _ in range(steps):
        to_x, to_y = u - place[0], v - place[1]
        light = box * np.exp(-(to_x**2 + to_y**2) / (2 * SIGMA**2))
        place = place + 2 * np.array([(light * to_x).sum(), (light * to_y).sum()]) / light.sum()
    return place


def pairs(sigma: float, beside: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Stars near given places (2, n), each with a neighbour of so much of its light."""
    rng = np.random.default_rng(1)
    given = rng.uniform(-0.4, 0.4, (2, n))
    angle, distance = rng.uniform(0, 2 * np.pi, n), rng.uniform(2.7, 4.5, n) * SIGMA
    boxes = star(*(given + rng.normal(0, 0.3, (2, n))), sigma)
    boxes += beside * star(*(given + distance * np.stack([np.cos(angle), np.sin(angle)])), sigma)
    return boxes + rng.normal(0, 0.003, boxes.shape), given


def plainly(boxes: np.ndarray, given: np.ndarray, steps: int) -> np.ndarray:
    return np.stack([step_by_step(*one, steps) for one in zip(boxes, given.T, strict=True)], axis=1)


@pytest.mark.parametrize("sigma", [0.9, 1.4, 1.8])
@pytest.mark.parametrize("beside", [0.0, 0.3, 1.0])
def test_a_star_on_a_wing_is_where_plain_steps_end(sigma: float, beside: float) -> None:
    boxes, given = pairs(sigma, beside, 40)
    end, dozen = (plainly(boxes, given, steps) for steps in (200, 12))
    away, plain = (np.hypot(*(x - end)) for x in (windowed_centroid(boxes, SIGMA, given), dozen))
    assert np.median(away) < 5e-4
    assert away.mean() < max(1e-3, plain.mean())


def test_a_star_that_runs_to_a_neighbour_is_not_held_halfway() -> None:
    boxes, given = pairs(SIGMA, 10.0, 40)
    end, found = plainly(boxes, given, 200), windowed_centroid(boxes, SIGMA, given)
    runs = np.hypot(*end) > 2.5
    assert runs.mean() > 0.8
    assert not (np.hypot(*found[:, runs]) < 2).any()


def test_a_gaussian_of_another_width_is_where_it_was_put() -> None:
    rng = np.random.default_rng(2)
    place = rng.uniform(-1, 1, (2, 200))
    for sigma in (1.0, 1.4, 2.0):
        found = windowed_centroid(star(*place, sigma), SIGMA)
        np.testing.assert_allclose(found, place, rtol=0, atol=1e-3)
