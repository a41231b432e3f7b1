"""A light curve as a FITS table: those of TESS, Kepler and K2, and lightkurve's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.aij.read_table import AijTable, table_of_columns
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Note
from lightcurve.core.errors import InputError
from lightcurve.core.library_warnings import quietly
from lightcurve.frames.pixels import plain_file
from lightcurve.tables.missions import spoilt_by_bits
from lightcurve.tables.pixel_file import PixelFile, has_pixels, read_pixels

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["is_fits", "open_fits"]

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
_DAMAGED = (
    OSError, TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError,
)  # fmt: skip


def is_fits(path: Path) -> bool:
    """Tell whether a file begins as FITS does; not where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_fits_table(path: Path) -> AijTable:
    """Read the first table of a FITS file that has a column of times, as numbers.

    Columns of several numbers a row are left out; of pictures a light curve is made. Raises
    InputError where there is no such table.
    """
    found = open_fits(path)
    return found.table if isinstance(found, PixelFile) else found


def open_fits(path: str | Path) -> AijTable | PixelFile:
    """Read a light curve, or make one of the pixels of a FITS file.

    Raises
    ------
    InputError
        Where it has neither.
    """
    from astropy.io.fits import VerifyError

    path = Path(path)
    try:
        found, _ = quietly(lambda: _first_of_times(path))
    except InputError as error:  # of its pixels
        raise InputError(error.reason, file=path.name) from error
    except (*_DAMAGED, VerifyError) as error:
        msg = f"cannot be read as a FITS table: {error}"
        raise InputError(msg, file=path.name) from error
    if found is None:
        msg = "a FITS file without a table of rows that have a TIME: no light curve"
        raise InputError(msg, file=path.name)
    if isinstance(found, PixelFile):
        return replace(found, table=_put_right(found.table))
    return _put_right(found)


def _first_of_times(path: Path) -> AijTable | PixelFile | None:
    """Read the first table with a column of times; None where none has one, or rows."""
    from astropy.io import fits

    source = plain_file(path)
    with fits.open(source, memmap=isinstance(source, Path)) as hdus:
        for hdu in hdus[1:]:
            if not isinstance(hdu, fits.BinTableHDU):
                continue
            own = hdu.columns.names
            time = next((n for n in own if n.upper() in TIMES), "")
            if not time or (time.upper() != "TIME" and "FCOR" not in own) or not len(hdu.data):
                continue
            told = cards_of(hdus[0].header, hdu.header)
            if has_pixels(hdu):
                return _of_pixels(hdus, hdu, told, path.name)
            names = {n: "TIME" if n == time == "T" else n for n in own}
            columns = {names[n]: np.array(hdu.data[n]) for n in own}
            units = {names[c.name]: str(c.unit) for c in hdu.columns if c.unit}
            flat = {name: values for name, values in columns.items() if values.ndim == 1}
            return table_of_columns(path.name, flat, told=told, units=units)
    return None


def _of_pixels(
    hdus: fits.HDUList, hdu: fits.BinTableHDU, told: dict[str, str], name: str
) -> PixelFile:
    quality = next((n for n in hdu.columns.names if n.upper() == "QUALITY"), "")
    values = np.array(hdu.data[quality]) if quality else np.zeros(len(hdu.data))
    return read_pixels(hdus, hdu, told, name, spoilt_by_bits(told, values))


def cards_of(first: fits.Header, own: fits.Header) -> dict[str, str]:
    """Collect the `CARDS` of a table, or else of its file, as text."""
    found = ((key, own.get(key, first.get(key))) for key in CARDS)
    plain = ((key, value) for key, value in found if isinstance(value, str | int | float))
    return {key: str(value).strip() for key, value in plain if value != ""}


def _put_right(table: AijTable) -> AijTable:
    """Take off what the mission says that its own times are late by."""
    told = table.told
    release, origin = told.get("DATA_REL", ""), told.get("ORIGIN", "")
    own = told.get("TELESCOP") == "TESS" and origin.startswith(("NASA", "STScI"))
    if not (own and release.isdigit() and 0 < int(release) <= LATE_RELEASES):
        return table
    name = next(n for n in table.columns if n.upper() in {"TIME", "JD_TDB"})
    text = f"TESS data release {release} has times {LATE_S} s late (release notes): taken off"
    return replace(
        table,
        columns={**table.columns, name: table.columns[name] - LATE_S / DAY_S},
        unusable=(*table.unusable, Note(text, subject=name)),
    )
