"""A light curve from any table: ours, AstroImageJ's, or one with a time and a flux column.

What the times are is read from the name of their column; a name that does not tell is an error,
not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lightcurve.aij.read_table import STAR_COLUMN, AijTable, read_aij_table, relative_flux
from lightcurve.aij.relative_flux import relative_fluxes
from lightcurve.core.constants import DAY_S, J2000_JD, MJD_ZERO
from lightcurve.core.covariates import COVARIATES, covariates_of
from lightcurve.core.data import About, CurveSource, LightCurve, Note, Severity, StarCurves
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.guard import guard
from lightcurve.core.robust import robust_scatter
from lightcurve.core.table_text import parse_numbers
from lightcurve.core.words import COLUMNS
from lightcurve.frames.kinds import normalise_filter
from lightcurve.tables.brightness import (
    FLUX_KINDS,
    check_errors,
    check_flux,
    check_unit,
    drop_fills,
    kind_of_flux,
    to_flux,
)
from lightcurve.tables.fits_table import is_fits, read_fits_table
from lightcurve.tables.missions import (
    MISSIONS,
    crowding_told,
    exposure_told,
    kind_told,
    mission_of,
    spoilt_points,
)
from lightcurve.tables.run_tables import is_lightcurve, read_lightcurve
from lightcurve.tables.time_kinds import (
    TIME_KINDS,
    TimeKind,
    check_pair,
    kind_of_name,
    kinds_that_fit,
)

__all__ = [
    "BARYCENTRIC",
    "CIVIL",
    "ColumnChoice",
    "check_table",
    "curve_of_table",
    "is_ours",
    "open_table",
    "read_curve",
]

WORDS = COLUMNS.tables
BARYCENTRIC, CIVIL = WORDS.barycentric, WORDS.civil
MAGNITUDES = {name.lower() for name in WORDS.magnitudes}
OWN_FLUXES = {name.lower() for name in WORDS.own_fluxes}
OF_FILTERS = {"filt", "filter", "band"}
OWN_FLAGS = {"tglc_flags", "moving"}  # of TGLC and K2SFF, beside those of the mission
FLATTENED = {"KSPSAP_FLUX", "DET_FLUX"}  # of QLP
MIN_STARS = 2
FEWEST_DISTINCT = 0.6  # of the points have a time of their own, in a light curve of one telescope
UTC = re.compile(r"(Z| ?UTC?|[+-]00:?00)$", re.IGNORECASE)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.]\d*)?)?")
ZONE = re.compile(r":\d\d(\.\d*)?\s*[+-]\d\d:?\d*$")
# A column of exposures by its name, and what is there of a unit.
EXPOSURE = re.compile(
    r"(.+?)(?:[\s_]*[\[(]?(?<![a-z])(ms|msec|s|sec|seconds|min)[\])]?)?", re.IGNORECASE
)
SECONDS = {"ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3, "min": 60.0}
MOST_MARKED = 0.5  # of the points: more are not marked as bad but as something else
MOMENTS = {"start": {"START", "BEGIN", "BEG"}, "end": {"END", "STOP"}}  # of an exposure, by words
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
        What the times are, as a column's name would tell it (`TIME_KINDS`); empty for the name.
    flux_kind : str
        One of `FLUX_KINDS`; empty to tell by name and values.
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
    flux_kind: str = ""


def read_curve(
    path: str | Path,
    choice: ColumnChoice | None = None,
    *,
    any_scale: bool = False,
    star: tuple[float, float] | None = None,
) -> LightCurve:
    """Read a light curve, whatever wrote it.

    Parameters
    ----------
    choice : ColumnChoice, optional
        Needed where the columns' names do not tell.
    any_scale : bool
        Take Julian dates of a scale that nothing tells, where only their differences count.
    star : (float, float), optional
        RA and Dec, degrees, without which heliocentric dates are refused.

    Returns
    -------
    LightCurve
        Median 1; times that the table does not have are NaN; an error that it does not have is the
        scatter between neighbours, and the notes of its source say so. Rows without a measurement,
        and rows that stand there again, have the flag NOT_MEASURED.

    Raises
    ------
    InputError
        When there is no such table, or time or flux cannot be told, or contradict themselves.
    """
    choice = choice or ColumnChoice()
    # Numbers such as 1e308 end as refusals.
    with guard(partial(InputError, file=str(path))), np.errstate(over="ignore", invalid="ignore"):
        if is_ours(path, choice):
            return read_lightcurve(path)
        table = open_table(path, choice.columns)
        if any_scale:
            choice = _of_any_scale(table, choice)
        return curve_of_table(table, choice, star)


def open_table(path: str | Path, columns: Sequence[str] = ()) -> AijTable:
    """Open a table of text, or one of FITS.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of a table without header.

    Raises
    ------
    InputError
        Where it is none.
    """
    if is_fits(Path(path)):
        return read_fits_table(Path(path))
    return read_aij_table(path, columns=columns or None)


def _of_any_scale(table: AijTable, choice: ColumnChoice) -> ColumnChoice:
    """Choose a column of Julian dates, whole or modified, where none says its scale."""
    known = {*table.times()} & {*BARYCENTRIC, *CIVIL}
    name = _first(table, (*WORDS.times, "time"))
    told = choice.time or known or _first(table, (PIPELINE_TIME,))
    if told or not name or kind_told(table, name):
        return choice
    short = np.nanmedian(_column(table, name)) < MJD_ZERO
    kind = choice.time_kind or ("mjd_utc" if short else "jd_utc")
    return replace(choice, time=name, time_kind=kind)


def is_ours(path: str | Path, choice: ColumnChoice) -> bool:
    """Tell whether a file is a lightcurve.csv, and no other columns of it are asked for."""
    return choice == ColumnChoice() and not is_fits(Path(path)) and is_lightcurve(path)


def curve_of_table(
    table: AijTable, choice: ColumnChoice, star: tuple[float, float] | None = None
) -> LightCurve:
    """Make a light curve of a table that was read; all else, and InputError, as `read_curve`."""
    notes = list(table.unusable)
    check_table(table)
    bjd, jd, time_name = _times(table, choice, notes, star)
    check_pair(bjd, jd, table.name)
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
    finite &= np.isfinite(error) | ~np.isfinite(error).any()
    finite &= _of_good_quality(table, notes) & ~_stands_again(table)
    _refuse_same_times(np.where(np.isfinite(bjd), bjd, jd)[finite], time_name, table.name)
    lost = int((~finite).sum())
    if lost:
        notes.append(Note(f"{lost} of {len(table)} rows are no measurement, or stand there again"))
    dilution, told = crowding_told(table, flux_name)
    notes += [*told, *_flattened(flux_name)]
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
        source=CurveSource(
            table.name, time_name, flux_name, _exposure(table), tuple(notes), _filter(table)
        ),
        dilution=dilution,
        stars=_stars(table, choice),
    )


def _flattened(name: str) -> tuple[Note, ...]:
    """Say what a program did to a flux that makes transits shallower."""
    if name.upper() not in FLATTENED:
        return ()
    text = (
        f"{name} had a spline taken off, which makes long transits shallower; --flux names others"
    )
    return (Note(text, Severity.WARNING, subject=name),)


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
    table: AijTable, choice: ColumnChoice, notes: list[Note], star: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """BJD_TDB and JD_UTC, NaN where the table lacks one of them, and the column used."""
    if choice.time:
        return *_of_column(table, choice, notes, star), choice.time
    times = table.times()
    bjd = next((name for name in BARYCENTRIC if name in times), "")
    jd = next((name for name in CIVIL if name in times), "")
    for name in (bjd, jd):
        _refuse_twins(table, name, "--time")
    nothing = np.full(len(table), np.nan)
    if bjd or jd:
        delay = _to_middle(table, bjd or jd, notes)
        return times.get(bjd, nothing) + delay, times.get(jd, nothing) + delay, bjd or jd
    axis = _first(table, (PIPELINE_TIME,))
    if axis:
        short = np.nanmedian(_column(table, axis)) < MJD_ZERO
        kind = "mjd_utc" if short else "jd_utc"
        text = f"column {axis}: {kind.upper()} of the start of each exposure, as its program has it"
        notes.append(Note(text, subject=axis))
        return *_of_column(table, replace(choice, time=axis, time_kind=kind), notes, star), axis
    name = _first(table, ("time",))
    if name and kind_told(table, name):
        return *_of_column(table, replace(choice, time=name), notes, star), name
    told = [name for name in table.columns if (k := kind_of_name(name)) and k.scale]
    odd = [note for note in table.unusable if note.about is About.NOT_JULIAN]
    if len(told) == 1 and not odd:
        return *_of_column(table, replace(choice, time=told[0]), notes, star), told[0]
    raise InputError(_ask_for_times(table, odd), file=table.name)


def _ask_for_times(table: AijTable, odd: Sequence[Note]) -> str:
    found = ", ".join([*table.columns, *table.words][:8])
    name = _first(table, (*WORDS.times, "time"))
    kinds = kinds_that_fit(table.columns[name]) if name else ()
    fits = f"; {name} may be {', '.join(kinds)}" if kinds else ""
    return (
        "no column of times that says what it is (BJD_TDB, JD_UTC); name it "
        "with --time and --time-kind (in Python: time=, time_kind=); "
        f"the table has {'; '.join([found, *map(str, odd)])}{fits}"
    )


def _of_column(
    table: AijTable, choice: ColumnChoice, notes: list[Note], star: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a column of times that was named: BJD_TDB and JD_UTC, one of them NaN."""
    name = choice.time
    by_table = "" if choice.time_kind else kind_told(table, name)
    if by_table:
        text = f"column {name} is {by_table.upper()}: the table says so, or the mission's dates do"
        notes.append(Note(text, subject=name))
    kind = kind_of_name(choice.time_kind or by_table or name)
    if kind is None or (choice.time_kind and not kind.scale):
        what = f"time kind {choice.time_kind!r}" if choice.time_kind else f"column {name}"
        fits = kinds_that_fit(table.columns.get(name, np.empty(0)))
        msg = f"{what} does not say what its times are: give --time-kind, one of "
        raise InputError(msg + ", ".join(fits or TIME_KINDS), file=table.name)
    if not kind.scale or (kind.is_text and not choice.time_kind and "UTC" not in name.upper()):
        kind = kind.conventional
        text = (
            f"column {name} does not name its time scale: taken as {kind.scale.upper()}, "
            "by convention; --time-kind says otherwise"
        )
        notes.append(Note(text, subject=name))
    julian = _iso_to_julian(table, name) if kind.is_text else _as_julian(table, name, kind)
    if kind.place == "H" and star is None:
        msg = f"{name} is heliocentric: BJD_TDB follows where the star's place is known (--planet)"
        raise InputError(msg, file=table.name)
    delay = _to_middle(table, name, notes)
    bjd, jd = kind.bjd_and_jd(julian, star)
    return bjd + delay, jd + delay


def _to_middle(table: AijTable, name: str, notes: list[Note]) -> np.ndarray:
    """Days from the times of column `name` to mid-exposure, (n,), where it marks another moment.

    The column's own name says so, or a comment. Raises InputError where no exposure is told.
    """
    words = {*re.findall(r"[A-Z]+", f"{name} {table.told.get('TIME STAMP', '')}".upper())}
    moment = next((m for m, known in MOMENTS.items() if words & known), "")
    if not moment:
        return np.zeros(len(table))
    exposure = _exposure(table)
    if exposure is None:
        msg = (
            f"{name} marks the {moment} of exposures, and nothing tells how long they are: add a "
            "column EXPTIME, seconds, or give the times of the middle"
        )
        raise InputError(msg, file=table.name)
    own = _exposures(table)
    half = np.where(own > 0, own, exposure) / 2 / DAY_S * (1 if moment == "start" else -1)
    shift = f"{np.median(half) * DAY_S:+g} s to the middle"
    notes.append(Note(f"times mark the {moment} of exposures: {shift}", subject=name))
    return half


def _as_julian(table: AijTable, name: str, kind: TimeKind) -> np.ndarray:
    values = _column(table, name)
    full = kind.julian(values)
    if np.isfinite(values).any() and not np.isfinite(full).any():
        first = values[np.isfinite(values)][0]
        fits = kinds_that_fit(values)
        others = f", such as {', '.join(fits)}" if fits else ""
        msg = f"{name} {first:.10g} is no such date: give --time-kind{others}"
        raise InputError(msg, file=table.name)
    return full


def _iso_to_julian(table: AijTable, name: str) -> np.ndarray:
    words = table.words.get(name)
    try:
        if words is None:
            raise ValueError(name)
        plain = [UTC.sub("", w.strip()).replace(" ", "T") for w in words]
        if any(ZONE.search(w) for w in plain):
            msg = f"column {name} is not UTC but of a time zone: {words[0]}"
            raise InputError(msg, file=table.name)
        if not all(MOMENT.fullmatch(w) for w in plain if w):
            raise ValueError(name)
        moments = np.array([w or "NaT" for w in plain], "datetime64[us]")
    except ValueError as error:
        first = "" if words is None else f": {words[0]}"
        msg = f"column {name} holds no ISO dates such as 2017-12-20T01:33:43, or of no time{first}"
        raise InputError(msg, file=table.name) from error
    return (moments - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "D") + J2000_JD


def _column(table: AijTable, name: str) -> np.ndarray:
    if name in table.words:
        odd = next(w for w in table.words[name].tolist() if parse_numbers([w]) is None)
        msg = f"column {name} is none of numbers: {odd[:40]!r}"
        raise InputError(msg, file=table.name)
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
        flux = drop_fills(flux, "flux")
        check_flux(flux, star, told=True, own=True, file=table.name)
        return flux, error, star
    names = (f"rel_flux_{choice.target}", *WORDS.fluxes, *WORDS.magnitudes)
    name = choice.flux or _first(table, names)
    counts, comparison = (_first(table, (n,)) for n in (PIPELINE_FLUX, PIPELINE_COMPARISON))
    if not name and counts and comparison:
        parts = replace(choice, flux=counts, comparison_flux=comparison)
        return _fluxes(table, parts, notes)
    if not name and counts:
        text = f"{counts} is of one star: clouds and air stay in it; --divide-by names another's"
        notes.append(Note(text, Severity.WARNING, subject=counts))
        name = counts
    if not name:
        msg = (
            "no column of relative flux; name it with --flux (in Python: flux=); the table has "
            f"{', '.join(table.columns)}"
        )
        raise InputError(msg, file=table.name)
    if not choice.flux:
        _refuse_twins(table, name, "--flux")
    if choice.comparison_flux:
        return _divided(table, name, choice, notes)
    return *_of_kind(table, name, choice, notes), name


def _divided(
    table: AijTable, name: str, choice: ColumnChoice, notes: list[Note]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Divide a flux and its error by another star's flux."""
    other = _column(table, choice.comparison_flux)
    flux = _column(table, name) / other
    column = choice.error or _error_column(table, name, choice.target, "flux")
    error = _column(table, column) / other if column else _scatter(flux, notes)
    flux, label = drop_fills(flux, "flux"), f"{name} / {choice.comparison_flux}"
    check_flux(flux, label, told=True, own=True, file=table.name)
    return flux, error, label


def _of_kind(
    table: AijTable, name: str, choice: ColumnChoice, notes: list[Note]
) -> tuple[np.ndarray, np.ndarray]:
    """Read a column of brightness, whatever it holds, as flux with its error."""
    by_name = kind_of_flux(table.units.get(name, "")) or kind_of_flux(name)
    by_name = by_name or ("mag" if name.lower() in MAGNITUDES else "")
    kind = choice.flux_kind or by_name or _told_kind(table) or "flux"
    if kind not in FLUX_KINDS:
        msg = f"flux kind {kind!r}: one of {', '.join(FLUX_KINDS)}"
        raise InputError(msg)
    values = drop_fills(_column(table, name), kind)
    told = bool(choice.flux_kind or _told_kind(table)) or name.lower() in {
        PIPELINE_FLUX.lower(),
        *OWN_FLUXES,
    }
    told |= bool(STAR_COLUMN.match(name)) and not name.startswith("rel_flux")
    if kind == "flux":
        check_flux(values, name, told=told, own=bool(STAR_COLUMN.match(name)), file=table.name)
    else:
        notes.append(Note(f"column {name} is read as {FLUX_KINDS[kind].help}", subject=name))
    column = choice.error or _error_column(table, name, choice.target, kind)
    if not choice.error and column:
        _refuse_twins(table, column, "--error")
    own = np.abs(_column(table, column)) if column else np.full(len(table), np.nan)
    own = np.where(own > 0, drop_fills(own, "flux"), np.nan)
    of_error = kind_of_flux(table.units.get(column, "")) or kind_of_flux(column)
    other = of_error not in {"", by_name}  # else in the unit of the brightness, whatever is told
    if other and FLUX_KINDS[of_error].is_magnitude == FLUX_KINDS[kind].is_magnitude:
        own = own * FLUX_KINDS[of_error].unit / FLUX_KINDS[kind].unit
    flux, error = to_flux(values, own, kind)
    check_unit(flux, name, kind, told=bool(choice.flux_kind), file=table.name)
    if not np.isfinite(error).any():
        return flux, _scatter(flux, notes)
    check_errors(flux, error, column, table.name)
    return flux, error


def _told_kind(table: AijTable) -> str:
    """Read from a table's comments what its brightness is; empty where they do not tell."""
    usual = "flux" if table.told.get("TYPE", "").upper() == "EXOPLANET" else ""
    told = table.told.get("MEASUREMENT_TYPE", table.told.get("FLUX FORMAT", usual))
    return kind_of_flux(told) or ("flux" if "flux" in told.lower() else "")


def _error_column(table: AijTable, flux: str, target: str, kind: str) -> str:
    """Find the column of a brightness's errors; an empty string where there is none."""
    of_it = (
        f"{flux}_err",
        f"{flux}_error",
        f"{flux}-err",
        f"err_{flux}",
        f"e_{flux}",
        f"{flux}err",
        re.sub("flux", "flux_err", flux, flags=re.IGNORECASE),
    )
    usual = WORDS.magnitude_errors if kind in {"mag", "mmag"} else WORDS.errors
    names = [name for name in (*of_it, *usual) if name.lower() != flux.lower()]
    if flux.lower() != f"rel_flux_{target}".lower():  # AstroImageJ's are of that one alone
        names = [name for name in names if not name.startswith("rel_flux_err_")] + [
            name for name in of_it if name.startswith("rel_flux_err_")
        ]
    return _first(table, names)


def _scatter(flux: np.ndarray, notes: list[Note]) -> np.ndarray:
    """Take the scatter between neighbours for the error of each point."""
    steps = np.diff(flux[np.isfinite(flux)])
    noise = robust_scatter(steps, about=0.0) / np.sqrt(2)
    text = f"no errors in the table: {noise:.3g}, the scatter between neighbours, for all"
    notes.append(Note(text))
    return np.full(len(flux), noise)


def _refuse_twins(table: AijTable, name: str, option: str) -> None:
    """Refuse a name that two columns of other values have, or that differs by capitals alone.

    Raises InputError; without an option where both are spelt alike.
    """
    same = [n for n in table.columns if n.lower() == name.lower()]
    values = [table.columns[n] for n in same]
    if any(not np.array_equal(values[0], v, equal_nan=True) for v in values[1:]):
        msg = f"columns {', '.join(same)} differ in more than capitals: {option} names one"
        raise InputError(msg, file=table.name)
    if any(n.about is About.TWO_COLUMNS and n.subject in same for n in table.unusable):
        msg = f"two columns {name} of other values: --columns gives them other names"
        raise InputError(msg, file=table.name)


def check_table(table: AijTable, target: str = "") -> None:
    """Refuse a table of several light curves, or in which what a star has stands twice.

    target : star whose columns are looked at; by default none. Raises InputError.
    """
    _refuse_several(table)
    for name in (*BARYCENTRIC, *CIVIL, f"Source-Sky_{target}") if target else ():
        _refuse_twins(table, name, "--columns")


def _refuse_several(table: AijTable) -> None:
    """Refuse a table of several stars or filters, one below the other; raises InputError."""
    numbered = {
        name: values
        for name, values in table.columns.items()
        if len(np.unique(values)) <= len(table) / 3 and not np.any(values % 1)
    }
    for name, values in {**table.words, **numbered}.items():
        found = sorted({str(value) for value in values.tolist()} - {"", "nan"})
        if name.lower() in WORDS.of_rows and len(found) > 1:
            shown = ", ".join(found[:3])
            msg = f"rows of {len(found)} light curves, by column {name}: {shown}; keep those of one"
            raise InputError(msg, file=table.name)


def _refuse_same_times(days: np.ndarray, name: str, file: str) -> None:
    """Refuse points (n,) of which few have a time of their own, cut to two decimals or fewer.

    Raises InputError; of fewer than ten points nothing is said.
    """
    distinct = len(np.unique(days))
    cut = bool(np.all(np.abs(100 * days - np.round(100 * days)) < 1e-6))
    if cut and len(days) >= 10 and distinct < FEWEST_DISTINCT * len(days):
        msg = f"{len(days)} points at {distinct} times: {name} is cut to two decimals or fewer"
        raise InputError(msg, file=file)


def _stands_again(table: AijTable) -> np.ndarray:
    """Mark rows that repeat an earlier one in numbers and words: (n,) bool."""
    words = [np.unique(values, return_inverse=True)[1] for values in table.words.values()]
    if not table.columns:
        return np.zeros(len(table), dtype=bool)
    rows = np.column_stack([*table.columns.values(), *words])
    again = np.ones(len(table), dtype=bool)
    again[np.unique(rows, axis=0, return_index=True)[1]] = False
    return again & np.isfinite(rows[:, : len(table.columns)]).any(axis=1)


def _of_good_quality(table: AijTable, notes: list[Note]) -> np.ndarray:
    """Leave out the points that a column of flags marks, where it marks the fewer: (n,) bool."""
    good = np.ones(len(table), dtype=bool)
    known = {word.lower() for word in (*WORDS.quality, *WORDS.good)}
    for name in (n for n in table.words if n.lower() in known):
        text = f"column {name} is of words, and left aside: leave out the rows that are bad"
        notes.append(Note(text, Severity.WARNING, subject=name))
    bits = [n for n in table.columns if spoilt_points(table, n)]
    others = (_first(table, words) for words in (WORDS.quality, WORDS.good) if not bits)
    own = [n for n in table.columns if n.lower() in OWN_FLAGS]
    for name in dict.fromkeys((*bits, *own, *(n for n in others if n))):
        values = table.columns[name]
        of_good = name.lower() in {word.lower() for word in WORDS.good}
        marked = np.asarray((values == 0) if of_good else (values != 0))
        marked, said = spoilt_points(table, name) or (marked, "")
        good &= ~_believed(name, values, marked, notes, said)
    return good


def _believed(
    name: str, values: np.ndarray, marked: np.ndarray, notes: list[Note], said: str = ""
) -> np.ndarray:
    """Take a column of flags, (n,), at its word; where that cannot be no point is marked."""
    count = int(marked.sum())
    if np.any(values % 1) or marked.mean() > MOST_MARKED:
        text = f"column {name} marks {count} of {len(values)} points, and is left aside"
        notes.append(Note(text, Severity.WARNING, subject=name))
        return np.zeros(len(values), dtype=bool)
    if count:
        text = f"{count} points are marked by column {name}, and left out"
        text += f" ({said})" if said else ""
        notes.append(Note(text, subject=name))
    return marked


def _first(table: AijTable, names: Sequence[str]) -> str:
    """Find the first of `names` in the table, upper or lower case; an empty string if none."""
    known = {name.lower(): name for name in reversed(list(table.columns))}
    return next((known[name.lower()] for name in names if name.lower() in known), "")


def _filter(table: AijTable) -> str:
    """Name the filter that comments or a column tell; empty where neither does."""
    name = next((name for name in table.words if name.lower() in OF_FILTERS), "")
    told = table.told.get("FILTER") or (str(table.words[name][0]) if name else "")
    mission = mission_of(table)
    return normalise_filter(told) or (MISSIONS[mission].filter if mission else "")


def _exposure(table: AijTable) -> float | None:
    """Median exposure, seconds; None where the table does not tell."""
    values = _exposures(table)
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if good.size else _told_exposure(table) or exposure_told(table)


def _exposures(table: AijTable) -> np.ndarray:
    """Exposures by their column, seconds, (n,), in the unit that it or its name tells; else NaN."""
    named = [(name, EXPOSURE.fullmatch(name)) for name in table.columns]
    for word in WORDS.exposures:
        for name, parts in named:
            if parts and re.sub(r"\s+", "_", parts[1]).lower() == word.lower():
                unit = parts[2] or table.units.get(name, "")
                return table.columns[name] * SECONDS.get(unit.lower(), 1.0)
    return np.full(len(table), np.nan)


def _told_exposure(table: AijTable) -> float | None:
    """Exposure by the comments of a table, seconds; None where they do not tell."""
    keys = ("EXPOSURE_TIME", "EXPOSURE TIME IN SECONDS")
    told = parse_numbers([table.told.get(key, "") for key in keys])
    known = [] if told is None else [float(v) for v in told if v > 0]
    return known[0] if known else None


def _columns(table: AijTable, target: str) -> dict[str, np.ndarray]:
    """Collect what covariates are made of: columns finite throughout that are not constant."""
    found = {}
    for covariate in COVARIATES:
        column = _first(table, [c.format(star=target) for c in covariate.aliases])
        values = table.columns.get(column)
        if values is not None and np.isfinite(values).all() and np.ptp(values) > 0:
            found[covariate.needs[0]] = values
    return found
