"""Light that bad pixels hide: taken from the star's own profile, opposite its centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.phot.cutouts import gather

MENDABLE = np.uint8(
    PixelFlag.NOT_FINITE | PixelFlag.HOT | PixelFlag.DEAD | PixelFlag.COSMIC_RAY | PixelFlag.USER
)
DOUBT = 0.1  # of a replaced value: the two sides of a star differ by coma, trailing, interpolation
# Of a measurement's error: doubt up to it makes the error an eighth larger and no step to be seen.
MOST_DOUBT = 0.5
CORNER = 0.71  # px: a pixel farther than that outside a circle has no part in it
NEAR = 1.3  # px: the bits of an aperture are those around its middle pixel, and half a pixel more


@dataclass(frozen=True, slots=True, eq=False)
class Replaced:
    """Bad pixels around stars, and what light they should have; arrays (n,) of one length."""

    star: np.ndarray  # index
    x: np.ndarray  # whole pixels of the image
    y: np.ndarray
    light: np.ndarray  # ADU above the sky
    distance: np.ndarray  # from the star's centre, pixels

    def into_boxes(self, boxes: np.ndarray, column: np.ndarray, row: np.ndarray) -> None:
        """Put the light into squares (n, m, m) around pixels (n,), as far as they reach."""
        half = boxes.shape[1] // 2
        j, i = self.y - row[self.star] + half, self.x - column[self.star] + half
        inside = (np.minimum(i, j) >= 0) & (np.maximum(i, j) <= 2 * half)
        boxes[self.star[inside], j[inside], i[inside]] = self.light[inside]

    def into_image(
        self, pixels: np.ndarray, bad: np.ndarray, sky: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Copy an image and its bits with these pixels made good."""
        pixels, bad = pixels.copy(), bad.copy()
        pixels[self.y, self.x] = self.light + sky[self.star]
        bad[self.y, self.x] &= ~MENDABLE
        return pixels, bad

    def judge(
        self, error: np.ndarray, radii: np.ndarray, sky_std: np.ndarray, gain: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flag sums (n_star, n_radius) that hold replaced pixels, and enlarge their errors.

        A sum is given up where the doubt of what was replaced is much of its error (n_star,
        n_radius). The pixel opposite counts twice: its noise adds as much as three more would.
        """
        light, variance = np.zeros_like(error), np.zeros_like(error)
        inside = self.distance[:, None] <= radii + CORNER
        noise = np.abs(self.light) / gain + sky_std[self.star] ** 2
        np.add.at(light, self.star, inside * np.abs(self.light)[:, None])
        np.add.at(variance, self.star, inside * 2 * noise[:, None])
        held = variance > 0
        much = held & ~(DOUBT * light <= MOST_DOUBT * error)
        flags = np.where(much, np.uint16(Flag.BAD_PIXEL), np.uint16(0))
        flags |= np.where(held & ~much, np.uint16(Flag.MENDED), np.uint16(0))
        return flags, np.sqrt(error**2 + variance + (DOUBT * light) ** 2)


def replace_bad(
    pixels: np.ndarray,
    bad: np.ndarray,
    place: tuple[np.ndarray, np.ndarray],
    centre: np.ndarray,
    sky: np.ndarray,
    radius: float,
) -> Replaced | None:
    """Find the light of bad pixels within a radius of stars; None where there are none.

    place: (n,) column and row of each star; centre: (2, n) offsets from there. What lies opposite
    another bad pixel or the edge stays bad. sky: (n,), NaN for stars not to be mended.
    """
    (column, row), half = place, int(np.ceil(radius + 2.5))
    if not bad.any():
        return None
    marks = gather(bad, column, row, half)
    found = np.flatnonzero((marks & MENDABLE) != 0)
    if not found.size:
        return None
    star, j, i = np.unravel_index(found, marks.shape)
    u, v = i - half - centre[0][star], j - half - centre[1][star]
    distance = np.hypot(u, v)
    near = distance <= radius + NEAR
    if not near.any():
        return None
    star, j, i, distance = star[near], j[near], i[near], distance[near]
    touched, index = np.unique(star, return_inverse=True)
    # Room for a centre that is not in the middle, and for the four pixels a cubic goes through.
    reach = 2 * half + 3 + int(np.ceil(np.abs(centre).max()))
    own = gather(pixels, column[touched], row[touched], reach) - sky[touched, None, None]
    own[(gather(bad, column[touched], row[touched], reach) & MENDABLE) != 0] = np.nan
    at_y, at_x = reach + centre[1][star] - v[near], reach + centre[0][star] - u[near]
    light = _cubic(own, index, at_y, at_x)
    x, y = column[star] + i - half, row[star] + j - half
    # A pixel in the apertures of two stars holds light of both.
    _, first, times = np.unique([y, x], axis=1, return_inverse=True, return_counts=True)
    known = np.isfinite(light) & (times[first] == 1)
    return Replaced(star[known], x[known], y[known], light[known], distance[known])


def _cubic(boxes: np.ndarray, index: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolate boxes (m, k, k) at places (n,) of the boxes `index` (n,); Keys (1981)."""
    steps = np.arange(-1, 3)
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    down, across = _weights(y - row), _weights(x - column)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    values = boxes[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return np.einsum("nj,nji,ni->n", down, values, across)


def _weights(t: np.ndarray) -> np.ndarray:
    """Weights (n, 4) of the values at -1, 0, 1 and 2 for a place `t` between 0 and 1."""
    return np.stack(
        [
            ((2 - t) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((4 - 3 * t) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        ],
        axis=1,
    )
