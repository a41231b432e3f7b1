"""Our own tables: lightcurve.csv, stars.csv, model.csv, numbers that read back to the last bit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from lightcurve.core.columns import COMPARISONS, LIGHTCURVE, MODEL, NEIGHBOURS, STARS
from lightcurve.core.covariates import covariates_of
from lightcurve.core.data import (
    CurveSource,
    FrameResult,
    LightCurve,
    Measurements,
    StarCurves,
    StarPlan,
    TransitFit,
)
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.quantities import QUANTITIES, TEXT, beside_curve
from lightcurve.core.table_text import printable
from lightcurve.core.times import only_julian_dates
from lightcurve.curve.neb import Disposition, Neighbour
from lightcurve.tables.brightness import check_errors, check_flux, drop_fills
from lightcurve.tables.columns import (
    TableCells,
    as_spelt,
    cut_table,
    described_as,
    read_table,
    write_table,
)
from lightcurve.tables.time_kinds import check_pair

__all__ = [
    "read_lightcurve",
    "read_model",
    "read_neighbours",
    "scatter_to_stars",
    "write_comparisons",
    "write_lightcurve",
    "write_model",
    "write_nebs",
    "write_stars",
]

_STAR = re.compile(r"[CK]\d{1,6}")  # of a run: compared with, or checked by
TIMES = ("jd_utc", "bjd_tdb")
MAX_FLAGS = 65535
MAX_LEVEL = 1000.0  # relative flux has a median of 1, or the ratio to few faint stars


def write_lightcurve(
    path: str | Path,
    light_curve: LightCurve,
    measurements: Measurements,
    *,
    failed: Sequence[FrameResult] = (),
) -> Path:
    """Write lightcurve.csv: one row a frame, failed frames too.

    Parameters
    ----------
    light_curve : LightCurve
        Its `columns` that are no quantities of ours are written as well.
    measurements : Measurements
        Those it was made from; the target is row 0 of the plan.
    failed : sequence of FrameResult
        Frames without a measurement: a row with what is known and the flag NOT_MEASURED.
    """
    columns = {q.name: q.value(light_curve, measurements) for q in QUANTITIES}
    columns |= {n: v for n, v in light_curve.columns.items() if n not in columns}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    rows += [{q.name: q.failed(result) for q in QUANTITIES} for result in failed]
    rows.sort(key=lambda row: (np.inf if row["jd_utc"] is None else row["jd_utc"], row["file"]))
    return write_table(path, LIGHTCURVE, rows)


def is_lightcurve(path: str | Path) -> bool:
    """Tell whether a file is a lightcurve.csv, of whatever version, whole or not.

    What is described as one, or has more of its columns than chance gives another program's table:
    flags beside two others, or relative flux and its error beside a time and one more.
    """
    header, _ = cut_table(Path(path), what="a light curve")
    told = described_as(Path(path))
    if told is not None:
        return told[0] == LIGHTCURVE.name
    known = {*as_spelt(header, LIGHTCURVE)} & {*QUANTITIES.names()}
    if {"rel_flux", "rel_flux_err"} <= known and known & {*TIMES}:
        return len(known) > 3
    return "flags" in known and len(known) > 2


def read_lightcurve(path: str | Path) -> LightCurve:
    """Read lightcurve.csv, by the names of its columns.

    Returns
    -------
    LightCurve
        Every row of the file; frames that were not measured have NaN flux, and a column that is
        missing is NaN. `columns` holds what is not of the curve itself, those that are unknown
        too; `stars` are those of the comparisons.csv beside it.

    Raises
    ------
    InputError
        When it is of a newer layout, flux, flags or times are missing, a cell is no number, a time
        is no Julian date, flags are no sum of 16 bits, the median of the relative flux is not
        positive or above a thousand, or fluxes and errors cannot be such. What stands for no
        measurement, and rows that stand there again, get the flag NOT_MEASURED.
    """
    table = read_table(path, LIGHTCURVE)
    name = table.name
    if not table.n_rows:
        msg = f"{name}: no rows below a header"
        raise InputError(msg)
    if not {*TIMES} & {*table.cells}:
        msg = f"{name}: not a {LIGHTCURVE.name} of ours, it lacks {' and '.join(TIMES)}"
        raise InputError(msg)
    values = {
        q.name: table.words(q.name) if q.kind == TEXT else table.numbers(q.name) for q in QUANTITIES
    }
    for column in TIMES:
        _check_dates(values[column], column, name)
    check_pair(values["bjd_tdb"], values["jd_utc"], name)
    values["flags"] = _flags(values["flags"], name)
    with np.errstate(over="ignore"):
        level = np.nanmedian(values["rel_flux"]) if np.isfinite(values["rel_flux"]).any() else 1.0
    if not 0 < level < MAX_LEVEL:
        msg = f"{name}: the median of rel_flux is {level:g}: no relative flux, which is about 1"
        raise InputError(msg)
    values |= _measured(table, values)
    columns = beside_curve(values)
    columns |= {c: table.values(c) for c in table.cells if c not in QUANTITIES.entries}
    own = {q.attribute: values[q.name] for q in QUANTITIES if q.attribute}
    curve = LightCurve(
        file=own["file"],
        jd_utc=own["jd_utc"],
        bjd_tdb=own["bjd_tdb"],
        flux=own["flux"],
        flux_err=own["flux_err"],
        target_flux=own["target_flux"],
        comparison_flux=own["comparison_flux"],
        flags=own["flags"],
        covariates=covariates_of(values | columns),
        columns=columns,
        source=CurveSource(name),
    )
    beside = Path(path).with_name(COMPARISONS.name)
    if Path(path).name != LIGHTCURVE.name or not beside.exists():
        return curve
    return replace(curve, stars=_read_comparisons(beside, curve))


def _measured(table: TableCells, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Hold flux and errors to the rules of any table: flux, errors and flags (n,), judged.

    A table of ours may have been edited. Raises InputError.
    """
    flux, given = drop_fills(values["rel_flux"], "flux"), values["rel_flux_err"]
    error = np.where(given > 0, drop_fills(given, "flux"), np.nan)
    if np.isfinite(flux).any():
        check_flux(flux, "rel_flux", told=True, own=True, file=table.name)
    check_errors(flux, error, "rel_flux_err", table.name)
    rows = list(zip(*table.cells.values(), strict=True))
    first = {row: k for k, row in reversed([*enumerate(rows)])}
    again = np.array([first[row] != k for k, row in enumerate(rows)], dtype=bool)
    lost = again | (np.isfinite(values["rel_flux"]) & np.isnan(flux))
    lost |= np.isfinite(given) & np.isnan(error)
    flags = np.where(lost, values["flags"] | int(Flag.NOT_MEASURED), values["flags"])
    return {"rel_flux": flux, "rel_flux_err": error, "flags": flags.astype(np.uint16)}


def _check_dates(values: np.ndarray, column: str, name: str) -> None:
    wrong = np.isfinite(values) & np.isnan(only_julian_dates(values)) | np.isinf(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = f"{name}: row {row + 2}: {column} {values[row]:.12g} is no Julian date"
        raise InputError(msg)


def _flags(values: np.ndarray, name: str) -> np.ndarray:
    """Turn numbers into flags; an empty cell does not say that nothing is wrong."""
    wrong = ~((values >= 0) & (values <= MAX_FLAGS) & (values == np.floor(values)))
    if wrong.any():
        row = int(np.argmax(wrong))
        found = "is empty" if np.isnan(values[row]) else f"{values[row]:.12g}"
        msg = f"{name}: row {row + 2}: flags {found}: no whole number from 0 to {MAX_FLAGS}"
        raise InputError(msg)
    return values.astype(np.uint16)


def write_stars(
    path: str | Path, plan: StarPlan, columns: Mapping[str, np.ndarray] | None = None
) -> Path:
    """Write stars.csv: every star considered, its role and the reason.

    Parameters
    ----------
    columns : mapping of str to (n_star,) array, optional
        More columns, such as ``"weight"``, ``"scatter"`` or magnitudes, put before the reason.
    """
    own = plan.columns
    reason = {"reason": own.pop("reason")}
    table = {**own, **(columns or {}), **reason}
    rows = zip(*table.values(), strict=True)
    return write_table(path, STARS, [dict(zip(table, row, strict=True)) for row in rows])


def scatter_to_stars(plan: StarPlan, rows: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """Spread values of a few stars over the whole plan.

    Parameters
    ----------
    rows : sequence of int
        Rows of the plan.
    values : sequence of float
        One for each of `rows`.

    Returns
    -------
    (n_star,) float array
        NaN for the other stars.
    """
    column = np.full(len(plan), np.nan)
    column[np.asarray(rows, dtype=int)] = values
    return column


def write_comparisons(path: Path, curve: LightCurve, stars: StarCurves) -> Path:
    """Write comparisons.csv: one row a star and frame of the light curve."""
    rows = [
        {"file": file, "jd_utc": jd, "star": name, "rel_flux": flux, "rel_flux_err": err}
        for k, (file, jd) in enumerate(zip(curve.file, curve.jd_utc, strict=True))
        for name, flux, err in zip(stars.names, stars.flux[k], stars.flux_err[k], strict=True)
    ]
    return write_table(path, COMPARISONS, rows)


def _read_comparisons(path: Path, curve: LightCurve) -> StarCurves:
    """Read comparisons.csv in the order of a light curve; NaN for frames that it does not have."""
    table = read_table(path, COMPARISONS)
    words, jd = table.words("star"), table.numbers("jd_utc")
    frames = {
        (str(file), float(moment)): k
        for k, (file, moment) in enumerate(zip(curve.file, curve.jd_utc, strict=True))
    }
    keys = zip(table.words("file"), jd, strict=True)
    row = np.array([frames.get((str(file), float(moment)), -1) for file, moment in keys], dtype=int)
    names, column = np.unique(words, return_inverse=True)
    if wrong := next((name for name in map(str, names) if not _STAR.fullmatch(name)), None):
        msg = f"{path}: {printable(wrong)[:20]!r} is no star of a run, such as C1 or K2"
        raise InputError(msg)
    values = np.full((2, len(curve.file), len(names)), np.nan)
    for into, name in zip(values, ("rel_flux", "rel_flux_err"), strict=True):
        into[row[row >= 0], column[row >= 0]] = table.numbers(name)[row >= 0]
    return StarCurves(tuple(map(str, names)), *values)


def write_model(path: Path, curve: LightCurve, fit: TransitFit) -> Path:
    """Write one row a point: flux, trend, transit model, flux over trend, what is left.

    Parameters
    ----------
    fit : TransitFit
        Of that curve.
    """
    names = [column.name for column in MODEL.columns]
    columns = (
        curve.file,
        curve.jd_utc,
        curve.bjd_tdb,
        curve.flux,
        curve.flux_err,
        fit.trend,
        fit.model,
        curve.flux / fit.trend,
        fit.residuals,
        fit.used.astype(int),
    )
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return write_table(path, MODEL, rows)


def read_model(path: Path) -> dict[str, np.ndarray]:
    """Read model.csv.

    Returns
    -------
    dict of str to (n,) array
        ``"file"`` str, ``"used"`` bool, the others float, NaN where a cell is empty.

    Raises
    ------
    InputError
        When it is missing, no such table, or of a newer layout.
    """
    table = read_table(path, MODEL)
    columns = {c.name: table.numbers(c.name) for c in MODEL.columns if c.kind != TEXT}
    return columns | {"file": table.words("file"), "used": columns["used"] == 1}


def write_nebs(path: Path, neighbours: Sequence[Neighbour]) -> Path:
    """Write nebs.csv: one row a neighbour."""
    rows = []
    for neighbour in neighbours:
        row = asdict(neighbour)
        row |= {"star": row.pop("star_id"), "disposition": neighbour.disposition.value}
        rows.append(row)
    return write_table(path, NEIGHBOURS, rows)


def read_neighbours(path: Path) -> list[Neighbour]:
    """Read nebs.csv; a number that is not known is NaN.

    Raises InputError when it is missing, no such table, of a newer layout, or has an unknown
    disposition.
    """
    table = read_table(path, NEIGHBOURS)
    names = [field.name for field in fields(Neighbour)[1:-1]]
    try:
        dispositions = [Disposition(words) for words in table.words("disposition")]
    except ValueError as error:
        msg = f"{path.name}: {error}"
        raise InputError(msg) from error
    numbers = (map(float, table.numbers(name)) for name in names)
    return [
        Neighbour(*row) for row in zip(table.words("star"), *numbers, dispositions, strict=True)
    ]
