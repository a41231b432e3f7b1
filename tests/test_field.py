"""The renderer of single frames holds itself to what is known of light and noise."""

from __future__ import annotations

import numpy as np
import pytest

from field import Cluster, FieldSpec, Kind, Stars, draw, read_out, render, shapes


def one_star(flux: float, x: float = 60.3, y: float = 59.8) -> Stars:
    return Stars(*np.array([[x], [y], [flux]]), np.array([Kind.STAR]))


@pytest.mark.parametrize(("fwhm", "beta"), [(1.6, 3.0), (3.0, 2.5), (8.0, 4.5)])
def test_a_star_has_the_light_that_the_profile_has_within_a_radius(fwhm, beta):
    spec = FieldSpec(shape=(241, 241), fwhm_px=(fwhm,), beta=beta, gain=1.0)
    star = one_star(1e7, 120.3, 119.8)
    image = draw(spec, star)
    rows, columns = np.indices(image.shape)
    core = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    for radius in (20.0, 60.0):
        inside = np.hypot(columns - star.x, rows - star.y) < radius
        wanted = 1 - (1 + (radius / core) ** 2) ** (1 - beta)
        assert image[inside].sum() / 1e7 == pytest.approx(wanted, abs=2e-4)


def test_widths_and_directions_are_those_ordered_at_every_place():
    spec = FieldSpec(fwhm_px=(70.0, 9.0, 0, 6.0), e1=(0.0, 0.2), e2=(0.1,), gain=1.0, beta=3.0)
    for x, y in ((150.0, 250.0), (360.0, 250.0)):
        image = draw(spec, one_star(1e7, x, y))
        fwhm, e1, e2 = (float(s[0]) for s in shapes(spec, np.array([x]), np.array([y])))
        u, v = np.indices(image.shape)[1] - x, np.indices(image.shape)[0] - y
        half = image > image.max() / 2
        # The area within half of the peak is pi/4 FWHM^2; its moments are those of an ellipse.
        assert 2 * np.sqrt(half.sum() / np.pi) == pytest.approx(fwhm, rel=0.01)
        xx, yy, xy = ((half * w).sum() for w in (u * u, v * v, u * v))
        assert (xx - yy) / (xx + yy) == pytest.approx(e1, abs=0.015)
        assert 2 * xy / (xx + yy) == pytest.approx(e2, abs=0.015)


def test_the_noise_is_that_of_electrons_and_of_reading_and_clips_whole_numbers():
    spec = FieldSpec(shape=(300, 300), gain=2.5, read_e=10.0, top_adu=1003)
    pixels = read_out(spec, np.full(spec.shape, 1000.0), np.random.default_rng(1))
    assert pixels.mean() == pytest.approx(400, abs=0.3)
    assert pixels.std() == pytest.approx(np.sqrt((1000 + 100) / 2.5**2 + 1 / 12), rel=0.01)
    assert read_out(spec, np.full(spec.shape, 4e4), np.random.default_rng(1)).min() == 1003


def test_the_truth_is_the_frames():
    spec = FieldSpec(shape=(200, 260), n_stars=150, cluster=Cluster(60, 70.0, 110.0, 12.0),
                     gradient_adu=(80.0, 0.0))  # fmt: skip
    frame, again = render(spec, 4), render(spec, 4)
    truth = frame.truth
    assert np.array_equal(frame.pixels, again.pixels)
    assert (np.diff(truth.flux) <= 0).all()
    assert truth.flux.min() >= 300
    near = np.hypot(truth.x - 70, truth.y - 110) < 40
    assert near[truth.kind == Kind.CLUSTER].mean() > 0.8
    noise = np.sqrt(frame.electrons + spec.read_e**2) / spec.gain
    pull = (frame.pixels - frame.electrons / spec.gain) / noise
    assert np.std(pull) == pytest.approx(1, abs=0.02)


def test_stars_may_be_kept_apart():
    frame = render(FieldSpec(shape=(200, 200), n_stars=200, spacing_px=12.0), 2)
    assert 20 < len(frame.truth) < 200
    assert frame.truth.nearest_px().min() >= 12
