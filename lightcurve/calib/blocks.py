"""Rows of an image file, without the rest of it: what lets a stack be larger than memory."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.errors import FrameError
from lightcurve.frames.read import read_frame

_COMPRESSED = (".gz", ".bz2", ".fz", ".z", ".xz", ".zip")
_BITPIX = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True)
class RowSource:
    """Where the pixels of one image lie on disk and how they become ADU.

    Attributes
    ----------
    path : Path
        The image the user gave.
    stored : Path
        The file that holds its pixels uncompressed; often the same.
    offset : int
        Bytes before the first pixel.
    dtype : numpy.dtype
        As stored.
    shape : tuple of int
        (ny, nx).
    scale, zero : float
        ADU = stored * scale + zero.
    blank : int or None
        Stored value that means no value.
    step : float
        ADU between neighbouring values of an integer image; 0 where values are continuous.
    """

    path: Path
    stored: Path
    offset: int
    dtype: np.dtype
    shape: tuple[int, int]
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None
    step: float = 0.0


def open_rows(path: Path, spill: Path) -> RowSource:
    """Find the pixels of an image, so that its rows can be read with one seek each time.

    A plain two-dimensional primary image is read where it lies. Any other kind (compressed, in an
    extension, a cube) is read whole, once, by the general reader and kept as raw pixels.

    Parameters
    ----------
    path : Path
    spill : Path
        Folder for such raw pixels; the caller removes it.

    Returns
    -------
    RowSource

    Raises
    ------
    FrameError
        When the file cannot be read.
    """
    source = _plain_source(path)
    if source is not None:
        return source
    pixels = np.ascontiguousarray(read_frame(path, need_time=False).pixels, dtype=np.float32)
    integer = bool(np.array_equal(pixels[:64], np.rint(pixels[:64])))
    try:
        with tempfile.NamedTemporaryFile(dir=spill, suffix=".pixels", delete=False) as file:
            pixels.tofile(file)
    except OSError as error:
        msg = f"its pixels cannot be unpacked into {spill}: {error.strerror or error}"
        raise FrameError(path, msg) from error
    step = 1.0 if integer else 0.0
    return RowSource(path, Path(file.name), 0, pixels.dtype, pixels.shape, step=step)


def _plain_source(path: Path) -> RowSource | None:
    """Describe an uncompressed two-dimensional primary image; None for any other file."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    if path.suffix.lower() in _COMPRESSED:
        return None
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # Odd cards are told of where the header is read.
            warnings.simplefilter("ignore", AstropyUserWarning)
            header = fits.Header.fromfile(file, endcard=True)
            offset = file.tell()
            if header.get("NAXIS") != 2 or header.get("SIMPLE") is not True:
                return None
            dtype = np.dtype(_BITPIX[header["BITPIX"]])
            shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
            scale, zero = float(header.get("BSCALE", 1.0)), float(header.get("BZERO", 0.0))
            blank = int(header["BLANK"]) if "BLANK" in header else None
        size = path.stat().st_size
    except (OSError, KeyError, ValueError, TypeError, fits.VerifyError):
        return None  # the general reader knows more dialects, and words for what is wrong
    if min(shape) < 1 or size < offset + shape[0] * shape[1] * dtype.itemsize:
        return None
    if dtype.kind == "f":
        return RowSource(path, path, offset, dtype, shape, scale, zero)
    return RowSource(path, path, offset, dtype, shape, scale, zero, blank, abs(scale))


def read_rows(source: RowSource, row0: int, row1: int) -> np.ndarray:
    """Read the rows `row0` up to, not including, `row1`.

    Parameters
    ----------
    source : RowSource
    row0, row1 : int
        0-based.

    Returns
    -------
    (row1 - row0, nx) float32 array
        ADU; NaN where the image is blank.

    Raises
    ------
    FrameError
        When the file became shorter or vanished since it was opened.
    """
    ny, nx = source.shape
    row0, row1 = max(row0, 0), min(row1, ny)
    count = (row1 - row0) * nx
    try:
        with source.stored.open("rb") as file:
            file.seek(source.offset + row0 * nx * source.dtype.itemsize)
            raw = np.fromfile(file, dtype=source.dtype, count=count)
    except OSError as error:
        msg = f"cannot be read again: {error.strerror}"
        raise FrameError(source.path, msg) from error
    if raw.size != count:
        raise FrameError(source.path, f"ends in row {row0 + raw.size // nx} of {ny}: copy it again")
    # 32-bit integers and doubles would lose digits if scaled after rounding to float32.
    wide = np.float64 if source.dtype.itemsize > 2 and source.dtype.kind != "f" else np.float32
    values = raw.astype(np.float64 if source.dtype.itemsize == 8 else wide)
    if source.scale != 1.0:
        values *= source.scale
    if source.zero != 0.0:
        values += source.zero
    if source.blank is not None:
        values[raw == source.blank] = np.nan
    return values.reshape(row1 - row0, nx).astype(np.float32, copy=False)
