"""Pixels around many positions at once, and what speaks against a measurement there."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lightcurve.core.flags import Flag, PixelFlag

__all__ = [
    "add_squares",
    "aperture_flags",
    "circle_overlap",
    "gather",
    "nearest_pixel",
    "on_frame",
    "peaks_and_bits",
    "star_flag",
]


@lru_cache(maxsize=64)  # the same few for all frames of a night
def annulus_offsets(inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole-pixel offsets dx, dy between two radii, both included; nobody writes to them."""
    reach = int(np.ceil(outer))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = x**2 + y**2
    inside = (squared >= inner**2) & (squared <= outer**2)
    return _for_reading(x[inside]), _for_reading(y[inside])


def take_offsets(
    image: np.ndarray, x: np.ndarray, y: np.ndarray, offsets: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Pick the pixels (n, m) at the same offsets dx, dy (m,) from each position (n,).

    NaN outside the image (0 for an integer image).
    """
    ny, nx = image.shape
    dx, dy = offsets
    place = (y * nx + x)[:, None] + (dy * nx + dx)
    picked = image.ravel().take(place, mode="clip")  # "wrap" counts its way back from far off
    reach_x, reach_y = (int(np.abs(d).max(initial=0)) for d in (dx, dy))
    cut = (x < reach_x) | (x >= nx - reach_x) | (y < reach_y) | (y >= ny - reach_y)
    if cut.any():
        # Only these can reach over an edge; what was picked there came from another row.
        columns, rows = x[cut, None] + dx, y[cut, None] + dy
        inside = (columns >= 0) & (columns < nx) & (rows >= 0) & (rows < ny)
        outside = 0 if image.dtype.kind in "ui" else np.nan
        picked[cut] = np.where(inside, picked[cut], outside)
    return picked


def gather(image: np.ndarray, x: np.ndarray, y: np.ndarray, half: int) -> np.ndarray:
    """Cut squares, (n, 2 half + 1, 2 half + 1), out of an image (ny, nx); NaN outside of it.

    x, y: (n,) int arrays, their middle pixels.
    """
    x, y, (ny, nx), size = np.asarray(x), np.asarray(y), image.shape, 2 * half + 1
    if min(ny, nx) < size:
        return take_offsets(image, x, y, square_offsets(half)).reshape(-1, size, size)
    # All squares of the image, as a view; those asked for are copied row by row.
    down, right = image.strides
    last_y, last_x = ny - size, nx - size
    steps = (down, right, down, right)
    squares = as_strided(image, (last_y + 1, last_x + 1, size, size), steps, writeable=False)
    bottom, left = y - half, x - half
    low, high = np.clip(bottom, 0, last_y), np.clip(left, 0, last_x)
    cut = np.flatnonzero((low != bottom) | (high != left))
    found = squares[low, high]
    if cut.size:
        found[cut] = take_offsets(image, x[cut], y[cut], square_offsets(half)).reshape(
            -1, size, size
        )
    return found


def add_squares(image: np.ndarray, x: np.ndarray, y: np.ndarray, squares: np.ndarray) -> None:
    """Add squares (n, s, s) to an image (ny, nx), which is changed; what lies off it is left out.

    x, y: (n,) int arrays, their middle pixels.
    """
    half = squares.shape[1] // 2
    ny, nx = image.shape
    for row, column, square in zip((y - half).tolist(), (x - half).tolist(), squares, strict=True):
        low, left = max(-row, 0), max(-column, 0)
        part = square[low : max(ny - row, 0), left : max(nx - column, 0)]
        image[row + low : row + low + len(part), column + left : column + left + part.shape[1]] += (
            part
        )


@lru_cache(maxsize=64)
def square_offsets(half: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets dx, dy of all pixels of a square, row by row; nobody writes to them."""
    dy, dx = (part.ravel() for part in np.mgrid[-half : half + 1, -half : half + 1])
    return _for_reading(dx), _for_reading(dy)


def _for_reading(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def on_frame(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Tell which positions lie on the frame.

    x, y: (n,) float arrays, pixels. shape: (ny, nx). Returns (n,) bool array, False at NaN.
    """
    ny, nx = shape
    return (x > -0.5) & (y > -0.5) & (x < nx - 0.5) & (y < ny - 0.5)


def nearest_pixel(
    x: np.ndarray, y: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels at positions; at the rim of the frame for those beyond, and for NaN.

    A fit may carry a star over the edge.
    x, y: (n,) float arrays, pixels. shape: (ny, nx). Returns row and column, (n,) int arrays.
    """
    row, column = (
        np.clip(np.rint(np.nan_to_num(place)), 0, length - 1).astype(int)
        for place, length in zip((y, x), shape, strict=True)
    )
    return row, column


def star_flag(where: np.ndarray, flag: Flag) -> np.ndarray:
    """Flag stars at every radius.

    where: (n,) bool array. Returns (n, 1) uint16 array: `flag`, or 0.
    """
    return np.where(where, np.uint16(flag), np.uint16(0))[:, None]


def peaks_and_bits(
    pixels: np.ndarray, bad: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the highest pixel, and all bad-pixel bits, within each radius plus half a pixel.

    Offsets are sorted by distance: each ring is looked at once for all radii.
    pixels, bad: (ny, nx) arrays, ADU and `PixelFlag` bits. x, y: (n,) float arrays, pixels.
    radii: (n_radius,) float array, pixels, ascending.
    Returns (n, n_radius) arrays; the peak is NaN where no pixel is finite.
    """
    offsets, first, ring = _outwards(tuple(radii.tolist()))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    peak, bits = (
        of.accumulate(
            of.reduceat(take_offsets(image, column, row, offsets), first, axis=1), axis=1
        )[:, ring]
        for of, image in ((np.fmax, pixels), (np.bitwise_or, bad))
    )
    return np.where(np.isfinite(peak), peak, np.nan).astype(float), bits


@lru_cache(maxsize=64)
def _outwards(
    radii: tuple[float, ...],
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """Offsets dx, dy in the order of their distance, ring by ring.

    Where each ring of pixels begins, and the last of those within each radius plus half a pixel.
    """
    dx, dy = annulus_offsets(0.0, radii[-1] + 0.5)
    distance = np.hypot(dx, dy)
    order = np.argsort(distance, kind="stable")
    count = np.searchsorted(distance[order], np.add(radii, 0.5), side="right")
    ends, ring = np.unique(count, return_inverse=True)  # close radii hold the same pixels
    first = np.append(0, ends[:-1])
    found = (_for_reading(dx[order]), _for_reading(dy[order]))
    return found, _for_reading(first), _for_reading(ring)


def aperture_flags(
    place: tuple[np.ndarray, np.ndarray],
    radii: np.ndarray,
    shape: tuple[int, int],
    peak: np.ndarray,
    bits: np.ndarray,
    *,
    saturation_adu: float | None = None,
    linearity_adu: float | None = None,
) -> np.ndarray:
    """Flag apertures that reach over the edge, or hold a saturated, non-linear or bad pixel.

    place: x, y, (n,) each, pixels. radii: (n_radius,), pixels. shape: (ny, nx).
    peak, bits: (n, n_radius), see `peaks_and_bits`. Returns `Flag` bits, (n, n_radius) uint16.
    """
    (x, y), (ny, nx) = place, shape
    room = np.minimum.reduce([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y])
    flags = np.where(radii > room[:, None], np.uint16(Flag.EDGE), np.uint16(0))
    saturated = (bits & PixelFlag.SATURATED) != 0
    if saturation_adu is not None:
        saturated |= peak >= saturation_adu
    flags |= np.where(saturated, np.uint16(Flag.SATURATED), np.uint16(0))
    if linearity_adu is not None:
        flags |= np.where(peak > linearity_adu, np.uint16(Flag.NON_LINEAR), np.uint16(0))
    spoilt = (bits & ~np.uint8(PixelFlag.SATURATED)) != 0
    return flags | np.where(spoilt, np.uint16(Flag.BAD_PIXEL), np.uint16(0))


def part_within(u: np.ndarray, v: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Give about which part (..., n_radius) of pixels at offsets (...) lies within circles."""
    return np.clip(radii - np.hypot(u, v)[..., None] + 0.5, 0, 1)


def circle_overlap(x_edges: np.ndarray, y_edges: np.ndarray, radius: float) -> np.ndarray:
    """Area shared by the cells of grids and circles about the origin.

    x_edges, y_edges : (n, m + 1) edges of the columns and rows of each grid, evenly spaced and
    ascending, measured from its circle's centre; `radius` in the same unit, 0 or more.
    Returns (n, m, m) areas ``[circle, row, column]``.
    """
    from photutils.geometry import circular_overlap_grid

    cells = x_edges.shape[1] - 1
    if not radius > 0:
        return np.zeros((len(x_edges), cells, cells))
    grids = [
        circular_overlap_grid(x[0], x[-1], y[0], y[-1], cells, cells, radius, 1, 1)
        for x, y in zip(x_edges, y_edges, strict=True)
    ]
    side = (x_edges[:, -1] - x_edges[:, 0]) / cells
    return np.reshape(grids, (-1, cells, cells)) * side[:, None, None] ** 2
