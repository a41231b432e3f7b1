"""Stars and noise on pixels, and a sensor's fixed pattern: bias, dark current, response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.simulate.observatory import SimCamera

CUT_FWHM = 7.0  # stamps reach so far; what a Moffat has beyond is put back inside
STEP = 0.4  # of ln t in the Gaussian mixture: error below 1e-5 for usual beta, 2e-4 at 10


@dataclass(frozen=True, slots=True, eq=False)
class Sensor:
    """What calibration frames should find.

    flat : (ny, nx) float array, relative response to light, mean 1 over columns that are not
        dead.
    """

    bias: np.ndarray  # (ny, nx) float array, ADU
    dark: np.ndarray  # (ny, nx) float array, electrons per second
    flat: np.ndarray


def make_sensor(camera: SimCamera) -> Sensor:
    """Make the pattern of a camera; the same camera has the same one every time."""
    rng = np.random.default_rng([camera.seed, 0x5E])
    hot = rng.random(camera.shape) < camera.hot_fraction
    dark = camera.dark_e_s * np.clip(rng.normal(1, 0.1, camera.shape), 0, None)
    dark[hot] += rng.exponential(camera.hot_e_s, np.count_nonzero(hot))
    return Sensor(bias=_bias(camera, rng), dark=dark, flat=_flat(camera, rng))


def _bias(camera: SimCamera, rng: np.random.Generator) -> np.ndarray:
    ny, nx = camera.shape
    slope = np.linspace(-1, 1, ny)[:, None]
    columns = rng.standard_normal(nx)
    return camera.bias_adu + camera.bias_structure_adu * (slope + columns)


def _flat(camera: SimCamera, rng: np.random.Generator) -> np.ndarray:
    """Vignetting by the squared distance from the axis, dust, pixels, dead columns."""
    ny, nx = camera.shape
    y, x = np.mgrid[:ny, :nx]
    radius = np.hypot(x - (nx - 1) / 2, y - (ny - 1) / 2) / np.hypot(nx / 2, ny / 2)
    flat = 1 - camera.vignetting * radius**2
    for _ in range(camera.n_dust):
        flat *= 1 - camera.dust_depth * rng.uniform(0.4, 1) * _ring(x, y, rng)
    flat *= rng.normal(1, camera.response_rms, camera.shape)
    flat /= flat.mean()
    flat[:, rng.choice(nx, camera.n_dead_columns, replace=False)] *= 0.01
    return flat


def _ring(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shadow of a grain out of focus under a telescope with a central obstruction, 0 to 1."""
    ny, nx = x.shape
    distance = np.hypot(x - rng.uniform(0, nx), y - rng.uniform(0, ny))
    outer = rng.uniform(12, 25)
    inside, hole = (0.5 * (1 - np.tanh((distance - r) / 1.5)) for r in (outer, 0.4 * outer))
    return inside - hole


def render_stars(
    shape: tuple[int, int],
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    fwhm: float,
    *,
    beta: float | None = None,
) -> np.ndarray:
    """Render stars, each pixel holding the integral of the profile over its area.

    shape: (ny, nx).
    x, y: (n,) float arrays, centres, pixels; the centre of the first pixel is (0, 0). Stars may lie
    outside the frame; those at NaN (behind the plane of projection) give no light.
    flux: (n,) float array, of the whole star, wherever it falls.
    fwhm: pixels.
    beta: exponent of a Moffat profile (more than 1); Gaussian when None.

    Returns (ny, nx) float64 array, in the unit of `flux`.

    Notes
    -----
    A Moffat profile is a mixture of Gaussians, (1 + r^2/a^2)^-b = integral of
    t^(b-1) exp(-t) exp(-t r^2/a^2) dt / Gamma(b), and a Gaussian's integral over a pixel is a
    product of error functions. So a stamp is a matrix product and no pixel is subsampled.
    Profiles are cut to a square of `CUT_FWHM` and normalised in it.
    """
    ny, nx = shape
    half = int(np.ceil(CUT_FWHM * fwhm)) + 1
    x, y, flux = (np.asarray(value, dtype=float) for value in (x, y, flux))
    on_sky = np.isfinite(x) & np.isfinite(y)
    x, y, flux = x[on_sky], y[on_sky], flux[on_sky]
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    near = (column >= -half) & (column < nx + half) & (row >= -half) & (row < ny + half)
    x, y, flux, column, row = (value[near] for value in (x, y, flux, column, row))
    sigma, weight = gaussian_mixture(fwhm, beta)
    across = _pixel_integrals(x - column, half, sigma)
    down = _pixel_integrals(y - row, half, sigma) * weight
    inside = np.sum(across.sum(axis=1) * down.sum(axis=1), axis=1)
    stamps = (down * (flux / inside)[:, None, None]) @ across.transpose(0, 2, 1)
    padded = np.zeros((ny + 4 * half, nx + 4 * half))
    for stamp, i, j in zip(stamps, row + half, column + half, strict=True):
        padded[i : i + 2 * half + 1, j : j + 2 * half + 1] += stamp
    return padded[2 * half : 2 * half + ny, 2 * half : 2 * half + nx]


def spread_stars(
    x: np.ndarray, y: np.ndarray, flux: np.ndarray, *, ring_px: float, trail_px: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make of each star the many points that it is spread over, out of focus and trailed.

    x, y, flux: (n,) float arrays. ring_px: outer radius, the hole has 0.4 of it; trail_px: along x.
    Returns arrays of n times as many points; the same light.
    """
    spots = np.zeros((1, 2))
    if ring_px > 0:
        radius = ring_px * np.sqrt(np.linspace(0.4**2, 1, 9)[1::2])
        angle = np.arange(16) * np.pi / 8
        spots = np.column_stack(
            [np.outer(radius, np.cos(angle)).ravel(), np.outer(radius, np.sin(angle)).ravel()]
        )
    if trail_px > 0:
        along = trail_px * (np.arange(9) - 4) / 9
        line = np.column_stack([along, np.zeros(9)])
        spots = (spots[:, None] + line).reshape(-1, 2)
    dx, dy = spots.T
    share = np.full(len(spots), 1 / len(spots))
    return (x[:, None] + dx).ravel(), (y[:, None] + dy).ravel(), np.outer(flux, share).ravel()


def gaussian_mixture(fwhm: float, beta: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Write a profile as a sum of round Gaussians.

    beta: Moffat exponent; a single Gaussian when None.
    Returns (g,) float arrays: sigma, in the unit of `fwhm`, and weight, the share of the flux in
    each; their sum is 1. Raises InputError when `beta` is 1 or less: such a flux is not finite.
    """
    if beta is None:
        return np.array([fwhm / np.sqrt(8 * np.log(2))]), np.ones(1)
    if beta <= 1:
        msg = f"a Moffat profile needs beta > 1, not {beta:g}"
        raise InputError(msg)
    core = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    t = np.exp(np.arange(-14 / (beta - 1), np.log(20 + 2 * beta), STEP))
    weight = t ** (beta - 1) * np.exp(-t)
    return core / np.sqrt(2 * t), weight / weight.sum()


def _pixel_integrals(offset: np.ndarray, half: int, sigma: np.ndarray) -> np.ndarray:
    """Share of each Gaussian in each pixel of a line: (n, 2 half + 1, g)."""
    from scipy.special import erf

    edges = np.arange(-half, half + 2) - 0.5
    z = (edges[None, :, None] - offset[:, None, None]) / (np.sqrt(2) * sigma)
    return np.diff(erf(z), axis=1) / 2


def cosmic_rays(shape: tuple[int, int], n_rays: int, rng: np.random.Generator) -> np.ndarray:
    """Draw straight tracks of charge, most of them short.

    shape: (ny, nx).
    Returns (ny, nx) float array, electrons; a ray leaves 500 and more for each pixel of its way.
    """
    hit = np.zeros(shape)
    for _ in range(n_rays):
        length = 1 + rng.exponential(4.0)
        along = np.arange(0, length, 0.25)
        angle = rng.uniform(0, 2 * np.pi)
        i = np.rint(rng.uniform(0, shape[0]) + along * np.sin(angle)).astype(int)
        j = np.rint(rng.uniform(0, shape[1]) + along * np.cos(angle)).astype(int)
        inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
        np.add.at(hit, (i[inside], j[inside]), 0.25 * (500 + rng.exponential(1500)))
    return hit


def satellite_trail(
    shape: tuple[int, int], fwhm: float, rng: np.random.Generator, *, peak: float = 3000.0
) -> np.ndarray:
    """Draw a straight bright line through the frame.

    shape: (ny, nx).
    fwhm: across, in pixels.
    peak: electrons.
    Returns (ny, nx) float array, electrons.
    """
    ny, nx = shape
    angle = rng.uniform(0, np.pi)
    x0, y0 = rng.uniform(0.25, 0.75, 2) * (nx, ny)
    y, x = np.mgrid[:ny, :nx]
    distance = (x - x0) * np.sin(angle) - (y - y0) * np.cos(angle)
    return peak * np.exp(-4 * np.log(2) * (distance / fwhm) ** 2)


def expose(
    electrons: np.ndarray,
    bias_adu: np.ndarray | float,
    rng: np.random.Generator,
    *,
    gain: float,
    read_noise: float,
    full_scale: int = 65535,
) -> np.ndarray:
    """Read out one exposure: photon noise, read noise, gain, whole numbers, full scale.

    electrons: (ny, nx) float array, expected number, of light and of dark current.
    bias_adu: (ny, nx) float array or float. gain: electrons per ADU. read_noise: electrons.
    full_scale: numbers above are cut to it.
    Returns (ny, nx) uint16 array, ADU. Variance in electrons: `electrons` + `read_noise`^2 +
    `gain`^2 / 12.
    """
    charge = rng.poisson(electrons) + read_noise * rng.standard_normal(np.shape(electrons))
    return np.clip(np.rint(charge / gain + bias_adu), 0, full_scale).astype(np.uint16)
