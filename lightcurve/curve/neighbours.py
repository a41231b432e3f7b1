"""How much of other stars' light falls into a star's aperture, and into its sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BETA = 3.0  # of a Moffat profile: wings as seeing and simple optics make them
REACH_FWHM = 4.0  # beyond the sky's outer edge: 2 % of a star's light lies farther out
GRID = 200


class Stray(NamedTuple):
    """Light of all others over the star's own, (n,) float arrays.

    aperture : of what falls into the aperture.
    sky : of what clipping leaves of them in the annulus, over the area of the aperture: by so much
        the star is measured too faint.
    around : of all that is in the annulus.
    """

    aperture: np.ndarray
    sky: np.ndarray
    around: np.ndarray


def stray_light(
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    *,
    radius: float,
    annulus: tuple[float, float],
    fwhm: float,
    clipped_adu: float = np.inf,
) -> Stray:
    """Work out the light of neighbours in each star's aperture and sky annulus.

    x, y, flux: (n,) float arrays, pixels, and ADU. radius, annulus, fwhm: pixels.
    clipped_adu: a pixel of the annulus in which a neighbour has more light is clipped.
    """
    stray = Stray(*np.zeros((3, len(x))))
    if len(x) < 2 or not fwhm > 0:
        return stray
    from scipy.spatial import cKDTree

    reach = annulus[1] + REACH_FWHM * fwhm
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(reach, output_type="ndarray")
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    separation = np.hypot(x[first] - x[second], y[first] - y[second])
    ratio = flux[second] / flux[first]
    grid, rings = np.linspace(0, reach, GRID), light_rings(fwhm)
    inside = np.interp(separation, grid, share_within(grid, radius, fwhm))
    # Of the rings in the annulus, the outer ones that are too faint to be clipped.
    between = part_of_rings(rings, grid, annulus[1]) - part_of_rings(rings, grid, annulus[0])
    faint = np.append(np.cumsum(between[:, ::-1], axis=1)[:, ::-1], np.zeros((GRID, 1)), axis=1)
    from_ring = np.rint(GRID * (1 - _below(clipped_adu, flux[second], fwhm))).astype(int)
    left = faint[np.rint(separation / reach * (GRID - 1)).astype(int), from_ring] / GRID
    area = radius**2 / (annulus[1] ** 2 - annulus[0] ** 2)
    np.add.at(stray.aperture, first, ratio * inside)
    np.add.at(stray.sky, first, ratio * left * area)
    np.add.at(stray.around, first, ratio * np.interp(separation, grid, between.mean(axis=1)))
    return stray


def _below(level: float, flux: np.ndarray, fwhm: float) -> np.ndarray:
    """Share of stars' light (n,) in pixels in which they have less than a level, ADU."""
    central = flux * (BETA - 1) / (np.pi * _core(fwhm) ** 2)
    return np.minimum(level / central, 1.0) ** ((BETA - 1) / BETA)


def _core(fwhm: float) -> float:
    return fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))


def light_rings(fwhm: float) -> np.ndarray:
    """Radii (m,) of rings about a star that hold equal parts of its light, from the middle out."""
    light = (np.arange(GRID) + 0.5) / GRID
    return _core(fwhm) * np.sqrt((1 - light) ** (1 / (1 - BETA)) - 1)


def share_within(distance: np.ndarray, radius: float, fwhm: float) -> np.ndarray:
    """Share of a star's light within a circle whose centre lies some way off.

    distance: (n,) float array, pixels. radius, fwhm: of circle and star, pixels.
    Returns (n,) float array; the profile is Moffat's.
    """
    # Rings of equal light about the star: each counts by the part of it that the circle holds.
    return np.mean(part_of_rings(light_rings(fwhm), distance, radius), axis=1)


def part_of_rings(ring: np.ndarray, distance: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Part of each ring about a star that lies within circles whose middles are some way off.

    ring: (m,), radii. distance, radius: (n,), of the circles. All in one unit. Returns (n, m).
    """
    d, r = np.maximum(np.abs(distance), 1e-9)[:, None], np.reshape(radius, (-1, 1))
    cosine = (d**2 + ring**2 - r**2) / (2 * d * ring)
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi
