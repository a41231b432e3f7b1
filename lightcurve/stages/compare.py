"""Compare two tables or light curves, whatever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from lightcurve import times
from lightcurve.config import Settings
from lightcurve.curve.compare import ColumnDifference, compare_column, match_labels, match_times
from lightcurve.errors import InputError
from lightcurve.files import write_text
from lightcurve.formats.aij_cells import STAR_COLUMN
from lightcurve.formats.aij_table import TIMES, AijTable
from lightcurve.formats.curves import Choice
from lightcurve.formats.text import csv_text
from lightcurve.stages.compare_sides import SYSTEMS, Side, in_one_time_system, read_side

WAYS = ("", "frame", "time")
FLUX, ERROR = "relative flux", "relative flux error"
NOT_COMPARED = {*TIMES, "slice", *(name.lower() for name in TIMES)}


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
    """

    rtol: float = 0.0
    atol: float = 0.0
    time_s: float = 1.0
    given: bool = False


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
    differences : tuple of ColumnDifference
    agrees : bool or None
        None when no tolerance was given.
    notes : tuple of str
    time_name : str
    time, flux_a, flux_b : (n,) float arrays
        Matched points of the light curves, each flux over its median; empty without curves.
    """

    names: tuple[str, str]
    matched_by: str
    rows: tuple[int, int, int]
    differences: tuple[ColumnDifference, ...]
    agrees: bool | None
    notes: tuple[str, ...]
    time_name: str
    time: np.ndarray
    flux_a: np.ndarray
    flux_b: np.ndarray


def compare_files(
    paths: tuple[Path, Path],
    choices: tuple[Choice, Choice],
    settings: Settings,
    *,
    tolerance: Tolerance,
    only: Sequence[str] = (),
    by: str = "",
) -> Comparison:
    """Compare two files, each a measurement table or a light curve.

    Parameters
    ----------
    paths : (Path, Path)
        A and B.
    choices : (Choice, Choice)
        Which columns are meant, see `spread_choices`.
    settings : Settings
        Target and site, where one has BJD_TDB and the other JD_UTC only.
    tolerance : Tolerance
    only : sequence of str
        Columns to compare; ``Source-Sky`` stands for those of all stars. By default all that both
        have.
    by : str
        ``"frame"`` or ``"time"``; by default frame names, where half of them are in both.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        When a file cannot be read, no rows match, or there is nothing to compare.
    """
    if by not in WAYS:
        msg = f"--by {by!r}: frame or time"
        raise InputError(msg)
    a, b = (read_side(path, choice) for path, choice in zip(paths, choices, strict=True))
    notes = [f"{side.table.name}: {side.note}" for side in (a, b) if side.note]
    a, b = in_one_time_system(a, b, settings, notes)
    rows_a, rows_b, matched_by = _match(a, b, by)
    labels = _row_names(a, rows_a)
    differences, curves = _compare_curves(a, b, (rows_a, rows_b), labels, tolerance)
    differences += _compare_columns(a.table, b.table, (rows_a, rows_b), labels, tolerance)
    kept = take_wanted(differences, only)
    return Comparison(
        names=(a.table.name, b.table.name),
        matched_by=matched_by,
        rows=(len(a.table), len(b.table), len(rows_a)),
        differences=tuple(kept),
        agrees=all(d.n_beyond == 0 for d in kept) if tolerance.given else None,
        notes=tuple(notes),
        **curves,
    )


def write_comparison(out: Path, comparison: Comparison) -> dict[str, Path]:
    """Write the differences as a table, and the figure where there are light curves.

    Parameters
    ----------
    out : Path
        Folder; made if need be.
    comparison : Comparison

    Returns
    -------
    dict of str to Path
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


def _match(a: Side, b: Side, by: str) -> tuple[np.ndarray, np.ndarray, str]:
    rows = match_labels(a.labels.tolist(), b.labels.tolist())
    enough = len(rows[0]) > 0.5 * min(len(a.labels), len(b.labels))
    if by == "frame" or (not by and enough):
        if not len(rows[0]):
            msg = f"{a.table.name} and {b.table.name} name no frame in common: try --by time"
            raise InputError(msg)
        return *rows, "frame"
    for system, name in SYSTEMS.items():
        time_a, time_b = a.time(system), b.time(system)
        if time_a is not None and time_b is not None:
            rows = match_times(time_a, time_b)
            if not len(rows[0]):
                msg = (
                    f"no rows at the same time: {a.table.name} has {name} {_span(time_a)}, "
                    f"{b.table.name} {_span(time_b)}"
                )
                raise InputError(msg)
            return *rows, name
    msg = (
        f"{a.table.name} and {b.table.name} have neither frames nor a kind of time in common; "
        "--time and --time-kind name a column of times"
    )
    msg = "; ".join([msg, *(side.note for side in (a, b) if side.note)])
    raise InputError(msg)


def _span(values: np.ndarray) -> str:
    return f"{np.nanmin(values):.4f} to {np.nanmax(values):.4f}"


def _row_names(side: Side, rows: np.ndarray) -> list[str]:
    """Frame names, else times, else row numbers."""
    labels = side.labels[rows]
    known = next((t for s in SYSTEMS if (t := side.time(s)) is not None), None)
    return [
        str(label)
        or (f"{known[row]:.6f}" if known is not None and np.isfinite(known[row]) else f"row {row}")
        for label, row in zip(labels, rows, strict=True)
    ]


def _compare_curves(
    a: Side,
    b: Side,
    rows: tuple[np.ndarray, np.ndarray],
    labels: list[str],
    tolerance: Tolerance,
) -> tuple[list[ColumnDifference], dict[str, object]]:
    """Compare fluxes over their medians, and times in seconds."""
    nothing = {"time_name": "", **{k: np.empty(0) for k in ("time", "flux_a", "flux_b")}}
    if a.curve is None or b.curve is None:
        return [], nothing
    limits = {"rtol": tolerance.rtol, "atol": tolerance.atol}
    flux_a, flux_b = a.curve.flux[rows[0]], b.curve.flux[rows[1]]
    both = np.isfinite(flux_a) & np.isfinite(flux_b)
    if not both.any():
        return [], nothing
    level_a, level_b = np.median(flux_a[both]), np.median(flux_b[both])
    if not (level_a > 0 and level_b > 0):
        return [], nothing
    flux_a, flux_b = flux_a / level_a, flux_b / level_b
    error_a, error_b = a.curve.flux_err[rows[0]] / level_a, b.curve.flux_err[rows[1]] / level_b
    found = [
        compare_column(FLUX, flux_a, flux_b, labels, **limits),
        compare_column(ERROR, error_a, error_b, labels, **limits),
    ]
    shown = nothing | {"flux_a": flux_a, "flux_b": flux_b}
    for system, name in SYSTEMS.items():
        time_a, time_b = a.time(system), b.time(system)
        if time_a is None or time_b is None:
            continue
        seconds = (time_a[rows[0]] - time_b[rows[1]]) * times.DAY_S
        late = {"rtol": 0.0, "atol": tolerance.time_s}
        found.append(compare_column(f"{name}, s", seconds, seconds * 0, labels, **late))
        if not shown["time_name"]:
            shown |= {"time_name": name, "time": time_a[rows[0]]}
    if not shown["time_name"]:
        shown |= {"time_name": "row", "time": np.arange(len(flux_a), dtype=float)}
    return found, shown


def _compare_columns(
    a: AijTable,
    b: AijTable,
    rows: tuple[np.ndarray, np.ndarray],
    labels: list[str],
    tolerance: Tolerance,
) -> list[ColumnDifference]:
    """Compare the columns that both tables have under one name."""
    limits = {"rtol": tolerance.rtol, "atol": tolerance.atol}
    return [
        compare_column(name, values[rows[0]], b.columns[name][rows[1]], labels, **limits)
        for name, values in a.columns.items()
        if name in b.columns and name not in NOT_COMPARED
    ]


def take_wanted(
    differences: Sequence[ColumnDifference], only: Sequence[str]
) -> list[ColumnDifference]:
    """Keep the columns that were asked for, by name or quantity; all, where none were.

    Parameters
    ----------
    differences : sequence of ColumnDifference
    only : sequence of str

    Returns
    -------
    list of ColumnDifference

    Raises
    ------
    InputError
        When none is left.
    """

    def is_wanted(name: str) -> bool:
        match = STAR_COLUMN.match(name)
        return name in only or (match is not None and match["quantity"] in only)

    kept = [d for d in differences if not only or is_wanted(d.name)]
    if not kept:
        shown = ", ".join(d.name for d in differences[:12]) or "no column"
        msg = f"nothing to compare: to be had are {shown}"
        raise InputError(msg)
    return kept
