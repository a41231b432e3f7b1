"""Compare two tables number by number: which rows belong together, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError

# Columns of angles and what takes them round, degrees: half a turn does it for an ellipse.
PERIODS = {"Angle": 180.0, "rotation": 360.0}
SUFFIXES = (".gz", ".fz", ".bz2", ".fits", ".fit", ".fts")


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """How far apart two columns are; every difference is A minus B.

    median, rms : of the differences; NaN without pairs.
    largest_relative : largest ``|a - b| / |b|``; infinite where b is 0 and a is not, NaN for
        angles and times.
    """

    name: str
    n: int  # pairs compared
    n_one_sided: int  # pairs of which only one has a number
    median: float
    rms: float
    largest: float  # the difference farthest from 0, with its sign
    largest_relative: float
    where: str  # label of the row of `largest`
    n_beyond: int  # pairs with ``|a - b| > atol + rtol |b|``, and all one-sided ones


def compare_column(
    name: str,
    a: np.ndarray,
    b: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    period: float | None = None,
) -> ColumnDifference:
    """Compare two columns.

    a, b: (n,) float arrays, rows that belong together; a row that is NaN in both is left out.
    rtol, atol: allowed is ``atol + rtol |b|``; with a period, ``atol + rtol period``.
    period: of an angle, whose differences are the shorter way round.
    """
    one_sided = int(np.sum(np.isfinite(a) != np.isfinite(b)))
    rows = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
    if not rows.size:
        nan = float("nan")
        return ColumnDifference(name, 0, one_sided, nan, nan, nan, nan, "", one_sided)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # to infinity
        difference, size = a[rows] - b[rows], np.abs(b[rows])
        if period is not None:
            difference = difference - period * np.round(difference / period)
            size = np.full(len(rows), period)
        distance = np.abs(difference)
        relative = np.where(distance > 0, distance / size, 0.0)
        rms = float(np.sqrt(np.mean(difference**2)))
        allowed = atol + rtol * size
    worst = int(np.argmax(distance))
    return ColumnDifference(
        name=name,
        n=len(rows),
        n_one_sided=one_sided,
        median=float(np.median(difference)),
        rms=rms,
        largest=float(difference[worst]),
        largest_relative=float(relative.max()) if period is None else float("nan"),
        where=str(labels[rows[worst]]),
        n_beyond=int(np.sum(distance > allowed)) + one_sided,
    )


def frame_key(label: str) -> str:
    """Reduce a frame's name to what stays the same in every table.

    label: file name, with or without folder and suffixes. Returns it in lower case, without them.
    """
    key = label.replace("\\", "/").rsplit("/", 1)[-1].strip().lower()
    for suffix in SUFFIXES:
        key = key.removesuffix(suffix)
    return key


def match_labels(a: Sequence[str], b: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows by the frame they name; of a name that stands twice, the first with the first.

    Returns rows_a, rows_b: (n,) int arrays, in order of `a`; rows without a label match nothing.
    """
    places: dict[str, list[int]] = {}
    for row, label in enumerate(b):
        places.setdefault(frame_key(str(label)), []).append(row)
    places.pop("", None)
    pairs = []
    for row, label in enumerate(a):
        found = places.get(frame_key(str(label)))
        if found:
            pairs.append((row, found.pop(0)))
    rows = np.array(pairs, dtype=int).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def match_times(
    a: np.ndarray, b: np.ndarray, *, tolerance: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows whose times are nearest to each other.

    a, b: (n,) and (m,) float arrays, days; NaN matches nothing.
    tolerance: days; pairs farther apart do not count; by default half the shorter median step.
    Returns rows_a, rows_b: (k,) int arrays, one to one, in order of `a`.
    """
    if tolerance is None:
        tolerance = min(_step(a), _step(b)) / 2
    if tolerance < 0:
        msg = f"the tolerance in time must not be negative, got {tolerance}"
        raise InputError(msg)
    if not (np.isfinite(a).any() and np.isfinite(b).any()):
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    to_b, to_a = _nearest(a, b), _nearest(b, a)
    rows = np.flatnonzero(np.isfinite(a))
    rows = rows[(to_a[to_b[rows]] == rows) & (np.abs(a[rows] - b[to_b[rows]]) <= tolerance)]
    return rows, to_b[rows]


def _step(times: np.ndarray) -> float:
    steps = np.diff(np.unique(times[np.isfinite(times)]))
    return float(np.median(steps)) if steps.size else np.inf


def _nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Row of `others` nearest to each of `times`."""
    finite = np.flatnonzero(np.isfinite(others))
    order = finite[np.argsort(others[finite], kind="stable")]
    values = others[order]
    right = np.clip(np.searchsorted(values, times), 0, len(values) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(times - values[left]) <= np.abs(times - values[right])
    return order[np.where(closer, left, right)]
