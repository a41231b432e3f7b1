"""Master frames as FITS files that say what they were made of, written whole or not at all."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.calib.match import setup_of
from lightcurve.core.constants import __version__
from lightcurve.core.data import Exposure, FrameKind, Masters, Note, Severity
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import CalibrationError, FrameError, InputError
from lightcurve.core.files import write_whole
from lightcurve.frames.cards import number, parse_cards, printable
from lightcurve.frames.headers import normalise

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["load_masters", "write_masters"]

PRODUCT_CARD = "LCPRODCT"
KINDS = ("bias", "dark", "flat", "badpix")
_FIELD = {"bias": "bias", "dark": "dark", "flat": "flat", "badpix": "bad"}
_IMAGE_TYPE = {
    "bias": "master bias",
    "dark": "master dark",
    "flat": "master flat",
    "badpix": "bad pixel map",
}
_NOTE, _WARNING, _INPUT = "note: ", "warning: ", "combined: "
_CARD_TEXT = 72  # characters of a COMMENT or HISTORY card; longer text runs on in the next
MAPS = sys.platform != "win32"
_UNIT = {"bias": "adu", "dark": "adu", "flat": "", "badpix": ""}


def _master_path(folder: Path, kind: str) -> Path:
    """Name the file of a master frame of one of `KINDS`."""
    return folder / f"master_{kind}.fits"


def write_masters(folder: Path, masters: Masters) -> list[Path]:
    """Write all that a `Masters` holds into a folder, one file for each image.

    Parameters
    ----------
    folder : Path
        Made if it is not there; masters of an earlier run that these do not have are removed.

    Raises
    ------
    InputError
        When the folder cannot be written.
    """
    written = []
    for kind in KINDS:
        image, path = getattr(masters, _FIELD[kind]), _master_path(folder, kind)
        if image is not None:
            values = _values(kind, masters)
            inputs = masters.inputs.get(kind, ())
            of = masters.of.get(kind)
            write_master(
                path, image, kind=kind, of=of, inputs=inputs, values=values, notes=masters.notes
            )
            written.append(path)
        else:
            _remove(path)  # left behind, it would be read back as one of these
    return written


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: is of an earlier run and cannot be removed: {error.strerror}"
        raise InputError(msg) from error


def _values(kind: str, masters: Masters) -> dict[str, tuple[object, str]]:
    """Header cards that give a master back its numbers."""
    values: dict[str, tuple[object, str]] = {}
    if kind == FrameKind.DARK:
        values["BIASINC"] = (masters.dark_includes_bias, "the bias is still in this dark")
        if masters.dark_exposure_s is not None:
            values["EXPTIME"] = (masters.dark_exposure_s, "[s] exposure of this dark")
    if masters.gain_e_per_adu is not None:
        values["LCGAIN"] = (masters.gain_e_per_adu, "[e/adu] measured from pairs")
    if masters.read_noise_e is not None:
        values["LCRDNOIS"] = (masters.read_noise_e, "[e] measured from pairs")
    return values


def write_master(
    path: Path,
    image: np.ndarray,
    *,
    kind: str,
    of: Exposure | None = None,
    inputs: Sequence[str] = (),
    values: Mapping[str, tuple[object, str]] | None = None,
    notes: Sequence[Note] = (),
) -> None:
    """Write one master frame of one of `KINDS` with its provenance, at one stroke.

    of: what the frames combined have in common. inputs: names of the files combined. values:
    further header cards, (value, comment).
    """
    from astropy.io import fits

    hdu = fits.PrimaryHDU(image)
    header = hdu.header
    header[PRODUCT_CARD] = (f"master {kind}", "made by lightcurve, not by a camera")
    header["IMAGETYP"] = _IMAGE_TYPE[kind]
    if _UNIT[kind]:
        header["BUNIT"] = _UNIT[kind]
    header["NCOMBINE"] = (len(inputs), "frames combined")
    header["CREATOR"] = f"lightcurve {__version__}"
    header["DATE"] = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "UTC, when written")
    for keyword, (value, comment) in {**_cards_of(of), **(values or {})}.items():
        header[keyword] = (value, comment)
    for note in notes:
        mark = _WARNING if note.severity is Severity.WARNING else ""
        header["COMMENT"] = printable(_NOTE + mark + note.text)
    for name in inputs:
        header["HISTORY"] = printable(_INPUT + name)
    write_whole(path, lambda file: hdu.writeto(file, checksum=True), parents=True, shared=True)


def _cards_of(of: Exposure | None) -> dict[str, tuple[Any, str]]:
    """Lay out what a master is of, under the keywords that raw frames have."""
    if of is None:
        return {}
    x, y = of.binning or (None, None)
    start = None if of.start_jd_utc is None else iso_from_jd(of.start_jd_utc)
    cards = {
        "INSTRUME": (of.camera, "camera"),
        "SERIALNO": (of.serial, "of the camera"),
        "TELESCOP": (of.telescope, ""),
        "FILTER": (of.filter, ""),
        "CALSTAT": ("".join(step.letter for step in of.done) or None, "done to its frames"),
        "XBINNING": (x, "[px]"),
        "YBINNING": (y, "[px]"),
        "GAIN": (_as_number(of.gain_setting), "setting of the camera, as its frames have it"),
        "OFFSET": (_as_number(of.offset_setting), "setting of the camera"),
        "READOUTM": (of.readout_mode, "readout mode"),
        "CCD-TEMP": (of.temperature_c, "[degC] median of the frames"),
        "EXPTIME": (of.exposure_s, "[s] of a frame"),
        "DATE-OBS": (start, "UTC, start of the first frame"),
    }
    return {
        keyword: (printable(value) if isinstance(value, str) else value, comment)
        for keyword, (value, comment) in cards.items()
        if value is not None
    }


def _as_number(text: str | None) -> float | str | None:
    """Write a setting that is a number as one."""
    value = number(text) if text is not None else None
    return text if value is None else int(value) if value == int(value) else value


def _setup_in(header: Header, path: Path, shape: tuple[int, int], kind: FrameKind) -> Exposure:
    """Read what a master is of, by the reader of raw frames."""
    exposure, _ = normalise(parse_cards(header.tostring()), path=path, shape=shape)
    return setup_of(kind, [(path, exposure)], exposure.done)


def load_masters(folder: Path, *, sums: bool = True, mapped: bool = False) -> Masters:
    """Read back what `write_masters` wrote.

    sums: whether the checksums are held against the pixels, which takes most of the time.
    mapped: leave the pixels in their files, in the order of bytes there, for whoever needs few of
        them; processes share what they read. Not on Windows, which lets no such file be replaced.

    Raises
    ------
    CalibrationError
        When there is no master frame in it.
    FrameError
        When one is damaged or is not a master frame of ours.
    """
    paths = [path for kind in KINDS if (path := _master_path(folder, kind)).is_file()]
    if not paths:
        msg = f"{folder}: no master frames (master_bias.fits ...) in it"
        raise CalibrationError(msg)
    return read_masters(paths, sums=sums, mapped=mapped and MAPS)


def read_masters(paths: Sequence[Path], *, sums: bool = True, mapped: bool = False) -> Masters:
    """Read master frames, at most one of each kind, whatever their file names.

    Raises CalibrationError when two are of one kind; FrameError when one is damaged or not ours.
    """
    fields: dict[str, Any] = {}
    inputs: dict[str, tuple[str, ...]] = {}
    of: dict[str, Exposure] = {}
    for path in map(Path, paths):
        image, header = _read(path, sums=sums, mapped=mapped)
        kind = str(header.get(PRODUCT_CARD, "")).removeprefix("master ")
        if kind not in KINDS:
            raise FrameError(path, f"is not a master frame ({PRODUCT_CARD} is missing)")
        if _FIELD[kind] in fields:
            msg = f"{path.name}: a second master {kind}; give one of each kind"
            raise CalibrationError(msg)
        fields[_FIELD[kind]] = image
        inputs[kind] = _lines(header, "HISTORY", _INPUT)
        if kind in set(FrameKind):
            of[kind] = _setup_in(header, path, image.shape, FrameKind(kind))
        fields["gain_e_per_adu"] = header.get("LCGAIN", fields.get("gain_e_per_adu"))
        fields["read_noise_e"] = header.get("LCRDNOIS", fields.get("read_noise_e"))
        fields["notes"] = tuple(map(_read_note, _lines(header, "COMMENT", _NOTE)))
        if kind == FrameKind.DARK:
            fields["dark_includes_bias"] = bool(header.get("BIASINC", False))
            fields["dark_exposure_s"] = header.get("EXPTIME")
    inputs = {kind: names for kind, names in inputs.items() if names}
    return Masters(**fields, inputs=inputs, of=of)


def _lines(header: Header, keyword: str, mark: str) -> tuple[str, ...]:
    """Texts that begin with a mark, put together again where cards cut them."""
    text = "".join(f"{card:<{_CARD_TEXT}}" for card in map(str, header.get(keyword, ())))
    return tuple(part.rstrip() for part in text.split(mark)[1:])


def _read_note(text: str) -> Note:
    """Read a note as it stands in a header: ``[warning: ][kind: ]text``."""
    plain = text.removeprefix(_WARNING)
    kind = plain.partition(": ")[0]
    return Note(
        plain,
        Severity.INFO if plain == text else Severity.WARNING,
        subject=kind if kind in set(FrameKind) else "",
    )


def _read(path: Path, *, sums: bool, mapped: bool) -> tuple[np.ndarray, Header]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("error", AstropyUserWarning)  # a wrong checksum is a warning
            with fits.open(file, memmap=mapped, checksum=sums) as hdus:
                image, header = hdus[0].data, hdus[0].header
                if image is None or image.ndim != 2:
                    raise FrameError(path, "is not a master frame: it holds no image")
                kind = np.dtype(np.uint8 if image.dtype.kind == "u" else np.float32)
                same = mapped and image.dtype.newbyteorder("=") == kind
                return image if same else image.astype(kind), header
    except FrameError:
        raise
    except Exception as error:  # readers of FITS raise anything on a damaged one
        reason = getattr(error, "strerror", None) or error
        msg = f"cannot be read as a master frame, make it again: {reason}"
        raise FrameError(path, msg) from error
