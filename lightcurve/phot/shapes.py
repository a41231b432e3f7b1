"""The shapes of a frame's stars, and how they change over the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import FWHM_PER_SIGMA
from lightcurve.core.data import Detections
from lightcurve.phot.cutouts import gather
from lightcurve.phot.seeing import fit_gaussians

__all__ = ["REGIONS", "Shapes", "measure_shapes", "region_of"]

REGIONS = ("centre", "low_left", "low_right", "high_left", "high_right")
BRIGHT = 20.0  # of the sky's noise, in the highest pixel: fainter stars tell no shape
FULL = 0.9  # of saturation
BOX_FWHM = 2.5  # half a box: beyond it a star's wings are under a hundredth of its middle
ALONE_FWHM = 4.0  # to the next star, whose light is then outside of most of the box


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Stars that tell a shape; arrays (n,).

    Attributes
    ----------
    x, y : (n,) float arrays
        Pixels.
    fwhm : (n,) float array
        Geometric mean of the two axes, pixels.
    e1, e2 : (n,) float arrays
        (a^2 - b^2) / (a^2 + b^2) of the axes, times cosine and sine of twice the long one's angle:
        they can be averaged, which a length cannot, for it is never negative.
    """

    x: np.ndarray
    y: np.ndarray
    fwhm: np.ndarray
    e1: np.ndarray
    e2: np.ndarray

    def only(self, rows: np.ndarray) -> Shapes:
        """Take some of the stars; rows: (n,) bool array."""
        return Shapes(*(getattr(self, name)[rows] for name in ("x", "y", "fwhm", "e1", "e2")))

    @property
    def width(self) -> float:
        """Median FWHM, pixels; NaN without stars."""
        return float(np.median(self.fwhm)) if self.fwhm.size else float("nan")

    @property
    def ellipticity(self) -> float:
        """1 - b / a of what the stars have in common; NaN without stars."""
        if not self.e1.size:
            return float("nan")
        e = min(float(np.hypot(np.median(self.e1), np.median(self.e2))), 1.0)
        return 1 - float(np.sqrt((1 - e) / (1 + e)))

    @property
    def angle_deg(self) -> float:
        """Direction of the long axis they have in common, from +x towards +y, 0 to 180."""
        if not self.e1.size:
            return float("nan")
        return float(np.degrees(0.5 * np.arctan2(np.median(self.e2), np.median(self.e1))) % 180)


def measure_shapes(
    light: np.ndarray, bad: np.ndarray, stars: Detections, saturation_adu: float | None
) -> Shapes:
    """Fit the widths of bright stars that are alone, along rows, columns and both diagonals.

    Parameters
    ----------
    light : (ny, nx) float array
        Above the sky.
    bad : (ny, nx) uint8 array
        `PixelFlag` bits; a star with one in its middle is left out.
    """
    rows = _fit_for_it(bad, stars, saturation_adu)
    guess = float(np.median(stars.fwhm)) if len(stars) else 3.0
    x, y = stars.x[rows], stars.y[rows]
    half = max(int(np.ceil(BOX_FWHM * guess)), 4)
    boxes = np.nan_to_num(gather(light, np.rint(x).astype(int), np.rint(y).astype(int), half))
    sigma = guess / FWHM_PER_SIGMA
    along_x, along_y = (fit_gaussians(boxes.sum(axis=axis), sigma) ** 2 for axis in (1, 2))
    # From one diagonal to the next it is 1 / sqrt(2) pixels.
    up, down = (
        fit_gaussians(_diagonals(some), sigma * 2**0.5) ** 2 / 2 for some in (boxes[:, ::-1], boxes)
    )
    with np.errstate(invalid="ignore"):
        e1 = (along_x - along_y) / (along_x + along_y)
        e2 = (up - down) / (up + down)
        size = (along_x + along_y) / 2
        fwhm = FWHM_PER_SIGMA * np.sqrt(size * np.sqrt(np.maximum(1 - e1**2 - e2**2, 0)))
    return Shapes(x, y, fwhm, e1, e2).only(np.isfinite(fwhm * e1 * e2))


def _diagonals(boxes: np.ndarray) -> np.ndarray:
    """Sum (n, 2 m - 1) along the diagonals of squares (n, m, m)."""
    m = boxes.shape[1]
    return np.stack([np.trace(boxes, k, 1, 2) for k in range(1 - m, m)], axis=1)


def _fit_for_it(bad: np.ndarray, stars: Detections, saturation_adu: float | None) -> np.ndarray:
    from scipy.spatial import cKDTree

    if len(stars) < 2:
        return np.ones(len(stars), bool)
    xy = np.column_stack([stars.x, stars.y])
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1] > ALONE_FWHM * np.median(stars.fwhm)
    whole = bad[np.rint(stars.y).astype(int), np.rint(stars.x).astype(int)] == 0
    bright = stars.peak - stars.sky > BRIGHT * stars.sky_rms
    if saturation_adu is not None:
        whole &= stars.peak < FULL * saturation_adu
    return whole & bright & apart


def region_of(x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Tell in which of `REGIONS` places lie: a circle in the middle, and four quadrants.

    Parameters
    ----------
    x, y : (n,) float arrays
        Pixels.
    shape : tuple of int
        (ny, nx) of the frame; the circle's radius is a quarter of the shorter side.

    Returns
    -------
    (n,) int array
        Index of the region.
    """
    right, up = x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2
    quadrant = 1 + (right > 0) + 2 * (up > 0)
    return np.where(np.hypot(right, up) < min(shape) / 4, 0, quadrant)
