"""The point-spread function as pixels see it: grids of values between which a spline goes.

Over the field each node of the grid changes as a polynomial of the place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lightcurve.phot.circles import circle_sums
from lightcurve.phot.cutouts import add_squares
from lightcurve.phot.moffat import core_of
from lightcurve.phot.surface import Box, Surface, n_terms, polynomial

__all__ = ["Psf", "mean_fwhm", "moffat_psf", "render"]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)  # of the integral over one pixel
FIELD_PLACES = 5  # along each side, of means over the field
# Order of the polynomials of the nodes for each order of the shape's: the height of a Moffat
# profile goes with a power of its width.
GRID_ORDER = (0, 2, 4, 5)
NOWHERE = Box(0.0, 0.0, 1.0, 1.0)  # of a PSF that is everywhere the same


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
        middle, nodes = np.array([self.grids.shape[1] // 2]), np.array([radius * self.oversampling])
        # The grid is the light already spread over a pixel: that matters little beyond the core.
        sums = [circle_sums(grid, middle, middle, nodes)[0, 0] for grid in self.grids]
        return np.array(sums) / self.oversampling**2


@lru_cache(maxsize=64)
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


def psf_boxes(psf: Psf, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
    """Evaluate the PSF on a square around each star, as `Sampler.values`: (n, s, s)."""
    return Sampler.of(psf).values(x, y, half).reshape(len(x), 2 * half + 1, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """A PSF ready to be evaluated on squares around stars.

    All pixels of a square lie at the same fraction of a node's step, so that a star has four
    weights along each axis: of a cubic B-spline through the grid. Stars that begin at the same node
    share its values, and all of them are one product of matrices.
    """

    psf: Psf
    splines: np.ndarray  # (k, m, m), coefficients of B-splines of each grid

    @classmethod
    def of(cls, psf: Psf) -> Sampler:
        """Make it."""
        from scipy.ndimage import spline_filter

        return cls(psf, np.stack([spline_filter(g, order=3, mode="mirror") for g in psf.grids]))

    def values(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        """Give the light (n, s * s) in squares of s = 2 half + 1 pixels, of stars of light 1.

        Their middles are the pixels nearest to the stars at x, y (n,), pixels. half: at most that
        of the grid less 2 pixels.
        """
        return self._sums(x, y, half, ((0, 0),))[0]

    def slopes(self, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
        """Give its derivatives by the stars' x and y: (2, n, s * s)."""
        return self._sums(x, y, half, ((0, 1), (1, 0)))

    def _sums(
        self, x: np.ndarray, y: np.ndarray, half: int, orders: tuple[tuple[int, int], ...]
    ) -> np.ndarray:
        """Sum the weighted nodes; orders: of the derivatives along y and x, one for each result."""
        step, terms = self.psf.oversampling, self.psf.terms(x, y)
        across, down = (_weights(c - np.rint(c), step) for c in (x, y))
        found = np.empty((len(orders), len(x), (2 * half + 1) ** 2))
        begins = np.stack([down[0], across[0]])
        for begin in np.unique(begins, axis=1).T:
            stars = np.flatnonzero((begins == begin[:, None]).all(axis=0))
            nodes = self._nodes(begin, half)
            for one, (by_y, by_x) in zip(found, orders, strict=True):
                each = down[1][by_y][stars, :, None] * across[1][by_x][stars, None, :]
                weights = terms[stars, :, None] * each.reshape(-1, 1, 16)
                one[stars] = weights.reshape(len(stars), -1) @ nodes
        return found

    def _nodes(self, begin: np.ndarray, half: int) -> np.ndarray:
        """Give the nodes (16 k, s * s) that pixels meet, from those next to the middle one on."""
        step, size, m = self.psf.oversampling, 2 * half + 1, self.splines.shape[1]
        row, column = m // 2 - half * step + begin - 1
        windows = np.lib.stride_tricks.sliding_window_view(self.splines, (4, 4), axis=(1, 2))
        cut = windows[:, row::step, column::step][:, :size, :size]
        return cut.transpose(0, 3, 4, 1, 2).reshape(-1, size * size)


def render(
    psf: Psf, shape: tuple[int, ...], places: tuple[np.ndarray, np.ndarray], flux: np.ndarray
) -> np.ndarray:
    """Draw stars: (ny, nx) float array.

    places: x and y, (n,) float arrays, pixels. flux: (n,) float array.
    """
    boxes = psf_boxes(psf, *places, int(psf.half_px) - 2) * flux[:, None, None]
    image = np.zeros(shape)
    column, row = (np.rint(place).astype(int) for place in places)
    add_squares(image, column, row, boxes)
    return image


def _weights(offset: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Count nodes from the middle one to the second of four (n,); weights and slopes (2, n, 4)."""
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
    return whole, np.stack([np.stack(cubic, axis=1), -step * np.stack(slope, axis=1)])
