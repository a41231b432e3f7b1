"""The smooth background of a frame and its noise, quickly: for finding stars, not for measuring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lightcurve.phot.sky import AMONG_STARS, Clip, clipped_sky

MESH_PX, LARGE_MESH_PX = 64, 128
LARGE_PX = 1500  # shortest side from which the larger mesh serves
SAMPLES = 16  # pixels of a cell along each axis: 256 tell its level to 0.06 sigma


@dataclass(frozen=True, slots=True, eq=False)
class SmoothSky:
    """The background of a frame: straight lines between the middles of the cells of a mesh.

    Attributes
    ----------
    lines : (my, nx) float32 array
        The background along the rows `middles`, ADU.
    middles : (my,) float array
        Rows of the middles of the cells, pixels.
    ny : int
        Rows of the frame.
    level, rms : float
        Of the whole frame, ADU; 0 where no pixel is usable.
    """

    lines: np.ndarray
    middles: np.ndarray
    ny: int
    level: float
    rms: float

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Background at some pixels.

        x, y : (n,) int arrays; pixels.
        Returns (n,) float32 array: ADU.
        """
        row = np.interp(y, self.middles, np.arange(len(self.middles)))
        above = np.minimum(row.astype(int), len(self.middles) - 1)
        below = np.minimum(above + 1, len(self.middles) - 1)
        first, share = self.lines[above, x], (row - above).astype(np.float32)
        return first + share * (self.lines[below, x] - first)

    def bands(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Bands of rows, each between two middles.

        Yields above, below : (nx,) float32 arrays; every background of the band lies between these.
        """
        ends = [0, *np.ceil(self.middles[1:-1]).astype(int), self.ny]
        for k, (start, stop) in enumerate(pairwise(ends)):
            below = min(k + 1, len(self.lines) - 1)
            yield slice(int(start), int(stop)), self.lines[k], self.lines[below]


def measure_sky(pixels: np.ndarray, bad: np.ndarray | None = None) -> SmoothSky:
    """Measure the smooth background of a frame.

    The clipped mean of each cell of a mesh, a median over neighbouring cells, and straight lines
    between the cells' middles.

    pixels : (ny, nx) float array; ADU; non-finite values are left out.
    bad : (ny, nx) uint8 array, optional; pixels that are not 0 are left out.
    Returns SmoothSky: 0 everywhere where no pixel is usable.
    """
    ny, nx = pixels.shape
    size = _cell_px(pixels.shape)
    # The last cell of a row or column reaches back over the one before it.
    starts = [np.minimum(np.arange(0, length, size), length - size) for length in (ny, nx)]
    mesh = measure_mesh(pixels, None if bad is None else bad != 0, starts, size)
    middle = float(np.median(mesh.level[mesh.known])) if mesh.known.any() else 0.0
    rms = float(np.median(mesh.rms[mesh.known])) if mesh.known.any() else 0.0
    level = smoothed(np.where(mesh.known, mesh.level, middle))
    lines = np.stack([np.interp(np.arange(nx), mesh.columns, row) for row in level])
    return SmoothSky(lines.astype(np.float32), mesh.rows, ny, middle, rms)


def subtract_sky(pixels: np.ndarray, sky: SmoothSky) -> np.ndarray:
    """Take the smooth background off a frame.

    pixels : (ny, nx) float array; ADU.
    Returns (ny, nx) float32 array: NaN where `pixels` is.
    """
    light = np.empty(pixels.shape, np.float32)
    row = np.interp(np.arange(sky.ny), sky.middles, np.arange(len(sky.middles)))
    for k, (rows, above, below) in enumerate(sky.bands()):
        share = (row[rows] - k).astype(np.float32)[:, None]
        np.multiply(share, above - below, out=light[rows])
        light[rows] -= above
        light[rows] += pixels[rows]
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

    At most `samples` pixels along each axis of a cell are looked at; `mask` (ny, nx) marks those
    that do not count, and a cell with fewer than `min_pixels` of the others is not known.
    """
    within = np.arange(0, size, max(1, size // samples))
    rows, columns = ((start[:, None] + within).ravel() for start in starts)
    # Rows first: whole rows are copied, not single pixels.
    sample = pixels[rows].take(columns, axis=1).astype(np.float32, copy=False)
    if mask is not None:
        sample[mask[rows].take(columns, axis=1)] = np.nan
    (my, mx), k = map(len, starts), len(within)
    cells = sample.reshape(my, k, mx, k).transpose(0, 2, 1, 3).reshape(my * mx, k * k)
    level, rms, n_kept = (one.reshape(my, mx) for one in clipped_sky(cells, clip))
    middles = [start + (size - 1) / 2 for start in starts]
    return Mesh(level, rms, n_kept >= min_pixels, *middles)


def _cell_px(shape: tuple[int, int]) -> int:
    """Side of a cell of a quick mesh."""
    return min(LARGE_MESH_PX if min(shape) >= LARGE_PX else MESH_PX, *shape)


def smoothed(mesh: np.ndarray) -> np.ndarray:
    """Median over 3 x 3 cells: a cell on a bright star or a nebula's edge does not stand out."""
    padded = np.pad(mesh, 1, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)), axis=(2, 3))
