"""How much of other stars' light falls into a star's aperture, and into its sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BETA = 3.0  # of a Moffat profile: wings as seeing and simple optics make them
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
    rings: np.ndarray,
    clipped_adu: float = np.inf,
) -> Stray:
    """Work out the light of neighbours in each star's aperture and sky annulus.

    x, y, flux: (n,) float arrays, pixels, and ADU. radius, annulus: pixels.
    rings: (m,) float array, how a star's light is spread, as by `moffat_rings`, pixels.
    clipped_adu: a pixel of the annulus in which a neighbour has more light is clipped.
    """
    stray = Stray(*np.zeros((3, len(x))))
    if len(x) < 2 or not rings[-1] > 0:
        return stray
    from scipy.spatial import cKDTree

    reach = annulus[1] + rings[-1]
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(reach, output_type="ndarray")
    first, second = np.concatenate([pairs, pairs[:, ::-1]]).T
    separation = np.hypot(x[first] - x[second], y[first] - y[second])
    ratio, grid = flux[second] / flux[first], np.linspace(0, reach, GRID)
    inside, within, in_all = (
        part_of_rings(rings, grid, r) / len(rings) for r in (radius, *annulus)
    )
    between = in_all - within
    # Of the rings in the annulus, the outer ones that are too faint to be clipped.
    faint = np.append(np.cumsum(between[:, ::-1], axis=1)[:, ::-1], np.zeros((GRID, 1)), axis=1)
    place = np.rint(separation / reach * (GRID - 1)).astype(int)
    left = faint[place, _first_faint(rings, clipped_adu / flux[second])]
    area = radius**2 / (annulus[1] ** 2 - annulus[0] ** 2)
    np.add.at(stray.aperture, first, ratio * np.interp(separation, grid, inside.sum(axis=1)))
    np.add.at(stray.sky, first, ratio * left * area)
    np.add.at(stray.around, first, ratio * np.interp(separation, grid, between.sum(axis=1)))
    return stray


def _first_faint(rings: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Find the ring (n,) from which on a pixel has less than a level (n,), over the star's light.

    One more than there are where even the last has more.
    """
    edge = np.append(0.0, (rings[1:] + rings[:-1]) / 2)
    area = np.pi * (np.append(edge[1:], 2 * rings[-1] - edge[-1]) ** 2 - edge**2)
    brightest_from = np.maximum.accumulate((1 / (len(rings) * area))[::-1])
    return len(rings) - np.searchsorted(brightest_from, level, side="right")


def moffat_rings(fwhm: float) -> np.ndarray:
    """Radii (m,) of rings about a star that hold equal parts of its light, from the middle out."""
    core = fwhm / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    return core * np.sqrt((1 - _parts()) ** (1 / (1 - BETA)) - 1)


def measured_rings(r50: float, r90: float) -> np.ndarray:
    """Lay out the rings, as `moffat_rings` does, of stars whose curve of growth was measured.

    r50, r90: of the circles that hold 50 and 90 % of the light, pixels. In between and outside the
    light grows as 1 - 2^-(r / r50)^k: a Gaussian's for k = 2, and a ring out of focus ends at once.
    """
    k = np.log(np.log2(10)) / np.log(max(r90 / r50, 1.01))
    return r50 * (-np.log2(1 - _parts())) ** (1 / k)


def _parts() -> np.ndarray:
    return (np.arange(GRID) + 0.5) / GRID


def part_of_rings(ring: np.ndarray, distance: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Part of each ring about a star that lies within circles whose middles are some way off.

    ring: (m,), radii. distance, radius: (n,), of the circles. All in one unit. Returns (n, m).
    """
    d, r = np.maximum(np.abs(distance), 1e-9)[:, None], np.reshape(radius, (-1, 1))
    cosine = (d**2 + ring**2 - r**2) / (2 * d * ring)
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi
