"""Raw files of photographic cameras (CR2, NEF, ARW, DNG ...), read as a FITS file would be.

LibRaw decodes the mosaic as the sensor gave it: no black level taken off, nothing scaled. What it
and the file's EXIF say becomes a FITS header, so that all that follows reads one kind of file.
The clock of a camera is local time unless the file has its offset from UTC.
"""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lightcurve.core.errors import FrameError
from lightcurve.core.library_warnings import quietly

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from rawpy import RawPy

RAW_SUFFIXES = (".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".orf", ".rw2", ".pef", ".raf")
_EXIF = 0x8769  # tag of the directory with these:
_SUBSECONDS, _OFFSET = 0x9291, 0x9011
_MAKER, _MODEL = 0x010F, 0x0110
_BLOCK = 2880


def raw_as_fits(path: Path) -> io.BytesIO:
    """Decode a camera's raw file: the bytes of a FITS file of its mosaic, 16 bits.

    Raises FrameError where it cannot be decoded, is no mosaic of 2 x 2, or rawpy is missing.
    """
    try:
        import rawpy
    except ModuleNotFoundError:
        msg = "a raw file of a camera needs rawpy: pip install 'lightcurve[raw]'"
        raise FrameError(path, msg) from None
    try:
        with rawpy.imread(str(path)) as raw:
            header = _header(raw, path)
            signed = (raw.raw_image_visible ^ np.uint16(2**15)).astype(">i2")  # BZERO = 32768
    except (rawpy.LibRawError, ValueError) as error:
        reason = str(error).removeprefix("b").strip("'")[:120]
        msg = f"cannot be decoded as a camera's raw file ({reason}): copy it again"
        raise FrameError(path, msg) from error
    data = signed.tobytes()
    room = math.ceil(len(data) / _BLOCK) * _BLOCK
    return io.BytesIO(header.tostring().encode("ascii") + data.ljust(room, b"\0"))


def is_raw_name(path: str | Path) -> bool:
    """Tell by its name a raw file of a photographic camera."""
    return Path(path).name.lower().endswith(RAW_SUFFIXES)


def _header(raw: RawPy, path: Path) -> Header:
    """Make a FITS header of what a raw file tells."""
    from astropy.io.fits import Header

    ny, nx = raw.sizes.height, raw.sizes.width
    other, pattern = raw.other, _pattern(raw, path)
    clock, camera = _exif(path)
    header = Header()
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, 16, 2
    header["NAXIS1"], header["NAXIS2"] = nx, ny
    header["BSCALE"], header["BZERO"] = 1, 2**15
    header["BAYERPAT"], header["ROWORDER"] = pattern, "TOP-DOWN"
    if raw.white_level:
        header["SATURATE"] = int(raw.white_level), "white level of the raw file"
    if other.shutter_speed > 0:
        header["EXPTIME"] = round(other.shutter_speed, 6), "[s]"
    if other.iso_speed > 0:
        header["ISOSPEED"] = int(other.iso_speed)
    if other.focal_length > 0:
        header["FOCALLEN"] = round(other.focal_length, 2), "[mm]"
    if other.timestamp is not None:
        stamp = f"{other.timestamp.replace(tzinfo=None).isoformat()}{clock}"
        header["DATE-LOC"] = stamp, "clock of the camera"
    if camera:
        header["INSTRUME"] = camera
    return header


def _pattern(raw: RawPy, path: Path) -> str:
    """Name the colours of the first 2 x 2 pixels that are seen, in reading order."""
    corner = raw.raw_colors_visible[:2, :2] if raw.raw_pattern is not None else np.empty(0)
    letters = raw.color_desc.decode("ascii", "replace")
    found = "".join(letters[int(k)] for k in corner.flat)
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2) or sorted(found) != list("BGGR"):
        msg = "its colours are no mosaic of 2 x 2 pixels: convert it to FITS, and give that"
        raise FrameError(path, msg)
    return found


def _exif(path: Path) -> tuple[str, str]:
    """Read what LibRaw does not tell: fraction and offset of the clock, and the camera's name.

    Empty words where the file has its EXIF another way than TIFF has it, or none.
    """
    from PIL import Image

    def read(file: BinaryIO) -> tuple[str, str]:
        exif = Image.Exif()
        exif.load_from_fp(file)
        exposure = exif.get_ifd(_EXIF)
        fraction = str(exposure.get(_SUBSECONDS, "")).strip("\0 ")
        offset = str(exposure.get(_OFFSET, "")).strip("\0 ")
        clock = (f".{fraction}" if fraction.isdigit() else "") + offset
        maker, model = (str(exif.get(tag, "")).strip("\0 ") for tag in (_MAKER, _MODEL))
        name = model if model.startswith(maker) else f"{maker} {model}"
        return clock, name.strip().encode("ascii", "replace").decode()[:60]

    try:
        with path.open("rb") as file:
            return quietly(lambda: read(file))[0]
    except (SyntaxError, OSError, ValueError, TypeError, KeyError, struct.error):
        # Damaged, or not as TIFF has it: what LibRaw told stands, and its clock has no offset.
        return "", ""
