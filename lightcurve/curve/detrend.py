"""Slow trends of a curve, by linear least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lightcurve.covariates import standardise
from lightcurve.robust import robust_scatter


def design_matrix(covariates: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Stack a constant and standardised covariates.

    covariates: mapping of str to (n,) float array; names: which of them, in order.
    Returns (n, 1 + len(names)) float array, each column but the first has mean 0 and standard
    deviation 1 over its finite values; a value that is not finite, and a column without spread,
    becomes 0.
    """
    size = len(next(iter(covariates.values())))
    return np.column_stack([np.ones(size), *(standardise(covariates[name]) for name in names)])


def remove_trend(
    flux: np.ndarray, design: np.ndarray, *, fit: np.ndarray | None = None, clip: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a curve by a linear trend fitted to a part of it.

    flux: (n,) float array; design: (n, k) float array, from `design_matrix`; fit: (n,) bool array,
    optional, points the trend is fitted to, such as those out of transit; by default all; clip:
    points further out than this many robust standard deviations are left out, twice.
    Returns flat, trend: (n,) float arrays, NaN throughout `flat` where `flux` is NaN; the trend is
    1 when there are fewer points than columns.
    """
    use = np.isfinite(flux) if fit is None else np.isfinite(flux) & fit
    trend = np.ones(len(flux))
    for _ in range(3):
        if use.sum() <= design.shape[1]:
            break
        coefficients = np.linalg.lstsq(design[use], flux[use], rcond=None)[0]
        trend = design @ coefficients
        residual = flux - trend
        sigma = robust_scatter(residual[use], about=0.0)
        use = use & (np.abs(residual) <= clip * sigma) if sigma > 0 else use
    return flux / trend, trend
