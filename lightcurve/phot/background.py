"""The smooth background of a frame and its noise: quickly for detection, and as a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from lightcurve.phot.sky import AMONG_STARS, BLANK, Clip, clipped_sky, least_sigma
from lightcurve.phot.smooth import smoothed_by

__all__ = [
    "Background",
    "SmoothSky",
    "measure_background",
    "measure_sky",
    "pixel_error",
    "subtract_sky",
]

MESH_PX, LARGE_MESH_PX = 64, 128
LARGE_PX = 1500  # shortest side from which the larger mesh serves
SAMPLES = 16  # pixels of a cell along each axis: 256 tell its level to 0.06 sigma
MIN_BOX, MAX_BOX = 64, 128
SMOOTH_SIGMA = 1.3  # px; so smoothed, the wings of faint stars stand out from the noise
# Of the smoothed frame: lower, and the noise itself would be cut off its high side.
SOURCE_SIGMA = 4.0
GROW_PX = 5
MESH_SAMPLES = 40  # along a cell: 1,600 of its pixels tell its level to 0.03 sigma
MIN_PIXELS = 30


@dataclass(frozen=True, slots=True, eq=False)
class SmoothSky:
    """The background of a frame: straight lines between the middles of the cells of a mesh.

    level, rms : of the whole frame, ADU; 0 where no pixel is usable.
    """

    lines: np.ndarray  # (my, nx), the background along the rows `middles`, ADU
    middles: np.ndarray  # (my,), rows of the middles of the cells, pixels
    ny: int  # rows of the frame
    level: float
    rms: float

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Background at some pixels, ADU."""
        row = np.interp(y, self.middles, np.arange(len(self.middles)))
        above = np.minimum(row.astype(int), len(self.middles) - 1)
        below = np.minimum(above + 1, len(self.middles) - 1)
        first, share = self.lines[above, x], (row - above).astype(np.float32)
        return first + share * (self.lines[below, x] - first)

    def bands(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Bands of rows, each between two middles, with the backgrounds (nx,) at these."""
        ends = [0, *np.ceil(self.middles[1:-1]).astype(int), self.ny]
        for k, (start, stop) in enumerate(pairwise(ends)):
            below = min(k + 1, len(self.lines) - 1)
            yield slice(int(start), int(stop)), self.lines[k], self.lines[below]


def measure_sky(pixels: np.ndarray, bad: np.ndarray | None = None) -> SmoothSky:
    """Measure the smooth background of a frame, ADU, without what is not finite or `bad`.

    The clipped mean of each cell of a mesh, a median over neighbouring cells, and straight lines
    between the cells' middles. 0 everywhere where no pixel is usable.
    pixels: (ny, nx) float array, ADU; bad: (ny, nx) array of `PixelFlag` bits.
    """
    ny, nx = pixels.shape
    size = _cell_px(pixels.shape)
    # The last cell of a row or column reaches back over the one before it.
    starts = [np.minimum(np.arange(0, length, size), length - size) for length in (ny, nx)]
    mesh = measure_mesh(pixels, bad, starts, size)
    middle = float(np.median(mesh.level[mesh.known])) if mesh.known.any() else 0.0
    rms = float(np.median(mesh.rms[mesh.known])) if mesh.known.any() else 0.0
    level = smoothed(np.where(mesh.known, mesh.level, middle))
    lines = level @ _between(tuple(mesh.columns.tolist()), nx)
    return SmoothSky(lines.astype(np.float32), mesh.rows, ny, middle, rms)


@lru_cache(maxsize=8)  # the same for all frames of a night
def _between(middles: tuple[float, ...], length: int) -> np.ndarray:
    """Weights (m, length) of straight lines between values at middles (m,), pixels."""
    each = np.eye(len(middles))
    return np.stack([np.interp(np.arange(length), middles, one) for one in each])


def subtract_sky(
    pixels: np.ndarray, sky: SmoothSky, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Take the smooth background off a frame.

    pixels: (ny, nx) float array, ADU; out: written to, and returned. Returns (ny, nx) float32, ADU.
    """
    light = np.empty(pixels.shape, np.float32) if out is None else out
    row = np.interp(np.arange(sky.ny), sky.middles, np.arange(len(sky.middles)))
    for k, (rows, above, below) in enumerate(sky.bands()):
        share = (row[rows] - k).astype(np.float32)[:, None]
        band = share * (above - below)
        band -= above
        np.add(band, pixels[rows], out=light[rows])
    return light


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """The sky in the cells of a mesh: level, rms, known (my, mx); middles rows (my,), columns."""

    level: np.ndarray
    rms: np.ndarray
    known: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def measure_mesh(
    pixels: np.ndarray,
    mask: np.ndarray | None,
    starts: Sequence[np.ndarray],
    size: int,
    *,
    samples: int = SAMPLES,
    clip: Clip = AMONG_STARS,
    min_pixels: int = 1,
) -> Mesh:
    """Clipped level and scatter of square cells that begin at the rows and columns `starts`.

    At most `samples` pixels along each axis of a cell are looked at; `mask` (ny, nx) is not 0
    where one does not count, and a cell with fewer than `min_pixels` of the others is not known.
    """
    within = np.arange(0, size, max(1, size // samples))
    rows, columns = ((start[:, None] + within).ravel() for start in starts)
    # Rows first: whole rows are copied, not single pixels.
    sample = pixels[rows].take(columns, axis=1).astype(np.float32, copy=False)
    if mask is not None:
        sample[mask[rows].take(columns, axis=1) != 0] = np.nan
    (my, mx), k = map(len, starts), len(within)
    cells = sample.reshape(my, k, mx, k).transpose(0, 2, 1, 3).reshape(my * mx, k * k)
    level, rms, n_kept = (one.reshape(my, mx) for one in clipped_sky(cells, clip))
    middles = [start + (size - 1) / 2 for start in starts]
    return Mesh(level, rms, n_kept >= min_pixels, *middles)


def _filled(cells: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give cells (my, mx) that are not known the value of the nearest that is."""
    from scipy.ndimage import distance_transform_edt

    if known.all():
        return cells
    row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return cells[row, column]


def _cell_px(shape: tuple[int, int]) -> int:
    """Side of a cell of a quick mesh."""
    return min(LARGE_MESH_PX if min(shape) >= LARGE_PX else MESH_PX, *shape)


def smoothed(mesh: np.ndarray) -> np.ndarray:
    """Median over 3 x 3 cells: a cell on a bright star or a nebula's edge does not stand out.

    Beyond the edges a slope goes on, so that those cells keep it: as they are repeated the corner
    of a steep sky would have the level of the cell beside it.
    """
    (my, mx), padded = mesh.shape, mesh
    for _ in range(2):
        inner = padded[[min(1, len(padded) - 1), max(len(padded) - 2, 0)]]
        low, high = 2 * padded[[0, -1]] - inner
        padded = np.vstack([low, padded, high]).T
    nine = [padded[j : my + j, i : mx + i] for j in range(3) for i in range(3)]
    return np.partition(nine, 4, axis=0)[4]


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A frame's background.

    Attributes
    ----------
    level, rms : (ny, nx) float32 arrays
        The sky and the noise of one pixel, ADU.
    sources : (ny, nx) bool array
        Pixels left out as belonging to stars; blank sky is what is neither bad nor among these.
    box_px : int
        Side of the mesh.
    """

    level: np.ndarray
    rms: np.ndarray
    sources: np.ndarray
    box_px: int


def measure_background(
    pixels: np.ndarray, bad: np.ndarray, *, box_px: int | None = None
) -> Background:
    """Estimate background and noise by the clipped means of a mesh.

    Twice: the sources that stand out of the first map are left out of the second. With them left
    out the mean is right where a mode (2.5 median less 1.5 mean, as `sep` has it) is not: it leans
    to the low side of photon noise, and is 0.7 ADU low where the sky's noise is about one.

    Parameters
    ----------
    pixels, bad : (ny, nx) arrays
        ADU; pixels whose bits are not 0 are left out, and have the level of what is around them.
    box_px : int, optional
        Side of the cells; a tenth of the frame, from 64 to 128 px, when not given.
    """
    mask = (bad != 0) | ~np.isfinite(pixels)
    data = np.where(mask, np.float32(0), pixels).astype(np.float32)
    box = box_px or int(np.clip(min(pixels.shape) // 10, MIN_BOX, MAX_BOX))
    box = min(box, *pixels.shape)
    level, rms = _map(data, mask, box, AMONG_STARS)
    light = np.where(mask, 0, data - level)
    sources = _find_source_pixels(light, rms, mask)
    # What is left of the first map's sky: so a slope is no noise, and where sources leave no pixel
    # the first map stays.
    more, rms = _map(light, mask | sources, box, BLANK)
    return Background(level + more, rms, sources, box)


def pixel_error(pixels: np.ndarray, background: Background, gain_e_per_adu: float) -> np.ndarray:
    """Tell the error of each pixel: the sky's own scatter, and the photons of what is above it.

    pixels: (ny, nx) float array, ADU. Returns (ny, nx) float32 array, ADU; NaN where a pixel is.
    """
    above = np.maximum(pixels - background.level, 0) / gain_e_per_adu
    return np.sqrt(background.rms**2 + above).astype(np.float32)


def _find_source_pixels(light: np.ndarray, rms: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark the pixels that hold light of sources, with a rim around them.

    light: above the background, 0 where bad. rms: of one pixel.
    mask: bad pixels, which say nothing of the noise.
    """
    from scipy.ndimage import maximum_filter

    smooth = smoothed_by(light, SMOOTH_SIGMA, 3.0) / rms
    # The lower half is free of sources: it tells middle and noise, also of correlated pixels.
    known = smooth[::2, ::2][~mask[::2, ::2]]
    low, middle = np.percentile(known, [15.865, 50]) if known.size else (0.0, 0.0)
    return maximum_filter(smooth > middle + SOURCE_SIGMA * (middle - low), 2 * GROW_PX + 1)


def _map(data: np.ndarray, mask: np.ndarray, box: int, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Level and noise of every pixel: medians of 3 x 3 cells, and a spline through them."""
    starts = [
        np.linspace(0, length - box, int(np.ceil(length / box))).astype(int)
        for length in data.shape
    ]
    mesh = measure_mesh(
        data, mask, starts, box, samples=MESH_SAMPLES, clip=clip, min_pixels=MIN_PIXELS
    )
    if not mesh.known.any():
        return np.zeros_like(data), np.ones_like(data)
    level, rms = (
        _splined(smoothed(_filled(cells, mesh.known)), mesh, data)
        for cells in (mesh.level, mesh.rms)
    )
    return level, np.maximum(rms, least_sigma(data, level))


def _splined(cells: np.ndarray, mesh: Mesh, data: np.ndarray) -> np.ndarray:
    """Draw a spline through the cells' middles, and straight on to the frame's edges."""
    from scipy.interpolate import BSpline, RectBivariateSpline

    nodes = []
    for middles, length in zip((mesh.rows, mesh.columns), data.shape, strict=True):
        ends = np.array([-0.5, length - 0.5])
        if len(middles) > 1:
            slopes = (cells[[1, -1]] - cells[[0, -2]]) / np.diff(middles)[[0, -1], None]
        else:
            slopes = np.zeros((2, cells.shape[1]))
        beyond = cells[[0, -1]] + slopes * (ends - middles[[0, -1]])[:, None]
        cells = np.concatenate([beyond[:1], cells, beyond[1:]]).T
        nodes.append(np.concatenate([ends[:1], middles, ends[1:]]))
    orders = [min(3, len(one) - 1) for one in nodes]
    spline = RectBivariateSpline(*nodes, cells, kx=orders[0], ky=orders[1])
    *knots, coefficients = spline.tck
    # On a grid its sums are two products of matrices.
    down, across = (
        BSpline.design_matrix(np.arange(float(n)), t, k, extrapolate=True).toarray()
        for n, t, k in zip(data.shape, knots, orders, strict=True)
    )
    table = coefficients.reshape(down.shape[1], across.shape[1])
    return (down @ table @ across.T).astype(np.float32)
