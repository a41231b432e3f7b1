"""Charge that trails behind bright stars along a row or column, which looks like faint stars."""

from __future__ import annotations

import numpy as np

from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry

TRAIL_SHARE = 0.3  # of the height of the star that leaves it, at most
TRAIL_FWHM = 0.7, 8.0  # half width and length
TRAIL_ODDS = 5.0  # standard deviations by which finds beside stars prefer one direction
Places = tuple[np.ndarray, np.ndarray]


def trail_sides(phot: PsfPhotometry, psf: Psf, places: Places) -> tuple[tuple[int, int], ...]:
    """Find the directions in which charge trails behind the stars: far more is left over there.

    Real neighbours lie on all sides alike.

    Parameters
    ----------
    places : tuple of (m,) float arrays
        x and y of what was found where the stars were taken off.

    Returns
    -------
    tuple of (column, row)
        Each -1, 0 or 1; empty where no side has more than others.
    """
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1))
    count = np.array([_along(phot, psf, places, side).sum() for side in sides])
    usual = float(np.sort(count)[:2].mean())
    odd = count > usual + TRAIL_ODDS * np.sqrt(usual + 1)
    return tuple(side for side, is_odd in zip(sides, odd, strict=True) if is_odd)


def in_trails(
    phot: PsfPhotometry,
    psf: Psf,
    places: Places,
    trails: tuple[tuple[int, int], ...],
) -> np.ndarray:
    """Tell which places lie on such a side of a far brighter source, in line with it.

    Parameters
    ----------
    places : tuple of (m,) float arrays
    trails : tuple of (column, row)
        From `trail_sides`.

    Returns
    -------
    (m,) bool array
    """
    inside = np.zeros(len(places[0]), dtype=bool)
    for side in trails:
        inside |= _along(phot, psf, places, side)
    return inside


def _along(phot: PsfPhotometry, psf: Psf, places: Places, direction: tuple[int, int]) -> np.ndarray:
    """Tell places that lie in one direction (column, row) of a source, in line with it."""
    from scipy.spatial import cKDTree

    x, y = places
    half, length = (k * psf.fwhm for k in TRAIL_FWHM)
    near = cKDTree(np.column_stack([phot.x, phot.y])).query_ball_point(
        np.column_stack([x, y]), length
    )
    place = np.repeat(np.arange(len(x)), [len(group) for group in near])
    source = np.concatenate([np.asarray(g, dtype=int) for g in near]) if len(near) else place
    du, dv = x[place] - phot.x[source], y[place] - phot.y[source]
    column, row = direction
    along, across = du * column + dv * row, np.abs(du * row - dv * column)
    low = _height(phot, x, y)[place] < TRAIL_SHARE * phot.flux[source] * psf.grid.max()
    found = np.zeros(len(x), dtype=bool)
    found[place[low & (along > half) & (across < half)]] = True
    return found


def _height(phot: PsfPhotometry, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return phot.residual[np.rint(y).astype(int), np.rint(x).astype(int)]
