"""Say what an AstroImageJ table or settings file holds, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.aij.read_table import AijTable, read_aij_table
from lightcurve.aij.settings_files import ApertureSettings, read_apertures, read_plotcfg, read_radec

__all__ = ["describe_file"]

RADII = ("Source_Radius", "Source_Rad(base)", "Sky_Rad(min)", "Sky_Rad(max)")
FLUXES = ("rel_flux", "rel_flux_err", "Source-Sky", "Source_Error")


def describe_file(
    path: Path, columns: Sequence[str] = ()
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe a measurement table, an aperture file, a list of stars or a plot configuration.

    Parameters
    ----------
    path : Path
        Told apart by ``.aperture``, ``.apertures``, ``.radec`` and ``.plotcfg``; all else is a
        table.
    columns : sequence of str
        Names of the columns of a table without header.

    Returns
    -------
    values : dict
        What holds for the whole file.
    stars : list of dict
        One for each star.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in {".aperture", ".apertures"}:
        return _settings(read_apertures(path))
    if suffix == ".radec":
        return _settings(read_radec(path))
    if suffix == ".plotcfg":
        plot = read_plotcfg(path)
        curves = [
            {"curve": k, "column": c, "detrended by": ", ".join(plot.detrend.get(k, ()))}
            for k, c in sorted(plot.curves.items())
        ]
        return {"kind": "plot configuration", "curves": len(curves)}, curves
    return _table(read_aij_table(path, columns=list(columns) or None))


def _settings(found: ApertureSettings) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    sky = found.annulus
    values = {
        "kind": "stars and apertures",
        "stars": len(found.names),
        "radius_px": found.radius,
        "sky_px": None if sky is None else f"{sky[0]:g} to {sky[1]:g}",
        "stars_removed_from_sky": found.remove_stars,
        "sky_is_a_plane": found.plane,
        "fwhm_factor": found.fwhm_factor,
    }
    names = ("x_ij", "y_ij", "ra_deg", "dec_deg", "magnitude", "comparison", "centroid")
    rows = zip(found.names, *(getattr(found, name).tolist() for name in names), strict=True)
    stars = [dict(zip(("star", *names), row, strict=True)) for row in rows]
    return {name: value for name, value in values.items() if value is not None}, stars


def _table(table: AijTable) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    values: dict[str, Any] = {"kind": "measurement table", "rows": len(table)}
    if (table.labels != "").any():
        values["frames"] = f"{table.labels[0]} to {table.labels[-1]}"
    for name, times in table.times().items():
        values[name] = f"{np.nanmin(times):.6f} to {np.nanmax(times):.6f}"
    for name in RADII:
        known = table.columns.get(name, np.empty(0))
        known = known[np.isfinite(known)]
        if known.size:
            low, high = known.min(), known.max()
            values[name] = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    if table.metadata:
        values["metadata"] = ", ".join(f"{k} {v}" for k, v in table.metadata.items())
    values["columns"] = len(table.columns) + len(table.words)
    values["missing"] = "; ".join(table.missing) or "nothing"
    values["not usable"] = "; ".join(map(str, table.unusable)) or "nothing"
    return values, [_star(table, star) for star in table.stars]


def _star(table: AijTable, star: str) -> dict[str, Any]:
    """Medians of one star's columns; NaN where the table has none."""
    row: dict[str, Any] = {"star": star}
    places = {"ra_deg": 15 * table.star("RA", star), "dec_deg": table.star("DEC", star)}
    for name in ("X(FITS)", "Y(FITS)"):
        places[name] = table.star(name, star)
    for name, values in ({name: table.star(name, star) for name in FLUXES} | places).items():
        known = values[np.isfinite(values)]
        row[name] = float(np.median(known)) if known.size else float("nan")
    return row
