"""A copy of a frame with its WCS in the header; the pixels stay as they are, byte for byte."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcurve.astrometry.wcs import wcs_header
from lightcurve.data import Solution
from lightcurve.errors import FrameError, InputError
from lightcurve.files import write_whole
from lightcurve.frames.quiet import quietly

if TYPE_CHECKING:
    from astropy.io.fits import Header

# Of the old header's dates and axes the frame's own stay.
_KEPT = {"WCSAXES", "MJDREF", "DATE-OBS", "MJD-OBS"}
_OLD_WCS = re.compile(
    r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12][A-Z]?|(CD|PC)[12]_[12][A-Z]?|P[VC]\d_\d+|"
    r"(A|B|AP|BP)_(ORDER|DMAX|\d_\d)|LONPOLE|LATPOLE|RADECSYS|RADESYS|EQUINOX|WCSAXES"
)


def wcs_into_copy(frame_path: Path, out_path: Path, solution: Solution) -> Path:
    """Copy a frame with its WCS in the header of its image.

    That is the primary where it has an image, else the first extension that has one. A
    tile-compressed image stays compressed, its tiles untouched; a file packed as a whole (.gz,
    .bz2) is written plain.

    Parameters
    ----------
    frame_path : Path
        Never changed.
    out_path : Path
        Another file; replaced if it is there.
    solution : Solution

    Raises
    ------
    InputError
        When both paths are the same file, or the copy cannot be written.
    FrameError
        When the frame cannot be read, or holds no image a WCS can be written for.
    """
    if out_path.exists() and out_path.samefile(frame_path):
        msg = f"{out_path}: would replace the frame itself; name another file"
        raise InputError(msg)
    try:
        content, _ = quietly(lambda: _with_wcs(frame_path, solution))
    except (OSError, ValueError, TypeError) as error:
        what = " ".join(str(error).split())[:200]
        raise FrameError(frame_path, f"cannot be copied with its WCS: {what}") from error
    return write_whole(out_path, lambda file: file.write(content), parents=True)


def _with_wcs(frame_path: Path, solution: Solution) -> memoryview:
    """Make the copy in memory: what fails here is the frame's fault, not the disk's."""
    from astropy.io import fits

    copy = BytesIO()
    with fits.open(
        frame_path, do_not_scale_image_data=True, disable_image_compression=True
    ) as hdus:
        header, axes = _image_of(hdus, frame_path)
        _replace_wcs(header, wcs_header(solution, (axes[1], axes[0])))
        try:
            hdus.writeto(copy, output_verify="silentfix")
        except fits.VerifyError as error:
            raise ValueError(error) from error
    return copy.getbuffer()


def _image_of(hdus: Any, path: Path) -> tuple[Header, tuple[int, ...]]:
    """Find the header of the image and its axes, the fastest first."""
    for hdu in hdus:
        header = hdu.header
        prefix = "ZNAXIS" if header.get("ZIMAGE") is True else "NAXIS"
        if prefix == "NAXIS" and not hdu.is_image:
            continue
        axes = tuple(header[f"{prefix}{k + 1}"] for k in range(header.get(prefix, 0)))
        if len(axes) < 2 or not all(axes):
            continue
        if len(axes) == 3 and axes[0] in {3, 4} and min(axes[1:]) > 4:
            raise FrameError(path, "has its colours on the first axis, where a WCS has RA")
        return header, axes
    raise FrameError(path, "holds no image to write a WCS for")


def _replace_wcs(header: Header, cards: Header) -> None:
    """Take all traces of another WCS out of a header and put the new cards in."""
    for name in list(header):
        if _OLD_WCS.fullmatch(name):
            del header[name]
    header.extend((card for card in cards.cards if card.keyword not in _KEPT), update=True)
