"""Our own tables: plain CSV, one header line, numbers that read back to the last bit.

A value that is not known is an empty cell. Rows are in order of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.data import CurveSource, FrameResult, LightCurve, Measurements, StarPlan
from lightcurve.errors import InputError
from lightcurve.files import write_text
from lightcurve.flags import Flag
from lightcurve.formats.text import csv_rows, csv_text, read_text
from lightcurve.times import only_julian_dates

LIGHTCURVE_COLUMNS = (
    "file",
    "jd_utc",
    "bjd_tdb",
    "airmass",
    "rel_flux",
    "rel_flux_err",
    "comparison_flux",
    "target_flux",
    "fwhm_px",
    "sky",
    "x",
    "y",
    "shift",
    "rotation",
    "flags",
)
MAX_FLAGS = 65535
MAX_LEVEL = 1000.0  # relative flux has a median of 1, or the ratio to few faint stars
_NUMBERS = LIGHTCURVE_COLUMNS[1:-1]
_COVARIATES = {"airmass": "airmass", "x": "x", "y": "y", "fwhm": "fwhm_px", "sky": "sky"}


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
    path : path-like
    light_curve : LightCurve
    measurements : Measurements
        Those it was made from; the target is row 0 of the plan.
    failed : sequence of FrameResult
        Frames without a measurement: a row with what is known and the flag NOT_MEASURED.

    Returns
    -------
    Path
    """
    shift = np.hypot(measurements.shift_x, measurements.shift_y)
    columns = (
        light_curve.file,
        light_curve.jd_utc,
        light_curve.bjd_tdb,
        measurements.airmass,
        light_curve.flux,
        light_curve.flux_err,
        light_curve.comparison_flux,
        light_curve.target_flux,
        measurements.fwhm_px,
        measurements.star_sky[:, 0],
        measurements.x[:, 0],
        measurements.y[:, 0],
        shift,
        measurements.rotation_deg,
        light_curve.flags,
    )
    rows = [list(row) for row in zip(*columns, strict=True)]
    rows += [_failed_row(result) for result in failed]
    rows.sort(key=lambda row: (np.inf if row[1] is None else row[1], row[0]))
    return write_text(path, csv_text(LIGHTCURVE_COLUMNS, rows))


def _failed_row(result: FrameResult) -> list[Any]:
    known = {
        "file": result.file,
        "jd_utc": result.exposure.mid_jd_utc if result.exposure else None,
        "fwhm_px": result.fwhm_px,
        "sky": result.sky,
        "flags": int(Flag.NOT_MEASURED),
    }
    return [known.get(name) for name in LIGHTCURVE_COLUMNS]


def read_lightcurve(path: str | Path) -> LightCurve:
    """Read lightcurve.csv.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    LightCurve
        Every row of the file; frames that were not measured have NaN flux.

    Raises
    ------
    InputError
        When a column is missing, a cell is no number, a time is no Julian date, flags are no sum
        of 16 bits, or the median of the relative flux is not positive or above a thousand.
    """
    name = Path(path).name
    columns = _read_columns(path)
    missing = [c for c in LIGHTCURVE_COLUMNS if c not in columns]
    if missing:
        msg = f"{name}: not a light curve of ours, it lacks {', '.join(missing)}"
        raise InputError(msg)
    values = {c: _numbers(columns[c], c, name) for c in _NUMBERS}
    for column in ("jd_utc", "bjd_tdb"):
        _check_dates(values[column], column, name)
    flags = _flags(_numbers(columns["flags"], "flags", name), name)
    with np.errstate(over="ignore"):
        level = np.nanmedian(values["rel_flux"]) if np.isfinite(values["rel_flux"]).any() else 1.0
    if not 0 < level < MAX_LEVEL:
        msg = f"{name}: the median of rel_flux is {level:g}: no relative flux, which is about 1"
        raise InputError(msg)
    covariates = {key: values[column] for key, column in _COVARIATES.items()}
    covariates |= _derived_covariates(values)
    return LightCurve(
        file=np.array(columns["file"], dtype=str),
        jd_utc=values["jd_utc"],
        bjd_tdb=values["bjd_tdb"],
        flux=values["rel_flux"],
        flux_err=values["rel_flux_err"],
        target_flux=values["target_flux"],
        comparison_flux=values["comparison_flux"],
        flags=flags,
        covariates=covariates,
        source=CurveSource(name),
    )


def _check_dates(values: np.ndarray, column: str, name: str) -> None:
    wrong = np.isfinite(values) & np.isnan(only_julian_dates(values)) | np.isinf(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = f"{name}: row {row + 2}: {column} {values[row]:.12g} is no Julian date"
        raise InputError(msg)


def _flags(values: np.ndarray, name: str) -> np.ndarray:
    """Turn numbers into flags; an empty cell is none."""
    values = np.where(np.isnan(values), 0.0, values)
    wrong = ~((values >= 0) & (values <= MAX_FLAGS) & (values == np.floor(values)))
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = (
            f"{name}: row {row + 2}: flags {values[row]:.12g} is no whole number "
            f"from 0 to {MAX_FLAGS}"
        )
        raise InputError(msg)
    return values.astype(np.uint16)


def _derived_covariates(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Time about its mean, comparison flux about its median, and a step at a meridian flip."""
    time = values["bjd_tdb"] if np.isfinite(values["bjd_tdb"]).any() else values["jd_utc"]
    comparison, rotation = values["comparison_flux"], values["rotation"]
    derived = {"time": time, "comparison_flux": comparison}
    if np.isfinite(time).any():
        derived["time"] = time - np.nanmean(time)
    if np.isfinite(comparison).any():
        derived["comparison_flux"] = comparison / np.nanmedian(comparison)
    finite = rotation[np.isfinite(rotation)]
    if finite.size and (np.cos(np.radians(finite - finite[0])) < 0).any():
        derived["meridian_flip"] = (np.cos(np.radians(rotation - finite[0])) < 0).astype(float)
    return derived


def _read_columns(path: str | Path) -> dict[str, list[str]]:
    """Read a CSV with a header into its columns, as text."""
    name = Path(path).name
    rows = csv_rows(read_text(path, what="a light curve").split("\n"), name)
    if len(rows) < 2:
        msg = f"{name}: no rows below a header"
        raise InputError(msg)
    header = [entry.strip() for entry in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            msg = f"{name}: row {number} has {len(row)} cells, the header {len(header)}"
            raise InputError(msg)
    return dict(zip(header, map(list, zip(*rows[1:], strict=True)), strict=False))


def _numbers(cells: Sequence[str], column: str, name: str) -> np.ndarray:
    try:
        return np.array([float(c) if c.strip() else np.nan for c in cells])
    except ValueError as error:
        msg = f"{name}: column {column}: {error}"
        raise InputError(msg) from error


def write_stars(
    path: str | Path, plan: StarPlan, columns: Mapping[str, np.ndarray] | None = None
) -> Path:
    """Write stars.csv: every star considered, its role and the reason.

    Parameters
    ----------
    path : path-like
    plan : StarPlan
    columns : mapping of str to (n_star,) array, optional
        More columns, such as ``"weight"``, ``"scatter"`` or magnitudes, put before the reason.

    Returns
    -------
    Path
    """
    table = {
        "star": plan.star_id,
        "role": plan.role,
        "ra_deg": plan.ra_deg,
        "dec_deg": plan.dec_deg,
        "x_ref": plan.x_ref,
        "y_ref": plan.y_ref,
        "flux_ref": plan.flux_ref,
        "peak_ref": plan.peak_ref,
        **(columns or {}),
        "reason": plan.reason,
    }
    return write_text(path, csv_text(tuple(table), zip(*table.values(), strict=True)))


def scatter_to_stars(plan: StarPlan, rows: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """Spread values of a few stars over the whole plan.

    Parameters
    ----------
    plan : StarPlan
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


def write_rows(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a table given row by row, such as frames.csv.

    Parameters
    ----------
    path : path-like
    rows : sequence of mappings
        Column to value; columns stand in the order in which they first appear.

    Returns
    -------
    Path
    """
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return write_text(path, csv_text(names, ([row.get(n) for n in names] for row in rows)))
