"""How much of each pixel lies inside a circle: exact, for many circles at once."""

from __future__ import annotations

import numpy as np


def circle_overlap(
    x_edges: np.ndarray, y_edges: np.ndarray, radius: float | np.ndarray
) -> np.ndarray:
    """Area shared by the cells of a grid and a circle about the origin.

    With ``F(x, y)`` the area of the circle inside the rectangle from the origin to (x, y), signed
    like ``x y``, the area in a cell is F at its upper right and lower left corners less F at the
    other two. In the first quadrant, with ``s(u) = sqrt(r^2 - u^2)`` and ``c = s(y)``::

        F(x, y) = integral from 0 to x of min(s(u), y) du
                = y min(x, c) + max(0, S(x) - S(c)),   S(u) = (u s(u) + r^2 asin(u / r)) / 2

    Parameters
    ----------
    x_edges, y_edges : (n, m + 1) float arrays
        Edges of the columns and rows of each grid, ascending, measured from its circle's centre.
    radius : float or (n,) float array
        0 or more, in the same unit.

    Returns
    -------
    (n, m, m) float array
        Areas ``[circle, row, column]``; over a grid that holds the circle they add up to
        ``pi r^2`` to rounding.
    """
    r = np.broadcast_to(np.asarray(radius, dtype=float), len(x_edges))[:, None]
    x, y = np.minimum(np.abs(x_edges), r), np.minimum(np.abs(y_edges), r)
    c = np.sqrt(r**2 - y**2)
    corner = y[:, :, None] * np.minimum(x[:, None, :], c[:, :, None])
    corner += np.maximum(_segment(x, r)[:, None, :] - _segment(c, r)[:, :, None], 0.0)
    corner *= np.sign(x_edges)[:, None, :] * np.sign(y_edges)[:, :, None]
    return np.diff(np.diff(corner, axis=1), axis=2)


def _segment(u: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Area under the circle's upper arc from 0 to u."""
    turn = np.arcsin(u / np.where(r > 0, r, 1.0))
    return 0.5 * (u * np.sqrt(r**2 - u**2) + r**2 * turn)
