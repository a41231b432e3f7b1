"""The catalogue of a frame as a VOTable that says what it holds.

Columns have UCDs (IVOA, UCD1+ 1.6); positions point to a coordinate system with its epoch; the
numbers of the frame stand as parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lightcurve.constants import J2000_JD, YEAR_DAYS

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement, VOTableFile
    from astropy.table import Column, Table

SYSTEM = "icrs"
COLUMN_UCDS = {
    "id": "meta.id;meta.main", "x": "pos.cartesian.x;instr.det", "y": "pos.cartesian.y;instr.det",
    "xy_err": "stat.error;pos.cartesian;instr.det", "ra": "pos.eq.ra;meta.main",
    "dec": "pos.eq.dec;meta.main", "pos_err": "stat.error;pos.eq", "snr": "stat.snr",
    "quality": "meta.code.qual", "flags": "meta.code", "sky": "instr.skyLevel",
    "fwhm": "phys.angSize;instr.det", "peak": "phot.count;stat.max", "psf_chi2": "stat.fit.chi2",
    "calib_star": "meta.code",
}  # fmt: skip
# Of names that end so, the longest that fits.
ENDING_UCDS = {
    "_flux": "phot.flux", "_flux_err": "stat.error;phot.flux", "_mag": "phot.mag",
    "_mag_err": "stat.error;phot.mag", "_inst_mag": "phot.mag;instr",
    "_inst_mag_err": "stat.error;phot.mag;instr", "_id": "meta.id", "_sep": "pos.angDistance",
    "_n": "meta.number", "_parallax": "pos.parallax", "_parallax_err": "stat.error;pos.parallax",
    "_pm_ra": "pos.pm;pos.eq.ra", "_pm_dec": "pos.pm;pos.eq.dec",
}  # fmt: skip
# Of the numbers of the frame: UCD and unit.
PARAMS = {
    "file": ("meta.id;meta.file", None), "band": ("instr.bandpass", None),
    "filter": ("meta.id;instr.filter", None),
    "mid_jd_utc": ("time.epoch", "d"), "exposure_s": ("time.duration;obs.exposure", "s"),
    "airmass": ("obs.airMass", None), "standards": ("meta.ref", None),
    "zero_point_mag": ("phot.mag;arith.zp", "mag"),
    "zero_point_err_mag": ("stat.error;phot.mag;arith.zp", "mag"),
    "zero_point_scatter_mag": ("stat.stdev;phot.mag;arith.zp", "mag"),
    "psf_zero_point_mag": ("phot.mag;arith.zp", "mag"),
    "limit_5_sigma_mag": ("phot.mag;stat.max", "mag"), "ra_deg": ("pos.eq.ra", "deg"),
    "dec_deg": ("pos.eq.dec", "deg"), "scale_arcsec": ("pos.angResolution", "arcsec"),
    "fwhm_arcsec": ("phys.angSize;instr.obsty.seeing", "arcsec"),
}  # fmt: skip


def write_votable(file: BinaryIO, table: Table, summary: Mapping[str, Any]) -> None:
    """Write the catalogue.

    file : open for writing.
    summary : by `lightcurve.image_stages.reduced.summarise`; what is not known is left out.
    """
    from astropy.io.votable import from_table

    bare = table.copy()
    bare.meta = {}
    for column in bare.itercols():
        _tell_odd_unit(column)
    content = from_table(bare)
    element = content.get_first_table()
    element.name, element.description = "catalog", f"Sources of {printable(summary['file'])}"
    _add_params(content, element, summary)
    for column in element.fields:
        column.ucd = ucd_of(column.name)
    if not summary.get("reason"):
        _add_system(content, element, summary.get("mid_jd_utc"))
    content.to_xml(file)


def ucd_of(name: str) -> str | None:
    """Find the UCD of a column.

    Returns str or None: None where its name does not tell.
    """
    if name in COLUMN_UCDS:
        return COLUMN_UCDS[name]
    endings = [ending for ending in ENDING_UCDS if name.endswith(ending)]
    return ENDING_UCDS[max(endings, key=len)] if endings else None


def printable(text: str) -> str:
    """Put a question mark for what XML does not allow, as a file's name may have it."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _tell_odd_unit(column: Column) -> None:
    """Move a unit that VOTable has no word for, such as per cent, into the description."""
    if column.unit is None:
        return
    try:
        column.unit.to_string("vounit")
    except ValueError:
        column.description = f"{column.description} (in {column.unit})"
        column.unit = None


def _add_params(content: VOTableFile, element: TableElement, summary: Mapping[str, Any]) -> None:
    from astropy.io.votable.tree import Param

    for name, (ucd, unit) in PARAMS.items():
        value = summary.get(name)
        text = isinstance(value, str)
        if value is None or not (text or np.isfinite(value)):
            continue
        # The writer escapes texts twice, so that what needs escaping would be read as another.
        value = re.sub("[<>&]", "?", printable(value)) if text else value
        kind = {"datatype": "unicodeChar", "arraysize": "*"} if text else {"datatype": "double"}
        param = Param(content, name=name, value=value, unit=unit, ucd=ucd, **kind)
        element.params.append(param)


def _add_system(content: VOTableFile, element: TableElement, mid_jd: float | None) -> None:
    """Say that positions are ICRS, of the time of the frame where that is known."""
    from astropy.io.votable.tree import CooSys

    epoch = None if mid_jd is None else f"J{2000 + (mid_jd - J2000_JD) / YEAR_DAYS:.5f}"
    content.resources[0].coordinate_systems.append(CooSys(SYSTEM, system="ICRS", epoch=epoch))
    for column in element.fields:
        if column.name in {"ra", "dec", "pos_err"}:
            column.ref = SYSTEM
