"""The pixels of an image in a FITS file: read by astropy, made 32-bit floats here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.errors import FrameError
from lightcurve.frames.cards import Cards, number
from lightcurve.frames.quiet import quietly
from lightcurve.frames.stream import Hdu, Source

if TYPE_CHECKING:
    from astropy.io.fits import CompImageHDU, ImageHDU, PrimaryHDU

_CHUNK_BYTES = 524288
_EXACT_IN_FLOAT32 = 2**23
_SIGN = 2**15  # the sign bit of 16, and the BZERO of unsigned numbers

Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]


def choose_plane(axes: tuple[int, ...]) -> tuple[tuple, list[str]]:
    """Choose which plane of an array with more than two axes is the image.

    axes: lengths, the fastest axis first.
    Returns index: of the plane, in the array; notes: what was chosen, where there was a choice.
    """
    if len(axes) == 2:
        return (Ellipsis,), []
    if len(axes) == 3 and axes[0] in {3, 4} and min(axes[1:]) > 4:
        return (Ellipsis, 0), [f"first of {axes[0]} colours taken (fastest axis)"]
    planes = 1
    for length in axes[2:]:
        planes *= length
    note = [] if planes == 1 else [f"plane 1 of {planes} taken"]
    return (*(0 for _ in axes[2:]), Ellipsis), note


def read_plain(
    source: Source, hdu: Hdu, *, allocate: Allocate = np.empty, integers: bool = False
) -> np.ndarray:
    """Read the image of an array that is not compressed by tiles.

    allocate: asked for memory as ``numpy.empty`` is; integers: leave whole numbers of 16 bits as
    they are.
    Returns (ny, nx) float32 array, or int16 or uint16, NaN for every value that is blank or not
    finite.
    Raises FrameError when the file ends before.
    """
    ny, nx = _plane_shape(hdu)
    pixels = allocate((ny, nx), (integers and _whole_type(hdu)) or np.dtype(np.float32))
    with open_plain(source, hdu) as read:
        read(slice(0, ny), pixels)
    return pixels


@contextmanager
def open_plain(source: Source, hdu: Hdu) -> Iterator[Callable[[slice, np.ndarray], None]]:
    """Open the image of an array to read rows of it: which, and the array that gets them."""
    plane = choose_plane(hdu.axes)[0]
    colours = plane[-1] == 0
    ny, _ = _plane_shape(hdu)
    # A few rows at a time, so that what was read is still in the cache when it is converted.
    step = max(1, _CHUNK_BYTES // (hdu.size // ny))
    with _by_astropy(source, hdu) as image:
        section = image.section

        def read(rows: slice, out: np.ndarray) -> None:
            for row in range(rows.start, rows.stop, step):
                some = slice(row, min(row + step, rows.stop))
                stored = section[some][..., 0] if colours else section[(*plane[:-1], some)]
                _scale(stored, hdu.cards, out=out[row - rows.start : some.stop - rows.start])

        yield read


def _plane_shape(hdu: Hdu) -> tuple[int, int]:
    colours = choose_plane(hdu.axes)[0][-1] == 0
    return hdu.axes[1 + colours], hdu.axes[colours]


@contextmanager
def _by_astropy(
    source: Source, hdu: Hdu, *, scaled: bool = False
) -> Iterator[PrimaryHDU | ImageHDU | CompImageHDU]:
    """Let astropy read an image; whatever it cannot do with a damaged one is a `FrameError`."""
    from astropy.io import fits

    def find() -> PrimaryHDU | ImageHDU | CompImageHDU:
        source.file.seek(0)
        hdus = fits.open(
            source.file,
            memmap=False,
            lazy_load_hdus=True,
            do_not_scale_image_data=not scaled,
        )
        return hdus[hdu.index]

    try:
        image, _ = quietly(find)
        if image.shape != hdu.axes[::-1]:
            msg = f"an array of {image.shape}, not {hdu.axes[::-1]}"
            raise ValueError(msg)
        yield image
    except FrameError:
        raise
    except Exception as error:  # of damaged headers and tiles: private errors, also of C code
        what = "decompressed" if hdu.tiled else "read"
        reason = f"{type(error).__name__}: {str(error)[:120]}"
        msg = f"cannot be {what} ({hdu.name}): {reason}; copy the file again"
        raise FrameError(source.path, msg) from error


def _whole_type(hdu: Hdu) -> np.dtype | None:
    """Name the 16-bit type that holds every pixel as it is, if there is one."""
    scale, zero, blank = (hdu.cards.get(key) for key in ("BSCALE", "BZERO", "BLANK"))
    if hdu.bitpix != 16 or blank is not None or (scale is not None and number(scale.text) != 1):
        return None
    types = {0.0: np.dtype(np.int16), float(_SIGN): np.dtype(np.uint16)}
    offset = 0.0 if zero is None else number(zero.text)
    return None if offset is None else types.get(offset)


def _scale(stored: np.ndarray, cards: Cards, *, out: np.ndarray) -> None:
    """Apply BZERO, BSCALE and BLANK; float32, with NaN for every value that is not finite.

    Where `out` holds integers, the bits are all there is to move.
    """
    if out.dtype.kind in "iu":
        out[:] = stored.view(f">{out.dtype.kind}2")
        if out.dtype.kind == "u":
            out ^= np.uint16(_SIGN)  # adds 32768 to what was signed
        return
    zero = number(cards["BZERO"].text) if "BZERO" in cards else 0.0
    scale = number(cards["BSCALE"].text) if "BSCALE" in cards else 1.0
    zero, scale = 0.0 if zero is None else zero, 1.0 if scale is None else scale
    blank = number(cards["BLANK"].text) if "BLANK" in cards else None
    whole = stored.dtype.kind in "iu"
    exact = stored.itemsize <= 2 and zero == int(zero) and abs(zero) <= _EXACT_IN_FLOAT32
    with np.errstate(over="ignore", invalid="ignore"):
        if scale == 1 and (zero == 0 or (whole and exact)):
            out[:] = stored
            if zero:
                out += np.float32(zero)
        else:
            out[:] = stored.astype(np.float64) * scale + zero
    if whole and blank is not None:
        out[stored == blank] = np.nan
    if not whole or scale != 1:
        out[~np.isfinite(out)] = np.nan


def read_tiled(source: Source, hdu: Hdu, *, with_pixels: bool) -> tuple[str, np.ndarray]:
    """Let astropy decompress the tiles of an image.

    Returns text: the header of the image; pixels: (ny, nx) float32 array, empty without
    `with_pixels`.
    Raises FrameError when a tile is damaged.
    """
    with _by_astropy(source, hdu, scaled=True) as image, np.errstate(all="ignore"):

        def decode() -> tuple[str, np.ndarray]:
            text = image.header.tostring(endcard=False, padding=False)
            if not with_pixels:
                return text, np.empty((0, 0), np.float32)
            # In the order of rows also where the plane is the fastest axis.
            return text, image.data[choose_plane(hdu.axes)[0]].astype(np.float32, order="C")

        (text, pixels), _ = quietly(decode)
    pixels[~np.isfinite(pixels)] = np.nan
    return text, pixels
