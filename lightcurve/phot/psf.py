"""The point-spread function as pixels see it: grids of values between which a spline goes.

Over the field each node of the grid changes as a polynomial of the place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lightcurve.phot.moffat import core_of
from lightcurve.phot.surface import Box, Surface, n_terms, polynomial

__all__ = ["Psf", "mean_fwhm", "moffat_psf"]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)  # of the integral over one pixel
FIELD_PLACES = 5  # along each side, of means over the field
# Order of the polynomials of the nodes for each order of the shape's: the height of a Moffat
# profile goes with a power of its width.
GRID_ORDER = (0, 2, 4, 5)
NOWHERE = Box(0.0, 0.0, 1.0, 1.0)  # of a PSF that is everywhere the same
_CHUNK = 200  # stars at a time, so that what is worked on stays in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Psf:
    """An effective PSF.

    Attributes
    ----------
    grids : (k, m, m) float array
        Coefficients of `lightcurve.phot.surface.polynomial` for each node, ``[row, column]``: they
        give the share of a star's light in a pixel, the middle node being offset 0. One grid where
        the PSF is everywhere the same.
    oversampling : int
        Nodes per pixel.
    kind : str
        ``"epsf"`` built from stars, or ``"moffat"`` where there were too few.
    shape : Surface
        ln FWHM (geometric mean of the axes, pixels), e1 and e2 of the Moffat profile underneath.
    beta : float
        Its exponent.
    n_stars : int
        That it rests on.
    error : float
        By which it may be wrong, as a share of a star's flux.
    notes : tuple of str
        Relaxed rules, fallbacks.
    """

    grids: np.ndarray
    oversampling: int
    kind: str
    shape: Surface
    beta: float
    n_stars: int
    error: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> np.ndarray:
        """Grid (m, m) of the field's middle."""
        return self.grids[0]

    @property
    def order(self) -> int:
        """Order of the polynomials of width and ellipticity over the field; 0: all the same."""
        return self.shape.order

    @property
    def half_px(self) -> float:
        """Half width of the grid, pixels."""
        return (self.grids.shape[1] - 1) / 2 / self.oversampling

    @property
    def fwhm(self) -> float:
        """Geometric mean of the two axes, and over the field, pixels."""
        return mean_fwhm(self.shape)

    def terms(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Give what the grids are multiplied by, (n, k), at places (n,), pixels."""
        order = next(d for d in range(9) if n_terms(d) == len(self.grids))
        return polynomial(*self.shape.box.inside(x, y), order)

    def at(self, x: float, y: float) -> Psf:
        """Take it as it is at one place, pixels, for everywhere."""
        place = np.array([x]), np.array([y])
        here = replace(self.shape, coefficients=self.shape.at(*place), order=0)
        grids = np.tensordot(self.terms(*place), self.grids, 1)
        return replace(self, grids=grids, shape=here)

    def enclosed(self, radius: float) -> float:
        """Share of the light within a radius, pixels, in the field's middle."""
        return float(self._within(radius)[0])

    def enclosed_at(self, radius: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Share of the light within a radius at places (n,), all in pixels."""
        return self.terms(x, y) @ self._within(radius)

    def _within(self, radius: float) -> np.ndarray:
        """Sum each grid within a radius."""
        if radius <= 0:
            return np.zeros(len(self.grids))
        from photutils.geometry import circular_overlap_grid

        m, step = self.grids.shape[1], 1 / self.oversampling
        edge = self.half_px + step / 2
        share = circular_overlap_grid(-edge, edge, -edge, edge, m, m, radius, 1, 1)
        # The grid is the light already spread over a pixel: that matters little beyond the core.
        return np.tensordot(self.grids, share, 2) * step**2


def mean_fwhm(shape: Surface) -> float:
    """Average the FWHM, pixels, over the field."""
    return float(np.exp(shape.at(*shape.box.places(FIELD_PLACES))[:, 0].mean()))


def grid_offsets(half_px: float, oversampling: int) -> tuple[np.ndarray, np.ndarray]:
    """List the offsets u, v (m, m) of a grid's nodes, pixels along x and y."""
    n = round(half_px * oversampling)
    nodes = np.arange(-n, n + 1) / oversampling
    return np.meshgrid(nodes, nodes)


def moffat(
    u: np.ndarray, v: np.ndarray, shape: tuple[float, float, float], beta: float
) -> np.ndarray:
    """Evaluate an elliptical Moffat profile integrated over pixels, of total light 1.

    ``(beta - 1) / (pi a b) (1 + x'^2/a^2 + y'^2/b^2)^-beta`` (Moffat 1969), three Gauss-Legendre
    points along each side of a pixel.

    u, v: offsets of pixel centres, pixels.
    shape: FWHM (pixels), e1, e2, as in `Psf.shape`.
    """
    fwhm, e1, e2 = shape
    core = fwhm * core_of(beta)
    stretch = 1 / (core**2 * np.sqrt(1 - e1**2 - e2**2))
    total = np.zeros(np.broadcast(u, v).shape)
    for du, wu in zip(NODES / 2, WEIGHTS / 2, strict=True):
        x = u + du
        for dv, wv in zip(NODES / 2, WEIGHTS / 2, strict=True):
            y = v + dv
            q = stretch * ((1 - e1) * x**2 + (1 + e1) * y**2 - 2 * e2 * x * y)
            total += wu * wv * np.exp(-beta * np.log1p(q))
    return total * (beta - 1) / (np.pi * core**2)


def moffat_psf(
    shape: Surface | tuple[float, float, float],
    beta: float,
    half_px: float,
    oversampling: int,
    *,
    n_stars: int = 0,
    notes: tuple[str, ...] = (),
) -> Psf:
    """Make a PSF of a Moffat profile; what light is beyond its square is not in it.

    Parameters
    ----------
    shape : Surface or tuple of float
        ln FWHM, e1, e2 over the field; or FWHM (pixels), e1 and e2 of all of it.
    half_px : float
        Half width of the grid.
    """
    if isinstance(shape, tuple):
        one = np.array([[np.log(shape[0]), shape[1], shape[2]]])
        shape = Surface(one, NOWHERE, 0, np.zeros(3))
    u, v = grid_offsets(half_px, oversampling)
    mesh = np.stack(
        [
            moffat(u, v, (float(np.exp(s)), e1, e2), beta)
            for s, e1, e2 in shape.at(*mesh_places(shape)).tolist()
        ]
    )
    grids = np.tensordot(_to_terms(shape), mesh, 1)
    return Psf(grids, oversampling, "moffat", shape, beta, n_stars, notes=notes)


def mesh_places(shape: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Give the places x, y, pixels, at which a PSF of such a shape is worked on."""
    return shape.box.places(GRID_ORDER[shape.order] + 1)


def on_mesh(psf: Psf) -> np.ndarray:
    """Give the grids (p, m, m) at those places."""
    return np.tensordot(psf.terms(*mesh_places(psf.shape)), psf.grids, 1)


def from_mesh(psf: Psf, mesh: np.ndarray) -> Psf:
    """Make it again of grids (p, m, m) at those places."""
    return replace(psf, grids=np.tensordot(_to_terms(psf.shape), mesh, 1))


def _to_terms(shape: Surface) -> np.ndarray:
    """Matrix (k, p) from values at the places of the mesh to coefficients."""
    return np.linalg.pinv(
        polynomial(*shape.box.inside(*mesh_places(shape)), GRID_ORDER[shape.order])
    )


def psf_boxes(
    psf: Psf, x: np.ndarray, y: np.ndarray, half: int, *, slopes: bool = False
) -> np.ndarray:
    """Evaluate the PSF on a square around each star: (1, n, 2 half + 1, 2 half + 1).

    Its middle is the pixel nearest to the star at x, y, pixels. All pixels of a square lie at the
    same fraction of a node's step, so that a star has four weights along each axis: of a cubic
    B-spline through the grid. half: at most that of the grid less 2 pixels; slopes: also the
    derivatives by the star's x and y, three in all.
    """
    from scipy.ndimage import spline_filter

    middle, reach = psf.grids.shape[1] // 2, (half + 2) * psf.oversampling
    part = slice(max(middle - reach, 0), middle + reach + 1)
    # Filtered whole and cut then: the cut's edges are no edges of the grid.
    splines = np.stack(
        [spline_filter(grid, order=3, mode="mirror")[part, part] for grid in psf.grids]
    )
    terms = psf.terms(x, y)
    dx, dy = x - np.rint(x), y - np.rint(y)
    size = 2 * half + 1
    boxes = np.empty((3 if slopes else 1, len(dx), size, size))
    for first in range(0, len(dx), _CHUNK):
        stars = slice(first, first + _CHUNK)
        spline = splines if len(splines) == 1 else np.tensordot(terms[stars], splines, 1)
        _fill(boxes[:, stars], spline, psf.oversampling, (dx[stars], dy[stars]))
    return boxes


def _fill(
    boxes: np.ndarray, spline: np.ndarray, step: int, offsets: tuple[np.ndarray, np.ndarray]
) -> None:
    """Evaluate the spline (1, m, m), or one for each star (n, m, m), into `boxes`."""
    n, size, m = len(offsets[0]), boxes.shape[-1], spline.shape[-1]
    column, across, across_slope = _weights(offsets[0], size, m, step)
    row, down, down_slope = _weights(offsets[1], size, m, step)
    star, pixel = np.arange(n)[:, None], np.arange(size)
    own = star if len(spline) > 1 else 0

    def matrix(weights: np.ndarray) -> np.ndarray:
        spread = np.zeros((n, m, size))
        for k in range(4):
            spread[star, column + k, pixel] = weights[k][:, None]
        return spread

    def lines(weights: np.ndarray) -> np.ndarray:
        total = weights[0][:, None, None] * spline[own, row]
        for k in range(1, 4):
            total += weights[k][:, None, None] * spline[own, row + k]
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
