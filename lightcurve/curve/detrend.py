"""How noisy a curve is, by estimators that few wild points move; and its slow trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lightcurve.core.covariates import standardise
from lightcurve.core.robust import MAD_TO_SIGMA, medians, robust_scatter

__all__ = ["column_median", "column_scatter", "point_to_point", "scintillation"]

WILD = 4.0  # scatters: values farther out are drawn in
FEW = 20  # values whose median deviation is small by chance, and what it clips makes it smaller


def column_median(values: np.ndarray) -> np.ndarray:
    """Work out the median of every column by one sort: `numpy.nanmedian` takes ten times as long.

    values: (n, m) or (n, k, m) float array; NaN are left out, infinities count. Returns (m,) or
    (k, m) float array, NaN where a column has no value.
    """
    ordered = np.sort(values.reshape(len(values), -1).T, axis=1)  # NaN come last
    count = (~np.isnan(ordered)).sum(axis=1)
    rows, last = np.arange(len(ordered)), np.maximum(count - 1, 0)
    middle = (ordered[rows, last // 2] + ordered[rows, np.minimum(count // 2, last)]) / 2
    return np.where(count > 0, middle, np.nan).reshape(values.shape[1:])


def column_scatter(values: np.ndarray, about: np.ndarray | None = None) -> np.ndarray:
    """Work out `lightcurve.core.robust.robust_scatter` of every column at once.

    values: (n, m) or (n, k, m) float array; NaN are left out. about: the medians, where known.
    Returns (m,) or (k, m) float array, NaN where none is left.
    """
    middle = column_median(values) if about is None else about
    return MAD_TO_SIGMA * column_median(np.abs(values - middle))


def point_to_point(values: np.ndarray) -> float:
    """Scatter from differences of neighbours, blind to anything slow such as a transit.

    `clipped_scatter` of these over sqrt(2). NaN with fewer than 4.
    values: (n,) float array in order of time; NaN left out, so that their neighbours meet.
    """
    values = np.asarray(values, dtype=float)
    steps = np.diff(values[np.isfinite(values)])
    return clipped_scatter(steps) / float(np.sqrt(2))


def scintillation(
    airmass: np.ndarray, exposure_s: np.ndarray, *, diameter_m: float, height_m: float = 0.0
) -> np.ndarray:
    """Relative noise that the atmosphere gives each star, independent of its brightness.

    Young's approximation with the median coefficient C = 1.5 of Osborn et al. (2015, MNRAS 452,
    1707): sigma^2 = 1e-5 C^2 D^(-4/3) t^-1 X^3 exp(-2 h / 8000 m).
    airmass, exposure_s: (n,) float arrays. Returns (n,) float array, NaN where either is.
    """
    variance = (
        1e-5
        * 1.5**2
        * diameter_m ** (-4 / 3)
        / np.asarray(exposure_s, dtype=float)
        * np.asarray(airmass, dtype=float) ** 3
        * np.exp(-2 * height_m / 8000.0)
    )
    return np.sqrt(variance)


def clipped_scatter(values: np.ndarray, clip: float = 4.0, *, fitted: int = 1) -> float:
    """Work out the standard deviation of what lies within `clip` robust ones of the median.

    NaN are left out. fitted: coefficients of what was taken off the values, the level counted: a
    series that hugs its own fit is not quiet. NaN with fewer than two values more than these. Of
    fewer than 20 nothing is clipped. Half as noisy as `robust_scatter`.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < fitted + 2:
        return float("nan")
    if len(values) >= FEW:
        middle = float(medians(values))
        sigma = robust_scatter(values, about=middle)
        if not sigma > 0:
            return sigma
        values = values[np.abs(values - middle) <= clip * sigma]
    return float(np.std(values) * np.sqrt(len(values) / max(len(values) - fitted, 1)))


def running_means(values: np.ndarray, scatter: float, size: int) -> np.ndarray:
    """Average every `size` neighbours of finite values (n,), (n - size + 1,).

    A wild point counts as no more than four times the `scatter` of single ones about 0.
    """
    total = np.cumsum(np.append(0.0, np.clip(values, -WILD * scatter, WILD * scatter)))
    return (total[size:] - total[:-size]) / size


def design_matrix(covariates: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Stack a constant and the named covariates, standardised: (n, 1 + len(names)).

    A value that is not finite, and a column without spread, becomes 0.
    """
    size = len(next(iter(covariates.values())))
    return np.column_stack([np.ones(size), *(standardise(covariates[name]) for name in names)])


def remove_trend(
    flux: np.ndarray, design: np.ndarray, *, fit: np.ndarray | None = None, clip: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a curve by a linear trend fitted to a part of it.

    flux: (n,) float array. design: (n, k) float array, from `design_matrix`.
    fit: (n,) bool array, points the trend is fitted to, such as those out of transit; by default
    all.
    clip: points farther out than this many robust standard deviations are left out, twice.
    Returns the curve divided by the trend, and the trend, (n,) each; the trend is 1 when there are
    fewer points than columns.
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
