"""Light along a trail: what was put in, with errors that hold, near bad pixels and at the edge."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.phot.circles import circle_sums
from lightcurve.phot.noise import NoiseModel
from lightcurve.phot.streak import Trail, trail_light
from lightcurve.simulate.render import render_stars

SHAPE, FWHM, BETA, SKY, READ = (90, 110), 3.0, 3.0, 200.0, 4.0
RADIUS, ANNULUS = 1.3 * FWHM, (5 * FWHM, 9 * FWHM)
NOISE = NoiseModel(gain_e_per_adu=1.0, read_noise_e=READ)
X, Y = 54.3, 45.6


def drawn(trail: Trail) -> np.ndarray:
    """Light of a trail, 1 in all."""
    share = np.linspace(-1, 1, 61)
    x, y = trail.x + share * trail.half_x, trail.y + share * trail.half_y
    return render_stars(SHAPE, x, y, np.full(61, 1 / 61), FWHM, beta=BETA)


def in_circle() -> float:
    """Share of a star's light within the radius: what zero points are of."""
    star = np.ascontiguousarray(drawn(Trail(X, Y, 0, 0, FWHM, BETA)))
    return float(circle_sums(star, np.array([X]), np.array([Y]), np.array([RADIUS]))[0, 0])


def measured(
    trail: Trail, flux: float, times: int, bad: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    rng, light = np.random.default_rng(5), flux * drawn(trail) + SKY
    marks = np.zeros(SHAPE, np.uint8) if bad is None else bad
    found = []
    for _ in range(times):
        pixels = rng.poisson(light) + rng.normal(0, READ, SHAPE)
        pixels[marks != 0] = 6e4
        pixels = pixels.astype(np.float32)
        found.append(trail_light(pixels, marks, trail, RADIUS, ANNULUS, NOISE))
    return np.array(found).T[0], np.array(found).T[1]


@pytest.mark.parametrize("half", [(0.0, 0.0), (6.0, 3.0), (-2.0, 14.0)])
@pytest.mark.parametrize("flux", [0.0, 300.0, 6000.0])
def test_the_light_is_what_a_circle_holds_of_a_star_within_its_error(half, flux):
    light, error = measured(Trail(X, Y, *half, FWHM, BETA), flux, 60)
    pulls = (light - flux * in_circle()) / error
    assert abs(pulls.mean()) < 0.5
    assert 0.75 < pulls.std() < 1.25


@pytest.mark.parametrize("half", [(0.0, 0.0), (6.0, 3.0), (-2.0, 14.0)])
def test_bright_trails_have_the_magnitude_of_stars_to_a_hundredth(half):
    light, _ = measured(Trail(X, Y, *half, FWHM, BETA), 3e6, 1)
    assert light[0] == pytest.approx(3e6 * in_circle(), rel=0.01)


def test_a_bad_pixel_costs_no_light():
    bad = np.zeros(SHAPE, np.uint8)
    bad[45, 54], bad[47, 58] = 1, 1
    light, _ = measured(Trail(X, Y, 6, 3, FWHM, BETA), 9000, 20, bad)
    assert light.mean() == pytest.approx(9000 * in_circle(), rel=0.03)


@pytest.mark.parametrize("place", [(4.0, 45.0), (54.0, 87.0), (-30.0, 10.0)])
def test_over_the_edge_it_is_not_known(place):
    light, error = measured(Trail(*place, 6.0, 3.0, FWHM, BETA), 500, 1)
    assert np.isnan([light, error]).all()
