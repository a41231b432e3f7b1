"""Squares of pixels around stars, with each pixel's offset from its star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Squares", "cut_squares", "squares_about"]


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """One square of pixels for each star.

    Attributes
    ----------
    values : (n, m, m) float array
        ``[star, row, column]``; NaN outside the image.
    u, v : (n, m) float arrays
        Offset of the pixel centres of each column and row from the star, pixels.
    """

    values: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def distance_squared(self) -> np.ndarray:
        """Squared distance of each pixel centre from its star, (n, m, m)."""
        return self.u[:, None, :] ** 2 + self.v[:, :, None] ** 2

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges of the columns and rows, (n, m + 1) each, measured from the star."""
        x, y = (np.column_stack([c - 0.5, c[:, -1] + 0.5]) for c in (self.u, self.v))
        return x, y

    def plane(self, planes: np.ndarray) -> np.ndarray:
        """Evaluate ``a + b u + c v``, (n, 3), about each star at the pixel centres, (n, m, m)."""
        a, b, c = planes.T[:, :, None]
        return (a + b * self.u)[:, None, :] + (c * self.v)[:, :, None]

    def less_plane(self, planes: np.ndarray) -> Squares:
        """Subtract a plane ``a + b u + c v``, (n, 3), about each star."""
        return Squares(self.values - self.plane(planes), self.u, self.v)


def cut_squares(
    image: np.ndarray,
    centre: tuple[np.ndarray, np.ndarray],
    corner: tuple[np.ndarray, np.ndarray],
    size: int,
) -> Squares:
    """Cut squares, as float64, out of an image (ny, nx); NaN outside of it.

    centre: x, y of the stars, (n,) each, pixels; the centre of pixel (0, 0) is (0, 0).
    corner: column, row of the squares' first pixels, (n,) int arrays. size: pixels on a side.
    """
    ny, nx = image.shape
    step = np.arange(size)
    columns, rows = corner[0][:, None] + step, corner[1][:, None] + step
    values = image[
        np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]
    ].astype(float)
    inside_x, inside_y = (columns >= 0) & (columns < nx), (rows >= 0) & (rows < ny)
    if not (inside_x.all() and inside_y.all()):
        values[~(inside_y[:, :, None] & inside_x[:, None, :])] = np.nan
    return Squares(values, columns - centre[0][:, None], rows - centre[1][:, None])


def squares_about(
    image: np.ndarray, centre: tuple[np.ndarray, np.ndarray], radius: float
) -> Squares:
    """Cut squares out of an image (ny, nx) that hold a circle about each star; NaN outside of it.

    centre: x, y of the stars, (n,) each, pixels. radius: of the circle, pixels.
    """
    half = int(np.ceil(radius + 0.5))
    column, row = (np.rint(c).astype(int) - half for c in centre)
    return cut_squares(image, centre, (column, row), 2 * half + 1)
