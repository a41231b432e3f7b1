"""A transit fitted to any light curve, without frames; refused where the star is another's."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.catalogs.motion import place_at
from lightcurve.core.constants import DAY_S
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.covariates import elapsed
from lightcurve.core.data import (
    Assumed,
    CurveSource,
    Dilution,
    LightCurve,
    Note,
    Planet,
    Products,
    Result,
    Site,
    TransitFit,
)
from lightcurve.core.data.curves import NOTHING_WRITTEN, plot_fitted
from lightcurve.core.data.tabular import Tabular
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.files import write_text
from lightcurve.core.progress import each_once, open_log, stage
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text, parse_numbers
from lightcurve.core.times import bjd_tdb
from lightcurve.night.drawing import draw_wanted
from lightcurve.night.finished import Finished
from lightcurve.night.fit_checks import ONE_CAMERA, check_epoch, check_exposure, check_sense
from lightcurve.night.fit_products import summarise_fit, write_fit
from lightcurve.night.transits import cut_transits, fold_transits, take_points
from lightcurve.setup.target import find_target
from lightcurve.tables.light_curves import ColumnChoice, is_ours, open_table, read_curve
from lightcurve.tables.run_folder import read_record, read_trust
from lightcurve.transit.ephemeris import make_planet
from lightcurve.transit.fit import solve_curve
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.mistakes import Mistake, clock_mistakes, explain
from lightcurve.transit.solve import Solution

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = [
    "OURS",
    "Fitted",
    "Known",
    "check_place",
    "fit_light_curve",
    "fit_table",
    "need_planet",
    "read_to_fit",
    "tells_exposure",
]

SAME_STAR_DEG = 0.1  # wide of all proper motions and of a plate solution gone slightly wrong
log = logging.getLogger(__name__)
OURS = "lightcurve.csv"
TRANSIT_VALUES = ("mid_time_bjd_tdb", "o_minus_c_minutes", "depth_percent", "rp_over_rs")
CLOCK_ERROR_S = 1.0  # of times that some program worked out
CLOCK_TOLERANCE_S = 20.0  # geocentre for observer, and old tables' precession, cost less


def check_place(
    path: Path, choice: ColumnChoice, planet: Planet, record: Mapping[str, Any]
) -> None:
    """Refuse a table whose star is not the planet's.

    path: of the table: AstroImageJ's say where their stars are, of a run its record does (entries
    of the night in run.toml). Raises InputError when they are more than 0.1 deg apart.
    """
    ra, dec, star = _place_of_run(record) if is_ours(path, choice) else _in_table(path, choice)
    if not (0 <= ra < 360 and abs(dec) <= 90):  # not known, or none
        return
    apart = degrees_apart((ra, dec), (planet.ra_deg, planet.dec_deg))
    if apart > SAME_STAR_DEG:
        msg = (
            f"{path.name}: star {star} is at {ra:.4f} {dec:+.4f} deg, "
            f"{planet.name} of the planet file {apart:.3g} deg away: another star's --planet?"
        )
        raise InputError(msg)


def _in_table(path: Path, choice: ColumnChoice) -> tuple[float, float, str]:
    """Find a table's star: RA, Dec, degrees, NaN where it does not say; and its name."""
    table = open_table(path, choice.columns)
    cards = parse_numbers([table.told.get(key, "") for key in ("RA_OBJ", "DEC_OBJ")])
    if cards is not None and np.isfinite(cards).all():
        return float(cards[0]), float(cards[1]), table.told.get("OBJECT", "of the file")
    ra, dec = (table.star(name, choice.target) for name in ("RA", "DEC"))
    if not (np.isfinite(ra).any() and np.isfinite(dec).any()):
        return math.nan, math.nan, choice.target
    return 15 * float(np.nanmedian(ra)), float(np.nanmedian(dec)), choice.target


def _place_of_run(record: Mapping[str, Any]) -> tuple[float, float, str]:
    """Find the target of a run, as `_in_table` does that of a table."""
    ra, dec = (float(record.get(name, math.nan)) for name in ("ra_deg", "dec_deg"))
    return ra, dec, str(record.get("target", "of the run"))


@dataclass(frozen=True, slots=True)
class Known:
    """What the user says of a table, where it does not tell itself.

    Attributes
    ----------
    choice : ColumnChoice
        Which columns are meant.
    filter_source : str
        What tells the filter.
    """

    choice: ColumnChoice | None = None
    exposure_s: float | None = None
    filter: str | None = None
    filter_source: str = "option --filter"


@dataclass(frozen=True, slots=True, eq=False)
class OneTransit:
    """One transit of a light curve of many, fitted by itself, or why it was not.

    Attributes
    ----------
    epoch : int
        Periods since the T0 that was known.
    """

    epoch: int
    points: int
    fit: TransitFit | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted(Tabular):
    """A light curve with a transit fitted to it.

    Attributes
    ----------
    curve : LightCurve
        In order of time, with BJD_TDB for every point that has a time.
    values : tuple of Assumed
        Exposure and filter, and where they came from.
    products : Products
        Empty until they are written.
    solved : Solution or None
        The points with their noise, for a joint fit.
    transits : tuple of OneTransit
        Where the light curve has several, and is all of them folded: each by itself.
    """

    curve: LightCurve
    planet: Planet
    fit: TransitFit
    values: tuple[Assumed, ...]
    products: Products = NOTHING_WRITTEN
    solved: Solution | None = None
    transits: tuple[OneTransit, ...] = ()

    def to_table(self) -> Table:
        """Lay the light curve out, as `LightCurve.to_table`."""
        return self.curve.to_table()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the light curve with the fit, on axes given or new."""
        return plot_fitted(self.curve, self.fit, ax)


def fit_table(path: Path, settings: Settings, out: Path, *, known: Known | None = None) -> Fitted:
    """Fit a transit to a light curve of any source, and write what comes of it.

    Parameters
    ----------
    path : Path
        Our lightcurve.csv, a table of AstroImageJ, or any table with times and fluxes.
    settings : Settings
        Its target, site, fit, figures and seed are used; where it names no target, the planet of
        the run.
    out : Path
        Folder for fit.json, model.csv and figures; made if need be.

    Raises
    ------
    LightcurveError
        When the table cannot be read, no planet is known, or the fit fails.
    """
    known = known or Known()
    curve, planet, record = read_to_fit(path, settings, known)
    with open_log(out):
        with stage("fitting the transit"):
            fitted = fit_light_curve(curve, planet, settings, known=known, record=record)
        curve, fit = fitted.curve, fitted.fit
        if path.name == OURS and (trusted := read_trust(path.parent, curve)) is not None:
            for note in trusted.notes:
                log.log(note.severity.value, "%s", note)
            fit = replace(fit, notes=(*fit.notes, *trusted.notes))
            fitted = replace(fitted, fit=fit)
        exposure, filter_name = (value.value for value in fitted.values)
        about = {"target": planet.name, **record, "planet": planet_values(planet)}
        about |= {"exposure_s": exposure, "filter": filter_name}
        extra = {
            "table": path.name,
            "seed": settings.seed,
            "values": [value.record for value in fitted.values],
            "night": about,
        }
        paths = write_fit(out, curve, fit, planet, extra=extra)
        with stage("drawing"):
            finished = Finished(curve, about, fit, planet, name=path.name)
            drawn = draw_wanted(out / "figures", finished, settings.figures)
        if fitted.transits:
            paths["transits.csv"] = write_transits(out / "transits.csv", fitted.transits)
        paths |= {f"figures/{figure.name}": figure for figure in drawn.values()}
        log.info("%s", fit.verdict)
    used, points = int(fit.used.sum()), len(fit.used)
    summary = {
        "target": Result(about["target"], label="target"),
        "table": Result(path.name, label="table"),
        "points_used": Result(used, "", "points", f"{used} of {points}"),
        "points": Result(points),
        **_counted(fitted.transits),
        **summarise_fit(fit),
    }
    return replace(fitted, products=Products(out, paths, {}, summary))


def read_to_fit(
    path: Path, settings: Settings, known: Known
) -> tuple[LightCurve, Planet, Mapping[str, Any]]:
    """Read a light curve of any source, its planet, and the night's entries of run.toml.

    Raises InputError when the table cannot be read, no planet is known, or the star is another's.
    """
    if not path.exists():
        msg = f"{path}: there is no such file or folder"
        raise InputError(msg)
    record = read_record(path.parent).get("night", {}) if path.name == OURS else {}
    planet = need_planet(settings, record)
    curve = read_curve(path, known.choice, star=(planet.ra_deg, planet.dec_deg))
    check_place(path, known.choice or ColumnChoice(), planet, record)
    return curve, planet, record


@each_once()  # what its transits have in common
def fit_light_curve(
    curve: LightCurve,
    planet: Planet,
    settings: Settings,
    *,
    known: Known,
    record: Mapping[str, Any] | None = None,
) -> Fitted:
    """Fit a transit to a light curve; nothing is written.

    Of several transits each is fitted, and then all of them folded.
    record: the night's entries of run.toml.
    Raises LightcurveError when no point has a time, the exposure cannot be, or the fit fails.
    """
    record = record or {}
    exposure_s, filter_name, values = settle(known, curve, record)
    curve = replace(curve, dilution=curve.dilution or _dilution(record))
    site = site_of(settings, record)
    curve = ready_to_fit(curve, planet, site, exposure_s, known.choice or ColumnChoice())
    notes = curve.source.notes if curve.source else ()
    for told in (*values, *notes):
        log.info("%s", told)
    parts = cut_transits(curve, planet)
    each = tuple(
        _alone(epoch, part, planet, settings, (exposure_s, filter_name))
        for epoch, part in parts.items()
    )
    if parts:
        curve = fold_transits(parts, planet)
        notes = curve.source.notes if curve.source else ()
        log.info("%s", notes[-1])
    fit, solved = solve_curve(
        curve, planet, exposure_s=exposure_s, filter_name=filter_name, settings=settings.fit,
        rng=np.random.default_rng(settings.seed),
    )  # fmt: skip
    fit = replace(fit, notes=(*notes, *fit.notes))
    return Fitted(curve, planet, fit, values, solved=solved, transits=each)


def _alone(
    epoch: int,
    curve: LightCurve,
    planet: Planet,
    settings: Settings,
    exposed: tuple[float, str | None],
) -> OneTransit:
    """Fit one transit of several; exposed: seconds, and the filter."""
    plain = settings.fit.model_copy(update={"sample": False})
    try:
        fit, _ = solve_curve(
            curve, planet, exposure_s=exposed[0], filter_name=exposed[1], settings=plain,
            rng=np.random.default_rng(settings.seed),
        )  # fmt: skip
    except FitError as error:
        return OneTransit(epoch, len(curve.flux), error=str(error))
    return OneTransit(epoch, len(curve.flux), fit)


def _counted(transits: Sequence[OneTransit]) -> dict[str, Result]:
    """Tell how many transits were folded, and how many of them show by themselves."""
    if not transits:
        return {}
    found = sum(one.fit is not None and one.fit.found for one in transits)
    told = f"{len(transits)} folded, of which {found} show by themselves (transits.csv)"
    return {
        "transits": Result(len(transits), "", "transits", told),
        "transits_found": Result(found),
    }


def write_transits(path: Path, transits: Sequence[OneTransit]) -> Path:
    """Write transits.csv: a row for each transit, by itself."""
    rows = []
    for one in transits:
        row: list[Any] = [one.epoch, one.points]
        for name in TRANSIT_VALUES:
            p = None if one.fit is None else one.fit.parameters.get(name)
            row += ["", ""] if p is None else [p.value, (p.upper - p.lower) / 2]
        verdict = str(one.fit.verdict) if one.fit else one.error
        rows.append([*row, int(one.fit is not None and one.fit.found), verdict])
    names = [name for value in TRANSIT_VALUES for name in (value, f"{value}_err")]
    return write_text(path, csv_text(["epoch", "points", *names, "found", "verdict"], rows))


def ready_to_fit(
    curve: LightCurve, planet: Planet, site: Site | None, exposure_s: float, choice: ColumnChoice
) -> LightCurve:
    """Put a light curve in order, with BJD_TDB, once it is seen to hold what it says.

    exposure_s: seconds. Raises LightcurveError where times, exposure or the sense of the brightness
    cannot be.
    """
    curve, time_note = with_barycentric_times(curve, planet, site)
    curve = in_order(curve)
    check_exposure(exposure_s, curve)
    check_epoch(curve, planet, choice)
    check_sense(curve, planet, choice)
    source = curve.source or CurveSource("")
    return replace(curve, source=replace(source, notes=(*source.notes, Note(time_note))))


def need_planet(settings: Settings, record: Mapping[str, Any] | None = None) -> Planet:
    """Find the planet whose transit is wanted; raises InputError when none is given.

    record: the night's entries of run.toml, whose planet serves where the settings name none.
    """
    if not settings.target.planet_file and not settings.target.name:
        if record and "planet" in record:
            return make_planet(record["planet"], "run.toml")
        msg = "whose transit? give --planet FILE, or --target with the name of a known planet"
        raise InputError(msg)
    planet = find_target(settings.target, settings.catalogs).planet
    if planet is None:
        msg = (
            f"{settings.target.name} is not known as a planet: give --planet FILE, "
            "or a name as the NASA Exoplanet Archive has it, such as 'HAT-P-32 b'"
        )
        raise InputError(msg)
    return planet


def in_order(curve: LightCurve) -> LightCurve:
    """Put the points in the order of time; those without a time come last."""
    return take_points(curve, np.argsort(curve.bjd_tdb, kind="stable"))


def settle(
    known: Known, curve: LightCurve, record: Mapping[str, Any]
) -> tuple[float, str | None, tuple[Assumed, ...]]:
    """Settle exposure and filter: options first, then the table, then the record of its run.

    record: the night's entries of run.toml.
    Returns exposure, seconds (0 where nothing tells: the model is then not averaged over it),
    filter, and both with their sources. Raises InputError where the table's exposures are longer
    than its points are apart, and none are given.
    """
    table = curve.source.exposure_s if curve.source else None
    if table is not None and known.exposure_s is None:
        check_exposure(table, curve, ONE_CAMERA)
    exposures = (
        (known.exposure_s, "option --exposure"),
        (table, "median of the table"),
        (record.get("exposure_s"), "run.toml"),
        (0.0, "assumed, the table does not tell: --exposure settles it"),
    )
    exposure_s, where = next((value, source) for value, source in exposures if value is not None)
    filters = (
        (known.filter, known.filter_source),
        (curve.source.filter if curve.source else None, "the table"),
        (record.get("filter"), "run.toml"),
        (None, "not known: --filter settles it"),
    )
    name, source = next((f for f in filters if f[0]), filters[-1])
    values = (
        Assumed("exposure", exposure_s, "s", where, f"{exposure_s:g} s"),
        Assumed("filter", name, "", source, name or "none"),
    )
    return float(exposure_s), name, values


def tells_exposure(curve: LightCurve, record: Mapping[str, Any]) -> bool:
    """Whether a table tells an exposure that can be, or, where it tells none, its run does.

    record: the night's entries of run.toml.
    """
    own = curve.source.exposure_s if curve.source else None
    if own is None:
        return record.get("exposure_s") is not None
    try:
        check_exposure(own, curve, ONE_CAMERA)
    except InputError:
        return False
    return True


def _dilution(record: Mapping[str, Any]) -> Dilution | None:
    """Read how much of the light a run found to be the target's; None where it does not say."""
    return Dilution(**record["dilution"]) if "dilution" in record else None


def _mistakes(bjd: np.ndarray, planet: Planet) -> list[Mistake]:
    """List what mistakes would do to BJD_TDB, (n,)."""
    return clock_mistakes(float(np.nanmedian(bjd)), planet.ra_deg, planet.dec_deg, 0.0)


def site_of(settings: Settings, record: Mapping[str, Any]) -> Site | None:
    """Find where the light was collected.

    record: the night's entries of run.toml. Returns None where neither tells.
    """
    of_run = Site(**record["site"]) if "site" in record else None
    return settings.site.site() or of_run


def with_barycentric_times(
    curve: LightCurve, planet: Planet, site: Site | None
) -> tuple[LightCurve, str]:
    """Work out BJD_TDB where a row has JD_UTC only, and check it where rows have both.

    planet: for its coordinates.
    site: None stands for the centre of the Earth: wrong by 21 ms at most.
    Returns the curve, and where its times come from. Raises FitError when no point has a time.
    """
    has_bjd, has_jd = (np.isfinite(t) for t in (curve.bjd_tdb, curve.jd_utc))
    if not (has_bjd | has_jd).any():
        msg = f"{curve.source.table if curve.source else planet.name}: no point has a time"
        raise FitError(msg)
    if not has_jd.any():
        return curve, "times: BJD_TDB as in the table, without JD_UTC to check it by"
    moment = float(np.nanmedian(curve.jd_utc))
    ra, dec = place_at(planet.ra_deg, planet.dec_deg, planet.motion, moment)
    worked_out = bjd_tdb(curve.jd_utc, ra, dec, site)
    if not has_bjd.any():
        place = "the observatory" if site else "the centre of the Earth (21 ms at most)"
        note = f"times: BJD_TDB worked out from JD_UTC for {place} and {planet.name}"
        return replace(curve, bjd_tdb=worked_out), note
    note = _check_times(curve, worked_out, planet)
    empty = has_jd & ~has_bjd
    if not empty.any():
        return curve, note
    time = np.where(empty, worked_out, curve.bjd_tdb)
    elapsed_days = elapsed({"bjd_tdb": time, "jd_utc": curve.jd_utc})
    covariates = {**curve.covariates, "time": elapsed_days}
    note += f"; of {empty.sum()} rows without it worked out from JD_UTC"
    return replace(curve, bjd_tdb=time, covariates=covariates), note


def _check_times(curve: LightCurve, worked_out: np.ndarray, planet: Planet) -> str:
    """Compare BJD_TDB of a table with that of its JD_UTC, where rows have both."""
    off = (curve.bjd_tdb - worked_out)[np.isfinite(curve.bjd_tdb) & np.isfinite(worked_out)]
    if not off.size:
        return "times: BJD_TDB as in the table, in no row with a JD_UTC to check it by"
    seconds = float(np.median(off)) * DAY_S
    if abs(seconds) > CLOCK_TOLERANCE_S:
        told = explain(seconds / DAY_S, CLOCK_ERROR_S / DAY_S, _mistakes(worked_out, planet))
        why = " or ".join(one.words for one in told) or (
            "wrong coordinates, or one marks the start of exposures and the other the middle"
        )
        msg = (
            f"BJD_TDB is {seconds:+.0f} s off what JD_UTC gives for {planet.name}: {why}; --time "
            "picks a column (in Python: time=), and `lightcurve recompute` looks for the mistake"
        )
        raise InputError(msg, file=curve.source.table if curve.source else "")
    seconds = round(seconds, 1) + 0.0  # no -0.0
    return f"times: BJD_TDB as in the table, {seconds:+.1f} s from what its JD_UTC gives"
