"""A light curve from any table: ours, AstroImageJ's, or one with a time and a flux column.

What the times are is read from the name of their column; a name that does not tell is an error,
not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import AijTable, read_aij_table, relative_flux
from lightcurve.aij.relative_flux import relative_fluxes
from lightcurve.core.constants import J2000_JD, MJD_ZERO
from lightcurve.core.covariates import COVARIATES, covariates_of
from lightcurve.core.data import About, CurveSource, LightCurve, Note, Severity, StarCurves
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.robust import robust_scatter
from lightcurve.core.times import only_julian_dates
from lightcurve.core.words import COLUMNS
from lightcurve.tables.run_tables import is_lightcurve, read_lightcurve

__all__ = ["BARYCENTRIC", "CIVIL", "TIME_KINDS", "ColumnChoice", "is_ours", "read_curve"]

TIME_KINDS = ("bjd_tdb", "jd_utc", "mjd_utc", "iso_utc")
WORDS = COLUMNS.tables
BARYCENTRIC, CIVIL = WORDS.barycentric, WORDS.civil
MIN_STARS = 2
ZONE = re.compile(r":\d\d(\.\d*)?\s*[+-]\d\d:?\d*$")
PIPELINE_TIME, PIPELINE_FLUX, PIPELINE_COMPARISON = WORDS.pipeline


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns are meant.

    Attributes
    ----------
    columns : tuple of str
        Names of the columns of a table without header.
    time, flux, error : str
        Names of columns; empty to find them.
    comparison_flux : str
        A column to divide `flux` by.
    time_kind : str
        One of `TIME_KINDS`; empty to tell by the name.
    target : str
        Star of an AstroImageJ table.
    comparisons : tuple of str
        Its comparison stars; empty for those of the table.
    """

    columns: tuple[str, ...] = ()
    time: str = ""
    flux: str = ""
    error: str = ""
    comparison_flux: str = ""
    time_kind: str = ""
    target: str = "T1"
    comparisons: tuple[str, ...] = ()


def read_curve(
    path: str | Path, choice: ColumnChoice | None = None, *, any_scale: bool = False
) -> LightCurve:
    """Read a light curve, whatever wrote it.

    Parameters
    ----------
    choice : ColumnChoice, optional
        Needed where the columns' names do not tell.
    any_scale : bool
        Take Julian dates of a scale that nothing tells, where only their differences count.

    Returns
    -------
    LightCurve
        Median 1; times that the table does not have are NaN; an error that it does not have is the
        scatter between neighbours, and the notes of its source say so.

    Raises
    ------
    InputError
        When there is no such table, or time or flux cannot be told.
    """
    choice = choice or ColumnChoice()
    if is_ours(path, choice):
        return read_lightcurve(path)
    table = read_aij_table(path, columns=choice.columns or None)
    return _curve_of_table(table, _of_any_scale(table, choice) if any_scale else choice)


def _of_any_scale(table: AijTable, choice: ColumnChoice) -> ColumnChoice:
    """Choose a column of Julian dates, whole or modified, where none says its scale."""
    known = {*table.times()} & {*BARYCENTRIC, *CIVIL}
    name = _first(table, (*WORDS.times, "time"))
    if choice.time or known or not name or _first(table, (PIPELINE_TIME,)):
        return choice
    short = np.nanmedian(_column(table, name)) < MJD_ZERO
    return replace(choice, time=name, time_kind="mjd_utc" if short else "jd_utc")


def is_ours(path: str | Path, choice: ColumnChoice) -> bool:
    """Tell whether a file is a lightcurve.csv, and no other columns of it are asked for."""
    return choice == ColumnChoice() and is_lightcurve(path)


def _curve_of_table(table: AijTable, choice: ColumnChoice) -> LightCurve:
    """Make a light curve of a table; see `read_curve`."""
    notes = list(table.unusable)
    bjd, jd, time_name = _times(table, choice, notes)
    flux, error, flux_name = _fluxes(table, choice, notes)
    level = np.nanmedian(flux) if np.isfinite(flux).any() else np.nan
    if not (np.isfinite(level) and level > 0):
        msg = f"the median of {flux_name} is {level:g}: no relative flux"
        raise InputError(msg, file=table.name)
    nothing = np.full(len(table), np.nan)
    columns = _columns(table, choice.target) | {"bjd_tdb": bjd, "jd_utc": jd}
    comparison = table.columns.get(choice.comparison_flux or "tot_C_cnts", nothing)
    if np.isfinite(comparison).all():
        columns["comparison_flux"] = comparison
    finite = np.isfinite(flux) & (np.isfinite(bjd) | np.isfinite(jd))
    return LightCurve(
        file=table.labels,
        jd_utc=jd,
        bjd_tdb=bjd,
        flux=flux / level,
        flux_err=np.abs(error / level),
        target_flux=table.star("Source-Sky", choice.target),
        comparison_flux=comparison,
        flags=np.where(finite, 0, int(Flag.NOT_MEASURED)).astype(np.uint16),
        covariates=covariates_of(columns),
        source=CurveSource(table.name, time_name, flux_name, _exposure(table), tuple(notes)),
        stars=_stars(table, choice),
    )


def _stars(table: AijTable, choice: ColumnChoice) -> StarCurves | None:
    """Form each comparison star's curve against the others; None where the table cannot."""
    names = [s for s in (choice.comparisons or table.comparisons) if s != choice.target]
    light, light_err = (table.block(quantity, names) for quantity in ("Source-Sky", "Source_Error"))
    curves = relative_fluxes(light, light_err, np.ones(len(names), dtype=bool))
    flux, error = curves["rel_flux"], curves["rel_flux_err"]
    if len(names) < MIN_STARS or not np.isfinite(flux).any(axis=0).all():
        return None
    level = np.nanmedian(flux, axis=0)
    return StarCurves(tuple(names), flux / level, np.abs(error / level))


def _times(
    table: AijTable, choice: ColumnChoice, notes: list[Note]
) -> tuple[np.ndarray, np.ndarray, str]:
    """BJD_TDB and JD_UTC, NaN where the table lacks one of them, and the column used."""
    nothing = np.full(len(table), np.nan)
    if choice.time:
        kind = choice.time_kind or _kind_of(choice.time, table.name)
        if not choice.time_kind and kind.split("_")[1] not in choice.time.lower():
            text = (
                f"column {choice.time} does not name its time scale: taken as {kind.upper()}, "
                "by convention; --time-kind says otherwise"
            )
            notes.append(Note(text, subject=choice.time))
        values = _as_julian(table, choice.time, kind)
        pair = (values, nothing) if kind == "bjd_tdb" else (nothing, values)
        return *pair, choice.time
    times = table.times()
    bjd = next((name for name in BARYCENTRIC if name in times), "")
    jd = next((name for name in CIVIL if name in times), "")
    axis = _first(table, (PIPELINE_TIME,))
    if axis and not (bjd or jd):
        short = np.nanmedian(_column(table, axis)) < MJD_ZERO
        kind = "mjd_utc" if short else "jd_utc"
        text = f"column {axis}: {kind.upper()} of the start of each exposure, as its program has it"
        notes.append(Note(text, subject=axis))
        return nothing, _as_julian(table, axis, kind), axis
    if not (bjd or jd):
        found = ", ".join([*table.columns, *table.words][:8])
        odd = [note.text for note in table.unusable if note.about is About.NOT_JULIAN]
        msg = (
            "no column of times that says what it is (BJD_TDB, JD_UTC); name it "
            "with --time and --time-kind (in Python: time=, time_kind=); "
            f"the table has {'; '.join([found, *odd])}"
        )
        raise InputError(msg, file=table.name)
    return times.get(bjd, nothing), times.get(jd, nothing), bjd or jd


def _kind_of(name: str, file: str) -> str:
    upper = name.upper()
    for start, kind in (("BJD", "bjd_tdb"), ("MJD", "mjd_utc"), ("JD", "jd_utc")):
        other = {"UTC", "TDB", "TT", "TAI"} - {kind.split("_")[1].upper()}
        if upper.startswith(start) and not other & set(upper.split("_")):
            return kind
    if upper.startswith(("DATE", "ISO", "UTC")):
        return "iso_utc"
    msg = f"column {name} does not say what its times are: give --time-kind, one of " + (
        ", ".join(TIME_KINDS)
    )
    raise InputError(msg, file=file)


def _as_julian(table: AijTable, name: str, kind: str) -> np.ndarray:
    if kind not in TIME_KINDS:
        msg = f"time kind {kind!r}: one of {', '.join(TIME_KINDS)}"
        raise InputError(msg)
    if kind == "iso_utc":
        return _iso_to_julian(table, name)
    values = _column(table, name)
    full = only_julian_dates(values + MJD_ZERO if kind == "mjd_utc" else values)
    if np.isfinite(values).any() and not np.isfinite(full).any():
        first = values[np.isfinite(values)][0]
        msg = f"{name} {first:.10g} is no date as {kind.upper()}: give --time-kind"
        raise InputError(msg, file=table.name)
    return full


def _iso_to_julian(table: AijTable, name: str) -> np.ndarray:
    words = table.words.get(name)
    try:
        if words is None:
            raise ValueError(name)
        if any(ZONE.search(w) for w in words):
            msg = f"column {name} is not UTC but of a time zone: {words[0]}"
            raise InputError(msg, file=table.name)
        moments = np.array([w.removesuffix("Z").replace(" ", "T") for w in words], "datetime64[us]")
    except ValueError as error:
        msg = f"column {name} holds no ISO dates such as 2017-12-20T01:33:43"
        raise InputError(msg, file=table.name) from error
    return (moments - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "D") + J2000_JD


def _column(table: AijTable, name: str) -> np.ndarray:
    if name not in table.columns:
        found = ", ".join(list(table.columns)[:8])
        msg = f"no column of numbers {name!r}; it has {found}"
        raise InputError(msg, file=table.name)
    return table.columns[name]


def _fluxes(
    table: AijTable, choice: ColumnChoice, notes: list[Note]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Flux, error and the name of the flux; formed anew where the table has the parts."""
    star = f"Source-Sky_{choice.target}"
    if not choice.flux and star in table.columns and (choice.comparisons or table.comparisons):
        flux, error = relative_flux(table, choice.target, choice.comparisons or None)
        return flux, error, star
    name = choice.flux or _first(table, (f"rel_flux_{choice.target}", *WORDS.fluxes))
    counts, comparison = (_first(table, (n,)) for n in (PIPELINE_FLUX, PIPELINE_COMPARISON))
    if not name and counts and comparison:
        parts = replace(choice, flux=counts, comparison_flux=comparison)
        return _fluxes(table, parts, notes)
    if not name and counts:
        text = f"{counts} is of one star: clouds and air stay in it; --divide-by names another's"
        notes.append(Note(text, Severity.WARNING, subject=counts))
        name = counts
    if not name:
        msg = "no column of relative flux; name it with --flux (in Python: flux=)"
        raise InputError(msg, file=table.name)
    flux = _column(table, name)
    if choice.comparison_flux:
        flux = flux / _column(table, choice.comparison_flux)
        name = f"{name} / {choice.comparison_flux}"
    error_name = choice.error or _first(table, (f"rel_flux_err_{choice.target}", *WORDS.errors))
    if error_name:
        scale = _column(table, choice.comparison_flux) if choice.comparison_flux else 1.0
        return flux, _column(table, error_name) / scale, name
    steps = np.diff(flux[np.isfinite(flux)])
    noise = robust_scatter(steps, about=0.0) / np.sqrt(2)
    text = f"no errors in the table: {noise:.3g}, the scatter between neighbours, for all"
    notes.append(Note(text))
    return flux, np.full(len(table), noise), name


def _first(table: AijTable, names: Sequence[str]) -> str:
    """Find the first of `names` in the table, upper or lower case; an empty string if none."""
    known = {name.lower(): name for name in reversed(list(table.columns))}
    return next((known[name.lower()] for name in names if name.lower() in known), "")


def _exposure(table: AijTable) -> float | None:
    """Median exposure, seconds; None where the table does not tell."""
    name = _first(table, WORDS.exposures)
    values = table.columns[name] if name else np.array([])
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if good.size else None


def _columns(table: AijTable, target: str) -> dict[str, np.ndarray]:
    """Collect what covariates are made of: columns finite throughout that are not constant."""
    found = {}
    for covariate in COVARIATES:
        column = _first(table, [c.format(star=target) for c in covariate.aliases])
        values = table.columns.get(column)
        if values is not None and np.isfinite(values).all() and np.ptp(values) > 0:
            found[covariate.needs[0]] = values
    return found
