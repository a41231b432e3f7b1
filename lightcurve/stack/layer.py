"""A frame on the grid of a stack, its pixels on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.stack.resample import Mapping, spread


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A frame on the grid.

    Attributes
    ----------
    path : Path
        Light (ny, nx) float32, in the units of the stack, row by row; NaN where it has none.
    noise : (my, mx) float array
        Of the sky in one pixel of the grid, by what a sum of many has per pixel; at the mapping's
        nodes.
    photons : float
        Variance that light of one unit has, by its photons.
    """

    path: Path
    mapping: Mapping
    noise: np.ndarray
    photons: float
    exposure_s: float
    factor: float  # that its light was multiplied by

    def rows(self, rows: slice) -> np.ndarray:
        """Light of some rows, read from the disk: (n, nx) float32."""
        _, nx = self.mapping.shape
        number = (rows.stop - rows.start) * nx
        stored = np.fromfile(self.path, np.float32, number, offset=4 * rows.start * nx)
        return stored.reshape(-1, nx)

    def variance(self, rows: slice) -> np.ndarray:
        """Variance of the sky in some rows, as a sum has it per pixel: (n, nx) float32."""
        nodes = self.noise.astype(np.float32) ** 2
        return spread(nodes, rows, self.mapping.shape[1]).astype(np.float32)
