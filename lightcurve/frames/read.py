"""Read one image from any FITS file into a `Frame`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.config import Settings
from lightcurve.data import Frame
from lightcurve.errors import FrameError, InputError
from lightcurve.flags import PixelFlag
from lightcurve.frames.cards import CARD, Cards, number, parse_cards
from lightcurve.frames.headers import TIMELESS, normalise
from lightcurve.frames.quiet import quietly
from lightcurve.frames.stream import Hdu, Source, find_image, open_source, read_exactly

if TYPE_CHECKING:
    from astropy.io.fits import Header

IMAGE_SUFFIXES = (".fits", ".fit", ".fts")
PACKED_SUFFIXES = (".gz", ".fz", ".bz2")
_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CHUNK_BYTES = 262144
_EXACT_IN_FLOAT32 = 2**23
# What belongs to one header's own data and is not handed down from the primary.
_OWN = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "INHERIT"}
_OWN |= {"BZERO", "BSCALE", "BLANK", "CHECKSUM", "DATASUM", "EXTNAME", "EXTVER", "NEXTEND", "DATE"}


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    """An image's header text, its shape (ny, nx), notes, and the pixels where they were read."""

    text: str
    cards: Cards
    shape: tuple[int, int]
    notes: tuple[str, ...]
    pixels: np.ndarray | None = None


def is_fits_name(path: str | Path) -> bool:
    """Tell by its name whether a file should be a FITS image.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool
        For .fits, .fit and .fts in any case, also followed by .gz, .fz or .bz2.
    """
    name = Path(path).name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(IMAGE_SUFFIXES)


def fits_files(path: Path) -> list[Path]:
    """List the FITS files that a path given by the user stands for.

    Parameters
    ----------
    path : Path
        A file, or a folder whose own FITS files are meant.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        When there is no such file, or no FITS file in the folder.
    """
    if path.is_file():
        return [path]
    files = sorted(p for p in path.glob("*") if is_fits_name(p)) if path.is_dir() else []
    if not files:
        msg = f"{path}: no such file, or no FITS file in it"
        raise InputError(msg)
    return files


def read_frame(
    path: str | Path, *, settings: Settings | None = None, need_time: bool = True
) -> Frame:
    """Read one image, its header and what it says of the exposure.

    The primary is taken where it has an image, else the first extension that has one. Of a cube
    the first plane is taken (the first colour, where the colours are the fastest axis).

    Parameters
    ----------
    path : path-like
        FITS, plain, tile-compressed, or packed by gzip or bzip2.
    settings : Settings, optional
        Override what the header says.
    need_time : bool
        Refuse a frame without a certain time, unless it is a calibration frame.

    Returns
    -------
    Frame
        Pixels that are blank or infinite are NaN and flagged NOT_FINITE; those at the saturation
        level, where it is known, are flagged SATURATED.

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image; `HeaderError` when its time is not certain.
    """
    path = Path(path)
    raw = _read(path, with_pixels=True)
    exposure, error = normalise(raw.cards, path=path, shape=raw.shape, settings=settings)
    if error is not None and need_time and exposure.kind not in TIMELESS:
        raise error
    header, odd = _as_header(raw.text)
    bad = mark_bad(raw.pixels, exposure.saturation_adu, finite=_is_integer(raw))
    return Frame(
        pixels=raw.pixels,
        bad=bad,
        exposure=replace(exposure, warnings=exposure.warnings + raw.notes + odd),
        header=header,
        path=path,
        history=(f"read from {path.name}", *raw.notes),
    )


def read_header(path: str | Path) -> Header:
    """Read the header of the image of a file, with the primary's cards where it has none itself.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    astropy.io.fits.Header

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image.
    """
    return _as_header(_read(Path(path), with_pixels=False).text)[0]


def _as_header(text: str) -> tuple[Header, tuple[str, ...]]:
    """Make astropy's header, and keep what it finds odd."""
    from astropy.io.fits import Header

    return quietly(lambda: Header.fromstring(text))


def read_cards(path: Path) -> tuple[Cards, tuple[int, int], tuple[str, ...]]:
    """Read the cards of a file's image without its pixels.

    Parameters
    ----------
    path : Path

    Returns
    -------
    cards : dict of str to Card
    shape : tuple of int
        (ny, nx).
    notes : tuple of str
        Which extension and which plane were taken.

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image.
    """
    raw = _read(path, with_pixels=False)
    return raw.cards, raw.shape, raw.notes


def mark_bad(
    pixels: np.ndarray, saturation_adu: float | None, *, finite: bool = False
) -> np.ndarray:
    """Flag pixels without a value, and those at the saturation level.

    Parameters
    ----------
    pixels : (ny, nx) float32 array
        ADU.
    saturation_adu : float or None
    finite : bool
        Known to have no NaN: they are not looked for.

    Returns
    -------
    (ny, nx) uint8 array
        `PixelFlag` bits.
    """
    bad = np.zeros(pixels.shape, dtype=np.uint8)
    if not finite:
        bad[~np.isfinite(pixels)] = PixelFlag.NOT_FINITE
    if saturation_adu is not None:
        bad[pixels >= saturation_adu] |= np.uint8(PixelFlag.SATURATED)
    return bad


def _is_integer(raw: _Raw) -> bool:
    scale = raw.cards.get("BSCALE", ("1",))[0]
    whole = raw.cards.get("BITPIX", ("-32",))[0] in {"8", "16", "32", "64"}
    return whole and "BLANK" not in raw.cards and "ZBLANK" not in raw.cards and number(scale) == 1


def _read(path: Path, *, with_pixels: bool) -> _Raw:
    with open_source(path) as source:
        primary, hdu = find_image(source)
        notes = [] if hdu is primary else [f"image taken from {hdu.name}"]
        plane, note = _plane(hdu.axes)
        notes += note
        if hdu.tiled:
            text, pixels = _read_tiled(source, hdu, with_pixels=with_pixels)
        else:
            text, pixels = hdu.text, _read_plain(source, hdu) if with_pixels else None
        if hdu is not primary:
            text = _inherit(text, primary)
        cards = hdu.cards if text is hdu.text else parse_cards(text)
        if pixels is not None:
            pixels = np.ascontiguousarray(pixels[plane])
        shape = (hdu.axes[1], hdu.axes[0]) if plane[-1:] != (0,) else (hdu.axes[2], hdu.axes[1])
        return _Raw(text, cards, shape, tuple(notes), pixels)


def _plane(axes: tuple[int, ...]) -> tuple[tuple, list[str]]:
    """Index of the plane to take from an array of these axes (fastest first), and a note."""
    if len(axes) == 2:
        return (Ellipsis,), []
    if len(axes) == 3 and axes[0] in {3, 4} and min(axes[1:]) > 4:
        return (Ellipsis, 0), [f"first of {axes[0]} colours taken (fastest axis)"]
    planes = 1
    for length in axes[2:]:
        planes *= length
    note = [] if planes == 1 else [f"plane 1 of {planes} taken"]
    return (*(0 for _ in axes[2:]), Ellipsis), note


def _read_plain(source: Source, hdu: Hdu) -> np.ndarray:
    """Read what is needed of an array: (ny, nx) pixels, or all colours of a colour image."""
    last = _plane(hdu.axes)[0][-1] == 0
    axes = hdu.axes if last else hdu.axes[:2]
    dtype = np.dtype(_DTYPES[hdu.bitpix])
    source.file.seek(hdu.offset)
    row = int(np.prod(axes[:-1], dtype=object))
    # A few rows at a time, so that what was read is still in the cache when it is converted.
    step = max(1, _CHUNK_BYTES // (row * dtype.itemsize))
    pixels = np.empty(axes[:0:-1] if last else axes[::-1], np.float32)
    for start in range(0, axes[-1], step):
        rows = pixels[start : start + step]
        data = read_exactly(source, len(rows) * row * dtype.itemsize)
        stored = np.frombuffer(data, dtype).reshape(-1, *axes[-2::-1])
        _scale(stored[..., 0] if last else stored, hdu.cards, out=rows)
    return pixels[..., None] if last else pixels.reshape((1,) * (len(hdu.axes) - 2) + pixels.shape)


def _scale(stored: np.ndarray, cards: Cards, *, out: np.ndarray) -> None:
    """Apply BZERO, BSCALE and BLANK; float32, with NaN for every value that is not finite."""
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


def _read_tiled(source: Source, hdu: Hdu, *, with_pixels: bool) -> tuple[str, np.ndarray | None]:
    """Let astropy decompress the tiles of an image."""
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


def _inherit(text: str, primary: Hdu) -> str:
    """Add the primary's cards that an extension lacks."""
    own = parse_cards(text)
    records = (primary.text[k : k + CARD] for k in range(0, len(primary.text), CARD))
    added = []
    for record in records:
        keyword = record[:8].rstrip()
        if keyword == "HIERARCH":
            keyword = record[9:].partition("=")[0].strip().upper()
        structural = keyword in _OWN or keyword.rstrip("0123456789") == "NAXIS"
        if keyword in primary.cards and keyword not in own and not structural:
            added.append(record.ljust(CARD))
    return text.ljust(-(-len(text) // CARD) * CARD) + "".join(added)
