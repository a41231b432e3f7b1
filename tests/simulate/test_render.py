"""Rendered light against analytic profiles, and noise against the noise equation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcurve.core.errors import InputError
from lightcurve.simulate.render import cosmic_rays, expose, gaussian_mixture, render_stars


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.mark.parametrize("beta", [None, 2.5, 3.5, 8.0])
@pytest.mark.parametrize("fwhm", [0.8, 2.0, 5.0])
def test_total_flux(beta: float | None, fwhm: float) -> None:
    image = render_stars(
        (150, 170), np.array([80.3]), np.array([70.77]), np.array([1e6]), fwhm, beta=beta
    )
    assert image.sum() == pytest.approx(1e6, rel=1e-9)


@pytest.mark.parametrize("beta", [1.5, 2.5, 4.765, 10.0])
def test_mixture_is_the_moffat(beta: float) -> None:
    sigma, weight = gaussian_mixture(3.0, beta)
    r = np.linspace(0, 20, 200)[:, None]
    mixed = np.sum(weight / (2 * np.pi * sigma**2) * np.exp(-0.5 * (r / sigma) ** 2), axis=1)
    alpha = 3.0 / (2 * np.sqrt(2 ** (1 / beta) - 1))
    exact = (beta - 1) / (np.pi * alpha**2) * (1 + (r[:, 0] / alpha) ** 2) ** -beta
    np.testing.assert_allclose(mixed, exact, rtol=2e-4, atol=1e-6 * exact[0])


def test_pixel_is_the_integral() -> None:
    """Against the same profile subsampled 41 x 41 times in each pixel."""
    x0, y0, fwhm, beta = 20.37, 19.81, 2.2, 3.0
    image = render_stars((41, 41), np.array([x0]), np.array([y0]), np.array([1.0]), fwhm, beta=beta)
    fine = (np.arange(41 * 41) + 0.5) / 41 - 0.5
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    r2 = (fine[None, :] - x0) ** 2 + (fine[:, None] - y0) ** 2
    profile = (beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta
    summed = profile.reshape(41, 41, 41, 41).mean(axis=(1, 3))
    core = np.s_[12:29, 12:29]
    # What a Moffat has outside its stamp is put back inside: one common factor, under 1e-4 here.
    ratio = image[core] / summed[core]
    assert ratio.mean() == pytest.approx(1, abs=2e-4)
    assert np.ptp(ratio) < 1e-4


@pytest.mark.parametrize("beta", [None, 3.5])
def test_half_maximum_is_at_half_the_fwhm(beta: float | None) -> None:
    """Wide stars: the pixel at FWHM / 2 from the centre has half the central one."""
    image = render_stars(
        (400, 400), np.array([200.0]), np.array([200.0]), np.array([1.0]), 40.0, beta=beta
    )
    assert image[200, 220] / image[200, 200] == pytest.approx(0.5, abs=2e-3)


@settings(max_examples=40)
@given(
    st.floats(-30, 90),
    st.floats(-30, 70),
    st.floats(0.7, 6.0),
    st.sampled_from([None, 3.0]),
)
def test_light_over_the_edge(x: float, y: float, fwhm: float, beta: float | None) -> None:
    """A frame is a window on a larger one, wherever the star is."""
    at, flux = (np.array([x]), np.array([y])), np.array([1.0])
    small = render_stars((40, 60), *at, flux, fwhm, beta=beta)
    large = render_stars((240, 260), at[0] + 100, at[1] + 100, flux, fwhm, beta=beta)
    np.testing.assert_allclose(small, large[100:140, 100:160], atol=1e-12)


def test_stars_add_up_in_any_order(rng: np.random.Generator) -> None:
    x, y, flux = rng.uniform(0, 60, 12), rng.uniform(0, 50, 12), rng.uniform(1, 9, 12)
    order = rng.permutation(12)
    whole = render_stars((50, 60), x, y, flux, 2.5, beta=3.0)
    again = render_stars((50, 60), x[order], y[order], flux[order], 2.5, beta=3.0)
    apart = sum(render_stars((50, 60), x[[k]], y[[k]], flux[[k]], 2.5, beta=3.0) for k in range(12))
    np.testing.assert_allclose(whole, again, atol=1e-12)
    np.testing.assert_allclose(whole, apart, atol=1e-12)


def test_no_stars() -> None:
    assert not render_stars((5, 6), np.array([]), np.array([]), np.array([]), 3.0).any()


def test_moffat_without_finite_flux() -> None:
    with pytest.raises(InputError, match="beta > 1"):
        gaussian_mixture(3.0, 1.0)


@pytest.mark.parametrize(
    ("electrons", "gain", "read_noise"), [(0, 1, 8), (2000, 2.5, 3), (50, 0.7, 0)]
)
def test_noise_is_the_noise_equation(
    rng: np.random.Generator, electrons: float, gain: float, read_noise: float
) -> None:
    pixels = expose(
        np.full((500, 500), float(electrons)), 1000.0, rng, gain=gain, read_noise=read_noise
    )
    variance = (electrons + read_noise**2) / gain**2 + 1 / 12
    assert pixels.dtype == np.uint16
    assert pixels.mean() == pytest.approx(1000 + electrons / gain, abs=5 * np.sqrt(variance) / 500)
    assert pixels.var() == pytest.approx(variance, rel=5 * np.sqrt(2) / 500)


def test_saturation_and_floor(rng: np.random.Generator) -> None:
    light = np.array([[0.0, 1e5]])
    pixels = expose(light, np.array([[-500.0, 100.0]]), rng, gain=1, read_noise=5, full_scale=4095)
    assert pixels.tolist() == [[0, 4095]]


def test_cosmic_rays_are_few_and_strong(rng: np.random.Generator) -> None:
    hit = cosmic_rays((300, 300), 20, rng)
    assert 20 <= np.count_nonzero(hit) < 400
    assert np.median(hit[hit > 0]) > 100
    assert not cosmic_rays((30, 30), 0, rng).any()
