"""A light curve as a FITS table: those of TESS, Kepler and K2, and lightkurve's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.aij.read_table import AijTable, table_of_cells
from lightcurve.core.errors import InputError
from lightcurve.core.library_warnings import quietly
from lightcurve.core.table_text import cell
from lightcurve.frames.pixels import plain_file

MAGIC = b"SIMPLE  ="
CARDS = ("TELESCOP", "MISSION", "TIMESYS", "BJDREFI", "BJDREFF")


def is_fits(path: Path) -> bool:
    """Tell whether a file begins as FITS does; not where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_fits_table(path: Path) -> AijTable:
    """Read the first table of a FITS file that has a column of times, as text that reads back.

    Columns of several numbers a row are left out. Raises InputError where there is no such table.
    """
    try:
        (columns, units, told), _ = quietly(lambda: _first_of_times(path))
    except (OSError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        msg = f"cannot be read as a FITS table: {error}"
        raise InputError(msg, file=path.name) from error
    cells = {
        name: [cell(value) for value in values.tolist()]
        for name, values in columns.items()
        if values.ndim == 1
    }
    if not any(cells.values()):
        msg = "a FITS file without a table of rows that have a TIME: no light curve"
        raise InputError(msg, file=path.name)
    return table_of_cells(path.name, cells, told=told, units=units)


def _first_of_times(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """Columns, units by column, and cards; nothing where no table has a column of times."""
    with fits.open(plain_file(path), memmap=False) as hdus:
        for hdu in hdus[1:]:
            if not isinstance(hdu, fits.BinTableHDU) or "TIME" not in map(
                str.upper, hdu.columns.names
            ):
                continue
            columns = {c.name: np.array(hdu.data[c.name]) for c in hdu.columns}
            units = {c.name: str(c.unit) for c in hdu.columns if c.unit}
            found = ((key, hdu.header.get(key, hdus[0].header.get(key))) for key in CARDS)
            told = {key: str(value).strip() for key, value in found if value not in {None, ""}}
            return columns, units, told
    return {}, {}, {}
