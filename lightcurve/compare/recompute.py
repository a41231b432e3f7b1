"""Compute a table's relative flux and times again, from the table alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import AijTable, read_aij_table, relative_flux
from lightcurve.compare.columns import ColumnDifference, compare_column
from lightcurve.compare.sides import site_of
from lightcurve.compare.times import SCALE_NOT_TOLD, TimeCheck, check_times
from lightcurve.core import times
from lightcurve.core.data import Site
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.setup.target import find_target
from lightcurve.tables.light_curves import CIVIL

__all__ = ["Recomputed", "recompute_table", "refuse_own_input", "write_recomputed"]

FLUX_RTOL, ERROR_RTOL = 3e-5, 1e-2  # tables are cut to 6 decimals
SITE_COLUMNS = (("SITELAT", "SITELONG"), ("LAT-OBS", "LONG-OBS"), ("LATITUDE", "LONGITUDE"))


@dataclass(frozen=True, slots=True, eq=False)
class Recomputed:
    """What a table's own numbers give.

    Attributes
    ----------
    flux, flux_err : (n_row,) float arrays
        Relative flux as AstroImageJ forms it, not normalised.
    checks : tuple of ColumnDifference
        Against the table's own relative flux, where the comparison stars are its own.
    agrees : bool or None
        Whether they and `time_checks` pass; None where there is nothing to check against.
    jd_utc, bjd_tdb : (n_row,) float arrays
        NaN where the table, or what is known of target, does not give them.
    notes : tuple of str
        Where coordinates and site came from, and what could not be done.
    """

    table: AijTable
    target: str
    comparisons: tuple[str, ...]
    flux: np.ndarray
    flux_err: np.ndarray
    checks: tuple[ColumnDifference, ...]
    agrees: bool | None
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    time_checks: tuple[TimeCheck, ...]
    notes: tuple[str, ...]


def recompute_table(
    path: Path,
    settings: Settings,
    *,
    target: str = "T1",
    comparisons: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Recomputed:
    """Form relative flux with any comparison stars, and BJD_TDB, and check the table's own.

    Parameters
    ----------
    path : Path
        Measurement table with Source-Sky of its stars.
    settings : Settings
        Target coordinates and site, where given; else those of the table.
    comparisons : sequence of str
        By default the table's C stars.
    columns : sequence of str
        Names of the columns of a table without header.

    Raises
    ------
    InputError
        When the table lacks the stars.
    """
    table = read_aij_table(path, columns=list(columns) or None)
    flux, flux_err = relative_flux(table, target, list(comparisons) or None)
    chosen = tuple(s for s in (comparisons or table.comparisons) if s != target)
    checks = _check_fluxes(table, target, flux, flux_err) if _own(table, chosen, target) else ()
    notes = [
        f"{name} does not name its time scale: not checked"
        for name in table.times()
        if name in SCALE_NOT_TOLD
    ]
    jd = _civil_times(table, notes)
    bjd = np.full(len(table), np.nan)
    time_checks: tuple[TimeCheck, ...] = ()
    place = _direction(table, settings, target, notes)
    if place is not None and np.isfinite(jd).any():
        site = _site(table, settings, notes)
        bjd = times.bjd_tdb(jd, *place, site)
        time_checks = tuple(check_times(table, jd, bjd, place, site))
    return Recomputed(
        table=table,
        target=target,
        comparisons=chosen,
        flux=flux,
        flux_err=flux_err,
        checks=checks,
        agrees=all(c.n_beyond == 0 for c in checks) and all(c.agrees for c in time_checks)
        if checks or time_checks
        else None,
        jd_utc=jd,
        bjd_tdb=bjd,
        time_checks=time_checks,
        notes=(*map(str, table.unusable), *notes),
    )


def _own(table: AijTable, chosen: tuple[str, ...], target: str) -> bool:
    return set(chosen) == {*table.comparisons} - {target} and f"rel_flux_{target}" in table.columns


def _check_fluxes(
    table: AijTable, target: str, flux: np.ndarray, flux_err: np.ndarray
) -> tuple[ColumnDifference, ...]:
    labels = [label or f"row {k}" for k, label in enumerate(table.labels.tolist(), start=1)]
    pairs = (("rel_flux", flux, FLUX_RTOL), ("rel_flux_err", flux_err, ERROR_RTOL))
    return tuple(
        compare_column(f"{name}_{target}", ours, table.star(name, target), labels, rtol=rtol)
        for name, ours, rtol in pairs
        if f"{name}_{target}" in table.columns
    )


def _civil_times(table: AijTable, notes: list[str]) -> np.ndarray:
    found = table.times()
    name = next((name for name in CIVIL if name in found), "")
    if not name:
        notes.append("no JD_UTC in the table: its barycentric times cannot be checked")
        return np.full(len(table), np.nan)
    return found[name]


def _direction(
    table: AijTable, settings: Settings, target: str, notes: list[str]
) -> tuple[float, float] | None:
    """Coordinates of the target in degrees: given, else where the table has the star."""
    wanted = settings.target
    if wanted.ra is not None or wanted.planet_file is not None or wanted.name:
        star = find_target(wanted)
        notes.append(f"coordinates {star.ra_deg:.5f} {star.dec_deg:+.5f} deg: {star.source}")
        return star.ra_deg, star.dec_deg
    ra, dec = table.star("RA", target), table.star("DEC", target)
    if np.isfinite(ra).any() and np.isfinite(dec).any():
        place = 15 * float(np.nanmedian(ra)), float(np.nanmedian(dec))
        if not (0 <= place[0] < 360 and abs(place[1]) <= 90):
            text = f"RA_{target}, DEC_{target}: {place[0] / 15:g} h {place[1]:g} deg"
            notes.append(f"{text} is no place in the sky: give --ra and --dec")
            return None
        notes.append(
            f"coordinates {place[0]:.5f} {place[1]:+.5f} deg: median of RA_{target}, DEC_{target}"
        )
        return place
    notes.append("no coordinates in the table: give --ra and --dec for BJD_TDB")
    return None


def _site(table: AijTable, settings: Settings, notes: list[str]) -> Site | None:
    """Observatory: given, else of the table's columns."""
    site = site_of(settings)
    if site is not None:
        notes.append("site: options --latitude and --longitude")
        return site
    for latitude, longitude in SITE_COLUMNS:
        pair = [table.columns.get(name, np.empty(0)) for name in (latitude, longitude)]
        if all(np.isfinite(values).any() for values in pair):
            place = Site(float(np.nanmedian(pair[0])), float(np.nanmedian(pair[1])))
            text = f"columns {latitude} and {longitude}"
            if abs(place.latitude_deg) <= 90 and abs(place.longitude_deg) <= 360:
                notes.append(f"site: {text}, taken as east positive")
                return place
            where = f"{place.latitude_deg:g} {place.longitude_deg:g}"
            notes.append(f"{text}, {where}, are no place on Earth: not used")
    notes.append("site not known: BJD_TDB for the centre of the Earth, up to 21 ms off")
    return None


def refuse_own_input(out: Path, table: Path) -> None:
    """Keep a table from being overwritten by what is made of it.

    Raises
    ------
    InputError
        When both are the same file.
    """
    if out.exists() and table.exists() and out.samefile(table):
        msg = f"--out {out} is the table itself: it would be overwritten"
        raise InputError(msg)


def write_recomputed(path: Path, found: Recomputed) -> Path:
    """Write times and relative flux, one row a row of the table."""
    names = ("Label", "JD_UTC", "BJD_TDB", "rel_flux", "rel_flux_err")
    columns = (found.table.labels, found.jd_utc, found.bjd_tdb, found.flux, found.flux_err)
    return write_text(path, csv_text(names, zip(*columns, strict=True)))
