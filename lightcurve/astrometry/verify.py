"""Check a WCS: stars of known places must fall on the stars of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.data import Detections

if TYPE_CHECKING:
    from astropy.wcs import WCS

MATCH_PX = 3.0
MIN_MATCHED = 6
MIN_FRACTION = 0.3
MAX_FALSE_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """How far a WCS agrees with a frame's stars.

    Attributes
    ----------
    here, there : (m,) int arrays
        Rows of the matched detections and of the stars given.
    distance_px : (m,) float array
    n_inside : int
        Stars given that fall on the frame.
    probability : float
        Chance of so many matches if the WCS were wrong.
    """

    here: np.ndarray
    there: np.ndarray
    distance_px: np.ndarray
    n_inside: int
    probability: float
    n_detected: int = 0

    @property
    def n_matched(self) -> int:
        """Count the matched stars."""
        return len(self.here)

    @property
    def rms_px(self) -> float:
        """Both axes together; NaN without a match."""
        return float(np.sqrt(np.mean(self.distance_px**2))) if len(self.here) else float("nan")

    @property
    def possible(self) -> bool:
        """Whether there are stars enough to say anything."""
        return min(self.n_inside, self.n_detected) >= MIN_MATCHED

    @property
    def passed(self) -> bool:
        """Whether the WCS is to be believed."""
        enough = max(MIN_MATCHED, MIN_FRACTION * min(self.n_inside, self.n_detected))
        return self.n_matched >= enough and self.probability < MAX_FALSE_PROBABILITY


def check_wcs(
    wcs: WCS,
    stars: Detections,
    shape: tuple[int, int],
    sky: np.ndarray,
    *,
    tolerance_px: float = MATCH_PX,
) -> Check:
    """Match stars of known places with a frame's own, one to one, the closest first.

    Of the two lists the shorter one is on trial: each of its k stars meets one of the other's n
    by chance with ``p = 1 - exp(-n pi t^2 / A)``; the binomial tail is the probability stated.

    shape: (ny, nx); sky: (n, 2) float array, RA and Dec, degrees, at the frame's epoch.
    """
    from scipy.spatial import cKDTree
    from scipy.special import bdtrc

    rows, predicted = stars_on_frame(wcs, shape, sky)
    none = np.zeros(0, dtype=int)
    if not len(rows) or not len(stars):
        return Check(none, none, np.zeros(0), len(rows), 1.0, len(stars))
    tree = cKDTree(np.column_stack([stars.x, stars.y]))
    distance, nearest = tree.query(predicted, distance_upper_bound=tolerance_px)
    there = np.flatnonzero(np.isfinite(distance))
    there = there[np.argsort(distance[there], kind="stable")]
    here, first = np.unique(nearest[there], return_index=True)
    there = there[first]
    fewer, more = sorted((len(rows), len(stars)))
    p = -np.expm1(-more * np.pi * tolerance_px**2 / (shape[0] * shape[1]))
    chance = float(bdtrc(len(here) - 1, fewer, p)) if len(here) else 1.0
    return Check(here, rows[there], distance[there], len(rows), chance, len(stars))


def stars_on_frame(
    wcs: WCS, shape: tuple[int, int], sky: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which stars fall on a frame, and where.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    shape : tuple of int
        (ny, nx).
    sky : (n, 2) float array
        RA and Dec, degrees.

    Returns
    -------
    rows : (m,) int array
    xy : (m, 2) float array
        Pixels.
    """
    ny, nx = shape
    # Without distortion first: its inverse need not exist far outside the frame.
    rough = np.column_stack(wcs.wcs_world2pix(sky[:, 0], sky[:, 1], 0)) if len(sky) else sky
    margin = 0.1 * max(shape)
    near = ((rough > -margin) & (rough < (nx + margin, ny + margin))).all(axis=1)
    rows = np.flatnonzero(near)
    if wcs.sip is None or not len(rows):
        xy = rough[rows]
    else:
        xy = np.column_stack(wcs.all_world2pix(sky[rows, 0], sky[rows, 1], 0, quiet=True))
    inside = ((xy > -0.5) & (xy < (nx - 0.5, ny - 0.5))).all(axis=1)
    return rows[inside], xy[inside]
