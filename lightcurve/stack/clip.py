"""What strikes single frames, told from stars and noise: values far from the middle one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.robust import MAD_TO_SIGMA
from lightcurve.stack.layer import Layer

BYTES = 16  # that a pixel of a layer takes while values are put in order
# Between frames the height of a star's pixel differs by such a part of what is around, for seeing,
# guiding and places between pixels differ (SWarp's CLIP_AMPFRAC); around is what a star twice as
# wide spreads there. A weaker hit on a star stays, with one frame's share in the mean.
AMPLITUDE, WIDER = 0.3, 2.0
AROUND_FWHM = 1.5
USUAL_FWHM = 2.5  # px, where none is known
HIGH, HIGH_SIGMA = 0.84, 0.9945  # of the values, and where that is of a normal distribution
BESIDE = 0.5  # of the limit, for pixels next to one that is rejected: a hit has a rim


@dataclass(frozen=True, slots=True, eq=False)
class Middle:
    """What the layers have in common, by which one is judged.

    light : (ny, nx) float32, the middle value of each pixel, NaN where there is none. spread : how
    far values lie from it. allowed : by how much a star's light may differ. number : (ny, nx)
    uint16, of values.
    """

    light: np.ndarray
    spread: np.ndarray
    allowed: np.ndarray
    number: np.ndarray

    def rows(self, rows: slice) -> Middle:
        """Cut some rows out."""
        parts = self.light, self.spread, self.allowed, self.number
        return Middle(*(one[rows] for one in parts))


def find_middle(layers: Sequence[Layer], fwhm_px: float, memory_mb: float) -> Middle:
    """Find the middle of layers of one grid, as many rows at a time as the memory allows.

    fwhm_px: of stars on the grid.
    """
    shape = layers[0].mapping.shape
    light, spread = (np.empty(shape, np.float32) for _ in range(2))
    number = np.empty(shape, np.uint16)
    for rows in blocks_of(shape, BYTES * len(layers), memory_mb):
        values = np.stack([layer.rows(rows) for layer in layers])
        light[rows], spread[rows], number[rows] = middle_of(values)
    bright = np.maximum(np.nan_to_num(light), 0)
    return Middle(light, spread, AMPLITUDE * around(bright, fwhm_px), number)


def blocks_of(shape: tuple[int, int], pixel_bytes: int, memory_mb: float) -> Iterator[slice]:
    """Rows of an image (ny, nx) that fit into the memory together, one at the least."""
    ny, nx = shape
    step = max(int(memory_mb * 1e6 / (pixel_bytes * nx)), 1)
    for start in range(0, ny, step):
        yield slice(start, min(start + step, ny))


def middle_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle value of each pixel, how far the others lie from it, and their number: (ny, nx) each.

    values: (n_layer, ny, nx) float32, NaN for none; put in order.
    """
    number = np.isfinite(values).sum(axis=0)
    values.sort(axis=0)  # NaN last
    middle, high = (_at_share(values, number, share) for share in (0.5, HIGH))
    np.abs(np.subtract(values, middle, out=values), out=values)
    values.sort(axis=0)
    spread = MAD_TO_SIGMA * _at_share(values, number, 0.5)
    # Of stars that are blurred in some frames many values are high, and few of them hits.
    return middle, np.maximum(spread, (high - middle) / HIGH_SIGMA), number


def find_outliers(
    light: np.ndarray, variance: np.ndarray, photons: float, middle: Middle, clip_sigma: float
) -> np.ndarray:
    """Find the values of a layer that are far from the middle, and what lies beside them.

    light, variance: (ny, nx) float32; photons: variance of light of one unit. Returns (ny, nx)
    bool. Two values alone: the higher is left out, for what strikes adds light.
    """
    from scipy.ndimage import grey_dilation

    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(variance + np.float32(photons) * np.maximum(np.nan_to_num(middle.light), 0))
        limit = clip_sigma * np.maximum(sigma, middle.spread) + middle.allowed
        ratio = np.nan_to_num(np.abs(light - middle.light) / limit)
    far = ratio > 1
    if far.any():
        beside = grey_dilation(far.astype(np.uint8), (3, 3)) > 0
        far |= beside & (ratio > BESIDE)
    return far & (middle.number > 1)


def around(light: np.ndarray, fwhm_px: float) -> np.ndarray:
    """Spread light (ny, nx) as stars `WIDER` times as wide would: the most that any pixel gives."""
    from scipy.ndimage import grey_dilation

    width = fwhm_px if np.isfinite(fwhm_px) else USUAL_FWHM
    reach, sigma = max(int(np.ceil(AROUND_FWHM * width)), 1), WIDER * width / FWHM_PER_SIGMA
    fall = -(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)
    log = np.log(np.maximum(light, 1e-10))
    for line in (fall[None], fall[:, None]):  # the most of a square, by its rows and columns
        log = grey_dilation(log, structure=line)
    return np.exp(log)


def _at_share(ordered: np.ndarray, number: np.ndarray, share: float) -> np.ndarray:
    """Give the value below which a share of each pixel's lie, the lower of two: (ny, nx).

    ordered: (n_layer, ny, nx), ascending, NaN last; number: how many are none.
    """
    place = (share * np.maximum(number.astype(int) - 1, 0)).astype(int)
    return np.take_along_axis(ordered, place[None], axis=0)[0]
