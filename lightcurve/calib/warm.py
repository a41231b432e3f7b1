"""Warm pixels told from the light frames themselves, where no dark shows them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.calib.bad_pixels import tile_median
from lightcurve.calib.combine import open_rows, rows_of
from lightcurve.core.errors import FrameError
from lightcurve.core.robust import robust_scatter

FRAMES = 15  # spread over the night
FEWEST = 5  # a star that drifts, or a cosmic ray, is not in the same pixel of all of them
N_SIGMA = 5.0  # in each frame; less harms nobody
# Light of the four pixels around, of that in the middle: a star has 0.2 and more if its FWHM is
# over 1.2 px, a pixel with a current of its own has none, whatever the mount does.
OF_A_STAR = 0.1
REACH = 4
_RING = [(j, i) for j in range(-4, 5, 2) for i in range(-4, 5, 2) if max(abs(j), abs(i)) == REACH]
_AROUND = [(j, i) for j in range(-2, 3) for i in range(-2, 3) if max(abs(j), abs(i)) == 2]
_BESIDE = ((0, 1), (1, 0), (0, -1), (-1, 0))
_MARGIN = REACH + 1
_BLOCK_PIXELS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """What pixels have above their surroundings in every frame."""

    excess: np.ndarray  # (ny, nx) float32, ADU; 0 where there is none
    variance: float  # of a usual pixel in a frame, ADU^2
    names: tuple[str, ...]  # of the frames looked at


def warm_of_lights(paths: Sequence[Path], shape: tuple[int, int]) -> Warm | None:
    """Find pixels that stand out of their surroundings in every frame, and by how much.

    paths: light frames in order of time; those that cannot be read, or are not of the shape
    (ny, nx), are passed over. Colours of a mosaic are held against their own. None where fewer than
    `FEWEST` are left.
    """
    picked = paths if len(paths) <= FRAMES else [paths[k] for k in _spread(len(paths))]
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill, ExitStack() as stack:
        readers, names = [], []
        for path in picked:
            try:
                source = open_rows(path, Path(spill))
                if source.shape == shape:
                    readers.append(stack.enter_context(rows_of(source)))
                    names.append(path.name)
            except FrameError:
                continue  # its turn to be told of comes when it is measured
        if len(readers) < FEWEST:
            return None
        excess, variances = np.zeros(shape, np.float32), []
        step = max(_BLOCK_PIXELS // shape[1], 2) & ~1  # even: mosaics begin with the same colour
        for top in range(0, shape[0], step):
            first, last = max(top - REACH - 2, 0), min(top + step + REACH + 2, shape[0])
            block = np.stack([read(first, last) for read in readers])
            found, variance = _excess(block)
            rows = slice(top, min(top + step, shape[0]))
            excess[rows] = found[rows.start - first : rows.stop - first]
            variances.append(variance)
    return Warm(excess, float(np.median(variances)), tuple(names))


def _spread(n: int) -> np.ndarray:
    return np.linspace(0, n - 1, FRAMES).astype(int)


def _excess(block: np.ndarray) -> tuple[np.ndarray, float]:
    """Excess (ny, nx) of a block (n, ny, nx) of frames, and the variance of a pixel."""
    block = block - np.nanmedian(block, axis=(1, 2), keepdims=True)
    sigma = max(robust_scatter(block[0] - block[1]) / np.sqrt(2), 0.5)
    least = block.min(axis=0)
    out = np.zeros(block.shape[1:], bool)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = tuple(slice(k, None, 2) for k in corner)
        # The lowest of n values lies below the level; in a usual pixel by up to two sigma.
        out[part] = least[part] - tile_median(least[part]) > N_SIGMA * sigma
    out[:_MARGIN], out[-_MARGIN:], out[:, :_MARGIN], out[:, -_MARGIN:] = (False,) * 4
    j, i = np.nonzero(out)
    above, calm = _above(block, j, i), _calm(block, j, i)
    own = np.take_along_axis(above, calm, axis=0).mean(axis=0)
    beside = np.median(
        [
            np.take_along_axis(_above(block, j + y, i + x), calm, axis=0).mean(axis=0)
            for y, x in _BESIDE
        ],
        axis=0,
    )
    # While a star passes by, the ring around may be brighter than its middle.
    lasting = np.quantile(above, 0.2, axis=0) > N_SIGMA * sigma
    warm = lasting & (beside < OF_A_STAR * own)
    excess = np.zeros(out.shape, np.float32)
    excess[j[warm], i[warm]] = own[warm]
    return excess, sigma**2


def _calm(block: np.ndarray, j: np.ndarray, i: np.ndarray) -> np.ndarray:
    """Frames (k, m) with the least starlight around pixels (m,), by pixels not looked at else."""
    around = np.mean([block[:, j + y, i + x] for y, x in _AROUND], axis=0)
    return np.argsort(around, axis=0)[: max(len(block) // 5, 2)]


def _above(block: np.ndarray, j: np.ndarray, i: np.ndarray) -> np.ndarray:
    """Values (n, m) of pixels (m,) above the pixels of their colour around them."""
    ring = np.stack([block[:, j + y, i + x] for y, x in _RING])
    return block[:, j, i] - np.median(ring, axis=0)
