"""The light curve with its fit, point by point: model.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.data import LightCurve, TransitFit
from lightcurve.errors import InputError
from lightcurve.files import write_text
from lightcurve.formats.text import csv_rows, csv_text, read_text

MODEL_COLUMNS = (
    "file",
    "jd_utc",
    "bjd_tdb",
    "rel_flux",
    "rel_flux_err",
    "trend",
    "model",
    "detrended_flux",
    "residual",
    "used",
)


def write_model(path: Path, curve: LightCurve, fit: TransitFit) -> Path:
    """Write one row a point: flux, trend, transit model, flux over trend, what is left.

    Parameters
    ----------
    path : Path
    curve : LightCurve
    fit : TransitFit
        Of that curve.

    Returns
    -------
    Path
    """
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
    return write_text(path, csv_text(MODEL_COLUMNS, zip(*columns, strict=True)))


def read_model(path: Path) -> dict[str, np.ndarray]:
    """Read model.csv.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to (n,) array
        ``"file"`` str, ``"used"`` bool, the others float, NaN where a cell is empty.

    Raises
    ------
    InputError
        When it is missing or not as `write_model` writes it.
    """
    rows = csv_rows(read_text(path, what="a table of a fit").split("\n"), path.name)
    if not rows or tuple(rows[0]) != MODEL_COLUMNS or {len(r) for r in rows} != {len(rows[0])}:
        msg = f"{path.name}: not a table of a fit, whose columns are {', '.join(MODEL_COLUMNS)}"
        raise InputError(msg)
    cells = dict(zip(MODEL_COLUMNS, zip(*rows[1:], strict=True), strict=len(rows) > 1))
    try:
        columns = {
            name: np.array([float(cell) if cell else np.nan for cell in cells.get(name, ())])
            for name in MODEL_COLUMNS[1:]
        }
    except ValueError as error:
        msg = f"{path.name}: {error}"
        raise InputError(msg) from error
    return {
        **columns,
        "file": np.array(cells.get("file", ()), dtype=str),
        "used": columns["used"] == 1,
    }
