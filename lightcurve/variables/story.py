"""The story of variable stars: which stars vary, their periods, and the times of their minima."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Products
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.settings import CatalogSettings, Settings
from lightcurve.exports.aavso import CAMERA
from lightcurve.exports.submission import STAR_NAME
from lightcurve.night.keep import read_night
from lightcurve.season.nights import label_all
from lightcurve.tables.light_curves import ColumnChoice
from lightcurve.transit.times import Ephemeris, Times, fit_ephemeris
from lightcurve.variables.candidates import write_candidates
from lightcurve.variables.field import Field, join_runs
from lightcurve.variables.known import KnownVariable, known_variables
from lightcurve.variables.magnitudes import Tied, Transformation, tie_to_standards
from lightcurve.variables.minima import Minimum, find_minima
from lightcurve.variables.period import PeriodSearch, find_period
from lightcurve.variables.products import write_minima, write_period
from lightcurve.variables.search import Searched, period_of, search_field
from lightcurve.variables.series import Series, find_runs, read_series
from lightcurve.variables.submit import check_words, write_magnitudes

__all__ = [
    "FoundPeriod",
    "Magnitudes",
    "Minima",
    "Range",
    "Star",
    "Submitter",
    "Transformation",
    "Variables",
    "find_variables",
    "measure_magnitudes",
    "search_period",
    "time_minima",
]

log = logging.getLogger(__name__)
SEED = 1
EPOCHS = (2_300_000, 2_600_000)  # Julian dates of 1585 to 2406


@dataclass(frozen=True, slots=True)
class Star:
    """What the user says of the tables, and whose they are.

    Attributes
    ----------
    place : tuple of float or None
        Right ascension and declination, degrees, where no run tells them.
    """

    choice: ColumnChoice | None = None
    name: str = ""
    place: tuple[float, float] | None = None

    def read(self, paths: Sequence[Path]) -> Series:
        """Join the light curves; raises InputError."""
        return read_series(paths, self.choice, name=self.name, star=self.place)


@dataclass(frozen=True, slots=True)
class Range:
    """Periods that are looked at, days; None for four cadences, and the whole span."""

    shortest: float | None = None
    longest: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FoundPeriod:
    """The period of a star.

    Attributes
    ----------
    series : Series
        Its points, of all tables.
    """

    series: Series
    search: PeriodSearch
    products: Products = NOTHING_WRITTEN


@dataclass(frozen=True, slots=True, eq=False)
class Minima:
    """Times of minimum of a star.

    Attributes
    ----------
    minima : tuple of Minimum
        In order of time.
    known : Ephemeris or None
        As it was given, in half periods: even epochs are primary minima.
    half : (n,) int array or None
        Half periods since its T0, of each minimum.
    new : Ephemeris or None
        Of the primary minima, in whole periods, where there are two and more.
    """

    series: Series
    minima: tuple[Minimum, ...]
    known: Ephemeris | None = None
    half: np.ndarray | None = None
    new: Ephemeris | None = None
    products: Products = NOTHING_WRITTEN


def search_period(
    paths: Sequence[Path],
    out: Path,
    star: Star | None = None,
    limits: Range | None = None,
    *,
    boxes: bool = True,
) -> FoundPeriod:
    """Find the period of a star in the light curves of many nights.

    Parameters
    ----------
    paths : sequence of Path
        Run folders, folders of them, and tables of any program.
    out : Path
        Gets period.json, periodogram.csv, folded.csv, figures/period.png and run.log.
    star, limits
        What the user says.
    boxes : bool
        Whether eclipses are looked for by boxes (BLS), too.

    Raises
    ------
    InputError
        When there is nothing to read, or too little.
    FitError
        When nothing varies.
    """
    limits = limits or Range()
    with open_log(out):
        series = (star or Star()).read(paths)
        with stage("looking for a period"):
            search = find_period(
                series.time, series.flux, series.error, part=series.part,
                shortest=limits.shortest, longest=limits.longest, boxes=boxes,
            )  # fmt: skip
        found = FoundPeriod(series, search)
        return replace(found, products=write_period(out, found))


def time_minima(
    paths: Sequence[Path],
    out: Path,
    star: Star | None = None,
    *,
    period: float | None = None,
    t0: float | None = None,
) -> Minima:
    """Find and time the minima in light curves.

    Parameters
    ----------
    paths : sequence of Path
        As for `search_period`.
    out : Path
        Gets minima.csv, minima.json, figures/minima.png and run.log.
    star : Star, optional
        What the user says.
    period, t0 : float, optional
        Of an eclipsing binary, days and the time of a primary minimum, of the tables' time scale:
        primary and secondary minima are told, and O-C.

    Raises
    ------
    InputError
        When there is nothing to read, the period is none, or `t0` is no Julian date or without it.
    FitError
        When no minimum is found.
    """
    if period is not None and not period > 0:
        msg = f"--period {period:g} is not positive"
        raise InputError(msg)
    if t0 is not None and (period is None or not EPOCHS[0] < t0 < EPOCHS[1]):
        msg = f"--epoch {t0:.10g}: a whole Julian date is needed, and --period beside it"
        raise InputError(msg)
    with open_log(out):
        series = (star or Star()).read(paths)
        with stage("looking for minima"):
            rng = np.random.default_rng(SEED)
            found = [
                one
                for part in np.unique(series.part)
                for rows in [np.flatnonzero(series.part == part)]
                for one in find_minima(
                    series.time[rows], series.flux[rows], series.error[rows], rng=rng
                )
            ]
        if not found:
            msg = (
                f"no minimum in {len(series.time)} points of {series.name}: none is six sigma deep "
                "with points of both of its branches in one night"
            )
            raise FitError(msg)
        found.sort(key=lambda one: one.time)
        minima = Minima(series, tuple(found))
        if period is not None:
            minima = with_ephemeris(minima, period, t0)
        return replace(minima, products=write_minima(out, minima))


def with_ephemeris(minima: Minima, period: float, t0: float | None) -> Minima:
    """Tell primary from secondary minima, and fit the ephemeris anew.

    t0: without it the deepest minimum is a primary one.
    """
    whole = [one for one in minima.minima if one.whole] or list(minima.minima)
    first = max(whole, key=lambda one: one.depth).time if t0 is None else t0
    known = Ephemeris(0, first, period / 2, np.full((2, 2), math.nan))
    time = np.array([one.time for one in minima.minima])
    half = np.rint((time - first) / known.period).astype(int)
    used = np.array([one.whole for one in minima.minima]) & (half % 2 == 0)
    new = None
    if len(np.unique(half[used])) > 1:
        variance = np.array([one.error**2 for one in minima.minima])[used]
        times = Times(half[used] // 2, time[used], np.diag(variance))
        new = fit_ephemeris(times, replace(known, period=period))
    return replace(minima, known=known, half=half, new=new)


@dataclass(frozen=True, slots=True, eq=False)
class Variables:
    """The stars of a field that vary.

    Attributes
    ----------
    field : Field
        All stars over all frames.
    searched : Searched
        With ``variables``, the repeated ones first.
    known : mapping of int to KnownVariable
        By column of the field, those that a catalogue has.
    asked : str
        What became of the question to that catalogue.
    """

    field: Field
    searched: Searched
    known: Mapping[int, KnownVariable]
    asked: str
    products: Products = NOTHING_WRITTEN


def find_variables(
    runs: Sequence[Path],
    out: Path,
    catalogs: CatalogSettings | None = None,
    *,
    periods: bool = True,
    progress: Progress = silent,
) -> Variables:
    """Find the variables among all stars of a field, over one night or many.

    Parameters
    ----------
    runs : sequence of Path
        Folders of finished runs of one field, target and filter, or folders of such.
    out : Path
        Gets candidates.csv, curves, figures, variables.json, report.html and run.log.
    catalogs : CatalogSettings, optional
        Where known variables are asked for.
    periods : bool
        Whether periods of the candidates are looked for.

    Raises
    ------
    InputError
        When there is no run, what it measured is not at hand, or runs have no stars in common.
    """
    with open_log(out):
        folders = find_runs(runs)
        labels = label_all([folder / "lightcurve.csv" for folder in folders])
        read = progress(folders, "reading runs", len(folders))
        field = join_runs([read_night(folder) for folder in read], labels)
        with stage("comparing all stars"):
            searched = search_field(field)
        known, asked = known_variables(field, catalogs or CatalogSettings(offline=True))
        if periods:
            timed = tuple(
                one if one.once
                else replace(one, period=period_of(field, searched.compared, one.column))
                for one in progress(searched.variables, "looking for periods",
                                    len(searched.variables))
            )  # fmt: skip
            searched = replace(searched, variables=timed)
        found = Variables(field, searched, known, asked)
        with stage("drawing"):
            return replace(found, products=write_candidates(out, found))


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who hands magnitudes in; without a code no file for the AAVSO is written."""

    code: str = ""
    camera: str = "CCD"
    chart: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """A star's magnitudes on a standard system, over all runs.

    Attributes
    ----------
    field : Field
        All stars over all frames.
    tied : Tied
        With ``magnitude``, ``error``, ``zero_point`` and ``check``.
    name, band, observer_code, camera, chart : str
        For the AAVSO.
    """

    field: Field
    tied: Tied
    name: str
    band: str
    observer_code: str
    camera: str
    chart: str
    products: Products = NOTHING_WRITTEN


def measure_magnitudes(
    runs: Sequence[Path],
    settings: Settings,
    out: Path,
    transformation: Transformation | None = None,
    submitter: Submitter | None = None,
    *,
    name: str = "",
    progress: Progress = silent,
) -> Magnitudes:
    """Bring the light curves of runs onto a standard system, in one file.

    Parameters
    ----------
    runs : sequence of Path
        Folders of finished runs of one star and filter, or folders of such.
    settings : Settings
        Its catalogues, band, standards and whether a colour term is fitted.
    out : Path
        Gets magnitudes.csv, magnitudes.json, a file for VStar, one for the AAVSO, and run.log.
    transformation, submitter
        What the observer says.
    name : str
        Of the star; else that of the first run.

    Raises
    ------
    InputError
        When there is no run, no catalogue has the band, or a file would be refused.
    FitError
        When too few standards are among the stars.
    """
    who = submitter or Submitter()
    camera = CAMERA.read(who.camera)
    with open_log(out):
        folders = find_runs(runs)
        labels = label_all([folder / "lightcurve.csv" for folder in folders])
        read = list(progress(folders, "reading runs", len(folders)))
        nights = [read_night(folder) for folder in read]
        field = join_runs(nights, labels)
        with stage("tying magnitudes to standards"):
            tied, _ = tie_to_standards(field, settings, transformation or Transformation())
        star = name or STAR_NAME.of_run({"target": nights[0].target.name}) or labels[0]
        band = settings.image.band or ""
        found = Magnitudes(field, tied, star, band, who.code, camera, who.chart)
        if tied.check is not None and not tied.check.agrees:
            log.warning("check star %s", check_words(found))
        return replace(found, products=write_magnitudes(out, found))
