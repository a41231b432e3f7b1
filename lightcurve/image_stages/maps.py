"""Write the images that one frame gave: frame, background, PSF, residual."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.wcs import wcs_header, write_wcs_sidecar
from lightcurve.calib.output import RAW_ONLY
from lightcurve.constants import __version__
from lightcurve.files import write_whole
from lightcurve.flags import PIXEL_MEANING
from lightcurve.frames.cards import printable
from lightcurve.frames.quiet import quietly

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from lightcurve.image_stages.data import Reduced
    from lightcurve.phot.psf import Psf

STORED = {"bool": "uint8", "float64": "float32"}
CREATOR = f"lightcurve {__version__}"
ADU = {"BUNIT": "adu"}
# An image of its own: what named the extension or the compression of the raw file is past.
PAST = (*RAW_ONLY, "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "RADECSYS")
# Every card of a WCS but EQUINOX, which the header's own pointing may need.
OLD_WCS = re.compile(
    r"WCSAXES[A-Z]?|WCSNAME[A-Z]?|RADESYS[A-Z]?|(LON|LAT)POLE[A-Z]?"
    r"|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CRDER|CSYER)\d[A-Z]?"
    r"|(CD|PC)\d_\d[A-Z]?|(CD|PC)\d{6}|(PV|PS)\d_\d+[A-Z]?|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)"
    r"|WAT\d_\d{3}"
)


def write_fits(
    path: Path,
    images: Mapping[str, np.ndarray],
    header: Header | None = None,
    extras: Mapping[str, Header] | None = None,
) -> Path:
    """Write images as extensions of one FITS file, the first in the primary.

    images : mapping of str to array; name to pixels.
    header : of the primary.
    extras : of extensions, by name.
    InputError when it cannot be written.
    """
    from astropy.io import fits

    hdus = fits.HDUList()
    for k, (name, image) in enumerate(images.items()):
        pixels = image.astype(STORED.get(image.dtype.name, image.dtype))
        own = (extras or {}).get(name)
        hdu = fits.ImageHDU(pixels, own, name=name) if k else fits.PrimaryHDU(pixels, header)
        hdus.append(hdu)
    # What a stranger's header has that FITS forbids is written as it was read.
    written, _ = quietly(
        lambda: write_whole(path, lambda file: hdus.writeto(file, output_verify="silentfix+ignore"))
    )
    return written


def write_maps(folder: Path, reduced: Reduced) -> dict[str, Path]:
    """Write background, PSF, residual and the frame, with its WCS if it was solved.

    Raises InputError when one cannot be written.
    """
    frame, background = reduced.prepared.frame, reduced.prepared.background
    solution = reduced.placed.solution
    paths = {
        "background.fits": write_fits(
            folder / "background.fits",
            {"LEVEL": background.level, "RMS": background.rms, "SOURCES": background.sources},
            _note({**ADU, "MESHPX": (background.box_px, "side of the mesh")}),
            {"RMS": _note(ADU), "SOURCES": _note({}, ("1: kept out of the background",))},
        ),
        "calibrated.fits": write_fits(
            folder / "calibrated.fits",
            {"PIXELS": frame.pixels, "BAD": frame.bad},
            _frame_header(reduced, "calibrated frame"),
            {"BAD": _bits()},
        ),
    }
    if solution is not None:
        paths["wcs"] = write_wcs_sidecar(folder / "solution.wcs", solution, frame.pixels.shape)
    psf, fit = reduced.sources.psf, reduced.sources.psf_phot
    if psf is not None and fit is not None:
        paths["psf.fits"] = write_fits(folder / "psf.fits", {"PSF": psf.grid}, _of_psf(psf))
        paths["residual.fits"] = write_fits(
            folder / "residual.fits",
            {"RESIDUAL": fit.residual},
            _frame_header(reduced, "residual", "every star taken off by the PSF fit"),
        )
    return paths


def _frame_header(reduced: Reduced, product: str, *steps: str) -> Header:
    """Bring the frame's own header up to what became of it.

    product : what it is now.
    *steps : done after what the frame tells.
    Returns astropy.io.fits.Header: without what described the raw file's numbers and its old WCS,
        with the WCS that was found, if any, and what was done in HISTORY.
    """
    frame, solution = reduced.prepared.frame, reduced.placed.solution
    # Cards that are no FITS are warned of anew; reading the frame has told of them.
    header, _ = quietly(lambda: frame.header.copy(strip=True))
    for keyword in {key for key in header if key in PAST or OLD_WCS.fullmatch(key)}:
        header.remove(keyword, ignore_missing=True, remove_all=True)
    if solution is not None:
        header.update(wcs_header(solution, frame.pixels.shape))
    header["BUNIT"] = "adu"
    header["CREATOR"] = CREATOR
    header["LCPRODCT"] = (product, "made by lightcurve: not a raw frame")
    for line in (*frame.history, *steps, CREATOR):
        header.add_history(printable(line))
    return header


def _note(cards: Mapping[str, object], comments: Sequence[str] = ()) -> Header:
    from astropy.io.fits import Header

    header = Header()
    for keyword, value in {**cards, "CREATOR": CREATOR}.items():
        header[keyword] = value
    for line in comments:
        header["COMMENT"] = line
    return header


def _bits() -> Header:
    lines = (f"{int(flag)} {flag.name}: {text}" for flag, text in PIXEL_MEANING.items())
    return _note({}, ("0: good; else the sum of", *lines))


def _of_psf(psf: Psf) -> Header:
    cards = {
        "PSFTYPE": (psf.kind, "epsf, or moffat: analytic"),
        "FWHMPIX": (round(psf.fwhm, 4), "pixels, of the Moffat profile underneath"),
        "BETA": (round(psf.beta, 3), "its exponent"),
        "OVERSAMP": (psf.oversampling, "nodes per pixel"),
        "NSTARS": (psf.n_stars, "stars it was built from"),
    }
    return _note(cards, psf.notes)
