"""How much of each pixel lies inside a circle: exact, for many circles at once."""

from __future__ import annotations

import numpy as np


def circle_overlap(x_edges: np.ndarray, y_edges: np.ndarray, radius: float) -> np.ndarray:
    """Area shared by the cells of grids and circles about the origin.

    x_edges, y_edges : (n, m + 1) edges of the columns and rows of each grid, evenly spaced and
    ascending, measured from its circle's centre; `radius` in the same unit, 0 or more.
    Returns (n, m, m) areas ``[circle, row, column]``.
    """
    from photutils.geometry import circular_overlap_grid

    cells = x_edges.shape[1] - 1
    if not radius > 0:
        return np.zeros((len(x_edges), cells, cells))
    grids = [
        circular_overlap_grid(x[0], x[-1], y[0], y[-1], cells, cells, radius, 1, 1)
        for x, y in zip(x_edges, y_edges, strict=True)
    ]
    side = (x_edges[:, -1] - x_edges[:, 0]) / cells
    return np.reshape(grids, (-1, cells, cells)) * side[:, None, None] ** 2
