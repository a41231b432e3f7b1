"""A catalogue file given by hand: star places, moved to the epoch of a frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.refine import at_epoch
from lightcurve.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table

MAX_BYTES = 500_000_000
# Spellings in lower case: of Gaia's archive, of VizieR, and of star lists made by hand.
COLUMNS = {
    "ra": ("ra", "ra_deg", "ra_icrs", "raj2000", "_raj2000", "ra_j2000"),
    "dec": ("dec", "dec_deg", "de_icrs", "decj2000", "dej2000", "_dej2000", "dec_j2000"),
    "pm_ra": ("pmra", "pm_ra", "pmra_cosdec", "pmra_mas"),
    "pm_dec": ("pmdec", "pm_dec", "pmde", "pmdec_mas"),
    "epoch": ("ref_epoch", "epoch", "refepoch"),
}
FORMATS = {
    ".fits": "fits", ".fit": "fits", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv",
    ".tsv": "ascii.tab", ".xml": "votable", ".vot": "votable", ".votable": "votable",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class StarList:
    """Stars of known places.

    Attributes
    ----------
    sky : (n, 2) float array
        RA and Dec, degrees, at the catalogue's epoch.
    motion_mas : (n, 2) float array or None
        Proper motion, milliarcseconds a year, in RA (times the cosine of Dec) and Dec; NaN where
        it is not known.
    epoch : float or None
        Julian year of the places; set where there are proper motions.
    name : str
        Of the file.
    """

    sky: np.ndarray
    motion_mas: np.ndarray | None
    epoch: float | None
    name: str

    def at(self, epoch: float | None) -> np.ndarray:
        """Give the places at an epoch.

        Parameters
        ----------
        epoch : float or None
            Julian year; when it is not known the stars stay where the catalogue has them.

        Returns
        -------
        (n, 2) float array
            RA and Dec, degrees.
        """
        if epoch is None or self.epoch is None or self.motion_mas is None:
            return self.sky
        return at_epoch(self.sky, self.motion_mas, self.epoch, epoch)


def read_star_list(path: str | Path, *, epoch: float | None = None) -> StarList:
    """Read star places, and proper motions where there are any, from a table.

    Parameters
    ----------
    path : path-like
        FITS, CSV, ECSV, TSV or VOTable, with RA and Dec in degrees under one of the names of
        `COLUMNS`.
    epoch : float, optional
        Julian year of the places; it stands in for a column that says so.

    Returns
    -------
    StarList
        Without the rows that have no place.

    Raises
    ------
    InputError
        When it cannot be read, has no places, or has proper motions and nothing says of what epoch.
    """
    path = Path(path)
    table = _read_table(path)
    names = {column.lower(): column for column in reversed(table.colnames)}
    found = {
        key: next((names[s] for s in spellings if s in names), None)
        for key, spellings in COLUMNS.items()
    }
    if not (found["ra"] and found["dec"]):
        msg = f"{path.name}: no columns RA and Dec, only {', '.join(table.colnames)[:150]}"
        raise InputError(msg)
    sky = _numbers(table, (found["ra"], found["dec"]), path)
    good = np.isfinite(sky).all(axis=1) & (np.abs(sky[:, 1]) <= 90)
    if not good.any():
        msg = f"{path.name}: none of its {len(sky)} rows has a place in degrees"
        raise InputError(msg)
    if not (found["pm_ra"] and found["pm_dec"]):
        return StarList(sky[good], None, None, path.name)
    motion = _numbers(table, (found["pm_ra"], found["pm_dec"]), path)[good]
    if epoch is None:
        epoch = _epoch_of(table, found["epoch"], path)
    return StarList(sky[good], motion, epoch, path.name)


def _read_table(path: Path) -> Table:
    from astropy.io.registry import IORegistryError
    from astropy.table import Table

    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        msg = f"{path.name}: not a catalogue; give one of {', '.join(FORMATS)}"
        raise InputError(msg)
    try:
        if path.stat().st_size > MAX_BYTES:
            msg = f"{path.name}: over {MAX_BYTES // 1_000_000} MB; cut it to the field"
            raise InputError(msg)
        table = Table.read(path, format=kind)
    except (OSError, ValueError, KeyError, TypeError, IndexError, IORegistryError) as error:
        msg = f"{path.name}: cannot be read as a catalogue: {' '.join(str(error).split())[:150]}"
        raise InputError(msg) from error
    if not len(table):
        msg = f"{path.name}: the catalogue is empty"
        raise InputError(msg)
    return table


def _numbers(table: Table, columns: Iterable[str], path: Path) -> np.ndarray:
    """Columns as (n, 2) floats; what is masked is NaN."""
    try:
        parts = [np.ma.asarray(table[name]).astype(float).filled(np.nan) for name in columns]
    except (TypeError, ValueError) as error:
        msg = f"{path.name}: {' and '.join(columns)} are not numbers; give them in degrees"
        raise InputError(msg) from error
    return np.column_stack(parts)


def _epoch_of(table: Table, column: str | None, path: Path) -> float:
    epochs = [] if column is None else np.unique(_numbers(table, (column,), path))
    if len(epochs) == 1 and 1900 < epochs[0] < 2200:
        return float(epochs[0])
    what = "has no column ref_epoch" if column is None else f"has {len(epochs)} epochs"
    msg = (
        f"{path.name}: has proper motions and {what}: give --catalog-epoch YEAR "
        "(2016.0 for Gaia DR3)"
    )
    raise InputError(msg)
