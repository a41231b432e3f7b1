"""What a light curve may follow beside the transit, and how far: columns with priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.covariates import Covariate, covariate_named, standardise

USUAL = 5e-3  # of the flux for a standard deviation, where nobody knows how large a trend may be
ANY = 100.0  # times the flux: as good as no prior
FILLED = 0.9  # of the points must have a value


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """The columns of a linear trend, each of mean 0 over the points used.

    columns : (n, k) float array, at all points, used or not.
    width : (k,) float array, one sigma of each column's coefficient, relative to the flux.
    """

    names: tuple[str, ...]  # of the covariates that took part
    owner: tuple[str, ...]  # covariate of each column
    columns: np.ndarray
    width: np.ndarray
    left_out: tuple[str, ...] = ()  # asked for, but of no use


def make_trend(
    covariates: Mapping[str, np.ndarray],
    used: np.ndarray,
    *,
    asked: Sequence[str] | None,
    forbidden: Sequence[str] = (),
) -> Trend:
    """Make the columns of all covariates, (n,) each, that say something over the points used.

    All with their physical priors; or those that are asked for, each a straight line of any slope.
    Nothing is said by one with fewer than nine finite values in ten, or without spread.
    """
    offered = {
        name: np.asarray(values, dtype=float)
        for name, values in covariates.items()
        if name not in forbidden and (asked is None or name in asked)
    }
    useful = {name: values for name, values in offered.items() if says_something(values, used)}
    order = useful if asked is None else [name for name in asked if name in useful]
    sides = _sides(useful, len(used))
    parts: list[tuple[str, np.ndarray, float]] = []
    for name in order:
        kind = covariate_named(name)
        if asked is not None or kind.step:
            parts.append((name, standardise(useful[name], used), ANY))
        else:
            parts += [(name, *column) for column in _columns(kind, useful[name], used, sides)]
    return Trend(
        names=tuple(order),
        owner=tuple(name for name, _, _ in parts),
        columns=np.column_stack([np.zeros((len(used), 0)), *(column for _, column, _ in parts)]),
        width=np.array([width for _, _, width in parts]),
        left_out=tuple(name for name in asked or () if name in offered and name not in useful),
    )


def says_something(values: np.ndarray, used: np.ndarray) -> bool:
    """Say whether values, (n,), differ at the points used, and are there at nine in ten of them."""
    inside = values[np.isfinite(values) & used]
    return len(inside) >= FILLED * used.sum() and np.ptp(inside) > 1e-9 * np.abs(inside).max()


def _sides(covariates: Mapping[str, np.ndarray], size: int) -> list[np.ndarray]:
    """Points on either side of each step: all of them where there is none."""
    sides = [np.ones(size, dtype=bool)]
    for name, values in covariates.items():
        if covariate_named(name).step:
            after = np.nan_to_num(values) > 0.5
            sides = [part for side in sides for part in (side & ~after, side & after)]
    return sides


def _columns(
    kind: Covariate, values: np.ndarray, used: np.ndarray, sides: list[np.ndarray]
) -> list[tuple[np.ndarray, float]]:
    """Lay out the columns of one covariate, and one sigma of their coefficients."""
    columns = []
    for side in sides if kind.local else [np.ones_like(used)]:
        line = standardise(values, used & side) * side
        if not line.any():
            continue
        spread = float(np.nanstd(values[used & side]))
        # What was measured against a level other than its own has no relative size.
        unit = max(abs(float(np.nanmedian(values[used]))), spread) if kind.relative else 1.0
        columns.append((line, USUAL if kind.size is None else kind.size * spread / unit))
        if kind.curvature:
            square = float(np.std(line[used & side] ** 2))
            bent = standardise(line**2, used & side) * side
            columns.append((bent, kind.curvature * spread**2 * square))
    return columns
