"""Sums of the few pixels of an image that are not 0, within circles around stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["SparseImage"]


@dataclass(frozen=True, slots=True, eq=False)
class SparseImage:
    """An image that is 0 almost everywhere; `of` and `of_pixels` make one."""

    shape: tuple[int, int]
    places: cKDTree  # (m, 2) column and row of the pixels that are not 0
    values: np.ndarray  # (m,), of these

    @classmethod
    def of(cls, image: np.ndarray) -> SparseImage:
        """Find the pixels of an image that are not 0.

        image: (ny, nx) float array, no NaN in it.
        """
        row, column = np.nonzero(image)
        return cls.of_pixels((image.shape[0], image.shape[1]), row, column, image[row, column])

    @classmethod
    def of_pixels(
        cls, shape: tuple[int, int], row: np.ndarray, column: np.ndarray, values: np.ndarray
    ) -> SparseImage:
        """Take the pixels of an image of a shape (ny, nx) that are not 0.

        row, column, values: (m,) arrays, each pixel once.
        """
        from scipy.spatial import cKDTree

        # Pixels lie evenly enough for a tree that is not balanced, which is made sooner.
        places = cKDTree(np.column_stack([column, row]), balanced_tree=False, compact_nodes=False)
        return cls(shape, places, values)

    def sums(self, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Sum pixels within circles, those at the rim about in part.

        x, y: (n,) float arrays, and radii: (n_radius,), ascending, pixels.
        Returns (n, n_radius) float array; what lies off the image does not count, and there is
        nothing around a place that is NaN.
        """
        from scipy.spatial import cKDTree

        known = np.flatnonzero(np.isfinite(x + y))
        stars = cKDTree(np.column_stack([x[known], y[known]]))
        near = stars.sparse_distance_matrix(self.places, radii[-1] + 0.5, output_type="ndarray")
        within = np.clip(radii - near["v"][:, None] + 0.5, 0, 1)
        total = np.zeros((len(x), len(radii)))
        np.add.at(total, known[near["i"]], within * self.values[near["j"], None])
        return total
