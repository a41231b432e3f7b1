"""Light of a bright source that looks like sources beside it: spikes, haloes, flaws of a PSF."""

from __future__ import annotations

import numpy as np

__all__ = ["light_of_brighter"]

# A spike, like most that surrounds a star, falls with the square of the distance. Vanes throw 1 to
# 3 % of the light into spikes: one FWHM away, a source of 2 % is seen. With room for more:
SHARE_AT_FWHM = 0.05
NEAREST_FWHM, FARTHEST_FWHM = 0.6, 40.0
# Two stars taken for one in their middle are left over on both sides of it, but only there, and
# near: a galaxy lights all that is about it.
PAIR_FWHM, LIT = 1.6, 0.4
MIRRORED = 0.4  # of a source's height, on the other side of the star: a spike has it on both
RING = 24  # places around the star at one distance
RING_SIGMA = 4.0  # by which a source stands out of what is at its distance all around
BLOCK = 20_000  # pairs at a time


def light_of_brighter(
    smooth: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    height: np.ndarray,
    brighter: tuple[np.ndarray, np.ndarray, np.ndarray],
    fwhm: float,
    *,
    share: float = SHARE_AT_FWHM,
) -> np.ndarray:
    """Tell which places (n,) show light of a brighter source, and no source of their own.

    It is so where the other side of the brighter one has as much, as spikes, bleeding, galaxies and
    flaws of a PSF have it; or where all is as bright at that distance.

    smooth: (ny, nx) float array, the light through a filter as wide as the stars.
    places: x and y, (n,), pixels. height: (n,) float array, of the sources in `smooth`.
    brighter: x, y, pixels, and heights of those that may be the cause, (m,) float arrays; the
    places may be among them.
    fwhm: of the stars, pixels. share: of the brighter one's light, that one FWHM away it may have.
    Returns (n,) bool array.
    """
    found = np.zeros(len(height), dtype=bool)
    one, other = _pairs(places, height, brighter, fwhm, share)
    for first in range(0, len(one), BLOCK):
        k, j = one[first : first + BLOCK], other[first : first + BLOCK]
        u, v = places[0][k] - brighter[0][j], places[1][k] - brighter[1][j]
        turn = 2 * np.pi * np.arange(1, RING) / RING
        cos, sin = np.cos(turn), np.sin(turn)
        ring = _at(
            smooth, brighter[0][j, None] + u[:, None] * cos - v[:, None] * sin,
            brighter[1][j, None] + u[:, None] * sin + v[:, None] * cos,
        )  # fmt: skip
        level = np.nanmedian(ring, axis=1)
        scatter = 1.4826 * np.nanmedian(np.abs(ring - level[:, None]), axis=1)
        above = height[k] - level
        # The mirrored place is known to half a FWHM or so: what is brightest near it counts.
        step = 0.4 * fwhm * np.array([[0, 1, -1, 0, 0], [0, 0, 0, 1, -1]])
        there = _at(
            smooth, (brighter[0][j] - u)[:, None] + step[0], (brighter[1][j] - v)[:, None] + step[1]
        )
        mirrored = np.nanmax(there, axis=1, initial=-np.inf) - level > MIRRORED * above
        rough = above < RING_SIGMA * scatter
        far = np.hypot(u, v) > PAIR_FWHM * fwhm
        lit = level > LIT * height[k]
        found[k[np.where(far, mirrored | rough, mirrored & lit)]] = True
    return found


def _pairs(
    places: tuple[np.ndarray, np.ndarray],
    height: np.ndarray,
    brighter: tuple[np.ndarray, np.ndarray, np.ndarray],
    fwhm: float,
    share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of places, and of sources so bright and near that they may be the cause."""
    from scipy.spatial import cKDTree

    x, y, peak = brighter
    if not len(height) or not len(x):
        return np.zeros(0, int), np.zeros(0, int)
    tree = cKDTree(np.column_stack(places))
    least = max(float(height.min()), 1e-9)
    reach = np.clip(np.sqrt(share * np.maximum(peak, 0) / least), 0, FARTHEST_FWHM) * fwhm
    able = np.flatnonzero(peak > least)
    near = tree.query_ball_point(np.column_stack([x, y])[able], reach[able])
    other = np.repeat(able, [len(rows) for rows in near])
    one = np.array([row for rows in near for row in rows], dtype=int)
    away = np.hypot(places[0][one] - x[other], places[1][one] - y[other]) / fwhm
    ratio = peak[other] / np.maximum(height[one], 1e-9)
    close = (away > NEAREST_FWHM) & (away**2 < share * ratio) & (ratio > 1)
    return one[close], other[close]


def _at(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at the nearest pixels; NaN beyond the frame."""
    ny, nx = image.shape
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    return np.where(inside, image[row.clip(0, ny - 1), column.clip(0, nx - 1)], np.nan)
