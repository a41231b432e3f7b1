"""Write a calibrated frame for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightcurve.constants import __version__
from lightcurve.data import Frame
from lightcurve.files import write_whole
from lightcurve.frames.cards import printable

# They describe the raw file's integers, or would tell a reader to calibrate again.
RAW_ONLY = ("BZERO", "BSCALE", "BLANK", "PEDESTAL", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM")


def write_frame(path: Path, frame: Frame) -> Path:
    """Write a frame's pixels as 32-bit floats under its own header.

    Parameters
    ----------
    path : Path
        Replaced if it is there; its folder is made if need be.

    Returns
    -------
    Path
        The bad-pixel bits stand in an extension BADPIX, what was done in HISTORY.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    from astropy.io import fits

    header = frame.header.copy(strip=True)
    for keyword in RAW_ONLY:
        header.remove(keyword, ignore_missing=True)
    header["BUNIT"] = "adu"
    header["LCPRODCT"] = ("calibrated frame", "made by lightcurve: not a raw frame")
    for line in (*frame.history, f"lightcurve {__version__}"):
        header.add_history(printable(line))
    hdus = [
        fits.PrimaryHDU(np.asarray(frame.pixels, dtype=np.float32), header),
        fits.ImageHDU(frame.bad, name="BADPIX"),
    ]
    content = fits.HDUList(hdus)
    return write_whole(
        path, lambda file: content.writeto(file, output_verify="silentfix"), parents=True
    )
