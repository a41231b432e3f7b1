"""Which catalogued objects may be which sources: all within the errors, the nearest marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightcurve.core.coordinates import unit_vectors

__all__ = ["MAX_RADIUS_ARCSEC", "SIGMAS", "Matches", "crossmatch"]

# A true counterpart is farther by chance once in 1,000: exp(-k^2 / 2) = 0.001.
SIGMAS = 3.717
MIN_RADIUS_ARCSEC = 0.3
MAX_RADIUS_ARCSEC = 10.0
ARCSEC = math.pi / 648000


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of a source and a catalogued object, by source, then by separation.

    Attributes
    ----------
    source, row : (m,) int arrays
        Indices of the source and of the object.
    separation_arcsec : (m,) float array
    sigmas : (m,) float array
        Separation over its error: Rayleigh distributed where the pairs are true.
    nearest : (m,) bool array
        Of all objects this is the nearest to the source.
    mutual : (m,) bool array
        And the source is the nearest to the object: no object is the `mutual` match of two.
    """

    source: np.ndarray
    row: np.ndarray
    separation_arcsec: np.ndarray
    sigmas: np.ndarray
    nearest: np.ndarray
    mutual: np.ndarray

    def __len__(self) -> int:
        return len(self.source)


def crossmatch(
    sources: tuple[np.ndarray, np.ndarray, np.ndarray | float],
    objects: tuple[np.ndarray, np.ndarray, np.ndarray | float],
    *,
    max_radius_arcsec: float = MAX_RADIUS_ARCSEC,
) -> Matches:
    """Pair sources with every object within the errors of both positions.

    The radius of a pair is `SIGMAS` times the two errors added in quadrature, within the limits:
    the lower for what the errors leave out (blends, distortion), the upper so that a poor position
    does not claim the field.

    Parameters
    ----------
    sources, objects : tuple of (n,) arrays
        Right ascension, declination (degrees, at the same epoch) and error in one coordinate
        (arc seconds, array or one for all). Without a position (NaN) there is no pair.
    """
    from scipy.spatial import cKDTree

    a, b = (unit_vectors(*np.broadcast_arrays(*s[:2])) for s in (sources, objects))
    has_a, has_b = (np.flatnonzero(np.isfinite(v).all(axis=1)) for v in (a, b))
    error_a, error_b = (
        np.broadcast_to(np.asarray(s[2], dtype=float), len(v))
        for s, v in ((sources, a), (objects, b))
    )
    if not len(has_a) or not len(has_b):
        return _pairs(*(np.zeros(0, dtype=int),) * 2, *(np.zeros(0),) * 2)
    reach = 2 * math.sin(max_radius_arcsec * ARCSEC / 2) * (1 + 1e-9)
    near = cKDTree(a[has_a]).sparse_distance_matrix(cKDTree(b[has_b]), reach, output_type="ndarray")
    source, row = has_a[near["i"]], has_b[near["j"]]
    chord = np.linalg.norm(a[source] - b[row], axis=1)
    separation = 2 * np.arcsin(np.minimum(chord / 2, 1)) / ARCSEC
    error = np.hypot(error_a[source], error_b[row])
    radius = np.clip(SIGMAS * error, MIN_RADIUS_ARCSEC, max_radius_arcsec)
    close = separation <= radius
    with np.errstate(divide="ignore", invalid="ignore"):
        in_sigmas = separation / error
    return _pairs(source[close], row[close], separation[close], in_sigmas[close])


def _pairs(
    source: np.ndarray, row: np.ndarray, separation: np.ndarray, sigmas: np.ndarray
) -> Matches:
    order = np.lexsort((row, separation, source))
    source, row, separation, sigmas = (x[order] for x in (source, row, separation, sigmas))
    nearest = np.ones(len(source), dtype=bool)
    nearest[1:] = source[1:] != source[:-1]
    by_row = np.lexsort((source, separation, row))
    first = np.ones(len(row), dtype=bool)
    first[1:] = row[by_row][1:] != row[by_row][:-1]
    nearest_to_row = np.zeros(len(row), dtype=bool)
    nearest_to_row[by_row] = first
    return Matches(source, row, separation, sigmas, nearest, nearest & nearest_to_row)
