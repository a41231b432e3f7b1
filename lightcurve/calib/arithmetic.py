"""Images added, subtracted, multiplied and divided, by one another or by numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.calib.reduce import RAW_ONLY
from lightcurve.core.constants import __version__
from lightcurve.core.data import Exposure, Note, Result, Severity
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.files import write_whole
from lightcurve.core.flags import PixelFlag
from lightcurve.frames.cards import printable
from lightcurve.frames.headers import normalise
from lightcurve.frames.pixels import plain_file
from lightcurve.frames.read import read_cards, stripped

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["image_arithmetic"]

MASKS = ("BADPIX", "MASK", "BPM", "DQ")  # names of extensions that are not 0 where pixels are bad
COMPARED = ("filter", "exposure_s", "binning", "camera", "gain_e_per_adu")


class Operation(StrEnum):
    """What is done."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"


_DO: dict[Operation, Callable[[np.ndarray, np.ndarray | float], np.ndarray]] = {
    Operation.ADD: np.add,
    Operation.SUB: np.subtract,
    Operation.MUL: np.multiply,
    Operation.DIV: np.divide,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """The numbers of a file as they stand in it."""

    path: Path
    pixels: np.ndarray
    bad: np.ndarray  # uint8, of the same shape
    header: Header

    @property
    def unit(self) -> str:
        return str(self.header.get("BUNIT", "")).strip().lower()


def image_arithmetic(
    first: Path, word: str, second: Path | float, out: Path
) -> tuple[dict[str, Result], tuple[Note, ...]]:
    """Work out an image from another and an image or a number, and write it.

    Parameters
    ----------
    first : Path
        Its header is that of the result, with what was done in HISTORY.
    word : str
        ``add``, ``sub``, ``mul`` or ``div``, in any case.
    second : Path or float
        An image of the same shape.
    out : Path
        FITS of 32-bit floats; NaN, and bad in its extension BADPIX, where there is no value. What
        is bad in either image is bad in it.

    Returns
    -------
    dict of str to Result
        The file, its median and scatter, how many pixels are bad or have no value, and the unit.
    tuple of Note
        In what the headers of the two do not agree.

    Raises
    ------
    FrameError
        When a file cannot be read or holds no image.
    InputError
        When the word is none of these, the number leaves no pixel a value, shapes or units do not
        go together, or the result would replace one of the files.
    """
    if word.lower() not in set(Operation):
        msg = f"{word!r} is none of {', '.join(Operation)}"
        raise InputError(msg)
    one, operation = _read(first), Operation(word.lower())
    other = _read(second) if isinstance(second, Path) else second
    if not isinstance(other, _Image) and (
        not np.isfinite(other) or (other == 0 and operation is Operation.DIV)
    ):
        msg = f"{word} {other:g} leaves no pixel a value; give another number, or an image"
        raise InputError(msg)
    given = [image.path for image in (one, other) if isinstance(image, _Image)]
    if any(out.resolve() == path.resolve() for path in given):
        msg = f"{out}: the result would replace one of the images; choose another --out"
        raise InputError(msg)
    unit, notes, bad = one.unit, [], one.bad
    if isinstance(other, _Image):
        _refuse_shapes(one, other)
        unit = _unit(one, other, operation)
        notes = _disagreements(one.path, other.path)
        bad = one.bad | other.bad
    with np.errstate(all="ignore"):
        values = other.pixels if isinstance(other, _Image) else other
        pixels = _DO[operation](one.pixels, values).astype(np.float32)
    lost = ~np.isfinite(pixels)
    pixels[lost] = np.nan
    bad = bad | np.where(lost, np.uint8(PixelFlag.NOT_FINITE), np.uint8(0))
    named = other.path.name if isinstance(other, _Image) else f"{other:g}"
    _write(out, pixels, bad, one.header, unit, f"{one.path.name} {operation} {named}")
    good = pixels[bad == 0]
    return {
        "file": Result(str(out), label="file"),
        "median": Result(float(np.median(good)) if good.size else None, unit, "median"),
        "scatter": Result(float(np.std(good, dtype=float)) if good.size else None, unit,
                          "standard deviation"),
        "bad": Result(int(np.count_nonzero(bad)), "px", "bad or without a value"),
        "unit": Result(unit or "none", label="unit"),
    }, tuple(notes)  # fmt: skip


def _read(path: Path) -> _Image:
    """Read the first image of a file and what masks it."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        with (
            warnings.catch_warnings(),
            fits.open(plain_file(path), memmap=False) as hdus,
        ):
            warnings.simplefilter("ignore", AstropyWarning)  # of odd cards, which are kept
            images = [hdu for hdu in hdus if hdu.is_image and hdu.data is not None]
            if not images or images[0].data.ndim < 2:
                raise FrameError(path, "holds no image")
            pixels = images[0].data.astype(np.float64)
            bad = np.zeros(pixels.shape, np.uint8)
            for hdu in images[1:]:
                if hdu.name in MASKS and hdu.data.shape == pixels.shape:
                    same = hdu.name == MASKS[0]
                    bad |= hdu.data.astype(np.uint8) if same else _marked(hdu.data)
            return _Image(path, pixels, bad, images[0].header.copy())
    except FrameError:
        raise
    except Exception as error:  # readers of FITS raise anything on a damaged one
        raise FrameError(path, f"cannot be read as FITS: {error}") from error


def _marked(mask: np.ndarray) -> np.ndarray:
    return np.where(mask != 0, np.uint8(PixelFlag.USER), np.uint8(0))


def _refuse_shapes(one: _Image, other: _Image) -> None:
    if one.pixels.shape != other.pixels.shape:
        sizes = (" x ".join(map(str, image.pixels.shape[::-1])) for image in (one, other))
        msg = "{} is {} px, {} {} px: images of one size are needed".format(
            *(word for pair in zip((one.path.name, other.path.name), sizes, strict=True)
              for word in pair)
        )  # fmt: skip
        raise InputError(msg)


def _unit(one: _Image, other: _Image, operation: Operation) -> str:
    """Tell the unit of the result; one that is not known is taken to fit."""
    a, b = one.unit, other.unit
    if operation in {Operation.ADD, Operation.SUB}:
        if a and b and a != b:
            msg = f"{one.path.name} is in {a}, {other.path.name} in {b}: no sum or difference"
            raise InputError(msg)
        return a or b
    if operation is Operation.DIV:
        return "" if a == b else (f"{a or 1} / ({b})" if b else a)
    return f"({a}) * ({b})" if a and b else a or b


def _disagreements(first: Path, second: Path) -> list[Note]:
    """Say where two headers tell of unlike exposures, as far as both tell."""
    one, other = (_exposure(path) for path in (first, second))
    return [
        Note(f"{name}: {mine} in {first.name}, {theirs} in {second.name}", Severity.WARNING)
        for name in COMPARED
        if (mine := getattr(one, name)) is not None
        and (theirs := getattr(other, name)) is not None
        and mine != theirs
    ]


def _exposure(path: Path) -> Exposure:
    cards, shape, _ = read_cards(path)
    return normalise(cards, path=path, shape=shape)[0]


def _write(
    path: Path, pixels: np.ndarray, bad: np.ndarray, given: Header, unit: str, done: str
) -> None:
    from astropy.io import fits

    header = stripped(given)
    # Of the numbers as they stood in the file; the pedestal is still in these.
    for keyword in {*RAW_ONLY, "BUNIT"} - {"PEDESTAL"}:
        header.remove(keyword, ignore_missing=True)
    if unit:
        header["BUNIT"] = unit
    header.add_history(printable(f"{done} (lightcurve {__version__})"))
    content = fits.HDUList([fits.PrimaryHDU(pixels, header), fits.ImageHDU(bad, name=MASKS[0])])
    write_whole(path, lambda file: content.writeto(file, output_verify="silentfix"), parents=True)
