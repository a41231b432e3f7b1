"""Rows of an image file, without the rest of it: what lets a stack be larger than memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.errors import FrameError
from lightcurve.frames.cards import number
from lightcurve.frames.decode import open_plain
from lightcurve.frames.read import read_frame
from lightcurve.frames.stream import Hdu, find_image, open_source


@dataclass(frozen=True, slots=True)
class RowSource:
    """A file whose rows can be read one by one.

    Attributes
    ----------
    path : Path
        The image the user gave.
    stored : Path
        The file that holds its pixels uncompressed; often the same.
    shape : tuple of int
        (ny, nx).
    step : float
        ADU between neighbouring values of an integer image; 0 where values are continuous.
    """

    path: Path
    stored: Path
    shape: tuple[int, int]
    step: float


def open_rows(path: Path, spill: Path) -> RowSource:
    """Find the pixels of an image, so that its rows can be read by themselves.

    A plain two-dimensional primary image is read where it lies. Any other kind (compressed, in an
    extension, a cube) is unpacked once, whole.

    spill: folder to unpack into; the caller removes it.
    Raises FrameError when the file cannot be read.
    """
    from astropy.io import fits

    with open_source(path) as source:
        _, hdu = find_image(source)
        if not source.packed and not hdu.tiled and hdu.index == 0 and len(hdu.axes) == 2:
            return RowSource(path, path, hdu.axes[::-1], _step(hdu))
    pixels = read_frame(path, need_time=False).pixels
    integer = bool(np.array_equal(pixels[:64], np.rint(pixels[:64])))
    try:
        with tempfile.NamedTemporaryFile(dir=spill, suffix=".fits", delete=False) as file:
            fits.PrimaryHDU(pixels).writeto(file)
    except OSError as error:
        msg = f"its pixels cannot be unpacked into {spill}: {error.strerror or error}"
        raise FrameError(path, msg) from error
    return RowSource(path, Path(file.name), pixels.shape, 1.0 if integer else 0.0)


def _step(hdu: Hdu) -> float:
    if hdu.bitpix < 0:
        return 0.0
    scale = number(hdu.cards["BSCALE"].text) if "BSCALE" in hdu.cards else 1.0
    return abs(1.0 if scale is None else scale)


@contextmanager
def rows_of(source: RowSource) -> Iterator[Callable[[int, int], np.ndarray]]:
    """Open an image to read rows of it, from one up to, not including, another.

    Yields
    ------
    callable
        Of two ints, 0-based, to a (n_row, nx) float32 array in ADU; NaN where the image is blank.

    Raises
    ------
    FrameError
        When the file became shorter or vanished since it was found.
    """
    with open_source(source.stored) as stored:
        _, hdu = find_image(stored)
        with open_plain(stored, hdu) as read:

            def read_some(row0: int, row1: int) -> np.ndarray:
                ny, nx = source.shape
                row0, row1 = max(row0, 0), min(row1, ny)
                rows = np.empty((row1 - row0, nx), np.float32)
                read(slice(row0, row1), rows)
                return rows

            yield read_some


def read_rows(source: RowSource, row0: int, row1: int) -> np.ndarray:
    """Read some rows once, those that there are; see `rows_of`.

    Returns (n_row, nx) float32 array.
    """
    with rows_of(source) as read:
        return read(row0, row1)
