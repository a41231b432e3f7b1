"""Write what one frame gave."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lightcurve.files import write_text, write_whole
from lightcurve.formats.ds9 import Region, ds9_text
from lightcurve.image_stages.votable import write_votable

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table

    from lightcurve.image_stages.data import Reduced

COLOURS = {"standard": "green", "search": "cyan", "residual": "magenta", "candidate": "red"}
IN_ZIP = (".csv", ".ecsv", ".vot", ".log", ".txt", ".reg", ".html", ".png", ".wcs", ".json")
DECIMALS = {"deg": 8, "pix": 4, "arcsec": 4, "mag": 4, "adu": 5}


def write_catalog(folder: Path, table: Table, summary: Mapping[str, Any]) -> dict[str, Path]:
    """Write the catalogue as CSV, ECSV and VOTable.

    summary: numbers and words of the frame: all that are known stand in the ECSV, the main ones in
    the VOTable.
    Raises InputError when one cannot be written.
    """
    from io import StringIO

    rounded = table.copy()
    rounded.meta = {k: v for k, v in _plain(summary).items() if v is not None}
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
        folder / "catalog.vot", lambda file: write_votable(file, rounded, summary)
    )
    return paths


def write_regions(
    path: Path, table: Table, radius: tuple[float, float], candidates: np.ndarray
) -> Path:
    """Write the sources as a region file of DS9: on the sky, or in pixels where that is not known.

    radius: (float, float), of the circles, pixels; and arc seconds per pixel, NaN when the frame is
    not solved; candidates: (n,) bool array, candidate transients.
    """
    solved = bool(np.isfinite(radius[1]))
    system, columns = ("icrs", ("ra", "dec")) if solved else ("image", ("x", "y"))
    size = round(radius[0] * (radius[1] if solved else 1.0), 3)
    regions = []
    for row, candidate in zip(table, candidates, strict=True):
        x, y = (float(row[name]) for name in columns)
        if not np.isfinite([x, y]).all():
            continue
        kind = "standard" if row["calib_star"] else str(row["found_by"])
        colour = COLOURS["candidate" if candidate else kind]
        regions.append((Region("circle", system, x, y, (size,), str(row["id"])), colour))
    return write_text(path, ds9_text(regions))


def write_candidates(path: Path, reduced: Reduced) -> Path:
    """Write the candidate transients by rank, as CSV."""
    table, aperture = reduced.table, reduced.calibrated.aperture
    lines = ["rank,id,ra_deg,dec_deg,x,y,mag,mag_err,snr,score,reason"]
    for rank, one in enumerate(reduced.transients.candidates, start=1):
        k = one.row
        numbers = (
            f"{table['ra'][k]:.7f},{table['dec'][k]:.7f},{table['x'][k]:.3f},{table['y'][k]:.3f},"
            f"{aperture.mag[k]:.4f},{aperture.err[k]:.4f},{table['snr'][k]:.1f},{one.score:.1f}"
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
    return write_text(path, json.dumps(_plain(summary), indent=1, allow_nan=False) + "\n")


def json_line(content: Mapping[str, Any]) -> str:
    """Put numbers and words as JSON on one line; what is not finite becomes null.

    Returns str: with its line break.
    """
    return json.dumps(_plain(content), allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def write_zip(path: Path, folder: Path, files: Iterable[Path]) -> Path:
    """Pack everything but the FITS images.

    folder: names in the archive are as seen from it; files: of them go in what is no FITS image and
    is there.
    Raises InputError when it cannot be written.
    """
    packed = sorted({file for file in files if file.suffix in IN_ZIP and file.is_file()})

    def pack(into: BinaryIO) -> None:
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in packed:
                archive.write(file, file.relative_to(folder))

    return write_whole(path, pack)
