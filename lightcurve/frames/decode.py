"""Turn the bytes of an image in a FITS file into 32-bit floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lightcurve.errors import FrameError
from lightcurve.frames.cards import Cards, number
from lightcurve.frames.quiet import quietly
from lightcurve.frames.stream import Hdu, Source, read_exactly

_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CHUNK_BYTES = 262144
_EXACT_IN_FLOAT32 = 2**23
_SIGN = 2**15  # the sign bit of 16, and the BZERO of unsigned numbers

Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]


def choose_plane(axes: tuple[int, ...]) -> tuple[tuple, list[str]]:
    """Choose which plane of an array with more than two axes is the image.

    Parameters
    ----------
    axes : tuple of int
        Lengths, the fastest axis first.

    Returns
    -------
    index : tuple
        Of the plane, in the array.
    notes : list of str
        What was chosen, where there was a choice.
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
    """Read what is needed of an array: its first plane, or all colours of a colour image.

    Parameters
    ----------
    source : Source
    hdu : Hdu
    allocate : callable
        Asked for memory as ``numpy.empty`` is.
    integers : bool
        Leave whole numbers of 16 bits as they are.

    Returns
    -------
    float32 array, or int16 or uint16
        With as many axes as the file has, for `choose_plane` to index.

    Raises
    ------
    FrameError
        When the file ends before.
    """
    last = choose_plane(hdu.axes)[0][-1] == 0
    axes = hdu.axes if last else hdu.axes[:2]
    dtype = np.dtype(_DTYPES[hdu.bitpix])
    source.file.seek(hdu.offset)
    row = int(np.prod(axes[:-1], dtype=object))
    # A few rows at a time, so that what was read is still in the cache when it is converted.
    step = max(1, _CHUNK_BYTES // (row * dtype.itemsize))
    shape = axes[:0:-1] if last else axes[::-1]
    pixels = allocate(shape, (integers and _whole_type(hdu)) or np.dtype(np.float32))
    for start in range(0, axes[-1], step):
        rows = pixels[start : start + step]
        data = read_exactly(source, len(rows) * row * dtype.itemsize)
        stored = np.frombuffer(data, dtype).reshape(-1, *axes[-2::-1])
        _scale(stored[..., 0] if last else stored, hdu.cards, out=rows)
    return pixels[..., None] if last else pixels.reshape((1,) * (len(hdu.axes) - 2) + pixels.shape)


def _whole_type(hdu: Hdu) -> np.dtype | None:
    """Name the 16-bit type that holds every pixel as it is, if there is one."""
    scale, zero, blank = (hdu.cards.get(key) for key in ("BSCALE", "BZERO", "BLANK"))
    if hdu.bitpix != 16 or blank is not None or (scale is not None and number(scale.text) != 1):
        return None
    types = {0.0: np.dtype(np.int16), float(_SIGN): np.dtype(np.uint16)}
    return types.get(0.0 if zero is None else number(zero.text))


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


def read_tiled(source: Source, hdu: Hdu, *, with_pixels: bool) -> tuple[str, np.ndarray | None]:
    """Let astropy decompress the tiles of an image.

    Parameters
    ----------
    source : Source
    hdu : Hdu
    with_pixels : bool

    Returns
    -------
    text : str
        The header of the image.
    pixels : float32 array or None

    Raises
    ------
    FrameError
        When a tile is damaged.
    """
    from astropy.io import fits

    def decode() -> tuple[str, np.ndarray | None]:
        source.file.seek(0)
        with fits.open(source.file, memmap=False, lazy_load_hdus=True) as hdus:
            image = hdus[hdu.index]
            text = image.header.tostring(endcard=False, padding=False)
            with np.errstate(all="ignore"):
                data = image.data.astype(np.float32) if with_pixels else None
            return text, data

    try:
        (text, pixels), _ = quietly(decode)
    except Exception as error:  # damaged tiles raise private errors of C code
        msg = f"cannot be decompressed ({hdu.name}): {type(error).__name__}: {str(error)[:120]}"
        raise FrameError(source.path, msg) from error
    if pixels is not None:
        if pixels.shape != hdu.axes[::-1]:
            raise FrameError(source.path, f"decompresses to {pixels.shape}, not {hdu.axes[::-1]}")
        pixels[~np.isfinite(pixels)] = np.nan
    return text, pixels
