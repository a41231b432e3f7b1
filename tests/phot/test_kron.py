"""Ellipses and Kron fluxes against photutils, on overlapping galaxies at the edges of a frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from photutils.segmentation import SegmentationImage, SourceCatalog
from scipy.ndimage import gaussian_filter

from lightcurve.phot.kron import ellipses_of, kron_light

SHAPE = (120, 150)
V, U = np.mgrid[: SHAPE[0], : SHAPE[1]]


@pytest.fixture(scope="module")
def field() -> tuple[np.ndarray, ...]:
    """Light, its variance, the filtered light, good pixels, and whom each belongs to."""
    rng = np.random.default_rng(3)
    lights = []
    for x, y, size, flat, angle in (
        (40.3, 50.2, 5, 0.5, 0.6), (54.8, 57.1, 3, 0.9, 2.0), (147.2, 3.4, 4, 0.7, -1.0),
        (100.0, 90.0, 0.3, 1.0, 0.0), (90.5, 30.1, 6, 0.3, 1.5),
    ):  # fmt: skip
        along = (U - x) * np.cos(angle) + (V - y) * np.sin(angle)
        across = ((V - y) * np.cos(angle) - (U - x) * np.sin(angle)) / flat
        lights.append(200 * np.exp(-np.hypot(along, across) / size))
    variance = 9.0 + sum(lights) / 2
    light = sum(lights) + rng.normal(0, np.sqrt(variance))
    good = rng.random(SHAPE) > 0.02
    light, variance = np.where(good, light, 0), np.where(good, variance, 0)
    smooth = gaussian_filter(light, 1.2)
    labels = np.where(smooth > 5, np.argmax(lights, axis=0) * 2 + 1, 0)
    return light, variance, smooth, good, labels


def test_shapes_and_fluxes_are_those_of_photutils(field: tuple[np.ndarray, ...]) -> None:
    light, variance, smooth, good, labels = field
    numbers, shapes = ellipses_of(labels, smooth, good)
    flux, error, radius = kron_light(light, variance, labels, numbers, shapes)
    theirs = SourceCatalog(
        light, SegmentationImage(labels), convolved_data=smooth, mask=~good,
        error=np.sqrt(variance), kron_params=(2.5, 1.4, 0.0),
    )  # fmt: skip
    assert numbers.tolist() == theirs.labels.tolist() == [1, 3, 5, 7, 9]
    assert_allclose(shapes.x, theirs.x_centroid, rtol=1e-9)
    assert_allclose(shapes.y, theirs.y_centroid, rtol=1e-9)
    assert_allclose(shapes.major, theirs.semimajor_axis.value, rtol=1e-9)
    assert_allclose(shapes.minor, theirs.semiminor_axis.value, rtol=1e-9)
    turned = (shapes.angle_deg - theirs.orientation.value + 90) % 180 - 90
    assert_allclose(turned, 0, atol=1e-6)
    assert_allclose(radius, 2.5 * theirs.kron_radius.value * shapes.major, rtol=1e-7)
    assert_allclose(flux, theirs.kron_flux, rtol=1e-7)
    assert_allclose(error, theirs.kron_flux_err, rtol=1e-7)


def test_a_source_without_light_has_no_ellipse(field: tuple[np.ndarray, ...]) -> None:
    light, variance, smooth, good, labels = field
    dark = np.where(labels == 3, -smooth, smooth)
    numbers, shapes = ellipses_of(labels, dark, good)
    assert 3 not in numbers
    none = kron_light(light, variance, labels, *ellipses_of(np.zeros_like(labels), smooth, good))
    assert all(len(one) == 0 for one in none)
    assert np.isfinite(kron_light(light, variance, labels, numbers, shapes)[0]).any()


def test_a_point_is_as_wide_as_a_pixel() -> None:
    labels = np.zeros((9, 9), dtype=int)
    labels[4, 4] = 1
    _, shapes = ellipses_of(labels, np.ones((9, 9)), np.ones((9, 9), dtype=bool))
    assert shapes.major == pytest.approx(np.sqrt(1 / 12))
    assert shapes.minor == pytest.approx(np.sqrt(1 / 12))
