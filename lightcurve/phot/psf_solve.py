"""The normal equations of a fit of many stars: one step of it, and the errors it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

MAX_STEP_PX = 0.5
DAMPING = 1e-6
COUPLING = 0.02  # correlation below which two stars are independent for their errors


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """The normal equations at one state.

    Attributes
    ----------
    normal : (3 n, 3 n) scipy.sparse.csr_array
        Flux, x, y of star after star.
    right : (n, 3) float array
        Jacobian times weighted residual.
    information : (n, 3) float array
        The diagonal of `normal`: the inverse variance of each parameter, all others known.
    """

    normal: Any
    right: np.ndarray
    information: np.ndarray


def solve_step(system: System, held: np.ndarray) -> np.ndarray:
    """Solve the normal equations; held stars keep their places.

    held : (n,) bool array.
    Returns (n, 3) float array: change of flux, x, y; the last two at most half a pixel.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    scale = _scale(system, held)
    free = diags_array(scale.ravel())
    normal = free @ system.normal @ free + diags_array(np.where(scale == 0, 1.0, DAMPING).ravel())
    step = splu(normal.tocsc()).solve((scale * system.right).ravel()).reshape(-1, 3) * scale
    step[:, 1:] = np.clip(step[:, 1:], -MAX_STEP_PX, MAX_STEP_PX)
    return step


def _scale(system: System, held: np.ndarray) -> np.ndarray:
    """One over the root of each diagonal element; 0 for what is not fitted."""
    scale = np.where(system.information > 0, system.information, np.inf) ** -0.5
    scale[held, 1:] = 0.0
    return scale


def parameter_errors(system: System, held: np.ndarray) -> np.ndarray:
    """Root of the diagonal of the inverse of the normal equations.

    held : (n,) bool array.
    Returns (n, 3) float array: errors of flux, x, y; 0 for a place that was held, infinite where
        nothing was seen. Stars whose parameters correlate by less than 2 % are taken to be
        independent.
    """
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.csgraph import connected_components

    scale = _scale(system, held)
    free = diags_array(scale.ravel())
    correlation = (free @ system.normal @ free).tocoo()
    linked = np.abs(correlation.data) > COUPLING
    n = len(scale)
    links = coo_array(
        (np.ones(linked.sum()), (correlation.row[linked] // 3, correlation.col[linked] // 3)),
        shape=(n, n),
    )
    count, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    rows = (3 * order[:, None] + np.arange(3)).ravel()
    ordered = correlation.tocsr()[rows][:, rows]
    edges = np.searchsorted(group[order], np.arange(count + 1))
    inverse = np.zeros(3 * n)
    for first, last in pairwise(edges):
        part = slice(3 * first, 3 * last)
        block = ordered[part, part].toarray()
        block[np.diag_indices_from(block)] += DAMPING + (block.diagonal() == 0)
        inverse[part] = np.linalg.inv(block).diagonal()
    errors = np.empty((n, 3))
    errors[order] = np.sqrt(np.maximum(inverse, 0)).reshape(n, 3)
    errors = errors * scale
    errors[:, 0] = np.where(scale[:, 0] == 0, np.inf, errors[:, 0])
    return errors
