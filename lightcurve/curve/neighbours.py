"""How much of other stars' light falls into a star's aperture, and into its sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BETA = 3.0  # of a Moffat profile: wings as seeing and simple optics make them
REACH_FWHM = 4.0  # beyond the sky's outer edge: 2 % of a star's light lies farther out
GRID = 200


class Stray(NamedTuple):
    """Light of all others over the star's own, (n,) float arrays."""

    aperture: np.ndarray
    sky: np.ndarray


def stray_light(
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    *,
    radius: float,
    annulus: tuple[float, float],
    fwhm: float,
) -> Stray:
    """Work out the light of neighbours in each star's aperture and sky annulus.

    x, y, flux: (n,) float arrays, pixels, and any unit. radius, annulus, fwhm: pixels.
    """
    stray = Stray(np.zeros(len(x)), np.zeros(len(x)))
    if len(x) < 2 or not fwhm > 0:
        return stray
    from scipy.spatial import cKDTree

    reach = annulus[1] + REACH_FWHM * fwhm
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(reach, output_type="ndarray")
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    separation = np.hypot(x[first] - x[second], y[first] - y[second])
    ratio = flux[second] / flux[first]
    grid = np.linspace(0, reach, GRID)
    inside, inner, outer = (
        np.interp(separation, grid, share_within(grid, r, fwhm)) for r in (radius, *annulus)
    )
    np.add.at(stray.aperture, first, ratio * inside)
    np.add.at(stray.sky, first, ratio * (outer - inner))
    return stray


def share_within(distance: np.ndarray, radius: float, fwhm: float) -> np.ndarray:
    """Share of a star's light within a circle whose centre lies some way off.

    distance: (n,) float array, pixels. radius, fwhm: of circle and star, pixels.
    Returns (n,) float array; the profile is Moffat's.
    """
    core = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    # Rings of equal light about the star: each counts by the part of it that the circle holds.
    light = (np.arange(GRID) + 0.5) / GRID
    ring = core * np.sqrt((1 - light) ** (1 / (1 - BETA)) - 1)
    return np.mean(part_of_rings(ring, distance, radius), axis=1)


def part_of_rings(ring: np.ndarray, distance: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Part of each ring about a star that lies within circles whose middles are some way off.

    ring: (m,), radii. distance, radius: (n,), of the circles. All in one unit. Returns (n, m).
    """
    d, r = np.maximum(np.abs(distance), 1e-9)[:, None], np.reshape(radius, (-1, 1))
    cosine = (d**2 + ring**2 - r**2) / (2 * d * ring)
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi
