"""Compute a table's relative flux and times again, from the table alone, and check its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import COARSE_DAYS, AijTable, read_aij_table, relative_flux
from lightcurve.compare.columns import ColumnDifference, compare_column
from lightcurve.core import times
from lightcurve.core.constants import DAY_S
from lightcurve.core.data import About, Assumed, Site
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.setup.target import at_night, find_target
from lightcurve.tables.brightness import drop_fills
from lightcurve.tables.light_curves import BARYCENTRIC, CIVIL, check_table

__all__ = ["Recomputed", "recompute_table", "refuse_own_input", "write_recomputed"]

FLUX_RTOL, ERROR_RTOL = 3e-5, 1e-2  # tables are cut to 6 decimals
SITE_COLUMNS = (("SITELAT", "SITELONG"), ("LAT-OBS", "LONG-OBS"), ("LATITUDE", "LONGITUDE"))
HELIOCENTRIC = ("HJD_UTC", "HJD_UTC_MOBS")
SCALE_NOT_TOLD = ("BJD", "BJD_MOBS", "HJD", "HJD_MOBS")
BJD_TOLERANCE_S = 1.0  # AstroImageJ's own formula is good to 0.2 s


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
    values : tuple of Assumed
        Coordinates and site.
    notes : tuple of str
        What could not be done.
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
    values: tuple[Assumed, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimeCheck:
    """A table's barycentric or heliocentric times against those of its JD_UTC.

    n, n_beyond : rows compared, and those that are off by more than rounding and formulas
        explain.
    median_s, least_s, most_s : table minus computed, seconds.
    """

    column: str  # of the table
    n: int
    n_beyond: int
    median_s: float
    least_s: float
    most_s: float
    tolerance_s: float  # of the median
    agrees: bool  # median and every row
    explanation: str  # a mistake that would give just these times; empty when none is known


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
        When the table lacks the stars, is of several light curves, or has a column twice.
    """
    table = read_aij_table(path, columns=list(columns) or None)
    check_table(table, target)
    flux, flux_err = relative_flux(table, target, list(comparisons) or None)
    chosen = tuple(s for s in (comparisons or table.comparisons) if s != target)
    own = set(chosen) == {*table.comparisons} - {target} and f"rel_flux_{target}" in table.columns
    checks = _check_fluxes(table, target, flux, flux_err) if own else ()
    notes = [
        f"{name} does not name its time scale: not checked"
        for name in table.times()
        if name in SCALE_NOT_TOLD
    ]
    measured = drop_fills(flux, "flux")
    lost = int((np.isfinite(flux) & np.isnan(measured)).sum())
    notes += [f"{lost} of {len(table)} rows are no measurement: left out"] if lost else []
    jd = _civil_times(table, notes)
    bjd = np.full(len(table), np.nan)
    time_checks: tuple[TimeCheck, ...] = ()
    values: list[Assumed] = []
    place = _direction(table, settings, target, jd, values, notes)
    if place is not None and np.isfinite(jd).any():
        site = _site(table, settings, values, notes)
        bjd = times.bjd_tdb(jd, *place, site)
        time_checks = tuple(check_times(table, jd, bjd, place, site))
    return Recomputed(
        table=table,
        target=target,
        comparisons=chosen,
        flux=measured,
        flux_err=flux_err,
        checks=checks,
        agrees=all(c.n_beyond == 0 for c in checks) and all(c.agrees for c in time_checks)
        if checks or time_checks
        else None,
        jd_utc=jd,
        bjd_tdb=bjd,
        time_checks=time_checks,
        values=tuple(values),
        notes=(*map(str, table.unusable), *notes),
    )


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
    table: AijTable,
    settings: Settings,
    target: str,
    jd: np.ndarray,
    values: list[Assumed],
    notes: list[str],
) -> tuple[float, float] | None:
    """Coordinates of the target in degrees: given, else where the table has the star.

    jd: (n,) JD UTC of the rows: a star that is known to move is where it was then.
    """
    wanted = settings.target
    if wanted.ra is not None or wanted.planet_file is not None or wanted.name:
        star = at_night(find_target(wanted), jd.tolist())
        values.append(_coordinates((star.ra_deg, star.dec_deg), star.source))
        return star.ra_deg, star.dec_deg
    ra, dec = table.star("RA", target), table.star("DEC", target)
    if np.isfinite(ra).any() and np.isfinite(dec).any():
        place = 15 * float(np.nanmedian(ra)), float(np.nanmedian(dec))
        if not (0 <= place[0] < 360 and abs(place[1]) <= 90):
            text = f"RA_{target}, DEC_{target}: {place[0] / 15:g} h {place[1]:g} deg"
            notes.append(f"{text} is no place in the sky: give --ra and --dec")
            return None
        values.append(_coordinates(place, f"median of RA_{target}, DEC_{target}"))
        return place
    notes.append("no coordinates in the table: give --ra and --dec for BJD_TDB")
    return None


def _coordinates(place: tuple[float, float], source: str) -> Assumed:
    return Assumed("coordinates", place, "deg", source, f"{place[0]:.5f} {place[1]:+.5f} deg")


def _site(
    table: AijTable, settings: Settings, values: list[Assumed], notes: list[str]
) -> Site | None:
    """Observatory: given, else of the table's columns."""
    site = settings.site.site()
    if site is not None:
        values.append(_observatory(site, "options --latitude and --longitude"))
        return site
    for latitude, longitude in SITE_COLUMNS:
        pair = [table.columns.get(name, np.empty(0)) for name in (latitude, longitude)]
        if all(np.isfinite(column).any() for column in pair):
            place = Site(float(np.nanmedian(pair[0])), float(np.nanmedian(pair[1])))
            text = f"columns {latitude} and {longitude}"
            if abs(place.latitude_deg) <= 90 and abs(place.longitude_deg) <= 360:
                values.append(_observatory(place, f"{text}, taken as east positive"))
                return place
            where = f"{place.latitude_deg:g} {place.longitude_deg:g}"
            notes.append(f"{text}, {where}, are no place on Earth: not used")
    notes.append("site not known: BJD_TDB for the centre of the Earth, up to 21 ms off")
    return None


def _observatory(site: Site, source: str) -> Assumed:
    place = (site.latitude_deg, site.longitude_deg, site.height_m)
    text = f"{place[0]:.5f} {place[1]:+.5f} deg, {place[2]:g} m"
    return Assumed("site", place, "deg, deg, m", source, text)


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


def check_times(
    table: AijTable,
    jd: np.ndarray,
    bjd: np.ndarray,
    place: tuple[float, float],
    site: Site | None,
) -> list[TimeCheck]:
    """Compare each BJD_TDB and HJD_UTC of a table with those of its JD_UTC.

    jd, bjd: (n_row,) float arrays, JD_UTC, and BJD_TDB computed from it.
    place: right ascension and declination, degrees.
    """
    found, checks = table.times(), []
    hjd = times.hjd_utc(jd, *place, site)
    civil_cut = any(is_cut(table, name) for name in CIVIL)
    for name in (n for n in (*BARYCENTRIC, *HELIOCENTRIC) if n in found):
        off = (found[name] - (hjd if name in HELIOCENTRIC else bjd)) * DAY_S
        off = off[np.isfinite(off)]
        if off.size:
            check = _judge(name, off, cut=civil_cut or is_cut(table, name))
            if name in BARYCENTRIC and not check.agrees:
                why = _explain(table, found[name], jd, place, site, check.tolerance_s)
                check = replace(check, explanation=why)
            checks.append(check)
    return checks


def is_cut(table: AijTable, name: str) -> bool:
    """Tell whether a table's times were cut to three decimals."""
    return any(note.about is About.COARSE_TIMES and note.subject == name for note in table.unusable)


def _judge(name: str, off: np.ndarray, *, cut: bool) -> TimeCheck:
    """Judge by the median and by every row.

    Times cut to 3 decimals scatter by 43 s each; their median is far better than one.
    """
    rounding = 2 * COARSE_DAYS * DAY_S if cut else 0.0
    tolerance = BJD_TOLERANCE_S + 3 * rounding / off.size**0.5
    median = float(np.median(off))
    n_beyond = int(np.sum(np.abs(off) > BJD_TOLERANCE_S + rounding))
    return TimeCheck(
        column=name,
        n=off.size,
        n_beyond=n_beyond,
        median_s=median,
        least_s=float(off.min()),
        most_s=float(off.max()),
        tolerance_s=tolerance,
        agrees=abs(median) <= tolerance and n_beyond == 0,
        explanation="",
    )


def _explain(
    table: AijTable,
    given: np.ndarray,
    jd: np.ndarray,
    place: tuple[float, float],
    site: Site | None,
    tolerance: float,
) -> str:
    """Find the mistake whose times come nearest to these, if any is within the tolerance."""
    ra, dec = place
    exposure = table.columns.get("EXPTIME", np.full(len(jd), np.nan)) / DAY_S
    wrong = {
        "as if the star were at RA = Dec = 0": times.bjd_tdb(jd, 0.0, 0.0, site),
        "as if RA in hours were degrees": times.bjd_tdb(jd, ra / 15, dec, site),
        "as if RA in degrees were hours": times.bjd_tdb(jd, ra * 15 % 360, dec, site),
        "they are JD_UTC, not corrected at all": jd,
        "they are JD on the TDB scale, without the light travel time": times.tdb_from_utc(jd),
        "they are HJD_UTC": times.hjd_utc(jd, ra, dec, site),
        "they are on the UTC scale": times.bjd_tdb(jd, ra, dec, site)
        - (times.tdb_from_utc(jd) - jd),
        "they mark the start of the exposure": times.bjd_tdb(jd - exposure / 2, ra, dec, site),
        "half the exposure was added twice": times.bjd_tdb(jd + exposure / 2, ra, dec, site),
    }
    own = [table.columns.get(name, np.empty(0)) for name in ("RAOBJ2K", "DECOBJ2K")]
    if all(np.isfinite(values).any() for values in own):
        there = 15 * float(np.nanmedian(own[0])), float(np.nanmedian(own[1]))
        text = f"as for the coordinates in RAOBJ2K, DECOBJ2K: {there[0]:.4f} {there[1]:+.4f} deg"
        wrong[text] = times.bjd_tdb(jd, *there, site)
    off = {why: (given - values) * DAY_S for why, values in wrong.items()}
    medians = {
        why: abs(float(np.median(v[np.isfinite(v)])))
        for why, v in off.items()
        if np.isfinite(v).any()
    }
    best = min(medians, key=medians.__getitem__, default="")
    return best if best and medians[best] <= tolerance else ""
