"""The light curve with its fit, point by point: model.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.columns import MODEL
from lightcurve.data import LightCurve, TransitFit
from lightcurve.formats.columns import read_table, write_table
from lightcurve.quantities import TEXT


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
