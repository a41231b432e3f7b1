"""Say what an AstroImageJ table or settings file holds, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.aij.read_table import AijTable
from lightcurve.aij.settings_files import ApertureSettings, read_apertures, read_plotcfg, read_radec
from lightcurve.core.data import Result
from lightcurve.core.errors import InputError
from lightcurve.tables.light_curves import ColumnChoice, open_table, read_curve
from lightcurve.tables.look import look_at_curve

__all__ = ["describe_file"]

RADII = ("Source_Radius", "Source_Rad(base)", "Sky_Rad(min)", "Sky_Rad(max)")
FLUXES = ("rel_flux", "rel_flux_err", "Source-Sky", "Source_Error")


def describe_file(
    path: Path, columns: Sequence[str] = ()
) -> tuple[dict[str, Result], list[dict[str, Any]]]:
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
    values : dict of str to Result
        What holds for the whole file; ranges are pairs.
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
        return _plain({"kind": "plot configuration", "curves": len(curves)}), curves
    values, stars = _table(open_table(path, columns))
    return values | _look(path, tuple(columns)), stars


def _look(path: Path, columns: tuple[str, ...]) -> dict[str, Result]:
    """Scatter and trend, where time and flux can be told; whoever wants them names the columns."""
    try:
        return look_at_curve(read_curve(path, ColumnChoice(columns))).results()
    except InputError:
        return {}


def _plain(values: dict[str, Any]) -> dict[str, Result]:
    """Make results of values that people read as they stand; None is left out."""
    return {name: Result(v, label=name) for name, v in values.items() if v is not None}


def _settings(found: ApertureSettings) -> tuple[dict[str, Result], list[dict[str, Any]]]:
    sky = found.annulus
    values = _plain({"kind": "stars and apertures", "stars": len(found.names)})
    if found.radius is not None:
        values["radius_px"] = Result(found.radius, "px", "radius_px")
    if sky is not None:
        values["sky_px"] = Result(tuple(sky), "px", "sky_px", f"{sky[0]:g} to {sky[1]:g}")
    values |= _plain(
        {
            "stars_removed_from_sky": found.remove_stars,
            "sky_is_a_plane": found.plane,
            "fwhm_factor": found.fwhm_factor,
        }
    )
    names = ("x_ij", "y_ij", "ra_deg", "dec_deg", "magnitude", "comparison", "centroid")
    rows = zip(found.names, *(getattr(found, name).tolist() for name in names), strict=True)
    stars = [dict(zip(("star", *names), row, strict=True)) for row in rows]
    return values, stars


def _table(table: AijTable) -> tuple[dict[str, Result], list[dict[str, Any]]]:
    values = _plain({"kind": "measurement table", "rows": len(table)})
    if (table.labels != "").any():
        first, last = str(table.labels[0]), str(table.labels[-1])
        values["frames"] = Result((first, last), "", "frames", f"{first} to {last}")
    for name, times in table.times().items():
        low, high = float(np.nanmin(times)), float(np.nanmax(times))
        values[name] = Result((low, high), "d", name, f"{low:.6f} to {high:.6f}")
    for name in RADII:
        known = table.columns.get(name, np.empty(0))
        known = known[np.isfinite(known)]
        if known.size:
            low, high = float(known.min()), float(known.max())
            shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            values[name] = Result((low, high), "px", name, shown)
    if table.metadata:
        said = [f"{k} {v}" for k, v in table.metadata.items()]
        values["metadata"] = Result(said, "", "metadata", ", ".join(said))
    values |= _plain({"columns": len(table.columns) + len(table.words)})
    for label, words in (("missing", table.missing), ("not usable", table.unusable)):
        found = [str(word) for word in words]
        values[label.replace(" ", "_")] = Result(found, "", label, "; ".join(found) or "nothing")
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
