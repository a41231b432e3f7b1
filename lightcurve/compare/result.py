"""What a comparison finds: differences, what has no partner, the verdict, and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.aij.read_table import STAR_COLUMN
from lightcurve.compare.columns import ColumnDifference
from lightcurve.core.data import Assumed
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.table_text import csv_text
from lightcurve.report.style import (
    COMPARISON,
    FIELD,
    TARGET,
    half_width,
    legend_above,
    robust_limits,
    show_beyond,
    styled_figure,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "Tolerance", "write_comparison"]

UNITS = ((1e-3, 1e2, "%"), (1e-6, 1e6, "ppm"), (1e-9, 1e9, "ppb"))  # size from which it suits
ROUNDING = (1e15, "1e-15")
N_BINS = 30


def save_comparison(path: str | Path, curves: Curves, names: tuple[str, str]) -> Path:
    """Draw both light curves, A minus B against time, and the histogram of A minus B."""
    day, rest = time_axis(curves.time)
    difference = curves.flux_a - curves.flux_b
    title = f"{names[0]} and {names[1]}: {np.isfinite(difference).sum()} points"
    with styled_figure(path, (8.6, 5.4), title=title) as figure:
        grid = figure.add_gridspec(2, 2, width_ratios=(4.2, 1), height_ratios=(2, 1))
        above = figure.add_subplot(grid[0, 0])
        below = figure.add_subplot(grid[1, 0], sharex=above)
        beside = figure.add_subplot(grid[1, 1], sharey=below)
        draw_two_curves(above, rest, curves.flux_a, curves.flux_b, names)
        above.tick_params(labelbottom=False)
        unit = draw_difference(below, rest, difference)
        draw_histogram(beside, difference * unit[0])
        below.set_ylabel(f"A - B ({unit[1]})")
        below.set_xlabel(f"{curves.time_name} - {day}" if day else curves.time_name)
    return Path(path)


def draw_two_curves(
    axes: Axes, time: np.ndarray, flux_a: np.ndarray, flux_b: np.ndarray, names: tuple[str, str]
) -> list:
    """Draw B as open circles and A as points on them; time, flux_a, flux_b: (n,) float arrays."""
    label = f"B: {names[1]}"
    drawn = axes.plot(time, flux_b, "o", label=label, mfc="none", mec=COMPARISON, ms=5.5, mew=0.9)
    drawn += axes.plot(time, flux_a, "o", color=TARGET, ms=2.6, mew=0, label=f"A: {names[0]}")
    axes.set_ylim(*robust_limits(np.concatenate([flux_a, flux_b])))
    axes.set_ylabel("flux / median")
    legend_above(axes)
    return drawn


def draw_difference(axes: Axes, time: np.ndarray, difference: np.ndarray) -> tuple[float, str]:
    """Draw the difference in the unit that suits it.

    time, difference: (n,) float arrays. Returns factor: from the difference to the unit.
    """
    finite = np.abs(difference[np.isfinite(difference)])
    size = float(np.max(finite, initial=0.0))
    factor, unit = next(((f, u) for least, f, u in UNITS if size >= least), ROUNDING)
    values = difference * factor
    axes.axhline(0, color=FIELD, lw=0.9)
    axes.plot(time, values, "o", color=TARGET, ms=3, mew=0)
    if size > 0:
        axes.set_ylim(*robust_limits(values))
        show_beyond(axes, time, values)
    return factor, unit


def draw_histogram(axes: Axes, difference: np.ndarray) -> list:
    """Draw how often each difference occurs, lying on its side.

    axes: shares its vertical axis with the difference; difference: (n,) float array.
    """
    finite = difference[np.isfinite(difference)]
    axes.tick_params(labelleft=False)
    axes.set_xlabel("frames")
    if not finite.size:
        return []
    low, high = axes.get_ylim()
    shown = np.clip(finite, low, high)
    bins = np.linspace(low, high, N_BINS + 1).tolist()
    axes.hist(shown, bins=bins, orientation="horizontal", color=TARGET, alpha=0.7)
    axes.axhline(0, color=FIELD, lw=0.9)
    rms = np.sqrt(np.mean(finite**2))
    text = f"median {np.median(finite):.3g}\nrms {rms:.3g}\nhalf width {half_width(finite):.3g}"
    axes.set_title(text, fontsize="small", fontweight="normal", loc="left")
    return list(axes.patches)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What may differ without being called different.

    Attributes
    ----------
    rtol, atol : float
        ``|a - b| <= atol + rtol |b|``.
    time_s : float
        Seconds, for times.
    given : bool
        Whether a verdict was asked for.
    partial : bool
        Whether rows of one side without partner are allowed.

    Raises
    ------
    InputError
        When a number is negative or not finite: every comparison would agree, or none.
    """

    rtol: float = 0.0
    atol: float = 0.0
    time_s: float = 1.0
    given: bool = False
    partial: bool = False

    def __post_init__(self) -> None:
        limits = {"--rtol": self.rtol, "--atol": self.atol, "--time-tolerance": self.time_s}
        for option, value in limits.items():
            if not 0 <= value < np.inf:
                msg = f"{option}: a tolerance is a number from 0 up, not {value:g}"
                raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Matched points of both light curves: (n,) float arrays, empty where there are none.

    Times are in days; each relative flux is over its median.
    """

    time_name: str = ""
    time: np.ndarray = field(default_factory=lambda: np.empty(0))
    flux_a: np.ndarray = field(default_factory=lambda: np.empty(0))
    flux_b: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How far apart two tables are.

    Attributes
    ----------
    names : (str, str)
        Of A and B.
    matched_by : str
        ``"frame"``, ``"BJD_TDB"`` ...
    rows : (int, int, int)
        Of A, of B, and matched.
    only_a, only_b : tuple of str
        Columns that one of them alone has.
    lacking : tuple of str
        Those of them that were asked for.
    values : tuple of Assumed
        The rules by which A was measured, where it was measured again.
    """

    names: tuple[str, str]
    matched_by: str
    rows: tuple[int, int, int]
    differences: tuple[ColumnDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    lacking: tuple[str, ...]
    tolerance: Tolerance
    notes: tuple[str, ...]
    curves: Curves
    values: tuple[Assumed, ...] = ()

    @property
    def unmatched(self) -> tuple[int, int]:
        """Count the rows of A and of B without partner."""
        n_a, n_b, matched = self.rows
        return n_a - matched, n_b - matched

    @property
    def reasons(self) -> tuple[str, ...]:
        """Say what is against their agreeing; empty when they agree."""
        beyond = [d.name for d in self.differences if d.n_beyond]
        shown = ", ".join(beyond[:8]) + (f" ({len(beyond)} columns)" if len(beyond) > 8 else "")
        unmatched = () if self.tolerance.partial else zip("AB", self.unmatched, strict=True)
        return (
            *([shown] if beyond else []),
            *(f"{n} rows of {side} without partner" for side, n in unmatched if n),
            *(f"{name}, which one alone has" for name in self.lacking),
        )

    @property
    def agrees(self) -> bool | None:
        """Tell the verdict; None when no tolerance was given."""
        return not self.reasons if self.tolerance.given else None


def take_wanted(
    differences: Sequence[ColumnDifference], only: Sequence[str], one_sided: Sequence[str]
) -> tuple[tuple[ColumnDifference, ...], tuple[str, ...]]:
    """Keep the columns that were asked for, by name or quantity; all, where none were.

    one_sided: columns that one table alone has.
    Returns kept, and lacking: of `one_sided`, those that were asked for.
    Raises InputError for a name that neither has.
    """
    known = [name for d in differences for name in _names(d.name)]
    apart = [name for column in one_sided for name in _names(column)]
    strange = [name for name in only if name not in known and name not in apart]
    kept = tuple(d for d in differences if not only or not _names(d.name).isdisjoint(only))
    if strange or not kept:
        what = f"--only {', '.join(strange)}: no such column" if strange else "nothing to compare"
        shown = ", ".join(d.name for d in differences[:12]) or "no column"
        msg = f"{what}; both have {shown}"
        raise InputError(msg)
    return kept, tuple(c for c in one_sided if not _names(c).isdisjoint(only))


def _names(column: str) -> set[str]:
    """Names by which a column is asked for: its own, and its quantity's without the star."""
    match = STAR_COLUMN.match(column)
    return {column, match["quantity"]} if match else {column}


def write_comparison(out: Path, comparison: Comparison) -> dict[str, Path]:
    """Write the differences as a table, and the figure where there are light curves.

    Parameters
    ----------
    out : Path
        Folder; made if need be.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = [one.name for one in fields(ColumnDifference)]
    text = csv_text(names, map(astuple, comparison.differences))
    paths = {"table": write_text(out / "comparison.csv", text)}
    if len(comparison.curves.time):
        figure = save_comparison(out / "comparison.png", comparison.curves, comparison.names)
        paths["figure"] = figure
    return paths
