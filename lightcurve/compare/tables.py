"""Compare two tables or light curves, whatever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import STAR_COLUMN, TIMES, AijTable
from lightcurve.compare.columns import (
    PERIODS,
    ColumnDifference,
    compare_column,
    match_labels,
    match_times,
)
from lightcurve.compare.result import Comparison, Curves, Tolerance, take_wanted
from lightcurve.core import times
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.setup.target import at_night, find_target
from lightcurve.tables.light_curves import ColumnChoice, is_ours, open_table, read_curve
from lightcurve.tables.time_kinds import TIME_KINDS, kind_of_name

__all__ = ["compare_files", "split_names", "spread_choices"]

SYSTEMS = {"bjd_tdb": "BJD_TDB", "jd_utc": "JD_UTC"}
FIND = "-"
WAYS = ("", "frame", "time")
FLUX, ERROR = "relative flux", "relative flux error"
NOT_COMPARED = {*TIMES, "slice", *(name.lower() for name in TIMES)}


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two: its table, and its light curve where it has one."""

    table: AijTable
    labels: np.ndarray
    curve: LightCurve | None
    note: str

    def time(self, system: str) -> np.ndarray | None:
        """Take the times of a system, of its light curve or table; None where there are none."""
        if self.curve is not None:
            values = getattr(self.curve, system)
        else:
            values = self.table.times().get(SYSTEMS[system])
        return values if values is not None and np.isfinite(values).any() else None


def compare_files(
    paths: tuple[Path, Path],
    choices: tuple[ColumnChoice, ColumnChoice],
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
    choices : (ColumnChoice, ColumnChoice)
        Which columns are meant, see `spread_choices`.
    settings : Settings
        Target and site, where one has BJD_TDB and the other JD_UTC only.
    only : sequence of str
        Columns to compare; ``Source-Sky`` stands for those of all stars. By default all that both
        have.
    by : str
        ``"frame"`` or ``"time"``; by default frame names, where half of them are in both.

    Raises
    ------
    InputError
        When a file cannot be read, no rows match, `only` names what neither has, or there is
        nothing to compare.
    """
    if by not in WAYS:
        msg = f"--by {by!r}: frame or time"
        raise InputError(msg)
    a, b = (read_side(path, choice) for path, choice in zip(paths, choices, strict=True))
    if a.table.name == b.table.name:  # runs have files of the same names
        a, b = (_named(side, str(path)) for side, path in zip((a, b), paths, strict=True))
    told = [(side.table.name, [*map(str, side.table.unusable), side.note]) for side in (a, b)]
    notes = [f"{name}: {note}" for name, own in told for note in own if note]
    a, b = in_one_time_system(a, b, settings, notes)
    rows_a, rows_b, matched_by = _match(a, b, by)
    labels = _row_names(a, rows_a)
    differences, curves = _compare_curves(a, b, (rows_a, rows_b), labels, tolerance)
    differences += _compare_times(a, b, (rows_a, rows_b), labels, tolerance)
    differences += _compare_columns(a.table, b.table, (rows_a, rows_b), labels, tolerance)
    only_a, only_b = _apart(a.table, b.table), _apart(b.table, a.table)
    kept, lacking = take_wanted(differences, only, (*only_a, *only_b))
    if len(curves.time):  # compared above, under other names
        only_a, only_b = (
            tuple(name for name in own if name not in _of_curve(side, choice))
            for own, side, choice in zip((only_a, only_b), (a, b), choices, strict=True)
        )
    return Comparison(
        names=(a.table.name, b.table.name),
        matched_by=matched_by,
        rows=(len(a.table), len(b.table), len(rows_a)),
        differences=kept,
        only_a=only_a,
        only_b=only_b,
        lacking=lacking,
        tolerance=tolerance,
        notes=tuple(notes),
        curves=curves,
    )


def _named(side: Side, name: str) -> Side:
    return replace(side, table=replace(side.table, name=name))


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
    msg = "; ".join([msg, *dict.fromkeys(side.note for side in (a, b) if side.note)])
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
) -> tuple[list[ColumnDifference], Curves]:
    """Compare fluxes over their medians."""
    if a.curve is None or b.curve is None:
        return [], Curves()
    rtol, atol = tolerance.rtol, tolerance.atol
    flux_a, flux_b = a.curve.flux[rows[0]], b.curve.flux[rows[1]]
    both = np.isfinite(flux_a) & np.isfinite(flux_b)
    if not both.any():
        return [], Curves()
    level_a, level_b = np.median(flux_a[both]), np.median(flux_b[both])
    if not (level_a > 0 and level_b > 0):
        return [], Curves()
    flux_a, flux_b = flux_a / level_a, flux_b / level_b
    error_a, error_b = a.curve.flux_err[rows[0]] / level_a, b.curve.flux_err[rows[1]] / level_b
    found = [
        compare_column(FLUX, flux_a, flux_b, labels, rtol=rtol, atol=atol),
        compare_column(ERROR, error_a, error_b, labels, rtol=rtol, atol=atol),
    ]
    for system, name in SYSTEMS.items():
        time = a.time(system)
        if time is not None and b.time(system) is not None:
            return found, Curves(name, time[rows[0]], flux_a, flux_b)
    return found, Curves("row", np.arange(len(flux_a), dtype=float), flux_a, flux_b)


def _compare_times(
    a: Side,
    b: Side,
    rows: tuple[np.ndarray, np.ndarray],
    labels: list[str],
    tolerance: Tolerance,
) -> list[ColumnDifference]:
    """Compare the times that both have, in seconds; those of light curves first."""
    times_a, times_b = _all_times(a), _all_times(b)
    found = []
    for name in (name for name in times_a if name in times_b):
        one, other = times_a[name][rows[0]], times_b[name][rows[1]]
        # Where one of them has no time, that is a difference too.
        seconds, zero = (one - other) * DAY_S, np.where(np.isfinite(other), 0.0, np.nan)
        seconds = np.where(np.isfinite(one) & np.isnan(other), 0.0, seconds)
        column = compare_column(f"{name}, s", seconds, zero, labels, atol=tolerance.time_s)
        found.append(replace(column, largest_relative=float("nan")))
    return found


def _all_times(side: Side) -> dict[str, np.ndarray]:
    own = {name: side.time(system) for system, name in SYSTEMS.items()}
    return {name: v for name, v in own.items() if v is not None} | {
        name: v for name, v in side.table.times().items() if own.get(name) is None
    }


def _compare_columns(
    a: AijTable,
    b: AijTable,
    rows: tuple[np.ndarray, np.ndarray],
    labels: list[str],
    tolerance: Tolerance,
) -> list[ColumnDifference]:
    """Compare the columns that both tables have under one name."""
    return [
        compare_column(
            name, values[rows[0]], b.columns[name][rows[1]], labels, rtol=tolerance.rtol,
            atol=tolerance.atol, period=period_of(name),
        )
        for name, values in a.columns.items()
        if name in b.columns and name not in NOT_COMPARED
    ]  # fmt: skip


def period_of(column: str) -> float | None:
    """Tell after what an angle is the same again.

    In the unit of the column; None for what is no angle.
    """
    match = STAR_COLUMN.match(column)
    return PERIODS.get(match["quantity"] if match else column)


def _of_curve(side: Side, choice: ColumnChoice) -> set[str]:
    """Columns that a light curve was made of."""
    star, named = choice.target, {choice.flux, choice.error, choice.comparison_flux}
    if side.curve is not None and side.curve.source is not None:
        named |= {side.curve.source.time_column, side.curve.source.flux_column}
    own = ("rel_flux", "rel_flux_err", "bjd_tdb", "jd_utc")
    return {*own, f"rel_flux_{star}", f"rel_flux_err_{star}", *named}


def _apart(table: AijTable, other: AijTable) -> tuple[str, ...]:
    """Columns of numbers that the other table does not have."""
    times_there = other.times()
    return tuple(
        name
        for name in table.columns
        if name not in other.columns and name != "slice" and name.upper() not in times_there
    )


def split_names(columns: str) -> list[str]:
    """Read names of columns as they are given to an option.

    Parameters
    ----------
    columns : str
        With commas between.
    """
    return [name.strip() for name in columns.split(",") if name.strip()]


def spread_choices(
    paths: tuple[Path, Path], columns: Sequence[str], given: Mapping[str, Sequence[str]]
) -> tuple[ColumnChoice, ColumnChoice]:
    """Share options out between A and B.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of the files without header.
    given : mapping of str to sequence of str
        Field of `ColumnChoice` to its options. One holds for the files that have such a column or
        star (``time_kind`` and ``flux_kind`` for those whose ``time`` or ``flux``, given before it,
        was named); of two, the first is for A and the second for B, and ``"-"`` leaves the field to
        be found.

    Raises
    ------
    InputError
        When more than two are given, neither file has the column, or an option has no use.
    """
    tables, names = zip(*(_table(path, columns) for path in paths), strict=True)
    if columns and not any(names):
        msg = f"--columns: {tables[0].name} and {tables[1].name} both have a header line"
        raise InputError(msg)
    _check_kinds(given)
    fields: list[dict[str, str]] = [{}, {}]
    for name, values in given.items():
        shared = _share(name, values, tables, fields)
        for own, value in zip(fields, shared, strict=True):
            if value != FIND:
                own[name] = value
    first, second = (
        ColumnChoice(
            columns=own,
            time=chosen.get("time", ""),
            flux=chosen.get("flux", ""),
            error=chosen.get("error", ""),
            comparison_flux=chosen.get("comparison_flux", ""),
            time_kind=chosen.get("time_kind", ""),
            target=chosen.get("target", ColumnChoice().target),
            flux_kind=chosen.get("flux_kind", ""),
        )
        for own, chosen in zip(names, fields, strict=True)
    )
    return first, second


def _check_kinds(given: Mapping[str, Sequence[str]]) -> None:
    kinds = given.get("time_kind", ())
    strange = [kind for kind in kinds if kind != FIND and kind_of_name(kind) is None]
    if strange:
        msg = f"--time-kind {strange[0]!r}: one of {', '.join(TIME_KINDS)}"
        raise InputError(msg)
    for column in ("time", "flux"):
        if given.get(f"{column}_kind") and not given.get(column):
            msg = f"--{column}-kind says what --{column} holds: name the column with --{column}"
            raise InputError(msg)


def _share(
    name: str,
    values: Sequence[str],
    tables: Sequence[AijTable],
    fields: Sequence[Mapping[str, str]],
) -> Sequence[str]:
    """Give each table its value of an option; ``"-"`` for none."""
    if len(values) > 2:
        msg = f"{' '.join(values)}: {len(values)} columns for two files"
        raise InputError(msg)
    if len(values) == 2:
        return values
    if not values:
        return FIND, FIND
    value = values[0]
    if name.endswith("_kind"):  # of the column that was named
        return [value if name.removesuffix("_kind") in own else FIND for own in fields]
    known = [
        table.stars if name == "target" else {*table.columns, *table.words} for table in tables
    ]
    has = [value in names for names in known]
    if not any(has):
        what = "star" if name == "target" else "column"
        msg = f"neither {tables[0].name} nor {tables[1].name} has a {what} {value!r}"
        raise InputError(msg)
    return [value if own else FIND for own in has]


def _table(path: Path, columns: Sequence[str]) -> tuple[AijTable, tuple[str, ...]]:
    """Read a table; names of columns are for those that have no header of their own."""
    try:
        return open_table(path), ()
    except InputError:
        if not columns:
            raise
    return open_table(path, columns), tuple(columns)


def read_side(path: Path, choice: ColumnChoice) -> Side:
    """Read a file as a table, and as a light curve where it is one."""
    table = open_table(path, choice.columns)
    curve, note = None, ""
    try:
        curve = read_curve(path, choice)
    except InputError as error:
        if is_ours(path, choice):
            raise
        note = f"no light curve: {error.beside(table.name)}"
    labels = table.words.get("file", table.labels)
    return Side(table, labels, curve, note)


def in_one_time_system(a: Side, b: Side, settings: Settings, notes: list[str]) -> tuple[Side, Side]:
    """Give both BJD_TDB, where one has only that and the other only JD_UTC, and a target is known.

    settings: its target and site; notes: what was done, or could not be, is appended.
    """
    if a.curve is None or b.curve is None:
        return a, b
    if any(a.time(s) is not None and b.time(s) is not None for s in SYSTEMS):
        return a, b
    target = settings.target
    if target.ra is None and target.planet_file is None:
        notes.append(
            "one has BJD_TDB, the other JD_UTC only: --ra and --dec make their times comparable"
        )
        return a, b
    star = find_target(target)

    def with_bjd(side: Side) -> Side:
        if side.curve is None or side.time("bjd_tdb") is not None:
            return side
        there = at_night(star, side.curve.jd_utc.tolist())
        bjd = times.bjd_tdb(side.curve.jd_utc, there.ra_deg, there.dec_deg, settings.site.site())
        notes.append(f"{side.table.name}: BJD_TDB computed from its JD_UTC, {there.source}")
        return replace(side, curve=replace(side.curve, bjd_tdb=bjd))

    return with_bjd(a), with_bjd(b)
