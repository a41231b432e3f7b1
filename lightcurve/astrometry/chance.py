"""How likely a registration is to be an accident of two unrelated star fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.pattern import SCALE_TOLERANCE

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

RADII_PX = (0.5, 1.0, 2.0)
N_NEIGHBOURS = 8


def false_match_probability(
    residuals: np.ndarray, predicted: np.ndarray, tree: cKDTree, shape: tuple[int, int]
) -> float:
    """Bound the chance that unrelated fields have any transform under which so many stars agree.

    A similarity is fixed by two stars of each field. With n stars in the frame and m in the
    reference there are ``H = n (n - 1) m (m - 1) 2 s`` such choices, counting the mirrored ones,
    where s is the tolerance of ln(scale): pairs of uniformly spread stars have lengths within s
    of each other with a probability below 2 s. Take, of k stars that agree within t with the best
    transform, the two farthest apart: under the transform they fix the others agree within 2 t.
    By chance a reference star has one so near with ``p = 1 - exp(-4 pi t^2 d)``, d the density of
    stars around it, so that

    ``P(any transform with k) <= H * Binomial(m' - 2, p).sf(k - 3)``

    where m' reference stars fall on the frame. The density is that of the frame, or of the
    `N_NEIGHBOURS` nearest stars where that is higher: clusters overlap by chance more easily. The
    best of the three radii t in `RADII_PX` is taken, and paid for by a factor of three.

    residuals: (k,) float array, distances of the matched stars, pixels, under a similarity;
    predicted: (m, 2) float array, reference stars carried to the frame; tree: the frame's stars;
    shape: (ny, nx).
    At most 1.
    """
    from scipy.special import bdtrc

    ny, nx = shape
    n, m = tree.n, len(predicted)
    inside = predicted[((predicted > -2) & (predicted < (nx + 1, ny + 1))).all(axis=1)]
    if n < 3 or len(inside) < 3:
        return 1.0
    density = _local_density(inside, tree, n / (nx * ny))
    hypotheses = n * (n - 1) * m * (m - 1) * 2 * SCALE_TOLERANCE
    best = 1.0
    for radius in RADII_PX:
        k = int((residuals <= radius).sum())
        if k > 2:
            p = float(np.mean(-np.expm1(-4 * np.pi * radius**2 * density)))
            best = min(best, float(bdtrc(k - 3, max(len(inside) - 2, k - 2), p)))
    return min(len(RADII_PX) * hypotheses * best, 1.0)


def _local_density(points: np.ndarray, tree: cKDTree, overall: float) -> np.ndarray:
    """Stars per square pixel around some points, from the distance to the nearest few.

    points: (n, 2) float array; tree: the stars counted; overall: density of the frame, the least
    that is returned.
    Returns (n,) float array.
    """
    if tree.n <= N_NEIGHBOURS:
        return np.full(len(points), overall)
    # The nearest is left out: it is the match itself, where there is one.
    distance, _ = tree.query(points, k=[N_NEIGHBOURS])
    near = (N_NEIGHBOURS - 2) / (np.pi * np.maximum(distance[:, 0], 1.0) ** 2)
    return np.maximum(near, overall)
