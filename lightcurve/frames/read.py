"""Read one image from any FITS file into a `RawFrame`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Colour, HeaderText, RawFrame
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.library_warnings import quietly
from lightcurve.core.settings import Settings
from lightcurve.frames.amplifiers import join_amplifiers
from lightcurve.frames.camera_raw import is_raw_name
from lightcurve.frames.cameras import in_manner_of
from lightcurve.frames.cards import CARD, Card, Cards, find, number, parse_cards
from lightcurve.frames.dialects import CLOCKS
from lightcurve.frames.headers import TIMELESS, normalise, warn_of_no_time
from lightcurve.frames.mosaic import of_colour, planes_of
from lightcurve.frames.pixels import (
    Allocate,
    Hdu,
    Source,
    check_size,
    choose_plane,
    find_image,
    following,
    open_source,
    read_plain,
    read_tiled,
)
from lightcurve.frames.planes import plane_of, stored_in
from lightcurve.frames.sections import (
    read_layout,
    read_section,
    trim,
    trimmed_header,
    with_cards,
)
from lightcurve.frames.units import in_counts, read_unit

if TYPE_CHECKING:
    from astropy.io.fits import Card as FitsCard
    from astropy.io.fits import Header

__all__ = ["image_files", "is_image_name", "read_cards", "read_frame", "stripped"]

IMAGE_SUFFIXES = (".fits", ".fit", ".fts")
MARKS = {"BADPIX", "BAD", "MASK"}  # extensions of ours with bits of `PixelFlag`
PACKED_SUFFIXES = (".gz", ".fz", ".bz2")
_CHUNK_PIXELS = 131072  # looked at together
# What belongs to one header's own data and is not handed down from the primary.
_OWN = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "INHERIT"}

_OWN |= {"BZERO", "BSCALE", "BLANK", "CHECKSUM", "DATASUM", "EXTNAME", "EXTVER", "NEXTEND", "DATE"}
# Cards of which the FITS standard knows the form: astropy has nothing to say of them.
_STANDARD = re.compile(
    r"(?>(?:COMMENT |HISTORY | {8}).{72}"  # atomic: a card that may be two things is tried once
    r"|(?!CONTINUE)(?=[A-Z0-9_-]+ *= )[^=]{8}= .{70}"
    r"|HIERARCH (?=[^=]{0,70}=).{71})*+"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    """An image's header text, its shape (ny, nx), notes, and its pixels: empty if not wanted."""

    text: str
    cards: Cards
    shape: tuple[int, int]
    notes: tuple[str, ...]
    pixels: np.ndarray
    level: float = 0.0  # ADU, of the overscan that was taken off
    factor: float = 1.0  # by which the numbers of the amplifier that clips first were multiplied
    gaps: bool = False  # pixels without a value
    marks: np.ndarray | None = None  # `PixelFlag` bits that this program wrote beside it


def is_image_name(path: str | Path) -> bool:
    """Tell an image by its name, in any case.

    FITS (.fits, .fit, .fts, also .gz, .fz, .bz2), or a camera's raw file (.cr2, .nef, .dng ...).
    """
    name = Path(path).name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(IMAGE_SUFFIXES) or is_raw_name(path)


def image_files(path: Path) -> list[Path]:
    """List the images of a path: itself, or the folder's own.

    Raises
    ------
    InputError
        When there is no such file, or no image in the folder.
    """
    if stored_in(path).is_file():
        return [path]
    files = sorted(p for p in path.glob("*") if is_image_name(p)) if path.is_dir() else []
    if not files:
        msg = "no such file, or no FITS file in it"
        raise InputError(msg, file=str(path))
    return files


def read_frame(
    path: str | Path,
    *,
    settings: Settings | None = None,
    need_time: bool = True,
    integers: bool = False,
    allocate: Allocate = np.empty,
) -> RawFrame:
    """Read one image, its header and what it says of the exposure.

    The primary is taken where it has an image, else the first extension that has one. Of a cube
    the first plane is taken (the first colour, where the colours are the fastest axis), unless the
    path names one: ``cube.fits[3]``, counted from 0, with its own time.

    Parameters
    ----------
    path : path-like
        FITS, plain, tile-compressed, or packed by gzip or bzip2.
    settings : Settings, optional
        Override what the header says.
    need_time : bool
        Refuse a frame without a certain time, unless it is a calibration frame.
    integers : bool
        Leave whole numbers of 16 bits as they are, instead of turning them into float32.
    allocate : callable
        Asked for the pixels' memory as ``numpy.empty`` is: whoever reads many frames may give the
        same each time.

    Returns
    -------
    RawFrame
        Pixels that are blank, infinite or absurd (over 1e15) are NaN and flagged NOT_FINITE;
        those at the saturation level, where it is known, are flagged SATURATED.

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image; `HeaderError` when its time is not certain.
    """
    path = Path(path)
    settings = settings or Settings()
    colour = settings.colour
    raw = _read(path, partial(read_plain, integers=integers, allocate=allocate), colour)
    exposure, error = normalise(raw.cards, path=path, shape=raw.shape, settings=settings)
    if error is not None and need_time and exposure.kind not in TIMELESS:
        raise error
    exposure = warn_of_no_time(exposure, error)
    head, odd = _as_header(raw.text)
    if plane_of(path) is not None and exposure.start_jd_utc is not None:
        head = _with_clock(head, exposure.start_jd_utc)
    pixels, notes = raw.pixels, raw.notes
    if plane_of(path) is None and planes_of(raw.cards, colour):
        exposure = of_colour(exposure, colour, "plane of the image")
    if raw.level or raw.factor != 1:
        levels = {name: getattr(exposure, name) for name in ("saturation_adu", "linearity_adu")}
        lower = {
            name: (level - raw.level) * raw.factor
            for name, level in levels.items()
            if level is not None
        }
        exposure = replace(exposure, **lower)
    if not _is_integer(raw):
        pixels, exposure, of_unit = in_counts(pixels, read_unit(raw.cards), exposure, path)
        notes += of_unit
    bad = _mark_bad(pixels, exposure.saturation_adu, finite=_is_integer(raw) and not raw.gaps)
    if raw.marks is not None and raw.marks.shape == bad.shape:
        bad |= raw.marks
    return RawFrame(
        pixels=pixels,
        bad=bad,
        exposure=replace(exposure, warnings=exposure.warnings + notes + odd),
        head=head,
        path=path,
        history=(f"read from {path.name}", *notes),
    )


def _with_clock(head: Header | HeaderText, start_jd_utc: float) -> Header:
    """Leave in the header of a cube one clock: the start of the plane that was read."""
    header = head.header() if isinstance(head, HeaderText) else head
    for keyword in {*CLOCKS.dates, *CLOCKS.numbers, *CLOCKS.hours} & {*header}:
        del header[keyword]
    header["DATE-OBS"] = iso_from_jd(start_jd_utc)
    return header


def _as_header(text: str) -> tuple[Header | HeaderText, tuple[str, ...]]:
    """Make astropy's header, one that it can write, and keep what it finds odd.

    Where each card is of the standard form there is nothing odd, and it can wait.
    """
    if _STANDARD.fullmatch(text):
        return HeaderText(text), ()
    from astropy.io.fits import Header, VerifyError

    header, odd = quietly(lambda: Header.fromstring(text))
    if "CONTINUE" not in text:
        return header, odd
    try:
        quietly(header.tostring)
    except (VerifyError, ValueError):
        records = (text[k : k + CARD] for k in range(0, len(text), CARD))
        kept = "".join(record for record in records if not record.startswith("CONTINUE"))
        header, _ = quietly(lambda: Header.fromstring(kept))
        odd += ("CONTINUE cards that continue no text left out",)
    return header, odd


def stripped(header: Header) -> Header:
    """Copy a header without the cards that say how its array is stored, and those FITS forbids.

    Those of a table have no business beside an image, and may be anything there.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Left as it is.

    Returns
    -------
    astropy.io.fits.Header
        A copy.
    """
    # Cards that are no FITS are warned of anew; reading the frame has told of them.
    kept, _ = quietly(lambda: _without_forbidden(header))
    return kept


def _without_forbidden(header: Header) -> Header:
    if "TFIELDS" in header:
        header = header.copy()
        del header["TFIELDS"]
    kept = header.copy(strip=True)
    for k in reversed(range(len(kept))):
        if not _may_be_written(kept.cards[k]):
            del kept[k]
    return kept


def _may_be_written(card: FitsCard) -> bool:
    from astropy.io.fits import VerifyError

    try:
        card.verify("silentfix")
        card.value = card.value  # which one that astropy could not take apart refuses
    except (VerifyError, ValueError):
        return False
    return True


def read_cards(
    path: Path, camera: str | None = None
) -> tuple[Cards, tuple[int, int], tuple[str, ...]]:
    """Read the cards of a file's image without its pixels: also its (ny, nx), and notes.

    They are in the manner of their camera (its profile, where one was named). The notes say which
    extension and which plane were taken.

    Raises
    ------
    FrameError
        When the file cannot be read or holds no image.
    """
    raw = _read(path, _no_pixels)
    return in_manner_of(raw.cards, camera), raw.shape, raw.notes


def _mark_bad(
    pixels: np.ndarray, saturation_adu: float | None, *, finite: bool = False
) -> np.ndarray:
    """Flag pixels without a value, and those at the saturation level: `PixelFlag` bits.

    pixels: ADU, float32 or 16-bit integers; finite: known to have no NaN: none are looked for.
    """
    bad = np.zeros(pixels.shape, dtype=np.uint8)
    if not finite:
        bad[~np.isfinite(pixels)] = PixelFlag.NOT_FINITE
    if saturation_adu is None:
        return bad
    whole = pixels.dtype.kind in "iu"
    level = math.ceil(saturation_adu) if whole else np.float32(saturation_adu)
    # Rows without such a pixel are not written to: what is never touched costs no memory.
    step = max(_CHUNK_PIXELS // pixels.shape[1], 1)
    for start in range(0, len(pixels), step):
        some = pixels[start : start + step]
        if not some.max() < level:  # or it is NaN, and tells nothing of the others
            bad[start : start + step] |= (some >= level) * np.uint8(PixelFlag.SATURATED)
    return bad


def _is_integer(raw: _Raw) -> bool:
    scale = raw.cards.get("BSCALE", ("1",))[0]
    whole = raw.cards.get("BITPIX", ("-32",))[0] in {"8", "16", "32", "64"}
    return whole and "BLANK" not in raw.cards and "ZBLANK" not in raw.cards and number(scale) == 1


def _no_pixels(source: Source, hdu: Hdu) -> np.ndarray:  # noqa: ARG001
    return np.empty((0, 0), np.float32)


def _read(
    path: Path,
    pixels_by: Callable[[Source, Hdu], np.ndarray],
    colour: Colour = Colour.MOSAIC,
) -> _Raw:
    """Read the image of a file; its pixels as is said, or by astropy where it has tiles.

    colour: which plane of an image in colours; the first for `Colour.MOSAIC`.
    """
    with open_source(path) as source:
        primary, hdu = find_image(source)
        notes = [] if hdu is primary else [f"image taken from {hdu.name}"]
        planes = planes_of(hdu.cards, colour) if source.plane is None else ()
        if planes:
            source = replace(source, plane=planes[0])  # noqa: PLW2901
        plane, note = choose_plane(hdu.axes, source.plane)
        notes += [f"{colour.words} of its colours taken"] if planes else note
        text, pixels = _plane(source, hdu, pixels_by)
        if len(planes) > 1 and pixels.size:
            total = pixels.astype(np.float32)
            for k in planes[1:]:
                total += _plane(replace(source, plane=k), hdu, pixels_by)[1]
            pixels = total / np.float32(len(planes))
        if hdu is not primary:
            text = _inherit(text, primary)
        cards = hdu.cards if text is hdu.text else parse_cards(text)
        shape = (hdu.axes[1], hdu.axes[0]) if plane[-1] is ... else (hdu.axes[2], hdu.axes[1])
        marks = _own_marks(source, hdu, cards) if pixels.size else None
        raw = _Raw(text, in_manner_of(cards, None), shape, tuple(notes), pixels, marks=marks)
        return _whole(source, primary, hdu, raw)


def _own_marks(source: Source, image: Hdu, cards: Cards) -> np.ndarray | None:
    """Read the map of bad pixels of a product of ours; None for other files."""
    if find(cards, "own_product") is None:
        return None
    for hdu in following(source, image):
        of_bits = hdu.cards.get("EXTNAME", Card("", "")).text.strip() in MARKS
        if of_bits and hdu.image and not hdu.tiled and hdu.axes == image.axes:
            check_size(source, hdu)
            return read_plain(source, hdu).astype(np.uint8)
    return None


def _plane(
    source: Source, hdu: Hdu, pixels_by: Callable[[Source, Hdu], np.ndarray]
) -> tuple[str, np.ndarray]:
    """Read a header's text and the pixels of the plane of a source."""
    if hdu.tiled:
        return read_tiled(source, hdu, with_pixels=pixels_by is not _no_pixels)
    return hdu.text, pixels_by(source, hdu)


def _whole(source: Source, primary: Hdu, first: Hdu, raw: _Raw) -> _Raw:
    """Trim an image, or put it together from those of its amplifiers, where its header says so."""
    wanted = raw.pixels.size > 0
    others = _amplifiers(source, first)
    if others:
        parts = [(first, raw.pixels)]
        parts += [(hdu, read_plain(source, hdu) if wanted else raw.pixels) for hdu in others]
        chip = join_amplifiers(
            [
                (_with_gain(hdu.cards, raw.cards, k), (hdu.axes[1], hdu.axes[0]), one)
                for k, (hdu, one) in enumerate(parts)
            ]
        )
        if chip is not None:
            text = with_cards(_inherit(first.text, primary), chip.cards, without=chip.left_out)
            note = f"put together from {len(parts)} amplifiers"
            notes = (note, *chip.notes)
            return _Raw(
                text, parse_cards(text), chip.shape, notes, chip.pixels, chip.level, chip.factor,
                chip.gaps,
            )  # fmt: skip
    layout = read_layout(raw.cards, raw.shape)
    if layout is None:
        return raw
    pixels, level = trim(raw.pixels, layout) if wanted else (raw.pixels, 0.0)
    text = trimmed_header(raw.text, raw.cards, layout)
    notes = (*raw.notes, *layout.notes)
    return _Raw(text, parse_cards(text), layout.data.shape, notes, pixels, level)


def _with_gain(cards: Cards, whole: Cards, k: int) -> Cards:
    """Give an amplifier's header the gain of the camera's profile, where it has none.

    Of the profile that the header calls, whatever was named: light frames and those of masters,
    which are read without settings, have to be put together alike.
    """
    gains = whole.camera.camera.gains_e_per_adu if whole.camera else ()
    if k >= len(gains) or find(cards.of(whole.camera, ""), "gain") is not None:
        return cards
    return cards.changed({"GAIN": Card(str(gains[k]), "e-/ADU")})


def _amplifiers(source: Source, first: Hdu) -> list[Hdu]:
    """Find the images behind the first that are parts of the same detector."""
    if first.tiled or read_section(first.cards, "detector_section") is None:
        return []
    alike = [
        hdu
        for hdu in following(source, first)
        if hdu.image and not hdu.tiled and read_section(hdu.cards, "detector_section")
    ]
    for hdu in alike:
        check_size(source, hdu)
    return alike


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
