"""The catalogue of a frame as a table: every column with its unit and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.catalogs.crossmatch import Matches
from lightcurve.catalogs.service import Catalog
from lightcurve.flags import Flag, describe
from lightcurve.image_stages.data import Calibrated, Placed, Sources
from lightcurve.image_stages.magnitudes import fluxes
from lightcurve.image_stages.place import positions

if TYPE_CHECKING:
    from astropy.table import Table

GOOD_SNR, MARGINAL_SNR = 5.0, 3.0
MAX_SERVICE_COLUMNS = 14


def source_table(
    sources: Sources,
    placed: Placed,
    calibrated: Calibrated,
    catalogs: Mapping[str, Catalog],
    pairs: Mapping[str, Matches],
) -> Table:
    """Make the catalogue.

    pairs: of the sources with each of them.
    One row a source, the brightest first; what was not measured is NaN or empty.
    """
    from astropy.table import Table

    table = Table()
    _add_places(table, sources, placed)
    _add_light(table, sources)
    _add_magnitudes(table, calibrated)
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
        table,
        "ra",
        placed.ra_deg,
        "deg",
        "Right ascension, ICRS, of the time of the frame; NaN: not solved",
    )
    _add(
        table,
        "dec",
        placed.dec_deg,
        "deg",
        "Declination, ICRS, of the time of the frame; NaN: not solved",
    )
    _add(
        table, "pos_err", placed.error_arcsec, "arcsec",
        "Error of the position in one coordinate, with that of the plate solution",
    )  # fmt: skip


def _add_light(table: Table, sources: Sources) -> None:
    snr = sources.snr
    quality = np.select(
        [snr >= GOOD_SNR, snr >= MARGINAL_SNR, np.isfinite(snr)], ["good", "marginal", "poor"],
        "unknown",
    )  # fmt: skip
    quality[(quality == "good") & ((sources.flags & Flag.UNSURE) != 0)] = "marginal"
    words = np.array([describe(int(bits)) for bits in sources.flags], dtype=str)
    _add(table, "snr", snr, None, "Flux over its error in the main aperture")
    _add(
        table,
        "quality",
        quality,
        None,
        "good from S/N 5 (never where UNSURE), marginal from 3, else poor",
    )
    _add(table, "flags", sources.flags.astype(np.int32), None, "Sum of flag bits, main aperture")
    _add(table, "flag_names", words, None, "The same in words")
    _add(table, "sky", sources.phot.sky, "adu", "Sky of one pixel in the annulus")
    for name, text, flux, error in fluxes(sources):
        _add(table, f"{name}_flux", flux, "adu", f"Flux above the sky: {text}")
        _add(table, f"{name}_flux_err", error, "adu", "Error of the flux before it")


def _add_magnitudes(table: Table, calibrated: Calibrated) -> None:
    band = "" if calibrated.standards is None else f", {calibrated.standards.band}"
    for kind in calibrated.kinds:
        _add(table, f"{kind.name}_mag", kind.mag, "mag", f"Magnitude: {kind.text}{band}")
        _add(
            table, f"{kind.name}_mag_err", kind.err, "mag",
            "Error of the magnitude before it, with that of the zero point",
        )  # fmt: skip
        _add(table, f"{kind.name}_inst_mag", kind.inst, "mag", "-2.5 log10(flux / exposure)")
        _add(table, f"{kind.name}_inst_mag_err", kind.inst_err, "mag", "Error of that")
    n = len(calibrated.aperture.mag)
    serves = np.zeros(n, dtype=bool)
    zero = calibrated.aperture.zero_point
    if zero is not None:
        serves[calibrated.rows[calibrated.serves][zero.used]] = True
    _add(table, "calib_star", serves, None, "Used for the zero point of the main aperture")


def _add_shapes(table: Table, sources: Sources) -> None:
    phot, fit = sources.phot, sources.psf_phot
    _add(table, "fwhm", phot.fwhm, "pix", "Full width at half maximum of the radial profile")
    _add(table, "roundness", phot.roundness, None, "Short over long axis of the second moments")
    _add(table, "peak", phot.peak[:, 0], "adu", "Highest pixel in the smallest aperture")
    _add(
        table, "found_by", sources.found_by, None,
        "search, or residual: seen only when its neighbours had been taken off",
    )  # fmt: skip
    if fit is None:
        return
    method = np.where(
        np.isfinite(fit.flux), np.where(np.isfinite(sources.snr), "both", "psf_only"),
        np.where(np.isfinite(sources.snr), "aperture_only", "none"),
    )  # fmt: skip
    _add(table, "phot_method", method, None, "Which kinds of photometry gave a flux")
    _add(table, "psf_chi2", fit.chi2, None, "Chi-square per pixel of the PSF fit")


def _add_matches(table: Table, name: str, catalog: Catalog, matches: Matches) -> None:
    """Add the nearest object of a catalogue to each source.

    table : changed in place.
    name : of the catalogue; its columns begin with it.
    matches : of the rows of the table with it.
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

    pairs: of the sources with each of them.
    By catalogue, source and separation.
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
