"""What a comparison finds: differences, what has no partner, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from lightcurve.curve.compare import ColumnDifference
from lightcurve.errors import InputError
from lightcurve.files import write_text
from lightcurve.formats.aij_cells import STAR_COLUMN
from lightcurve.formats.text import csv_text


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
    time, flux_a, flux_b : (n,) float arrays
        Matched points of the light curves, each flux over its median; empty without curves.
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
    time_name: str
    time: np.ndarray
    flux_a: np.ndarray
    flux_b: np.ndarray

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
    Returns lacking: of `one_sided`, those that were asked for.
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
    names = [field.name for field in fields(ColumnDifference)]
    text = csv_text(names, map(astuple, comparison.differences))
    paths = {"table": write_text(out / "comparison.csv", text)}
    if len(comparison.time):
        from lightcurve.report.compare import save_comparison

        paths["figure"] = save_comparison(
            out / "comparison.png",
            comparison.time,
            comparison.flux_a,
            comparison.flux_b,
            names=comparison.names,
            time_name=comparison.time_name,
        )
    return paths
