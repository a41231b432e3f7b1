"""A light curve as a FITS table: those of TESS, Kepler and K2, and lightkurve's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.aij.read_table import AijTable, table_of_columns
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Note
from lightcurve.core.errors import InputError
from lightcurve.core.library_warnings import quietly
from lightcurve.frames.pixels import plain_file

MAGIC = b"SIMPLE  ="
# Of times, exposure and crowding, and of which star it is
CARDS = (
    "TELESCOP", "MISSION", "TIMESYS", "BJDREFI", "BJDREFF", "FILEVER", "NUM_FRM", "FRAMETIM",
    "INT_TIME", "READTIME", "TIMEDEL", "CROWDSAP", "FLFRCSAP", "OBJECT", "RA_OBJ", "DEC_OBJ",
    "SECTOR", "QUARTER", "CAMPAIGN", "DATA_REL", "ORIGIN", "CREATOR", "FILTER",
)  # fmt: skip
TIMES = ("TIME", "T")  # K2SFF calls it T
# TESS data release notes: the first processings of sectors 1 to 19 counted a frame of 2 s too many,
# and marked readouts 21 ms late; later releases of these sectors are right.
LATE_S, LATE_RELEASES = 1.979, 26


def is_fits(path: Path) -> bool:
    """Tell whether a file begins as FITS does; not where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_fits_table(path: Path) -> AijTable:
    """Read the first table of a FITS file that has a column of times, as numbers.

    Columns of several numbers a row are left out. Raises InputError where there is no such table.
    """
    try:
        (columns, units, told), _ = quietly(lambda: _first_of_times(path))
    except (OSError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        msg = f"cannot be read as a FITS table: {error}"
        raise InputError(msg, file=path.name) from error
    if not columns or not len(next(iter(columns.values()))):
        msg = "a FITS file without a table of rows that have a TIME: no light curve"
        raise InputError(msg, file=path.name)
    notes = _put_right(columns, told)
    return table_of_columns(path.name, columns, notes, told=told, units=units)


def _first_of_times(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """Columns, units by column, and cards; nothing where no table has a column of times."""
    with fits.open(plain_file(path), memmap=False) as hdus:
        for hdu in hdus[1:]:
            if not isinstance(hdu, fits.BinTableHDU):
                continue
            time = next((n for n in hdu.columns.names if n.upper() in TIMES), "")
            if not time or (time.upper() != "TIME" and "FCOR" not in hdu.columns.names):
                continue
            names = {n: "TIME" if n == time == "T" else n for n in hdu.columns.names}
            columns = {names[n]: np.array(hdu.data[n]) for n in names}
            units = {names[c.name]: str(c.unit) for c in hdu.columns if c.unit}
            flat = {name: values for name, values in columns.items() if values.ndim == 1}
            return flat, units, cards_of(hdus[0].header, hdu.header)
    return {}, {}, {}


def cards_of(first: fits.Header, own: fits.Header) -> dict[str, str]:
    """Collect the `CARDS` of a table, or else of its file, as text."""
    found = ((key, own.get(key, first.get(key))) for key in CARDS)
    plain = ((key, value) for key, value in found if isinstance(value, str | int | float))
    return {key: str(value).strip() for key, value in plain if value != ""}


def _put_right(columns: dict[str, np.ndarray], told: Mapping[str, str]) -> tuple[Note, ...]:
    """Take off what the mission says that its own times are late by."""
    release = told.get("DATA_REL", "")
    of_mission = told.get("TELESCOP") == "TESS" and told.get("ORIGIN", "").startswith(
        ("NASA", "ST")
    )
    if not (of_mission and release.isdigit() and 0 < int(release) <= LATE_RELEASES):
        return ()
    name = next(n for n in columns if n.upper() == "TIME")
    columns[name] = columns[name] - LATE_S / DAY_S
    text = f"TESS data release {release} has times {LATE_S} s late (release notes): taken off"
    return (Note(text, subject=name),)
