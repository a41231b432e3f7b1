"""Write what one frame gave: catalogue, images, regions, figures, page, summary, zip."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lightcurve.astrometry.wcs import wcs_header, write_wcs_sidecar
from lightcurve.calib.reduce import RAW_ONLY, state_card
from lightcurve.core.constants import __version__
from lightcurve.core.data import Products
from lightcurve.core.files import json_text, write_text, write_whole
from lightcurve.core.flags import PIXEL_MEANING
from lightcurve.core.library_warnings import quietly
from lightcurve.core.progress import Clock
from lightcurve.frames.cards import printable
from lightcurve.frames.names import image_stem
from lightcurve.frames.read import stripped
from lightcurve.image.figures import source_kinds, write_figures
from lightcurve.image.page import write_image_page
from lightcurve.image.psf import shape_maps
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.table import match_table, write_votable
from lightcurve.phot.background import pixel_error

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table

    from lightcurve.phot.psf import Psf

__all__ = ["bits_header", "header_without_past", "write_fits"]

SUMMARY = "summary.json"
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
COLOURS = {"standard": "green", "search": "cyan", "residual": "magenta", "candidate": "red"}
IN_ZIP = (".csv", ".ecsv", ".vot", ".log", ".txt", ".reg", ".html", ".png", ".wcs", ".json")
DECIMALS = {"deg": 8, "pix": 4, "arcsec": 4, "mag": 4, "adu": 5}


def write_products(out: Path, reduced: Reduced, clock: Clock, state: str = "") -> Products:
    """Write every file of one frame; state: of the frame and the settings, kept in the summary."""
    summary = summarise(reduced)
    with clock("write"):
        paths = write_catalog(
            out, reduced.table, summary, solved=reduced.placed.solution is not None
        )
        if reduced.placed.solution is not None:
            paths["matches.csv"] = write_matches(out / "matches.csv", reduced)
        paths["header.txt"] = write_header(out / "header.txt", reduced.prepared.frame.header)
        paths |= write_maps(out, reduced)
        radius = float(reduced.sources.apertures.radii[reduced.sources.apertures.main])
        paths["regions.reg"] = write_regions(
            out / "regions.reg",
            reduced.table,
            (radius, reduced.placed.scale_arcsec),
            source_kinds(reduced) == "candidate",
        )
        paths["transients.csv"] = write_candidates(out / "transients.csv", reduced)
    with clock("figures"):
        captions = write_figures(out / "figures", reduced)
        paths |= {f"figures/{path.name}": path for path in captions}
        page = out / "report.html"
        paths["report.html"] = write_image_page(page, reduced, captions, summary)
    frame = reduced.prepared.frame.path
    paths["summary.json"], paths["zip"] = out / SUMMARY, out / f"{image_stem(frame)}.zip"
    # Last, and the products by name: a folder that a summary calls reduced is whole.
    whole = {
        **summary, "path": str(frame.resolve()), "state": state,
        "products": sorted(path.relative_to(out).as_posix() for path in paths.values()),
    }  # fmt: skip
    write_summary(out / SUMMARY, whole)
    write_zip(paths["zip"], out, [*paths.values(), out / "run.log"])
    return Products(out, paths, dict(clock.timings_s), summary)


def write_fits(
    path: Path,
    images: Mapping[str, np.ndarray],
    header: Header | None = None,
    extras: Mapping[str, Header] | None = None,
) -> Path:
    """Write images as extensions of one FITS file, the first in the primary.

    images: pixels by name; extras: headers of extensions, by name. Raises InputError when it
    cannot be written.
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
        lambda: write_whole(
            path, lambda file: hdus.writeto(file, output_verify="silentfix+ignore"), parents=True
        )
    )
    return written


def write_maps(folder: Path, reduced: Reduced) -> dict[str, Path]:
    """Write background, PSF, residual and the frame, with its WCS if it was solved.

    Raises InputError when one cannot be written.
    """
    frame, background = reduced.prepared.frame, reduced.prepared.background
    solution, gain = reduced.placed.solution, reduced.prepared.camera.noise.gain_e_per_adu
    paths = {
        "background.fits": write_fits(
            folder / "background.fits",
            {"LEVEL": background.level, "RMS": background.rms, "SOURCES": background.sources},
            _note({**ADU, "MESHPX": (background.box_px, "side of the mesh")}),
            {"RMS": _note(ADU), "SOURCES": _note({}, ("1: kept out of the background",))},
        ),
        "calibrated.fits": write_fits(
            folder / "calibrated.fits",
            {
                "PIXELS": frame.pixels,
                "BAD": frame.bad,
                "ERR": pixel_error(frame.pixels, background, gain),
            },
            _frame_header(reduced, "calibrated frame"),
            {"BAD": bits_header(), "ERR": _note(ADU)},
        ),
    }
    if solution is not None:
        paths["wcs"] = write_wcs_sidecar(folder / "solution.wcs", solution, frame.pixels.shape)
    psf, fit = reduced.sources.psf, reduced.sources.psf_phot
    if psf is not None and fit is not None:
        planes = {"PSF": psf.grids if len(psf.grids) > 1 else psf.grid}
        maps = shape_maps(psf, frame.pixels.shape)
        paths["psf.fits"] = write_fits(folder / "psf.fits", planes | maps, _of_psf(psf))
        paths["residual.fits"] = write_fits(
            folder / "residual.fits",
            {"RESIDUAL": fit.residual},
            _frame_header(reduced, "residual", "every star taken off by the PSF fit"),
        )
    return paths


def _frame_header(reduced: Reduced, product: str, *steps: str) -> Header:
    """Bring the frame's own header up to what became of it.

    product: what it is now. *steps: HISTORY lines after the frame's own. Returns it without what
    described the raw file's numbers and its old WCS, and with the WCS that was found, if any.
    """
    frame, solution = reduced.prepared.frame, reduced.placed.solution
    header = header_without_past(frame.header)
    if solution is not None:
        header.update(wcs_header(solution, frame.pixels.shape))
    header["BUNIT"] = "adu"
    header["CREATOR"] = CREATOR
    header["LCPRODCT"] = (product, "made by lightcurve: not a raw frame")
    header.update(state_card(frame.exposure))
    for line in (*frame.history, *steps, CREATOR):
        header.add_history(printable(line))
    return header


def header_without_past(given: Header) -> Header:
    """Copy a header without what described its file's numbers, and without its WCS."""
    header = stripped(given)
    for keyword in {key for key in header if key in PAST or OLD_WCS.fullmatch(key)}:
        header.remove(keyword, ignore_missing=True, remove_all=True)
    return header


def _note(cards: Mapping[str, object], comments: Sequence[str] = ()) -> Header:
    from astropy.io.fits import Header

    header = Header()
    for keyword, value in {**cards, "CREATOR": CREATOR}.items():
        header[keyword] = value
    for line in comments:
        header["COMMENT"] = line
    return header


def bits_header() -> Header:
    """Say in a header what the bits of a map of bad pixels mean."""
    lines = (f"{int(flag)} {flag.name}: {text}" for flag, text in PIXEL_MEANING.items())
    return _note({}, ("0: good; else the sum of", *lines))


def _of_psf(psf: Psf) -> Header:
    box = psf.shape.box
    cards = {
        "PSFTYPE": (psf.kind, "epsf, or moffat: analytic"),
        "FWHMPIX": (round(psf.fwhm, 4), "pixels, of the Moffat profile underneath"),
        "BETA": (round(psf.beta, 3), "its exponent"),
        "OVERSAMP": (psf.oversampling, "nodes per pixel"),
        "NSTARS": (psf.n_stars, "stars it was built from"),
        "PSFORDER": (psf.order, "of the polynomials of width and ellipticity"),
        "PSFERR": (round(psf.error, 5), "by which it may be off, as a share of a flux"),
        "BOXX": (round(box.x, 2), "x = u BOXHALFX + BOXX, 0-based pixels"),
        "BOXY": (round(box.y, 2), "y = v BOXHALFY + BOXY; u and v are held to -1 .. 1"),
        "BOXHALFX": (round(box.half_x, 2), "pixels"),
        "BOXHALFY": (round(box.half_y, 2), "pixels"),
    }
    text = "planes: times 1, u, v, u^2, u v, v^2 ...; FWHM, ELLIP, ANGLE: maps of the whole frame"
    return _note(cards, (*psf.notes, text))


def write_catalog(
    folder: Path, table: Table, summary: Mapping[str, Any], *, solved: bool
) -> dict[str, Path]:
    """Write the catalogue as CSV, ECSV and VOTable.

    summary: numbers and words of the frame: all that are known stand in the ECSV, the main ones in
    the VOTable; solved: whether the places are on the sky. Raises InputError when one cannot be
    written.
    """
    rounded = table.copy()
    rounded.meta = {k: v for k, v in json.loads(json_text(summary)).items() if v is not None}
    for name in rounded.colnames:
        if rounded[name].dtype.kind == "f":
            unit = str(rounded[name].unit or "")
            # In place: a column put in anew would lose its unit and description.
            rounded[name][:] = np.round(np.asarray(rounded[name]), DECIMALS.get(unit, 4))
    paths = {}
    for kind, suffix in (("ascii.csv", "csv"), ("ascii.ecsv", "ecsv")):
        text = StringIO()
        rounded.write(text, format=kind)
        paths[f"catalog.{suffix}"] = write_text(folder / f"catalog.{suffix}", text.getvalue())
    paths["catalog.vot"] = write_whole(
        folder / "catalog.vot", lambda file: write_votable(file, rounded, summary, solved=solved)
    )
    return paths


def write_matches(path: Path, reduced: Reduced) -> Path:
    """Write every pair of a source and a catalogued object."""
    text = StringIO()
    match_table(reduced.known.catalogs, reduced.pairs).write(text, format="ascii.csv")
    return write_text(path, text.getvalue())


def write_regions(
    path: Path, table: Table, radius: tuple[float, float], candidates: np.ndarray
) -> Path:
    """Write the sources as a region file of DS9: on the sky, or in pixels where that is not known.

    radius: (float, float), of the circles, pixels; and arc seconds per pixel, NaN when the frame is
    not solved; candidates: (n,) bool array, candidate transients.
    """
    solved = bool(np.isfinite(radius[1]))
    system, columns = ("icrs", ("ra", "dec")) if solved else ("image", ("x", "y"))
    size = f'{round(radius[0] * radius[1], 3)!r}"' if solved else repr(round(radius[0], 3))
    lines = ["# Region file format: DS9 version 4.1", "global width=1 font='helvetica 10 normal'"]
    circles = []
    for row, candidate in zip(table, candidates, strict=True):
        x, y = (float(row[name]) + (not solved) for name in columns)  # DS9 counts pixels from 1
        if np.isfinite([x, y]).all():
            kind = "standard" if row["calib_star"] else str(row["found_by"])
            colour = COLOURS["candidate" if candidate else kind]
            circles.append(f"circle({x!r},{y!r},{size}) # color={colour} text={{{row['id']}}}")
    return write_text(path, "\n".join([*lines, *([system] if circles else []), *circles]) + "\n")


def write_candidates(path: Path, reduced: Reduced) -> Path:
    """Write the candidate transients by rank, as CSV."""
    table, aperture = reduced.table, reduced.calibrated.aperture
    lines = ["rank,id,ra_deg,dec_deg,x,y,mag,mag_err,snr,score,reason"]
    for rank, one in enumerate(reduced.transients.candidates, start=1):
        k = one.row
        numbers = (
            f"{table['ra'][k]:.7f},{table['dec'][k]:.7f},{table['x'][k]:.3f},{table['y'][k]:.3f},"
            f"{aperture.shown[k]:.4f},{aperture.shown_err[k]:.4f},{table['snr'][k]:.1f},{one.score:.1f}"
        )
        reason = one.reason.replace('"', "'")
        lines.append(f'{rank},{table["id"][k]},{numbers},"{reason}"')
    return write_text(path, "\n".join(lines) + "\n")


def write_header(path: Path, header: Header) -> Path:
    """Write the frame's header as text, one card a line."""
    text = header.tostring(sep="\n", endcard=False, padding=False)
    lines = [line.rstrip() for line in text.splitlines()]
    return write_text(path, "\n".join(lines) + "\n")


def write_summary(path: Path, summary: Mapping[str, Any]) -> Path:
    """Write numbers and words as JSON; what is not finite becomes null."""
    return write_text(path, json_text(summary, indent=1))


def write_zip(path: Path, folder: Path, files: Iterable[Path]) -> Path:
    """Pack everything but the FITS images.

    folder: names in the archive are as seen from it.
    files: those that exist and are no FITS images go in.
    Raises InputError when it cannot be written.
    """
    packed = sorted({file for file in files if file.suffix in IN_ZIP and file.is_file()})

    def pack(into: BinaryIO) -> None:
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in packed:
                archive.write(file, file.relative_to(folder))

    return write_whole(path, pack)
