"""The bytes of a FITS file, nothing believed unchecked, and the numbers of its images."""

from __future__ import annotations

import bz2
import gzip
import math
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO, FileIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.errors import FrameError
from lightcurve.core.library_warnings import quietly
from lightcurve.frames.camera_raw import is_raw_name, raw_as_fits
from lightcurve.frames.cards import CARD, Card, Cards, number, parse_cards
from lightcurve.frames.planes import plane_of, stored_in

if TYPE_CHECKING:
    from astropy.io.fits import CompImageHDU

__all__ = ["Hdu", "find_image", "open_source", "plain_file", "row_reader"]

_CHUNK_BYTES = 524288
_EXACT_IN_FLOAT32 = 2**23
_SIGN = 2**15  # the sign bit of 16, and the BZERO of unsigned numbers
Allocate = Callable[[tuple[int, ...], np.dtype], np.ndarray]
BLOCK = 2880
MAX_HEADER_BLOCKS = 2000  # 72,000 cards
MOST_COUNTS = 1e15  # of a pixel; beyond, squares and sums of them are no numbers any more
MAX_PIXELS = 2**28  # 16384 x 16384: 1 GB as float32
MAX_BYTES = 8 * MAX_PIXELS + 10**8  # of a file that is unpacked
MAX_EXTENSIONS = 1000
DEFLATE_RATIO = 1100  # no gzip file can grow by more
_BITPIX = {8, 16, 32, 64, -32, -64}
COLOURS = (3, 4)  # lengths of an axis of colours: red, green, blue, and what is see-through
_ORDINAL = ("first", "second", "third", "fourth")
_DECODING = (EOFError, zlib.error, OSError, ValueError)


def choose_plane(axes: tuple[int, ...], wanted: int | None = None) -> tuple[tuple, list[str]]:
    """Choose which plane of an array (axes fastest first) is the image; tell of a choice.

    wanted: the plane asked for, which is there; None for the first.
    """
    fastest = len(axes) == 3 and axes[0] in COLOURS and min(axes[1:]) > max(COLOURS)
    if fastest:
        k = wanted or 0
        return (Ellipsis, k), [f"{_ORDINAL[k]} of {axes[0]} colours taken (fastest axis)"]
    if wanted is not None:
        where = np.unravel_index(wanted, axes[:1:-1])
        return (*(int(k) for k in where), Ellipsis), []
    if len(axes) == 2:
        return (Ellipsis,), []
    planes = 1
    for length in axes[2:]:
        planes *= length
    note = [] if planes == 1 else [f"plane 1 of {planes} taken"]
    return (*(0 for _ in axes[2:]), Ellipsis), note


def read_plain(
    source: Source, hdu: Hdu, *, allocate: Allocate = np.empty, integers: bool = False
) -> np.ndarray:
    """Read the image of an array that is not compressed by tiles: (ny, nx), NaN where blank.

    allocate: asked for memory as ``numpy.empty`` is; integers: leave whole numbers of 16 bits as
    they are. Raises FrameError when the file ends before, or its scale is no number.
    """
    _check_scale(source, hdu)
    ny, nx = _plane_shape(source, hdu)
    pixels = allocate((ny, nx), (integers and _whole_type(hdu)) or np.dtype(np.float32))
    row_reader(source, hdu)(slice(0, ny), pixels)
    return pixels


def row_reader(source: Source, hdu: Hdu) -> Callable[[slice, np.ndarray], None]:
    """Give what reads rows of the image of an array that is not compressed by tiles.

    Numbers stand one after the other from where the header ends, the first of most worth: there is
    nothing in it for a library, which would read the header once more for it, and that takes longer
    than the pixels of a small frame.

    Returns
    -------
    callable
        Takes which rows, and the (rows, nx) array that is filled with them; raises FrameError where
        the file ends before.
    """
    plane = choose_plane(hdu.axes, source.plane)[0]
    colours = _is_fastest(plane)
    ny, nx = _plane_shape(source, hdu)
    kind = np.dtype(
        f">{'f' if hdu.bitpix < 0 else 'u' if hdu.bitpix == 8 else 'i'}{abs(hdu.bitpix) // 8}"
    )
    shape = (nx, hdu.axes[0]) if colours else (nx,)
    each = math.prod(shape) * kind.itemsize
    before = () if colours else plane[:-1]
    first = hdu.offset + (
        ny * each * int(np.ravel_multi_index(before, hdu.axes[:1:-1])) if before else 0
    )
    # A few rows at a time, so that what was read is still in the cache when it is converted.
    step = max(1, _CHUNK_BYTES // each)

    def read(rows: slice, out: np.ndarray) -> None:
        source.file.seek(first + rows.start * each)
        for row in range(rows.start, rows.stop, step):
            some = slice(row, min(row + step, rows.stop))
            data = _exactly(source, (some.stop - row) * each)
            stored = np.frombuffer(data, kind).reshape(-1, *shape)
            stored = stored[..., plane[-1]] if colours else stored
            _scale(stored, hdu.cards, out=out[row - rows.start : some.stop - rows.start])

    return read


def _exactly(source: Source, size: int) -> bytes:
    """Read so many bytes, which may come in parts; raises FrameError where there are fewer."""
    parts: list[bytes] = []
    missing = size
    while missing:
        part = source.file.read(missing)
        if not part:
            msg = (
                f"is cut short: {missing} of {size} bytes of its pixels are missing; copy it again"
            )
            raise FrameError(source.path, msg)
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_fastest(plane: tuple) -> bool:
    """Whether a plane is one of an axis that runs from pixel to pixel."""
    return plane[-1] is not Ellipsis


def _plane_shape(source: Source, hdu: Hdu) -> tuple[int, int]:
    colours = _is_fastest(choose_plane(hdu.axes, source.plane)[0])
    return hdu.axes[1 + colours], hdu.axes[colours]


@contextmanager
def _by_astropy(source: Source, hdu: Hdu) -> Iterator[CompImageHDU]:
    """Let astropy unpack an image; whatever it cannot do with a damaged one is a `FrameError`."""
    from astropy.io import fits

    def find() -> CompImageHDU:
        source.file.seek(0)
        return fits.open(source.file, memmap=False, lazy_load_hdus=True)[hdu.index]

    try:
        image, _ = quietly(find)
        if image.shape != hdu.axes[::-1]:
            msg = f"an array of {image.shape}, not {hdu.axes[::-1]}"
            raise ValueError(msg)
        yield image
    except FrameError:
        raise
    except Exception as error:  # of damaged headers and tiles: private errors, also of C code
        reason = f"{type(error).__name__}: {str(error)[:120]}"
        msg = f"cannot be decompressed ({hdu.name}): {reason}; copy the file again"
        raise FrameError(source.path, msg) from error


def _check_scale(source: Source, hdu: Hdu) -> None:
    for name in ("BSCALE", "BZERO"):
        text = hdu.cards[name].text if name in hdu.cards else ""
        if text and number(text) is None:
            msg = f"{name} = {text[:30]!r} is not a number: what its pixels are is not known"
            raise FrameError(source.path, msg)


def _whole_type(hdu: Hdu) -> np.dtype | None:
    """Name the 16-bit type that holds every pixel as it is, if there is one."""
    scale, zero, blank = (hdu.cards.get(key) for key in ("BSCALE", "BZERO", "BLANK"))
    if hdu.bitpix != 16 or blank is not None or (scale is not None and number(scale.text) != 1):
        return None
    types = {0.0: np.dtype(np.int16), float(_SIGN): np.dtype(np.uint16)}
    offset = 0.0 if zero is None else number(zero.text)
    return None if offset is None else types.get(offset)


def _scale(stored: np.ndarray, cards: Cards, *, out: np.ndarray) -> None:
    """Apply BZERO, BSCALE and BLANK; float32, with NaN for every value that is none.

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
        _blank_absurd(out)


def _blank_absurd(pixels: np.ndarray) -> None:
    """Put NaN for what is not finite, or more than any camera or sum of its frames counts."""
    pixels[~(np.abs(pixels) <= MOST_COUNTS)] = np.nan


def read_tiled(source: Source, hdu: Hdu, *, with_pixels: bool) -> tuple[str, np.ndarray]:
    """Let astropy decompress an image's tiles: its header, and pixels (ny, nx) float32, or none.

    Raises FrameError when a tile is damaged.
    """
    with _by_astropy(source, hdu) as image, np.errstate(all="ignore"):

        def decode() -> tuple[str, np.ndarray]:
            text = image.header.tostring(endcard=False, padding=False)
            if not with_pixels:
                return text, np.empty((0, 0), np.float32)
            # In the order of rows also where the plane is the fastest axis.
            data = image.data[choose_plane(hdu.axes, source.plane)[0]]
            pixels = data.astype(np.float32, order="C")
            if data.dtype.itemsize > 2:  # 16 bits hold nothing absurd
                _blank_absurd(pixels)
            return text, pixels

        return quietly(decode)[0]


@dataclass(frozen=True, slots=True)
class Source:
    """An open FITS file."""

    file: FileIO | gzip.GzipFile | bz2.BZ2File | BytesIO  # decompressed as it is read
    path: Path
    limit: int  # bytes that it can hold at most
    packed: bool  # compressed as a whole, so that `limit` is a bound only
    plane: int | None = None  # of a cube, where the path names one


@dataclass(frozen=True, slots=True)
class Hdu:
    """One header of a file and where its data stand.

    Attributes
    ----------
    index : int
        0 is the primary.
    text : str
        The header's records, without END.
    start, offset : int
        First byte of the header, and of the data.
    axes : tuple of int
        NAXIS1, NAXIS2, ... of the image (that inside, for a tile-compressed one).
    bitpix : int
        Of the bytes in the file.
    tiled : bool
        A table that holds a compressed image.
    image : bool
        It can be read as an image: two axes or more, none of them zero.
    size : int
        Bytes of the data.
    """

    index: int
    text: str
    cards: Cards
    offset: int
    axes: tuple[int, ...]
    bitpix: int
    tiled: bool
    image: bool
    size: int
    start: int

    @property
    def name(self) -> str:
        """Name an extension for messages."""
        given = self.cards.get("EXTNAME", Card("", "")).text[:40]
        return f"extension {self.index}" + (f" ({given})" if given else "")


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a FITS file, or what reads like one.

    Whole or compressed by gzip or bzip2 (told by its first bytes), or a camera's raw file (told by
    its name).

    Parameters
    ----------
    path : Path
        It may name a plane of a cube, ``cube.fits[3]``.

    Raises
    ------
    FrameError
        When it cannot be opened, or breaks off while read.
    """
    try:
        stored = stored_in(path)
        status = stored.stat()
        if stat.S_ISDIR(status.st_mode):
            raise FrameError(path, "is a folder, not a file; give the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise FrameError(path, "is not an ordinary file")
        if status.st_size == 0:
            raise FrameError(path, "is empty (0 bytes)")
        if is_raw_name(stored):
            decoded = raw_as_fits(stored)
            yield Source(decoded, path, decoded.getbuffer().nbytes, packed=True)
            return
        with stored.open("rb", buffering=0) as raw:
            yield replace(_unpacked(raw, path, status.st_size), plane=plane_of(path))
    except _DECODING as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else str(error)[:200]
        msg = f"cannot be read: {reason}; copy the file again"
        raise FrameError(path, msg) from error


def plain_file(path: Path) -> Path | BytesIO:
    """Give a file to a library that reads FITS: itself, or unpacked where it is packed, or raw.

    A library that seeks in a packed file whose end is broken may do so for ever.

    Raises
    ------
    FrameError
        When it cannot be opened or unpacked, or holds more than any frame.
    """
    with open_source(path) as source:
        if not source.packed:
            return stored_in(path)
        content = source.file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FrameError(path, f"unpacks to over {MAX_BYTES / 1e9:.1f} GB")
    return BytesIO(content)


def _unpacked(raw: FileIO, path: Path, size: int) -> Source:
    magic = raw.read(3)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return Source(gzip.GzipFile(fileobj=raw), path, size * DEFLATE_RATIO, packed=True)
    if magic == b"BZh":
        return Source(bz2.BZ2File(raw), path, MAX_BYTES, packed=True)
    return Source(raw, path, size, packed=False)


def find_image(source: Source) -> tuple[Hdu, Hdu]:
    """Find the image: the primary where it has data, else the first extension that has.

    Parameters
    ----------
    source : Source
        At its start.

    Returns
    -------
    primary, image : Hdu
        Maybe the same.

    Raises
    ------
    FrameError
        When there is none, a header is broken, or the image is too large to be true.
    """
    primary = hdu = _read_hdu(source, 0, 0)
    for hdu in chain([primary], following(source, primary)):
        if hdu.image:
            check_size(source, hdu)
            return primary, hdu
    what = (
        "a header without image data" if hdu.index == 0 else "no 2-D image, only tables or spectra"
    )
    raise FrameError(source.path, f"holds {what}")


def following(source: Source, hdu: Hdu) -> Iterator[Hdu]:
    """Read the headers of the extensions behind one, as far as the file holds such."""
    while True:
        position = hdu.offset + math.ceil(hdu.size / BLOCK) * BLOCK
        if position > source.limit - BLOCK or hdu.index >= MAX_EXTENSIONS:
            return
        source.file.seek(position)
        if source.file.read(9) != b"XTENSION=":
            return
        source.file.seek(position)
        hdu = _read_hdu(source, hdu.index + 1, position)
        yield hdu


def _read_hdu(source: Source, index: int, position: int) -> Hdu:
    text, length = _header_text(source, index)
    cards = parse_cards(text)
    tiled = cards.get("ZIMAGE", ("",))[0] == "T"
    outer = _axes(source.path, cards, "")
    bitpix = _integer(source.path, cards, "BITPIX", 8)
    if bitpix not in _BITPIX:
        raise FrameError(source.path, f"BITPIX = {bitpix} is none of 8, 16, 32, 64, -32, -64")
    count = math.prod(outer) if outer else 0
    if outer and outer[0] == 0 and cards.get("GROUPS", ("",))[0] == "T":
        count = math.prod(outer[1:])
    parameters = _integer(source.path, cards, "PCOUNT", 0)
    groups = _integer(source.path, cards, "GCOUNT", 1)
    size = abs(bitpix) // 8 * groups * (parameters + count)
    if parameters < 0 or groups < 1:
        raise FrameError(source.path, "has a negative PCOUNT, or no GCOUNT of 1 or more")
    axes = _axes(source.path, cards, "Z") if tiled else outer
    kind = cards.get("XTENSION", Card("IMAGE", "")).text
    image = (tiled or kind == "IMAGE") and len(axes) >= 2 and all(axes)
    return Hdu(index, text, cards, position + length, axes, bitpix, tiled, image, size, position)


def _header_text(source: Source, index: int) -> tuple[str, int]:
    """Read blocks up to the END card: the text before it, and the bytes read."""
    blocks: list[str] = []
    while len(blocks) < MAX_HEADER_BLOCKS:
        data = source.file.read(BLOCK)
        if not blocks and index == 0 and data[:8] != b"SIMPLE  ":
            raise FrameError(source.path, "is not a FITS file: it does not begin with SIMPLE")
        if len(data) < BLOCK and not data.rstrip().endswith(b"END"):
            msg = f"has no END card in its header{' of extension ' + str(index) if index else ''}"
            raise FrameError(source.path, f"{msg}: no FITS image, or cut short")
        text = data.decode("latin-1")
        end = _end_of(text)
        blocks.append(text if end is None else text[:end])
        if end is not None:
            joined = "".join(blocks).rstrip()  # blank cards say nothing and cost time
            joined = joined.ljust(math.ceil(len(joined) / CARD) * CARD)
            whole = (len(blocks) - 1) * BLOCK + len(data)
            clean = joined.isascii() and joined.isprintable()
            return (joined if clean else _cleaned(joined)), whole
    msg = f"has over {MAX_HEADER_BLOCKS * BLOCK // CARD} header cards: refused"
    raise FrameError(source.path, msg)


def _end_of(text: str) -> int | None:
    place = text.find("END")
    while place >= 0:
        if place % CARD == 0 and not text[place + 3 : place + 8].strip():
            return place
        place = text.find("END", place + 1)
    return None


def _cleaned(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _integer(path: Path, cards: Cards, keyword: str, default: int) -> int:
    if keyword not in cards:
        return default
    try:
        return int(cards[keyword].text)
    except ValueError:
        msg = f"{keyword} = {cards[keyword].text[:30]!r} is not a whole number"
        raise FrameError(path, msg) from None


def _axes(path: Path, cards: Cards, prefix: str) -> tuple[int, ...]:
    count = _integer(path, cards, f"{prefix}NAXIS", 0)
    if not 0 <= count <= 999:
        raise FrameError(path, f"{prefix}NAXIS = {count} is impossible")
    axes = tuple(_integer(path, cards, f"{prefix}NAXIS{k}", -1) for k in range(1, count + 1))
    if any(length < 0 for length in axes):
        raise FrameError(path, f"the lengths of its {count} axes are missing or negative")
    return axes


def check_size(source: Source, hdu: Hdu) -> None:
    """Refuse an image that the file cannot hold or the memory should not."""
    axes = " x ".join(str(length)[:20] for length in hdu.axes[:6])
    if hdu.axes[0] * hdu.axes[1] > MAX_PIXELS:
        raise FrameError(source.path, f"claims {axes} pixels, over the limit of {MAX_PIXELS}")
    planes = math.prod(hdu.axes[2:])
    if source.plane is not None and source.plane >= planes:
        raise FrameError(source.path, f"no such plane: the image has {planes}, counted from 0")
    if hdu.tiled and planes > hdu.size:  # each takes a byte at least
        raise FrameError(source.path, f"claims {planes} planes in {hdu.size} bytes")
    room = source.limit - hdu.offset
    if hdu.size > room:
        held = f"{room} of {hdu.size}" if not source.packed else f"at most {room} of {hdu.size}"
        msg = f"is cut short: {axes} pixels, but {held} bytes of data; copy the file again"
        raise FrameError(source.path, msg)
