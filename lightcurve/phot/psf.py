"""The point-spread function as pixels see it: a grid of values between which a spline goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Psf", "moffat_psf"]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)  # of the integral over one pixel
BETA_RANGE = (1.5, 12.0)
_CHUNK = 200  # stars at a time, so that what is worked on stays in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Psf:
    """An effective PSF.

    Attributes
    ----------
    grid : (m, m) float array
        Share of the star's light in a pixel, ``[row, column]``; the middle node is offset 0.
    oversampling : int
        Nodes per pixel.
    kind : str
        ``"epsf"`` built from stars, or ``"moffat"`` where there were too few.
    fwhm_x, fwhm_y : float
        Of the Moffat profile underneath, along its axes, pixels.
    angle_deg : float
        Of its x axis, from +x towards +y.
    beta : float
        Its exponent.
    n_stars : int
        That it rests on.
    notes : tuple of str
        Relaxed rules, fallbacks.
    """

    grid: np.ndarray
    oversampling: int
    kind: str
    fwhm_x: float
    fwhm_y: float
    angle_deg: float
    beta: float
    n_stars: int
    notes: tuple[str, ...] = ()

    @property
    def half_px(self) -> float:
        """Half width of the grid, pixels."""
        return (len(self.grid) - 1) / 2 / self.oversampling

    @property
    def fwhm(self) -> float:
        """Geometric mean of the two axes, pixels."""
        return float(np.sqrt(self.fwhm_x * self.fwhm_y))

    def enclosed(self, radius: float) -> float:
        """Share of the light within a radius, pixels."""
        if radius <= 0:
            return 0.0
        from photutils.geometry import circular_overlap_grid

        m, step = len(self.grid), 1 / self.oversampling
        edge = self.half_px + step / 2
        share = circular_overlap_grid(-edge, edge, -edge, edge, m, m, radius, 1, 1)
        # The grid is the light already spread over a pixel: that matters little beyond the core.
        return float((self.grid * share).sum() * step**2)


def grid_offsets(half_px: float, oversampling: int) -> tuple[np.ndarray, np.ndarray]:
    """List the offsets u, v (m, m) of a grid's nodes, pixels along x and y."""
    n = round(half_px * oversampling)
    nodes = np.arange(-n, n + 1) / oversampling
    return np.meshgrid(nodes, nodes)


def moffat(u: np.ndarray, v: np.ndarray, shape: tuple[float, float, float, float]) -> np.ndarray:
    """Evaluate an elliptical Moffat profile integrated over pixels, of total light 1.

    ``(beta - 1) / (pi a b) (1 + x'^2/a^2 + y'^2/b^2)^-beta`` (Moffat 1969), three Gauss-Legendre
    points along each side of a pixel.

    u, v: offsets of pixel centres, pixels.
    shape: FWHM along the two axes (pixels), angle of the first (degrees), beta.
    """
    fwhm_x, fwhm_y, angle, beta = shape
    to_core = 1 / (2 * np.sqrt(2 ** (1 / beta) - 1))
    a, b = fwhm_x * to_core, fwhm_y * to_core
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    total = np.zeros(np.broadcast(u, v).shape)
    for du, wu in zip(NODES / 2, WEIGHTS / 2, strict=True):
        for dv, wv in zip(NODES / 2, WEIGHTS / 2, strict=True):
            x = (u + du) * cos + (v + dv) * sin
            y = (v + dv) * cos - (u + du) * sin
            total += wu * wv * (1 + (x / a) ** 2 + (y / b) ** 2) ** -beta
    return total * (beta - 1) / (np.pi * a * b)


def moffat_psf(
    shape: tuple[float, float, float, float],
    half_px: float,
    oversampling: int,
    *,
    n_stars: int = 0,
    notes: tuple[str, ...] = (),
) -> Psf:
    """Make a PSF of a Moffat profile, of total light 1 within its square.

    Parameters
    ----------
    shape : tuple of float
        FWHM along the two axes (pixels), angle of the first (degrees), beta.
    half_px : float
        Half width of the grid.
    """
    u, v = grid_offsets(half_px, oversampling)
    grid = moffat(u, v, shape)
    return Psf(normalised(grid, oversampling), oversampling, "moffat", *shape, n_stars, notes)


def normalised(grid: np.ndarray, oversampling: int) -> np.ndarray:
    """Scale a grid (m, m) to a total light of 1."""
    return grid * (oversampling**2 / grid.sum())


def psf_boxes(
    psf: Psf, dx: np.ndarray, dy: np.ndarray, half: int, *, slopes: bool = False
) -> np.ndarray:
    """Evaluate the PSF on a square around each star: (1, n, 2 half + 1, 2 half + 1).

    All pixels of a square lie at the same fraction of a node's step, so that a star has four
    weights along each axis: of a cubic B-spline through the grid. dx, dy: of the star from the
    middle pixel, up to a pixel; half: at most that of the grid less 2 pixels; slopes: also the
    derivatives by the star's x and y, three in all.
    """
    from scipy.ndimage import spline_filter

    middle, reach = len(psf.grid) // 2, (half + 2) * psf.oversampling
    part = slice(max(middle - reach, 0), middle + reach + 1)
    # Filtered whole and cut then: the cut's edges are no edges of the grid.
    spline = spline_filter(psf.grid, order=3, mode="mirror")[part, part]
    size = 2 * half + 1
    boxes = np.empty((3 if slopes else 1, len(dx), size, size))
    for first in range(0, len(dx), _CHUNK):
        stars = slice(first, first + _CHUNK)
        _fill(boxes[:, stars], spline, psf.oversampling, (dx[stars], dy[stars]))
    return boxes


def _fill(
    boxes: np.ndarray, spline: np.ndarray, step: int, offsets: tuple[np.ndarray, np.ndarray]
) -> None:
    """Evaluate the spline for some stars, into `boxes`."""
    n, size, m = len(offsets[0]), boxes.shape[-1], len(spline)
    column, across, across_slope = _weights(offsets[0], size, m, step)
    row, down, down_slope = _weights(offsets[1], size, m, step)
    star, pixel = np.arange(n)[:, None], np.arange(size)

    def matrix(weights: np.ndarray) -> np.ndarray:
        spread = np.zeros((n, m, size))
        for k in range(4):
            spread[star, column + k, pixel] = weights[k][:, None]
        return spread

    def lines(weights: np.ndarray) -> np.ndarray:
        total = weights[0][:, None, None] * spline[row]
        for k in range(1, 4):
            total += weights[k][:, None, None] * spline[row + k]
        return total

    rows, columns = lines(down), matrix(across)
    np.matmul(rows, columns, out=boxes[0])
    if len(boxes) > 1:
        np.matmul(rows, matrix(across_slope), out=boxes[1])
        np.matmul(lines(down_slope), columns, out=boxes[2])


def _weights(
    offset: np.ndarray, size: int, m: int, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First of four nodes for each pixel (n, size), their weights and slopes by `offset` (4, n)."""
    place = -offset * step
    whole = np.floor(place).astype(int)
    t = place - whole
    cubic = [
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    ]
    slope = [-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (-3 * t**2 + 2 * t + 1) / 2, t**2 / 2]
    node = (np.arange(size) - size // 2) * step + m // 2 + whole[:, None] - 1
    return np.clip(node, 0, m - 4), np.array(cubic), -step * np.array(slope)
