"""Maps of bad pixels that a user gives or asks for: FITS images, lists in TOML or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.calib.master_files import PRODUCT_CARD, write_master
from lightcurve.core.data import Masters
from lightcurve.core.errors import CalibrationError, InputError
from lightcurve.core.files import read_text, read_toml, write_text
from lightcurve.core.flags import PixelFlag
from lightcurve.frames.read import read_frame

__all__ = ["with_user_map", "write_map"]

_WHAT = "a list of bad pixels"
_LENGTH = {"columns": 1, "rows": 1, "pixels": 2, "rectangles": 4}
_YAML = {f"bad_{name}": name for name in _LENGTH}
_TEXT = {".toml", ".yaml", ".yml"}


def read_user_map(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a map of bad pixels for frames of a shape (ny, nx).

    Parameters
    ----------
    path : Path
        A FITS image of that shape, bad where it is not 0. Or TOML with any of ``columns =
        [x, ...]``, ``rows = [y, ...]``, ``pixels = [[x, y], ...]`` and ``rectangles = [[x0, y0,
        x1, y1], ...]``: 0-based, both corners included. Or YAML as AstroPhotography has it:
        ``bad_columns``, ``bad_rows`` and ``bad_rectangles`` of [row0, row1, column0, column1],
        1-based.

    Returns
    -------
    (ny, nx) uint8 array
        `PixelFlag.USER` where bad; of a map that this program wrote, the flags in it.

    Raises
    ------
    InputError
        When it cannot be read, has other names in it, is of another size, or an entry lies outside
        the frame.
    """
    if path.suffix.lower() not in _TEXT:
        return _of_image(path, shape)
    from_yaml = path.suffix.lower() != ".toml"
    lists = _read_yaml(path) if from_yaml else read_toml(path, _WHAT)
    marked = np.zeros(shape, np.uint8)
    ny, nx = shape
    for name, entries in lists.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            numbers = _numbers(name, entry, path)
            x0, y0, x1, y1 = _corners(name, numbers, shape, one_based=from_yaml)
            if not (0 <= x0 <= x1 < nx and 0 <= y0 <= y1 < ny):
                msg = f"{path.name}: {name} {entry} lies outside the frame of {nx} x {ny} px"
                raise InputError(msg)
            marked[y0 : y1 + 1, x0 : x1 + 1] = PixelFlag.USER
    return marked


def _of_image(path: Path, shape: tuple[int, int]) -> np.ndarray:
    raw = read_frame(path, need_time=False)
    image = raw.pixels
    if image.shape != shape:
        msg = "{}: a map of {} x {} px, the frames are {} x {} px".format(
            path.name, *image.shape[::-1], *shape[::-1]
        )
        raise InputError(msg)
    if PRODUCT_CARD in raw.header:
        return image.astype(np.uint8)
    return np.where(image != 0, np.uint8(PixelFlag.USER), np.uint8(0))


def _read_yaml(path: Path) -> Mapping[str, Any]:
    """Read lists, by the names that they have in TOML; those left empty are left out."""
    from astropy.io.misc import yaml
    from yaml import YAMLError

    try:
        lists = yaml.load(read_text(path, _WHAT))
    except YAMLError as error:
        msg = f"{path.name}: cannot be read as {_WHAT}: {' '.join(str(error).split())}"
        raise InputError(msg) from error
    if not isinstance(lists, dict):
        msg = f"{path.name}: cannot be read as {_WHAT}: expected {', '.join(_YAML)}"
        raise InputError(msg)
    return {
        _YAML.get(str(name), str(name)): entry for name, entry in lists.items() if entry is not None
    }


def _numbers(name: str, entry: Any, path: Path) -> list[int]:
    numbers = entry if isinstance(entry, list) else [entry]
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
    if not whole or len(numbers) != _LENGTH.get(name):
        msg = (
            f"{path.name}: {name} = {entry!r}: expected columns [x], rows [y], pixels [x, y] or "
            "rectangles [x0, y0, x1, y1] of whole numbers (in YAML bad_columns, bad_rows and "
            "bad_rectangles [row0, row1, column0, column1])"
        )
        raise InputError(msg)
    return numbers


def _corners(
    name: str, numbers: list[int], shape: tuple[int, int], *, one_based: bool
) -> tuple[int, int, int, int]:
    """Corners x0, y0, x1, y1 of one entry, both included, 0-based."""
    at = [number - one_based for number in numbers]
    if name == "columns":
        return at[0], 0, at[0], shape[0] - 1
    if name == "rows":
        return 0, at[0], shape[1] - 1, at[0]
    if name == "pixels":
        return at[0], at[1], at[0], at[1]
    return (at[2], at[0], at[3], at[1]) if one_based else (at[0], at[1], at[2], at[3])


def with_user_map(masters: Masters | None, path: Path, shape: tuple[int, int]) -> Masters:
    """Add a user's map, for frames of a shape (ny, nx), to masters that may have one already.

    Raises
    ------
    InputError
        As `read_user_map`.
    CalibrationError
        When the masters' own map is of another size.
    """
    marked, masters = read_user_map(path, shape), masters or Masters()
    if masters.bad is not None and masters.bad.shape != shape:
        msg = "the masters' map has {} x {} px, the frame {} x {}".format(
            *masters.bad.shape[::-1], *shape[::-1]
        )
        raise CalibrationError(msg)
    return replace(masters, bad=marked if masters.bad is None else masters.bad | marked)


def write_map(path: Path, bad: np.ndarray, inputs: tuple[str, ...]) -> Path:
    """Write a map as FITS, or as a list where the name ends with .toml.

    Parameters
    ----------
    bad : (ny, nx) uint8 array
        `PixelFlag` bits; a list does not keep which.
    inputs : tuple of str
        Names of the frames that told of them.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    if path.suffix.lower() != ".toml":
        write_master(path, bad, kind="badpix", inputs=inputs)
        return path
    marked = bad != 0
    columns, rows = np.flatnonzero(marked.all(axis=0)), np.flatnonzero(marked.all(axis=1))
    marked[:, columns], marked[rows] = False, False
    single = [[int(x), int(y)] for y, x in np.argwhere(marked)]
    lines = [f"columns = {columns.tolist()}", f"rows = {rows.tolist()}", f"pixels = {single}"]
    return write_text(path, "\n".join(lines) + "\n")
