"""The catalogue of a frame as a table and as a VOTable: columns with units and meanings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import escape

import numpy as np

from lightcurve.catalogs.crossmatch import Matches
from lightcurve.catalogs.layout import Catalog
from lightcurve.core.constants import J2000_JD, YEAR_DAYS
from lightcurve.core.data import Quality
from lightcurve.core.flags import UNUSABLE, Flag, describe
from lightcurve.core.table_text import printable
from lightcurve.image.calibrate import fluxes
from lightcurve.image.locate import positions
from lightcurve.image.reduced import Calibrated, Look, Placed, Sources
from lightcurve.phot.zero_point import apply_zero_point, instrumental

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement, VOTableFile
    from astropy.table import Column, Table

GOOD_SNR, MARGINAL_SNR = 5.0, 3.0
MAX_SERVICE_COLUMNS = 14
SYSTEM = "icrs"
ODD_NUMBERS = {"nan": "NaN", "inf": "+InF", "-inf": "-InF"}  # as VOTable writes them
COLUMN_UCDS = {
    "id": "meta.id;meta.main", "x": "pos.cartesian.x;instr.det", "y": "pos.cartesian.y;instr.det",
    "xy_err": "stat.error;pos.cartesian;instr.det", "ra": "pos.eq.ra;meta.main",
    "dec": "pos.eq.dec;meta.main", "pos_err": "stat.error;pos.eq", "snr": "stat.snr",
    "quality": "meta.code.qual", "flags": "meta.code", "sky": "instr.skyLevel",
    "fwhm": "phys.angSize;instr.det", "peak": "phot.count;stat.max", "psf_chi2": "stat.fit.chi2",
    "class": "src.class", "kron_radius": "phys.angSize;instr.det",
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


def source_table(
    sources: Sources,
    placed: Placed,
    calibrated: Calibrated,
    catalogs: Mapping[str, Catalog],
    pairs: Mapping[str, Matches],
) -> Table:
    """Make the catalogue: one row a source, the brightest first.

    pairs: of the sources with each catalogue. What was not measured is NaN or empty.
    """
    from astropy.table import Table

    table = Table()
    _add_places(table, sources, placed)
    _add_light(table, sources)
    _add_magnitudes(table, sources, calibrated)
    _add_shapes(table, sources)
    for name, catalog in catalogs.items():
        _add_matches(table, name, catalog, pairs[name])
    return table


def _add(table: Table, name: str, values: np.ndarray, unit: str | None, text: str) -> None:
    from astropy.table import Column

    table.add_column(Column(values, name=name, unit=unit, description=text))


def _add_places(table: Table, sources: Sources, placed: Placed) -> None:
    x, y, error = positions(sources)
    n = len(sources)
    _add(table, "id", np.arange(1, n + 1), None, "Number, the brightest first")
    _add(table, "x", x, "pix", "Column; the centre of the first pixel is 0")
    _add(table, "y", y, "pix", "Row; the centre of the first pixel is 0")
    _add(table, "xy_err", error, "pix", "Error of x and of y")
    _add(
        table, "ra", placed.ra_deg, "deg",
        "Right ascension, ICRS, of the time of the frame; NaN: not solved",
    )  # fmt: skip
    _add(
        table, "dec", placed.dec_deg, "deg",
        "Declination, ICRS, of the time of the frame; NaN: not solved",
    )  # fmt: skip
    _add(
        table, "pos_err", placed.error_arcsec, "arcsec",
        "Error of the position in one coordinate, with that of the plate solution",
    )  # fmt: skip


def _add_light(table: Table, sources: Sources) -> None:
    snr = sources.significance
    quality = np.select(
        [snr >= GOOD_SNR, snr >= MARGINAL_SNR], [Quality.GOOD, Quality.MARGINAL], Quality.POOR
    )
    doubtful = (sources.flags & (UNUSABLE | Flag.UNSURE)) != 0
    quality[(quality == Quality.GOOD) & doubtful] = Quality.MARGINAL
    quality[np.isin(sources.looks.look, (Look.SHARP, Look.SPIKE))] = Quality.POOR
    kinds, of_which = np.unique(sources.flags, return_inverse=True)
    words = np.array([describe(int(bits)) for bits in kinds], dtype=str)[of_which]
    _add(
        table, "snr", snr, None,
        "Signal to noise through a filter as wide as the stars, in which the threshold is; of "
        "what was seen in the residual by the PSF",
    )  # fmt: skip
    _add(
        table, "quality", quality, None,
        "good from S/N 5 where no flag spoils it, else marginal from 3, else poor; sharp ones and "
        "spikes are poor",
    )  # fmt: skip
    _add(table, "flags", sources.flags.astype(np.int32), None, "Sum of flag bits, main aperture")
    _add(table, "flag_names", words, None, "The same in words")
    _add(table, "sky", sources.phot.sky, "adu", "Sky of one pixel in the annulus")
    for name, text, flux, error in fluxes(sources):
        _add(table, f"{name}_flux", flux, "adu", f"Flux above the sky: {text}")
        _add(table, f"{name}_flux_err", error, "adu", "Error of the flux before it")


def _add_magnitudes(table: Table, sources: Sources, calibrated: Calibrated) -> None:
    band = "" if calibrated.standards is None else f", {calibrated.standards.band}"
    for kind in calibrated.kinds:
        _add(table, f"{kind.name}_mag", kind.mag, "mag", f"Magnitude: {kind.text}{band}")
        _add(
            table, f"{kind.name}_mag_err", kind.err, "mag",
            "Error of the magnitude before it, with that of the zero point",
        )  # fmt: skip
        _add(
            table, f"{kind.name}_inst_mag", kind.inst, "mag",
            "-2.5 log10(flux / exposure), as it would be in the middle of the field",
        )  # fmt: skip
        _add(table, f"{kind.name}_inst_mag_err", kind.inst_err, "mag", "Error of that")
    _add_kron(table, sources, calibrated)
    n = len(calibrated.aperture.mag)
    serves = np.zeros(n, dtype=bool)
    zero = calibrated.aperture.zero_point
    if zero is not None:
        serves[calibrated.rows[calibrated.serves][zero.used]] = True
    _add(table, "calib_star", serves, None, "Used for the zero point of the main aperture")


def _add_kron(table: Table, sources: Sources, calibrated: Calibrated) -> None:
    """Add the Kron magnitudes of extended sources, on the scale of all of a star's light."""
    kron, psf = sources.looks.kron, calibrated.psf
    if psf is None:
        return
    none = np.full(len(sources), np.nan)
    flux, error, radius = (
        one if len(one) else none for one in (kron.flux, kron.flux_err, kron.radius)
    )
    _add(table, "kron_radius", radius, "pix", "Semi-major axis of the Kron aperture; of extended")
    _add(table, "kron_flux", flux, "adu", "Flux in it")
    _add(table, "kron_flux_err", error, "adu", "Error of the flux before it")
    light = 10 ** (-0.4 * psf.inst) / sources.psf_phot.flux if sources.psf_phot else none
    inst, of_inst = instrumental(flux * light, error * light, 1.0)
    mag, of_mag = none, none
    if psf.zero_point is not None:
        mag, of_mag = apply_zero_point(psf.zero_point, inst, of_inst)
    _add(table, "kron_mag", mag, "mag", "Kron magnitude, by the zero point of the PSF")
    _add(table, "kron_mag_err", of_mag, "mag", "Error of the magnitude before it")
    _add(table, "kron_inst_mag", inst, "mag", "-2.5 log10(flux / exposure)")


def _add_shapes(table: Table, sources: Sources) -> None:
    phot, fit = sources.phot, sources.psf_phot
    _add(table, "fwhm", phot.fwhm, "pix", "Full width at half maximum of the radial profile")
    _add(table, "roundness", phot.roundness, None, "Short over long axis of the second moments")
    looks = sources.looks
    _add(
        table, "class", looks.look, None,
        "What it looks like: star, extended (galaxy, blend), sharp (hot pixel, cosmic ray), "
        "spike (light of a brighter one), unknown (saturated, or no PSF)",
    )  # fmt: skip
    _add(table, "spread", looks.spread, None, "Light beside a star's own, as a share of it")
    _add(table, "spread_err", looks.spread_err, None, "Error of that")
    _add(table, "peak", phot.peak[:, 0], "adu", "Highest pixel in the smallest aperture")
    _add(
        table, "found_by", sources.found_by, None,
        "search, or residual: seen only when its neighbours had been taken off",
    )  # fmt: skip
    if fit is None:
        return
    summed = np.isfinite(phot.flux[:, sources.apertures.main])
    method = np.where(
        np.isfinite(fit.flux), np.where(summed, "both", "psf_only"),
        np.where(summed, "aperture_only", "none"),
    )  # fmt: skip
    _add(table, "phot_method", method, None, "Which kinds of photometry gave a flux")
    _add(table, "psf_chi2", fit.chi2, None, "Chi-square per pixel of the PSF fit")


def _add_matches(table: Table, name: str, catalog: Catalog, matches: Matches) -> None:
    """Add the nearest object of a catalogue to each source.

    table: changed in place. name: of the catalogue, with which its columns begin.
    matches: of the rows of the table with it.
    """
    n = len(table)
    nearest = matches.nearest
    source, row = matches.source[nearest], matches.row[nearest]
    count = np.bincount(matches.source, minlength=n)
    ids = np.full(n, "", dtype=catalog.ids.dtype if len(catalog) else "U1")
    ids[source] = catalog.ids[row]
    separation = np.full(n, np.nan)
    separation[source] = matches.separation_arcsec[nearest]
    title = catalog.title
    _add(table, f"{name}_id", ids, None, f"Nearest object of {title} within the errors")
    _add(table, f"{name}_sep", separation, "arcsec", "Its separation")
    _add(table, f"{name}_n", count, None, f"Objects of {title} within the errors")
    for column, content in list(catalog.columns.items())[:MAX_SERVICE_COLUMNS]:
        text = content.values.dtype.kind == "U"
        values = np.full(n, "" if text else np.nan, dtype=content.values.dtype)
        values[source] = content.values[row]
        _add(
            table, f"{name}_{column}", values, content.unit or None,
            f"{title}: {content.description}",
        )  # fmt: skip


def match_table(catalogs: Mapping[str, Catalog], pairs: Mapping[str, Matches]) -> Table:
    """List every pair of a source and a catalogued object.

    pairs: of the sources with each catalogue.
    Returns a table in the order of catalogue, source and separation.
    """
    from astropy.table import Column, Table

    parts: dict[str, list] = {k: [] for k in ("id", "catalog", "object", "sep", "sigmas", "near")}
    for name, catalog in catalogs.items():
        found = pairs[name]
        parts["id"].append(found.source + 1)
        parts["catalog"].append(np.full(len(found), name))
        parts["object"].append(catalog.ids[found.row].astype(str))
        parts["sep"].append(found.separation_arcsec)
        parts["sigmas"].append(found.sigmas)
        parts["near"].append(found.nearest)
    columns = (
        ("id", "id", None, "Source"),
        ("catalog", "catalog", None, "Catalogue or service"),
        ("object_id", "object", None, "Object there"),
        ("separation", "sep", "arcsec", "Of source and object"),
        ("sigmas", "sigmas", None, "The same in its errors"),
        ("nearest", "near", None, "The nearest object of that catalogue to the source"),
    )
    return Table(
        [
            Column(np.concatenate(parts[k]) if parts[k] else [], name=n, unit=u, description=d)
            for n, k, u, d in columns
        ]
    )


def write_votable(
    file: BinaryIO, table: Table, summary: Mapping[str, Any], *, solved: bool
) -> None:
    """Write the catalogue.

    file : open for writing.
    summary : by `lightcurve.image.reduced.summarise`; what is not known is left out.
    solved : whether its places are on the sky.
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
    if solved:
        _add_system(content, element, summary.get("mid_jd_utc"))
    # The library asks of every cell anew how it is written: that takes longer than all the rest.
    element.array = element.array[:0]
    frame = BytesIO()
    content.to_xml(frame)
    before, end, after = frame.getvalue().rpartition(b"</TABLE>")
    file.write(before + _data_of(bare).encode() + end + after)


def _data_of(table: Table) -> str:
    """Write the rows of a table without masked values as VOTable has them."""
    columns = [_cells(np.asarray(column)) for column in table.itercols()]
    rows = "".join(
        f"<TR><TD>{'</TD><TD>'.join(cells)}</TD></TR>\n" for cells in zip(*columns, strict=True)
    )
    return f"<DATA><TABLEDATA>\n{rows}</TABLEDATA></DATA>\n"


def _cells(values: np.ndarray) -> list[str]:
    """Write values, (n,), so that each is read as it was."""
    if values.dtype.kind == "b":
        return ["1" if value else "0" for value in values.tolist()]
    if values.dtype.kind == "f":
        return [ODD_NUMBERS.get(text, text) for text in map(repr, values.tolist())]
    return [escape(str(value)) for value in values.tolist()]


def ucd_of(name: str) -> str | None:
    """Find the UCD of a column; None where its name does not tell."""
    if name in COLUMN_UCDS:
        return COLUMN_UCDS[name]
    endings = [ending for ending in ENDING_UCDS if name.endswith(ending)]
    return ENDING_UCDS[max(endings, key=len)] if endings else None


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
