"""Where a table of AstroImageJ's has its stars, and the frames that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.curve.compare import frame_key
from lightcurve.errors import InputError
from lightcurve.formats.aij_table import AijTable
from lightcurve.frames.read import is_fits_name

N_TRIALS = 3


def trial_rows(rows: np.ndarray, placed: np.ndarray, name: str) -> np.ndarray:
    """Take a few rows, far apart, of those that have a star with flux and position.

    rows: (n,) int array, rows whose frames are there; placed: (n_row, n_star) bool array.
    Returns (k,) int array.
    """
    usable = rows[placed[rows].any(axis=1)]
    if not usable.size:
        msg = f"{name}: no star has a flux and a position in any of the {len(rows)} frames there"
        raise InputError(msg)
    return usable[np.unique(np.linspace(0, len(usable) - 1, N_TRIALS).astype(int))]


def star_positions(table: AijTable) -> tuple[np.ndarray, np.ndarray]:
    """Take 0-based pixels from X(FITS), Y(FITS).

    Returns x, y: (n_row, n_star) float arrays, NaN where the table has no flux.
    """
    x, y = table.block("X(FITS)") - 1, table.block("Y(FITS)") - 1
    x, y = np.where(measured_stars(table), x, np.nan), np.where(measured_stars(table), y, np.nan)
    lacking = [what for what, there in (
        ("Label", bool(np.any(table.labels != ""))),
        ("X(FITS) and Y(FITS)", bool(np.isfinite(x).any() and np.isfinite(y).any())),
    ) if not there]  # fmt: skip
    if lacking:
        msg = f"{table.name}: no {' nor '.join(lacking)}: its stars cannot be found in the frames"
        raise InputError(msg)
    return x, y


def measured_stars(table: AijTable) -> np.ndarray:
    """Tell which stars the table has a flux of; all, where it has no column of fluxes.

    Returns (n_row, n_star) bool array.
    """
    flux = np.isfinite(table.block("Source-Sky"))
    return flux | ~flux.any(axis=0)


def find_frames(table: AijTable, folder: Path) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Find the file of each row.

    Returns files: by row; missing: labels whose frames are not there.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder of frames"
        raise InputError(msg)
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if is_fits_name(path) and path.is_file():
            places.setdefault(frame_key(path.name), []).append(path)
    files, missing = {}, []
    for row, label in enumerate(table.labels):
        found = places.get(frame_key(str(label)), [])
        found = [path for path in found if path.name == label] or found
        if len(found) > 1:
            msg = f"{label}: {found[0]} or {found[1]}? Give the folder that was measured"
            raise InputError(msg)
        if found:
            files[row] = found[0]
        else:
            missing.append(str(label))
    if not files:
        msg = f"{folder}: none of the {len(table)} frames of {table.name}, such as {missing[0]}"
        raise InputError(msg)
    return files, tuple(missing)
